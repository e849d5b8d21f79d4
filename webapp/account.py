"""One's own account: password, where one is signed in, and tokens for scripts."""

from http import HTTPStatus
from typing import Any

from flask import (
    Blueprint,
    Response,
    current_app,
    flash,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from sqlalchemy import delete, select, update

from store import audit
from store.models import ApiToken, Identity, User, UserSession, now
from store.people import BadToken, drop_token, make_token
from store.permissions import Forbidden, NotVisible
from store.secrets import WeakPassword, check_password_rules, hash_password, verify_password
from webapp import lock_out
from webapp.admin_forms import AdminForm, line
from webapp.auth import session_of_request, signed_in_user
from webapp.browser_name import browser_name
from webapp.confirming import require_confirmed
from webapp.database import db, reading, writing

blueprint = Blueprint("account", __name__, url_prefix="/account")

LONGEST_PASSWORD = 256


@blueprint.get("/")
def show() -> str:
    return _page(AdminForm({"days": "90"}))


@blueprint.post("/password")
def password() -> Response:
    """Set a password, by the old one where there is one. All other sessions end."""
    user = signed_in_user()
    if not current_app.extensions["errand"].settings.passwords:
        raise Forbidden("Nobody signs in with a password here.")
    if user.password_hash is None:
        require_confirmed()
    form = AdminForm({"days": "90"})
    old, new = (request.form.get(name, "")[:LONGEST_PASSWORD] for name in ("old_password", "new_password"))
    # Hashing takes its time: the write turn of SQLite is not held meanwhile.
    if user.password_hash is not None:
        if seconds := lock_out.seconds_to_wait(user.username, lock_out.OWN_ACCOUNT):
            form.refuse("old_password", f"Too many tries. Wait {seconds} seconds, then try again.")
        elif not verify_password(user.password_hash, old):
            form.refuse("old_password", "This is not your password.")
        else:
            lock_out.forget_failures(user.username, lock_out.OWN_ACCOUNT)
    try:
        check_password_rules(new, user.username)
    except WeakPassword as error:
        form.refuse("new_password", str(error))
    if form.errors:
        return make_response(_page(form), HTTPStatus.UNPROCESSABLE_ENTITY)
    kept = hash_password(new)
    with writing() as session:
        session.execute(update(User).where(User.id == user.id).values(password_hash=kept))
        session.execute(delete(UserSession).where(*_others(user)))
        audit.note(session, "user.password", user.username)
    flash("Your password is set. You are signed out everywhere else.")
    return _back()


@blueprint.post("/sessions/<int(max=2147483647):session_id>/end")
def end_session(session_id: int) -> Response:
    """Sign out one of one's own browsers."""
    require_confirmed()
    with writing() as session:
        own = (UserSession.id == session_id, UserSession.user_id == signed_in_user().id)
        ended = session.execute(delete(UserSession).where(*own)).rowcount  # type: ignore[attr-defined]
    if not ended:
        raise NotVisible
    flash("That session has ended.")
    return _back()


@blueprint.post("/sessions/end-others")
def end_others() -> Response:
    require_confirmed()
    with writing() as session:
        session.execute(delete(UserSession).where(*_others(signed_in_user())))
    flash("You are signed out everywhere else.")
    return _back()


@blueprint.post("/tokens")
def create_token() -> Response:
    """Make a token. It is shown this one time."""
    require_confirmed()
    form = AdminForm({name: line(request.form, name) for name in ("name", "days")})
    form.values |= {
        "read_only": request.form.get("read_only") == "true",
        "class_paths": request.form.get("class_paths", ""),
    }
    days = form.text("days")
    if days and not (days.isascii() and days.isdecimal() and len(days) < 10):
        form.refuse("days", "Enter a whole number, or nothing.")
    if not form.errors:
        try:
            token = make_token(
                db.session(),
                signed_in_user(),
                name=form.text("name"),
                days=int(days) if days else None,
                read_only=bool(form.values["read_only"]),
                class_paths=form.text("class_paths").split(),
            )
        except BadToken as error:
            for name, sentence in error.errors.items():
                form.refuse(name, sentence)
        else:
            return make_response(render_template("account/token.html", token=token, name=form.text("name")))
    return make_response(_page(form), HTTPStatus.UNPROCESSABLE_ENTITY)


@blueprint.post("/tokens/<int(max=2147483647):token_id>/end")
def end_token(token_id: int) -> Response:
    with writing() as session:
        ended = drop_token(session, signed_in_user(), token_id)
    if not ended:
        raise NotVisible
    flash("That token opens nothing any more.")
    return _back()


def _others(user: User) -> tuple[Any, ...]:
    row = session_of_request().row
    return (UserSession.user_id == user.id, UserSession.id != (row.id if row else None))


def _back() -> Response:
    return make_response(redirect(url_for("account.show"), HTTPStatus.SEE_OTHER))


def _page(form: AdminForm) -> str:
    user, row, moment = signed_in_user(), session_of_request().row, now()
    with reading() as session:
        sessions = session.scalars(
            select(UserSession)
            .where(UserSession.user_id == user.id, UserSession.expires_at > moment)
            .order_by(UserSession.last_seen_at.desc())
        ).all()
        tokens = session.scalars(
            select(ApiToken).where(ApiToken.user_id == user.id).order_by(ApiToken.id.desc())
        ).all()
        identities = session.scalars(
            select(Identity).where(Identity.user_id == user.id).order_by(Identity.id)
        ).all()
    settings = current_app.extensions["errand"].settings
    return render_template(
        "account/show.html",
        form=form,
        sessions=sessions,
        browser_name=browser_name,
        this=row.id if row else None,
        tokens=tokens,
        moment=moment,
        identities=[identity for identity in identities if not identity.is_slack],
        in_slack=[identity for identity in identities if identity.is_slack],
        has_slack=settings.slack.hears,
        passwords=settings.passwords,
        has_password=user.password_hash is not None,
    )
