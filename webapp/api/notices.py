"""What one is told about, and by which way."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import Field
from sqlalchemy import select
from werkzeug.exceptions import Conflict, NotFound

from store.models import NoticeRule
from store.notice_settings import is_mail
from store.notices import OUTCOMES, OWN, UNSAID, WAYS, WHEN
from webapp import wishes
from webapp.api.calls import Body, Query, call
from webapp.api.errors import InvalidRequest
from webapp.api.given import Text
from webapp.api.listing import Order, Sorted, part
from webapp.api.me import require_own
from webapp.api.paging import page
from webapp.api.shapes import Page
from webapp.api.shapes import notices as shapes
from webapp.api.tokens import user
from webapp.database import db
from webapp.notifications import NOT_A_MAIL

RULES = Order({"id": NoticeRule.id, "created_at": NoticeRule.created_at}, NoticeRule.id, "-id")

Way = Literal["browser", "mail"]


class NoticesChange(Body):
    mail: Text = Field("", description="Where messages go; empty: nowhere.")
    ways: dict[Way, list[Text]] = Field(
        {}, description=f"On what by which way; a way that is left out stays as it is. On: {', '.join(OWN)}"
    )


class NewRule(Body):
    about: Literal["job", "schedule", "run"]
    subject: Text = Field(description="The class path of the job, or the id of the other.")
    ways: list[Way] = Field(min_length=1)
    on: Literal["any", "bad", "output"] = Field(
        "any", description="Of jobs and schedules: every end, what fails, or what has something to report."
    )


@call(answers={200: shapes.NoticesShape}, tag="me")
def my_notices(query: Query) -> Any:
    """Show what you are told of what concerns you."""
    require_own("view")
    return {"mail": user().mail, "ways": {way: list(_said().get(way, ())) for way in WAYS}}


@call(body=NoticesChange, answers={200: shapes.NoticesShape}, tag="me")
def change_my_notices(query: Query, body: NoticesChange) -> Any:
    """Say what you want to be told of what concerns you."""
    require_own("change")
    mail = body.mail.strip() if "mail" in body.model_fields_set else user().mail
    if mail and not is_mail(mail):
        raise InvalidRequest({"mail": [NOT_A_MAIL]})
    if unknown := [word for words in body.ways.values() for word in words if word not in OWN]:
        raise InvalidRequest({"ways": [f"There is no {unknown[0]!r}; there are {', '.join(OWN)}."]})
    given: dict[str, list[str]] = {str(way): words for way, words in body.ways.items()}
    wanted = {way: given.get(way, _said().get(way, ())) for way in WAYS}
    ways = {way: [word for word in OWN if word in words] for way, words in wanted.items()}
    wishes.save_notices(db.session(), user(), mail, ways)
    db.session.commit()
    return {"mail": mail, "ways": ways}


@call(query=Sorted, answers={200: Page[shapes.RuleShape]}, tag="me")
def my_rules(query: Sorted) -> Any:
    """List what else you want to be told about, the latest first."""
    require_own("view")
    wanted = select(NoticeRule).where(NoticeRule.user_id == user().id)
    rows, more = part(db.session(), wanted, query, RULES)
    return page([shapes.rule(row) for row in rows], more)


@call(body=NewRule, answers={201: shapes.RuleShape}, tag="me")
def create_my_rule(query: Query, body: NewRule) -> Any:
    """Have yourself told about a job, a schedule or a run; it takes the place of what you said of that before."""
    require_own("change")
    session = db.session()
    name = wishes.name_of(session, user(), body.about, body.subject)
    words = list(OUTCOMES) if body.about == "run" else list(WHEN[body.on])
    ways: list[str] = [way for way in WAYS if way in body.ways]
    made = wishes.keep(session, user(), body.about, body.subject, name, ways, words)
    # Looked at after the wish is stored: a run that ends in between grants it, or is found here.
    if made is None or (body.about == "run" and wishes.has_ended(session, user(), body.subject)):
        raise Conflict("This run has already ended.")
    return shapes.rule(made), 201


@call(answers={204: None}, tag="me")
def delete_my_rule(query: Query, key: int) -> Any:
    """Take such a wish back."""
    require_own("change")
    if wishes.forget(db.session(), user(), key) is None:
        raise NotFound("You have no such rule.")
    db.session.commit()
    return None, 204


def _said() -> Mapping[str, Sequence[str]]:
    said = user().notices
    return UNSAID if said is None else said
