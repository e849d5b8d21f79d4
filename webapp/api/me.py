"""Oneself: who the token is, what it may, and one's other tokens."""

from typing import Any

from flask import g
from pydantic import Field
from sqlalchemy import select
from werkzeug.exceptions import NotFound

from store.decisions import KINDS
from store.models import ApiToken
from store.people import BadToken, drop_token, make_token
from store.permissions import Forbidden, asker_of, may_of_kind
from store.secrets import hash_token
from webapp.api.calls import Body, Query, call
from webapp.api.errors import InvalidRequest
from webapp.api.given import Text
from webapp.api.listing import Order, Sorted, part
from webapp.api.paging import page
from webapp.api.shapes import Page
from webapp.api.shapes import people as shapes
from webapp.api.tokens import user
from webapp.database import db

ORDER = Order(
    {"id": ApiToken.id, "created_at": ApiToken.created_at, "name": ApiToken.name}, ApiToken.id, "-id"
)

#: As the page suggests it.
DAYS = 90


class TokenToMake(Body):
    name: Text = ""
    days: int | None = Field(
        DAYS,
        description="It works for so many, but no longer than the token that makes it; null: as long as that, or for ever.",
    )
    read_only: bool = Field(False, description="It may look at what you may, and do nothing.")
    class_paths: list[Text] = Field(
        [], description="Of jobs and their results only these, with `*` for anything."
    )


@call(answers={200: shapes.MeShape}, tag="me")
def me(query: Query) -> Any:
    """Tell who you are, and what you may do with this token."""
    may = {
        kind.name: [a for a in kind.actions if may_of_kind(user(), a, kind.name)] for kind in KINDS.values()
    }
    return {
        "id": user().id,
        "username": user().username,
        "display_name": user().display_name,
        "mail": user().mail,
        "superuser": user().superuser,
        "token": shapes.token(g.token) if "token" in g else None,
        "may": may,
    }


@call(query=Sorted, answers={200: Page[shapes.TokenShape]}, tag="me")
def my_tokens(query: Sorted) -> Any:
    """List your tokens, the latest first."""
    require_own("view")
    wanted = select(ApiToken).where(ApiToken.user_id == user().id)
    rows, more = part(db.session(), wanted, query, ORDER)
    return page([shapes.token(row) for row in rows], more)


@call(body=TokenToMake, answers={201: shapes.NewTokenShape}, tag="me")
def create_my_token(query: Query, body: TokenToMake) -> Any:
    """Make a token of yours. What it opens with is told this one time."""
    require_own("change")
    session = db.session()
    try:
        # Else one that somebody was lent for a day, or has stolen, could be made to last for ever.
        last = g.token.expires_at if "token" in g else None
        plain = make_token(session, user(), **body.model_dump(), last=last)
    except BadToken as error:
        raise InvalidRequest({name: [sentence] for name, sentence in error.errors.items()}) from None
    row = session.scalars(select(ApiToken).where(ApiToken.token_hash == hash_token(plain))).one()
    return shapes.new_token(row, plain), 201


@call(answers={204: None}, tag="me")
def end_my_token(query: Query, key: int) -> Any:
    """End a token of yours: it opens nothing any more."""
    require_own("change")
    if not drop_token(db.session(), user(), key):
        raise NotFound("You have no such token.")
    db.session.commit()
    return None, 204


def require_own(action: str) -> None:
    """Raise Forbidden where this token may not touch what is one's own: it could make one that may do more than it."""
    asker = asker_of(user())
    # As what belongs to people; but one's own needs no permission.
    if asker is not None and asker.limits is not None and (refusal := asker.limits.refusal("user", action)):
        raise Forbidden(refusal)
