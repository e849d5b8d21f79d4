"""What commands do: run a job, cancel what waits, and have a job not begin for a while."""

import logging
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from jobs.errors import InvalidData
from jobs.slack_commands import CANCEL, SCHEDULE, SUPPRESS, UNSUPPRESS
from store.models import JobRecord, User, now
from store.permissions import Forbidden, NotVisible, decision
from webapp.slack import words
from webapp.slack.bot import Bot
from webapp.slack.fill_in import needs_more, with_button
from webapp.slack.matching import Match
from webapp.slack.message import Message
from webapp.texts import value_of
from worker import commands
from worker.cancel import AlreadyFinished

#: The reaction to a command that was understood and may be run; the second is for a Slack that has no such.
UNDERSTOOD = ("kuai-kuai-green", "eyes")
REMOVING = "crossed_fingers"

logger = logging.getLogger("errand.slack")

_TIME = re.compile(r"([01]?\d|2[0-3]):?([0-5]\d)", re.ASCII)


def run(bot: Bot, message: Message, user: User, match: Match) -> None:
    """Do what a command says, and answer what there is to answer."""
    command = match.command
    job = _runnable(bot, message, user, match)
    if job is None:
        return
    # Not what was typed for its inputs: that may be for nobody else.
    logger.info("%s: %s", user.username, command.command)
    bot.react(message.channel, message.ts, *UNDERSTOOD)
    try:
        with bot.platform.session() as db:
            told = _ACTIONS[command.action](bot, db, message, user, db.get_one(JobRecord, job.id), match)
    except InvalidData as refusal:
        said = words.does_not_fit(command.command, refusal)
        blocks = with_button(said, message, match) if command.action == SCHEDULE else None
        bot.reply_below(message, said, blocks=blocks)
    except (Forbidden, NotVisible) as refusal:
        bot.reply_below(message, words.not_run(command.command, str(refusal) or "You may not see its job."))
    else:
        if told:
            bot.reply(message, told)


def ask(bot: Bot, message: Message, user: User, match: Match) -> None:
    """Ask for what is missing of a command that was only begun."""
    if _runnable(bot, message, user, match) is not None:
        said = needs_more(match)
        bot.reply_below(message, said, blocks=with_button(said, message, match))


def _runnable(bot: Bot, message: Message, user: User, match: Match) -> JobRecord | None:
    """Return the job of a command; None, and that is said, where it is not for this user."""
    command = match.command
    with bot.platform.reading() as db:
        job = db.get(JobRecord, command.job_id)
        decided = decision(user, "run", job) if job is not None else None
    if job is not None and decided is not None and decided.allowed:
        return job
    restricted = job is not None and job.restricted
    why = decided.reason if decided else "Its job is gone."
    said = words.refused(command.namespace) if restricted else words.not_run(command.command, why)
    bot.reply(message, said)
    return None


def _schedule(bot: Bot, db: Session, message: Message, user: User, job: JobRecord, match: Match) -> str:
    name = words.type_of(job.class_path)
    result, kept_waiting = commands.schedule_job(
        db,
        bot.settings,
        job,
        inputs_of(job, match.values),
        user,
        channel=message.channel,
        thread_ts=message.thread_ts,
        delay_seconds=match.command.delay_seconds,
        is_im=message.direct,
        message_ts=message.ts,
        slack_user=message.user,
        idempotency_key=message.key,
    )
    if not kept_waiting or (result.repeated and not result.joined):
        return ""
    return words.kept_waiting(name, bot.prefix(message))


def inputs_of(job: JobRecord, values: Mapping[str, str]) -> dict[str, Any]:
    """Return what was typed as the values that it says, as on the command line; between several stand commas."""
    kinds = {variable["name"]: variable["type"] for variable in job.variables}
    given = {}
    for name, text in values.items():
        # A list as JSON is one by itself.
        several = str(kinds.get(name)).startswith("Multi") and not text.startswith("[")
        texts = [part.strip() for part in text.split(",")] if several else [text]
        given[name] = value_of(kinds.get(name), texts)
    return given


def _cancel(bot: Bot, db: Session, message: Message, user: User, job: JobRecord, match: Match) -> str:
    commands.cancel_job(db, bot.settings, job, user)
    return ""


def _suppress(bot: Bot, db: Session, message: Message, user: User, job: JobRecord, match: Match) -> str:
    times = times_of(match.values, now())
    if times is None:
        return words.WRONG_TIMES
    name = words.type_of(job.class_path)
    commands.schedule_suppression(db, job, *times, user)
    return f"{name} suppressed from {words.clock(times[0])} to {words.clock(times[1])}"


def _unsuppress(bot: Bot, db: Session, message: Message, user: User, job: JobRecord, match: Match) -> str:
    name = words.type_of(job.class_path)
    commands.cancel_suppressions(db, job, user)
    return f"{name} suppressions cancelled"


Action = Callable[[Bot, Session, Message, User, JobRecord, Match], str]

_ACTIONS: Mapping[str, Action] = {
    SCHEDULE: _schedule,
    CANCEL: _cancel,
    SUPPRESS: _suppress,
    UNSUPPRESS: _unsuppress,
}


def times_of(values: Mapping[str, str], today: datetime) -> tuple[datetime, datetime] | None:
    """Return the two times that a command names first, of today in UTC; None where they are none, or the wrong way round."""
    given = [_TIME.fullmatch(value) for value in list(values.values())[:2]]
    if len(given) < 2 or not (given[0] and given[1]):
        return None
    start, end = (
        today.replace(hour=int(each[1]), minute=int(each[2]), second=0, microsecond=0)
        for each in given
        if each
    )
    return (start, end) if start < end else None


# --- What is there without a job's saying so --------------------------------------------------------------------


def status(bot: Bot, message: Message, user: User) -> None:
    with bot.platform.reading() as db:
        told = words.status(commands.status(db, user), now(), bot.settings.notices.url)
    bot.reply(message, told)


def remove(bot: Bot, message: Message, user: User, given: str) -> None:
    """Have a run be in nobody's way. given: its id, or as much of it as `status` shows."""
    bot.react(message.channel, message.ts, REMOVING)
    with bot.platform.session() as db:
        result = commands.find_active(db, user, given)
        try:
            told = (
                words.removed(given, goes_on=not commands.release(db, bot.settings, result, user))
                if result is not None
                else words.not_found(given)
            )
        except AlreadyFinished:
            told = words.not_found(given)
        except Forbidden as refusal:
            told = words.not_run(f"remove job id {given}", str(refusal))
    bot.reply(message, told)
