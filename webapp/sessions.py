"""Browser sessions: a random token in the cookie, everything else in our database.

Whoever has not signed in gets no row, only a signed cookie that carries the CSRF token of the sign-in form.
"""

import hashlib
import logging
import secrets
from collections.abc import Callable, MutableMapping
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Flask, Request, Response
from flask import request as flask_request
from flask.sessions import SessionInterface, SessionMixin
from itsdangerous import BadSignature, URLSafeSerializer
from sqlalchemy import bindparam, delete, or_, select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import joinedload
from werkzeug.datastructures import CallbackDict

from store.models import User, UserSession, now
from store.secrets import hash_token
from store.text import clean_text
from webapp.database import db as request_db
from webapp.database import reading, writing

IDLE = timedelta(hours=8)
LIFETIME = timedelta(days=7)

#: A token is good for so long; its browser then gets another one with a page.
ROTATED_EVERY = timedelta(hours=1)
#: The one before is good for so much longer, and until the browser has shown that it got the new one: several pages
#: may be on their way at once, and an answer may get lost.
GRACE = timedelta(minutes=1)

#: A session in use is not written at every request.
SEEN_NOTED_EVERY = timedelta(minutes=1)

LONGEST_AGENT = 200
LONGEST_ADDRESS = 64

#: Where a session keeps when its person showed who they are since it began: seconds since 1970.
CONFIRMED_AT = "confirmed_at"

#: Below these paths no cookie is read or written.
WITHOUT_COOKIES = ("/static/", "/api/", "/healthz", "/readyz")

#: Made once: every request asks it.
_OPEN = (
    select(UserSession)
    .where(
        or_(
            UserSession.token_hash == bindparam("token_hash"),
            UserSession.previous_hash == bindparam("token_hash"),
        ),
        UserSession.expires_at > bindparam("moment"),
        UserSession.last_seen_at > bindparam("active_since"),
    )
    .options(joinedload(UserSession.user))
)

_logger = logging.getLogger(__name__)


class BrowserSession(CallbackDict[str, Any], SessionMixin):
    """What one browser carries from request to request."""

    def __init__(
        self,
        data: MutableMapping[str, Any] | None = None,
        row: UserSession | None = None,
        token_hash: str = "",
    ) -> None:
        def changed(session: "BrowserSession") -> None:
            session.modified = True

        super().__init__(data or {}, changed)
        self.modified = False
        self.row = row
        #: Of the token that the browser has sent.
        self.token_hash = token_hash
        #: The token to put into the cookie, once, after signing in.
        self.new_token: str | None = None
        #: True: this browser's session is over, whatever its cookie says.
        self.ended = False

    @property
    def user(self) -> User | None:
        return self.row.user if self.row else None

    def sign_in(self, user: User) -> None:
        """Begin a new session for `user`. An old one ends, so that nobody can have planted it."""
        token = secrets.token_urlsafe(32)
        moment = now()
        self.clear()
        # Made now, so that no later page has to write it; Flask-WTF finds it under this name.
        self["csrf_token"] = secrets.token_hex(32)
        with writing() as db:
            if self.row is not None:
                db.execute(delete(UserSession).where(UserSession.id == self.row.id))
            db.execute(update(User).where(User.id == user.id).values(last_sign_in_at=moment))
            self.row = UserSession(
                token_hash=hash_token(token),
                user_id=user.id,
                data=dict(self),
                created_at=moment,
                last_seen_at=moment,
                expires_at=moment + LIFETIME,
                agent=clean_text(flask_request.headers.get("User-Agent", ""))[:LONGEST_AGENT],
                address=(flask_request.remote_addr or "")[:LONGEST_ADDRESS],
            )
            db.add(self.row)
        self.modified = False
        self.new_token = token

    @property
    def confirmed_at(self) -> datetime | None:
        """When this person last showed who they are."""
        if self.row is None:
            return None
        shown = self.get(CONFIRMED_AT)
        return self.row.created_at if shown is None else datetime.fromtimestamp(shown, UTC)

    def confirm(self) -> None:
        """Note that this person has shown who they are. Their browser gets another token, and no other has one."""
        if self.row is None:
            return
        token, moment = secrets.token_urlsafe(32), now()
        values = {"token_hash": hash_token(token), "previous_hash": None, "rotated_at": moment}
        self[CONFIRMED_AT] = moment.timestamp()
        with writing() as db:
            db.execute(update(UserSession).where(UserSession.id == self.row.id).values(**values))
        self.new_token = token

    def sign_out(self) -> None:
        if self.row is not None:
            with writing() as db:
                db.execute(delete(UserSession).where(UserSession.id == self.row.id))
        self.clear()
        self.row = None
        self.new_token = None
        self.ended = True


class NoSession(BrowserSession):
    """For requests that neither read nor get a cookie."""


