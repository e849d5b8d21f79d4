"""A message to the bot, from what Slack tells of it to the answer."""

import logging
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from slack_bolt import App, BoltContext
from sqlalchemy.exc import SQLAlchemyError

from store import slack_people
from store.audit import Actor, acting
from store.models import User
from webapp.slack import actions, begun, catalogue, matching, people, showlogs, words
from webapp.slack.bot import Bot
from webapp.slack.matching import Command, Said
from webapp.slack.message import Message

#: Kinds of direct messages that somebody has just written; all others are news about messages.
WRITTEN = (None, "file_share", "thread_broadcast")

MOST_SEEN = 10_000

BROKE = "Something went wrong here, so I cannot say what became of that. The portal's log says more."

logger = logging.getLogger("errand.slack")


@dataclass(slots=True)
class Seen:
    """The last messages that this process has heard: Slack sends again what was not acknowledged in time."""

    #: Each with what is set when it was dealt with.
    _keys: "OrderedDict[str, threading.Event]" = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, key: str) -> bool:
        """Tell whether a message is still to be dealt with. While somebody does, wait for what becomes of it."""
        while True:
            with self._lock:
                known = self._keys.get(key)
                if known is None:
                    self._keys[key] = threading.Event()
                    if len(self._keys) > MOST_SEEN:
                        self._keys.popitem(last=False)
                    return True
            known.wait()
            if self._keys.get(key) is known:
                return False

    def end(self, key: str, *, done: bool) -> None:
        with self._lock:
            known = self._keys[key] if done else self._keys.pop(key)
            known.set()


def register(app: App, bot: Bot) -> None:
    seen = Seen()

    @app.event("app_mention")
    def mentioned(event: dict[str, Any], context: BoltContext) -> None:
        _hear(bot, seen, _message(event, context, direct=False))

    @app.event("message")
    def told(event: dict[str, Any], context: BoltContext) -> None:
        # In channels it hears what mentions it, by the event for that.
        if event.get("channel_type") == "im" and event.get("subtype") in WRITTEN and not event.get("bot_id"):
            _hear(bot, seen, _message(event, context, direct=True))


def _message(event: Mapping[str, Any], context: BoltContext, *, direct: bool) -> Message:
    is_program = not event.get("user")
    return Message(
        team=str(context.team_id or event.get("team") or ""),
        user=str(event.get("user") or event.get("bot_id") or ""),
        program=str(event.get("username") or event.get("bot_id") or "") if is_program else "",
        channel=str(event["channel"]),
        ts=str(event["ts"]),
        thread_ts=event.get("thread_ts"),
        text=str(event.get("text") or ""),
        bot_user=str(context.bot_user_id or ""),
        direct=direct,
    )


def _hear(bot: Bot, seen: Seen, message: Message) -> None:
    """Do what a message asks for, once. What the database cannot take now is not acknowledged: Slack sends it again."""
    if not seen.begin(message.key):
        return
    done = True
    try:
        with acting(Actor(via="slack")):
            _answer(bot, message)
    except SQLAlchemyError:
        done = False
        raise
    except Exception:
        logger.exception("A message in %s could not be dealt with.", message.channel)
        bot.reply(message, BROKE)
    finally:
        seen.end(message.key, done=done)


def _answer(bot: Bot, message: Message) -> None:
    text = matching.said(message.text, message.bot_user, direct=message.direct)
    keyword = bot.settings.slack.support_keyword
    if text is None or (keyword and matching.has_keyword(message.text, keyword)):
        return
    try:
        person = people.person_of(bot, message.user, message.program)
        if _connected(bot, message, person, text):
            return
        user = people.account_of(bot, person)
    except people.Unknown as refusal:
        bot.reply(message, str(refusal))
        return
    with bot.platform.reading() as db:
        offered = catalogue.offered(db, user).with_space(showlogs.SPACE)
    others = (_code, showlogs.understand, partial(_begun, commands=offered.commands))
    asked = matching.understand(text, offered.commands, offered.names, others)
    with acting(Actor(user.username, "slack")):
        _do(bot, message, user, offered, asked)


def _do(bot: Bot, message: Message, user: User, offered: catalogue.Offered, asked: Said) -> None:
    prefix = bot.prefix(message)
    match asked.kind:
        case "command" if asked.match is not None:
            actions.run(bot, message, user, asked.match)
        case "begun" if asked.match is not None:
            actions.ask(bot, message, user, asked.match)
        case "status":
            actions.status(bot, message, user)
        case "remove":
            actions.remove(bot, message, user, asked.name)
        case "showlogs":
            showlogs.show(bot, message, user, asked.name)
        case "code":
            bot.reply(message, words.BAD_CODE)
        case "help of":
            bot.reply(message, words.help_of(offered.named(asked.name), prefix))
        case _:
            bot.reply(message, words.help_for(offered.namespaces, prefix, asked=asked.asked))


def _begun(text: str, commands: Sequence[Command]) -> Said | None:
    match = begun.find(text, commands)
    return Said("begun", match) if match else None


# --- "link CODE" ----------------------------------------------------------------------------------------------


def _code(text: str) -> Said | None:
    return Said("code") if matching.code_in(text) else None


def _connected(bot: Bot, message: Message, person: slack_people.Person, text: str) -> bool:
    """Have somebody be whose code they have sent; tell whether it is one."""
    code = matching.code_in(text)
    if not code:
        return False
    with bot.platform.session() as db:
        user = slack_people.drop_code(db, code)
        if user is None:
            db.commit()
            return False
        if message.direct and not message.program:
            slack_people.link(db, person, user)
            told = words.connected(user.username)
        else:
            # Others may have read it, too.
            told = words.CODE_IN_CHANNEL
        db.commit()
    bot.reply(message, told)
    return True
