"""Clicks: who clicks, what they alone are told, and what becomes of the message that they clicked in."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

from store import slack_people
from store.models import User
from webapp.slack.bot import Bot
from webapp.slack.people import Unknown, account_of, how_to_connect, person_of
from worker.messages import mrkdwn
from worker.slack.client import NotTaken, taken

logger = logging.getLogger("errand.slack")


class Refused(Exception):
    """It cannot be done, as a sentence for who asked; with `markup`, in Slack's own."""

    def __init__(self, sentence: str, *, markup: bool = False) -> None:
        super().__init__(sentence)
        self.text = sentence if markup else mrkdwn(sentence)


def actor(bot: Bot, body: Mapping[str, Any]) -> User:
    """Return the account of whoever acts. Raises Refused."""
    try:
        return account_of(bot, person_of(bot, str(body["user"]["id"])))
    except Unknown as refusal:
        raise Refused(str(refusal), markup=True) from refusal


def connected_actor(bot: Bot, body: Mapping[str, Any]) -> User:
    """Return the account of whoever acts, which has to be one that they have connected. Raises Refused.

    One that only Slack opens may be the second one of somebody who has asked under the first.
    """
    user = actor(bot, body)
    person = person_of(bot, str(body["user"]["id"]))
    with bot.platform.reading() as db:
        identity = slack_people.find(db, person)
        if identity is None or slack_people.is_only_slacks(db, identity.user, identity):
            raise Refused(how_to_connect(bot), markup=True)
    return user


def whisper(respond: Callable[..., Any], refusal: Refused) -> None:
    """Tell whoever clicked, and nobody else."""
    respond(text=refusal.text, response_type="ephemeral", replace_original=False)


def replace_message(bot: Bot, channel: str, ts: str, text: str, blocks: list[dict[str, Any]]) -> None:
    """Have a message of the bot say something else. That it cannot is no reason to stop: it is done all the same."""
    try:
        with taken():
            bot.client.chat_update(channel=channel, ts=ts, text=text, blocks=blocks)
    except NotTaken as error:
        logger.info("A message in Slack was not replaced: %s", error)
