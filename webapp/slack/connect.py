"""Slack in one's own account: a code that connects both, and the end of that."""

from http import HTTPStatus

from flask import Blueprint, Response, current_app, flash, make_response, redirect, render_template, url_for

from store import slack_people
from store.models import Identity
from store.permissions import NotVisible
from webapp.auth import signed_in_user
from webapp.confirming import require_confirmed
from webapp.database import writing

blueprint = Blueprint("connect_slack", __name__, url_prefix="/account/slack")


@blueprint.post("/")
def begin() -> Response:
    """Make a code to be sent to the bot. It is shown this one time."""
    slack = current_app.extensions["errand"].settings.slack
    if not slack.hears:
        raise NotVisible
    require_confirmed()
    with writing() as session:
        code = slack_people.new_code(session, signed_in_user())
    minutes = int(slack_people.CODE_LIFETIME.total_seconds() // 60)
    page = render_template("account/slack_code.html", code=code, bot_name=slack.bot_name, minutes=minutes)
    return make_response(page)


@blueprint.post("/<int(max=2147483647):identity_id>/end")
def end(identity_id: int) -> Response:
    """Have somebody in Slack not be oneself any more."""
    with writing() as session:
        identity: Identity | None = session.get(Identity, identity_id)
        if identity is None or identity.user_id != signed_in_user().id or not identity.is_slack:
            raise NotVisible
        slack_people.unlink(session, identity)
    flash("Slack is not connected any more.")
    return make_response(redirect(url_for("account.show"), HTTPStatus.SEE_OTHER))
