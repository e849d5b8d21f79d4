"""`showlogs`: what a run has printed, or as much of it as somebody wants to read in Slack."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from store.files import file_store
from store.models import JobRecord, JobResult, User
from store.permissions import visible
from webapp.slack.bot import Bot
from webapp.slack.catalogue import Space
from webapp.slack.matching import Command, Said
from webapp.slack.message import Message
from webapp.slack.words import code, short, type_of
from worker.redaction import load_rules
from worker.slack.formats import LONGEST_CODE, Output, shown
from worker.slack.output import STDERR, STDOUT, kept_text, redacted

NAME = "showlogs"
USAGE = f"{NAME} head|tail|all output|error [id of a run, or its log folder]"

#: As help lists it: it is no job's.
SPACE = Space(
    NAME,
    "Shows what runs have written",
    restricted=False,
    commands=[
        Command(NAME, USAGE, "shows the beginning, the end or all of stdout or stderr", "", None, None)
    ],
)

#: As many lines as the head and the tail have.
LINES = 50

#: A run begins a moment before its log folder, which is made when all else is ready.
LONGEST_READY = timedelta(minutes=10)
MOST_LOOKED_AT = 500

_ASKED = re.compile(r"(head|tail|all) (output|error) (\S+)")
_ID = re.compile(r"[0-9a-f]{6,32}")
_FOLDER = re.compile(r"(\d{8}-\d{6})(?:-\d+)?")


def understand(text: str) -> Said | None:
    word, _, rest = text.partition(" ")
    return Said("showlogs", name=rest) if word == NAME else None


def show(bot: Bot, message: Message, user: User, asked: str) -> None:
    """Show it to who may see the run: as code, or as a file where it is too long for that."""
    given = _ASKED.fullmatch(asked)
    if given is None:
        bot.reply(message, f"Enter {code(bot.prefix(message) + USAGE)}")
        return
    part, stream, name = given.groups()
    with bot.platform.reading() as db:
        result = find(db, user, name)
        if result is None:
            bot.reply(message, f"I know no run {code(name)}.")
            return
        file_name = STDOUT if stream == "output" else STDERR
        kept = kept_text(db, file_store(bot.settings, bot.platform.engine), result, file_name)
        shown_name = f"{type_of(result.class_path)} {short(result)}"
    if kept is None or not kept.text.strip():
        bot.reply(message, f"There is no {stream} of {code(shown_name)}.")
        return
    text = _part(redacted(kept, load_rules(bot.settings.redaction_file)), part)
    as_code = shown(text)
    if len(as_code) <= LONGEST_CODE and "```" not in text:
        bot.reply(message, f"```{as_code}```")
    else:
        file = f"{shown_name} {file_name}".replace(" ", "-")
        bot.upload(message.channel, f"{file}.txt", text, thread_ts=message.thread_ts)


def _part(output: Output, part: str) -> str:
    text = output.text.rstrip("\n")
    if part == "all":
        return f"{text}\n[There is more: see the run's page.]" if output.cut else text
    lines = text.split("\n")
    return "\n".join(lines[:LINES] if part == "head" else lines[-LINES:])


# --- Which run ------------------------------------------------------------------------------------------------


def find(db: Session, user: User, name: str) -> JobResult | None:
    """Return the run that `user` may see and that has this id, or one that begins so, or this log folder.

    Of runs whose ids begin alike it is none.
    """
    text = name.lower().replace("-", "")
    if _ID.fullmatch(text):
        first, last = UUID(text.ljust(32, "0")), UUID(text.ljust(32, "f"))
        query = visible(select(JobResult).where(JobResult.id.between(first, last)), user, JobResult)
        found: Sequence[JobResult] = db.scalars(query.limit(2)).all()
        return found[0] if len(found) == 1 else None
    *_, kind, folder = ["", "", *_parts(name)]
    return _by_folder(db, user, kind, folder) if kind and _FOLDER.fullmatch(folder) else None


def _parts(path: str) -> list[str]:
    """Return the last of a path that tells log folders apart, wherever they are kept."""
    parts = [part for part in path.split("/") if part]
    return parts[:-1] if parts and parts[-1] in (STDOUT, STDERR) else parts


def _by_folder(db: Session, user: User, kind: str, folder: str) -> JobResult | None:
    try:
        made_at = datetime.strptime(folder[:15], "%Y%m%d-%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None
    query = (
        select(JobResult)
        .join(JobRecord, JobRecord.id == JobResult.job_id)
        .where(JobRecord.class_name == kind)
        .where(JobResult.started_at.between(made_at - LONGEST_READY, made_at + timedelta(seconds=2)))
        .order_by(JobResult.started_at.desc())
        .limit(MOST_LOOKED_AT)
    )
    looked_at: Sequence[JobResult] = db.scalars(visible(query, user, JobResult)).all()
    for result in looked_at:
        if _parts(str((result.results or {}).get("logs", "")))[-2:] == [kind, folder]:
            return result
    return None
