"""Signing in and out."""

from http import HTTPStatus

from flask import (
    Blueprint,
    Response,
    current_app,
    flash,
    make_response,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from sqlalchemy import select, update

from store import audit
from store.models import SignInLink, User, now
from store.permissions import Forbidden
from store.secrets import hash_token, verify_password
from store.text import clean_text
from webapp import lock_out
from webapp.auth import current_user, public, session_of_request
from webapp.database import reading, writing
from webapp.next_page import safe_path
from webapp.sign_in_page import SHOWN, SIGN_OUT_ADDRESS, sign_in_page

blueprint = Blueprint("login", __name__)

#: Longer names and passwords are nobody's, and hashing them would only cost time.
LONGEST = 256


@blueprint.get("/login")
@public
def show() -> Response:
    if current_user() is not None:
        return _go_on()
    return sign_in_page(next=safe_path(request.args.get("next")))


@blueprint.post("/login")
@public
def sign_in() -> Response:
    settings = current_app.extensions["errand"].settings
    if not settings.passwords:
        raise Forbidden(f"Nobody signs in with a password here. Use {settings.oidc.name}.")
    username = clean_text(request.form.get("username", ""))[:LONGEST].strip()
    address = request.remote_addr or ""
    if seconds := lock_out.seconds_to_wait(username, address):
        # Not even compared: that costs time, and could tell something.
        answer = _again(HTTPStatus.TOO_MANY_REQUESTS, username, wait_seconds=seconds)
        answer.headers["Retry-After"] = str(seconds)
        return answer
    user = _check(username, request.form.get("password", "")[:LONGEST])
    if user is None:
        _note("sign-in.refused", username)
        return _again(HTTPStatus.UNPROCESSABLE_ENTITY, username, wrong=True)
    lock_out.forget_failures(username, address)
    _note("sign-in", user.username, by=user)
    session_of_request().sign_in(user)
    return _go_on()


@blueprint.get("/login/<token>")
@public
def use_link(token: str) -> Response:
    """Sign in by a link that works once."""
    if request.method == "HEAD":
        # Programs that only look at links must not use them up.
        return Response()
    if "ask" in request.args:
        # Came by mail, where programs open links to look what is behind them: only a press uses it up.
        return make_response(render_template("login/link.html", token=token))
    return _used(token)


@blueprint.post("/login/<token>")
@public
def press_link(token: str) -> Response:
    return _used(token)


def _used(token: str) -> Response:
    user = _use_up(token)
    if user is None:
        return make_response(render_template("login/used.html"), HTTPStatus.NOT_FOUND)
    _note("sign-in.link", user.username, by=user)
    known = current_user()
    if known is not None and known.id == user.id:
        session_of_request().confirm()
        flash(SHOWN)
        return make_response(redirect(url_for("account.show"), HTTPStatus.SEE_OTHER))
    session_of_request().sign_in(user)
    # Not to a page in the link: it would be the sender who chooses where its reader goes.
    return make_response(redirect(url_for("home.show"), HTTPStatus.SEE_OTHER))


@blueprint.post("/logout")
def sign_out() -> Response:
    elsewhere = session.get(SIGN_OUT_ADDRESS)
    session_of_request().sign_out()
    flash("You have signed out.")
    if elsewhere:
        session[SIGN_OUT_ADDRESS] = elsewhere
    return make_response(redirect(url_for("login.show"), HTTPStatus.SEE_OTHER))


def _note(action: str, username: str, by: User | None = None) -> None:
    with writing() as db:
        audit.note(db, action, username, actor=by.username if by else "")


def _again(status: HTTPStatus, username: str, *, wrong: bool = False, wait_seconds: int = 0) -> Response:
    wanted = safe_path(request.form.get("next"))
    return sign_in_page(status, next=wanted, username=username, wrong=wrong, wait_seconds=wait_seconds)


def _go_on() -> Response:
    wanted = safe_path(request.values.get("next"))
    return make_response(redirect(wanted or url_for("home.show"), HTTPStatus.SEE_OTHER))


def _check(username: str, password: str) -> User | None:
    # Sessions of their own: SQLite's write turn is not held while the password is hashed.
    with reading() as db:
        user = db.scalars(select(User).where(User.username == username)).one_or_none()
    may = verify_password(user.password_hash if user else None, password)
    return user if may and user is not None and user.active else None


def _use_up(token: str) -> User | None:
    """Return the user of this link if it is good, and have it be good no longer."""
    moment = now()
    unused = update(SignInLink).where(
        SignInLink.token_hash == hash_token(token),
        SignInLink.used_at.is_(None),
        SignInLink.expires_at > moment,
    )
    with writing() as db:
        # One statement: of two requests at once only one finds the link unused.
        user_id = db.scalar(unused.values(used_at=moment).returning(SignInLink.user_id))
        user = db.get(User, user_id) if user_id is not None else None
    return user if user is not None and user.active else None