class UnreadSession(NoSession):
    """For a request whose session could not be read: it fails where it is asked for its user, not before Flask has
    begun to handle errors."""

    def __init__(self, error: OperationalError) -> None:
        super().__init__()
        self._error = error

    @property
    def user(self) -> User | None:
        raise self._error


class DatabaseSessions(SessionInterface):
    def __init__(self, *, https: bool, counts_as_use: Callable[[], bool]) -> None:
        """counts_as_use: tells whether the present request shows that a person is there."""
        self.https = https
        self.cookie = "__Host-session" if https else "session"
        self.counts_as_use = counts_as_use

    def open_session(self, app: Flask, request: Request) -> BrowserSession:
        if request.path.startswith(WITHOUT_COOKIES):
            return NoSession()
        cookie = request.cookies.get(self.cookie, "")
        if not cookie:
            return BrowserSession()
        # A token has no dot, a signed value always has one.
        if "." in cookie:
            return BrowserSession(_unsigned(app, cookie))
        try:
            row = _find(cookie)
        except OperationalError as error:
            return UnreadSession(error)
        return BrowserSession(dict(row.data), row, hash_token(cookie)) if row else BrowserSession()

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        if not isinstance(session, BrowserSession) or isinstance(session, NoSession):
            return
        response.vary.add("Cookie")
        if session.row is not None:
            self._save_row(session, session.row, response)
        elif session.modified and session:
            self._set_cookie(response, _signer(app).dumps(dict(session)), None)
        elif session.ended or session.modified:
            # Emptied, too: what was taken out of it must not come back with the next request.
            response.delete_cookie(self.cookie, path="/", secure=self.https, httponly=True, samesite="Lax")

    def _save_row(self, session: BrowserSession, row: UserSession, response: Response) -> None:
        # The page is made. What the request did not commit is not wanted, and must not keep the write turn from us.
        request_db.session.rollback()
        if session.modified:
            _write(row, data=dict(session))
        if session.new_token is None and self.counts_as_use():
            session.new_token = _rotated(row, session.token_hash)
            _note_use(row)
        if session.new_token is not None:
            self._set_cookie(response, session.new_token, LIFETIME)

    def _set_cookie(self, response: Response, value: str, max_age: timedelta | None) -> None:
        response.set_cookie(
            self.cookie, value, max_age=max_age, path="/", secure=self.https, httponly=True, samesite="Lax"
        )


def _find(token: str) -> UserSession | None:
    """Return the session of this token, unless it is over or its user may no longer sign in."""
    moment = now()
    # A session of its own: the request's may begin with SQLite's write turn, and this is only a look.
    with reading() as db:
        named = {"token_hash": hash_token(token), "moment": moment, "active_since": moment - IDLE}
        row = db.scalars(_OPEN, named).one_or_none()
    return row if row is not None and row.user.active else None


def _rotated(row: UserSession, used: str) -> str | None:
    """Return another token for the browser, if it is time for one."""
    settled = row.rotated_at < now() - GRACE
    if used == row.previous_hash:
        due = settled  # It never got the new one.
    else:
        due = row.rotated_at < now() - ROTATED_EVERY
        if settled and not due and row.previous_hash is not None:
            _write(row, previous_hash=None)
    if not due:
        return None
    token = secrets.token_urlsafe(32)
    values = {"token_hash": hash_token(token), "previous_hash": used, "rotated_at": now()}
    # Of several requests in the same moment one brings the new token.
    mine = (UserSession.id == row.id, UserSession.token_hash == row.token_hash)
    try:
        with writing() as db:
            rotated = db.scalar(update(UserSession).where(*mine).values(**values).returning(UserSession.id))
    except OperationalError as error:
        _logger.warning("The token of session %s could not be changed: %s", row.id, error)
        return None
    return token if rotated is not None else None


def _note_use(row: UserSession) -> None:
    moment = now()
    if row.last_seen_at > moment - SEEN_NOTED_EVERY:
        return
    _write(row, last_seen_at=moment)


def _write(row: UserSession, **values: Any) -> None:
    try:
        with writing() as db:
            db.execute(update(UserSession).where(UserSession.id == row.id).values(**values))
    except OperationalError as error:
        # A busy database is no reason to fail a page that is ready.
        _logger.warning("Session %s could not be written: %s", row.id, error)


def _signer(app: Flask) -> URLSafeSerializer:
    how = {"key_derivation": "hmac", "digest_method": hashlib.sha256}
    return URLSafeSerializer(str(app.secret_key), salt="errand-anonymous-session", signer_kwargs=how)


def _unsigned(app: Flask, cookie: str) -> dict[str, Any]:
    try:
        data = _signer(app).loads(cookie)
    except BadSignature:
        return {}
    return data if isinstance(data, dict) else {}
