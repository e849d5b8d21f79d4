"""Who calls: the user of the token in the Authorization header."""

import logging
from datetime import timedelta

from flask import g, request
from sqlalchemy import or_, select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import joinedload
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Unauthorized

from store import audit, permissions
from store.decisions import Limits
from store.models import ApiToken, User, now
from store.secrets import hash_token
from webapp.database import db, reading, writing

SCHEMES = ("token", "bearer")

#: A token that is used all the time is not written all the time.
USE_NOTED_EVERY = timedelta(minutes=1)

#: In the environment of a request: who makes it within this process, from the command line. What a client sends is
#: in other keys (`HTTP_...`), so that none can say this of itself.
HERE = "errand.here"

_logger = logging.getLogger(__name__)


def identify() -> None:
    """Make the user of the token the user of this request, or refuse it."""
    if (caller := request.environ.get(HERE)) is not None:
        g.user = _of_session(caller)
        audit.act_as(audit.Actor(caller.username, "command"))
        return
    token = _find(_given())
    _note_use(token)
    g.token, g.user = token, _of_session(token.user)
    audit.act_as(audit.Actor(token.user.username, "api", request.remote_addr or ""))
    if token.read_only or token.class_paths:
        permissions.limit(
            g.user, Limits(token.name or token.prefix, token.read_only, tuple(token.class_paths))
        )


def user() -> User:
    found: User = g.user
    return found


def _of_session(found: User) -> User:
    """Return somebody as the session of this request has them; nobody in particular as they are."""
    # Without a statement, so without a transaction: that begins when the request has come in whole.
    return db.session.merge(found, load=False) if found.id is not None else found


def _given() -> str:
    scheme, _, token = request.headers.get("Authorization", "").strip().partition(" ")
    if scheme.lower() not in SCHEMES or not token.strip():
        raise _unauthorized("Send a token in a header: `Authorization: Token ...`.")
    return token.strip()


def _find(plain: str) -> ApiToken:
    query = (
        select(ApiToken).where(ApiToken.token_hash == hash_token(plain)).options(joinedload(ApiToken.user))
    )
    # A session of its own: the request's may begin with SQLite's write turn, and this is only a look.
    with reading() as session:
        token = session.scalars(query).one_or_none()
    if token is None:
        raise _unauthorized("This token is not known here.")
    if token.expires_at is not None and token.expires_at <= now():
        raise _unauthorized("This token has expired.")
    if not token.user.active:
        raise _unauthorized("This token's user is no longer active.")
    return token


def _note_use(token: ApiToken) -> None:
    moment = now()
    before = moment - USE_NOTED_EVERY
    if token.last_used_at is not None and token.last_used_at > before:
        return
    unnoted = or_(ApiToken.last_used_at.is_(None), ApiToken.last_used_at <= before)
    try:
        with writing() as session:
            session.execute(
                update(ApiToken).where(ApiToken.id == token.id, unnoted).values(last_used_at=moment)
            )
    except OperationalError as error:
        # A busy database is no reason to turn the caller away.
        _logger.warning("The use of token %s could not be noted: %s", token.id, error)


def _unauthorized(sentence: str) -> Unauthorized:
    return Unauthorized(sentence, www_authenticate=WWWAuthenticate("bearer", {"realm": "Errand API"}))
