"""Who one user is elsewhere, for superusers to allow and to end."""

from http import HTTPStatus

from flask import Blueprint, Response, flash, make_response, redirect, request, url_for
from sqlalchemy import delete

from store import audit, slack_people
from store.models import Identity, User, UserSession
from store.permissions import Forbidden, NotVisible
from webapp.auth import require, session_of_request, signed_in_user
from webapp.confirming import require_confirmed
from webapp.database import db

blueprint = Blueprint(
    "identities", __name__, url_prefix="/admin/users/<int(max=2147483647):user_id>/identities"
)


@blueprint.post("/allow")
def allow(user_id: int) -> Response:
    """Have the account taken over, once, by whoever comes by single sign-on under its name; or not any more."""
    user = _changed(user_id)
    require_confirmed()
    before = {"oidc_may_link": user.oidc_may_link}
    user.oidc_may_link = request.form.get("allowed") == "true"
    after = {"oidc_may_link": user.oidc_may_link}
    audit.note(db.session(), "user.change", user.username, before=before, after=after)
    db.session.commit()
    if user.oidc_may_link:
        flash(f"Whoever comes next by single sign-on as {user.username} gets this account.")
    else:
        flash(f"Nobody new gets the account of {user.username} by single sign-on.")
    return _to(user)


@blueprint.post("/<int(max=2147483647):identity_id>/unlink")
def unlink(user_id: int, identity_id: int) -> Response:
    """Let somebody elsewhere be nobody here. If they sign in by that, all sessions of the user end: it may not have been they who began them."""
    user = _changed(user_id)
    identity: Identity | None = db.session.get(Identity, identity_id)
    if identity is None or identity.user_id != user.id:
        raise NotVisible
    if identity.is_slack:
        # Nobody signs in by it.
        slack_people.unlink(db.session(), identity)
    else:
        row = session_of_request().row
        others = (UserSession.user_id == user.id, UserSession.id != (row.id if row else None))
        db.session.execute(delete(UserSession).where(*others))
        db.session.delete(identity)
        about = {"issuer": identity.issuer, "subject": identity.subject}
        audit.note(db.session(), "user.oidc-unlink", user.username, before=about)
    db.session.commit()
    flash(f"Unlinked {user.username} from {identity.host}.")
    return _to(user)


def _changed(user_id: int) -> User:
    user: User | None = db.session.get(User, user_id)
    if user is None:
        raise NotVisible
    require("change", user)
    if not signed_in_user().superuser:
        raise Forbidden("Only a superuser may say who somebody is elsewhere.")
    return user


def _to(user: User) -> Response:
    return make_response(redirect(url_for("users.show", user_id=user.id), HTTPStatus.SEE_OTHER))
