"""The bot as slack-bolt runs it: behind an address that Slack posts to (see events), or by socket mode (`./errand slack`)."""

import logging
import re

from slack_bolt import App

from store.platform import Platform
from store.settings import Settings
from webapp.slack import approvals, conversation, modals
from webapp.slack.bot import Bot, patient_client
from worker.slack.client import make_client


def make_bot(settings: Settings, platform: Platform) -> Bot:
    return Bot(settings, platform, make_client(settings.slack), patient_client(settings.slack))


def make_app(bot: Bot) -> App:
    """Return what answers Slack. Nothing is asked of Slack before it says something itself."""
    logger = logging.getLogger("errand.slack.bolt")
    # It warns of a token that stands in the environment for all, and of events that concern nobody here.
    logger.setLevel(logging.ERROR)
    app = App(
        name="errand",
        logger=logger,
        client=bot.client,
        signing_secret=bot.settings.slack.signing_secret,
        token_verification_enabled=False,
        # Acknowledged when it is done: what a process that dies had not stored yet, Slack sends again.
        process_before_response=True,
    )
    for part in (conversation, modals, approvals):
        part.register(app, bot)
    # Whatever else an app is told of, that nobody here listens to.
    app.event(re.compile(r".+"))(lambda: None)
    return app
