"""Where Slack posts what happens: events, clicks and forms, each signed."""

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask import Blueprint, Flask, Response, current_app, request

from store.permissions import NotVisible
from store.platform import Platform
from webapp.auth import for_programs
from webapp.database import db

if TYPE_CHECKING:
    from slack_bolt.adapter.flask import SlackRequestHandler

    from webapp.slack.bot import Bot

blueprint = Blueprint("slack", __name__, url_prefix="/slack")

_making = threading.Lock()


@blueprint.post("/events")
@for_programs
def events() -> Response:
    """Hear what happens in Slack. 401 without a right signature, 404 where there is no bot that listens here."""
    slack = current_app.extensions["errand"].settings.slack
    if not slack.bot_token or not slack.signing_secret:
        raise NotVisible
    return _listening(current_app).handler.handle(request)


@dataclass(frozen=True, slots=True)
class Listening:
    """The bot of this process."""

    bot: "Bot"
    handler: "SlackRequestHandler"


def _listening(app: Flask) -> Listening:
    """Return it, made when it is needed first: before that, processes may still part."""
    # Imported here: most portals have no Slack.
    from slack_bolt.adapter.flask import SlackRequestHandler

    from webapp.slack.app import make_app, make_bot

    with _making:
        if "slack" not in app.extensions:
            bot = make_bot(app.extensions["errand"].settings, Platform.of(db.engine))
            app.extensions["slack"] = Listening(bot, SlackRequestHandler(make_app(bot)))
        made: Listening = app.extensions["slack"]
        return made
