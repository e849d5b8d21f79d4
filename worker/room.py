"""Whether there is room for one more run, on the queues, which all share, and for the files that come with it; or for a schedule."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from jobs.errors import InvalidData
from jobs.files import Upload, in_units
from store.models import JobResult, RunFile, Schedule, Status, User
from store.settings import Settings
from worker.asked import NotRunnable
from worker.origins import Origin

#: After so long it may be tried again.
WAIT_SECONDS = 30

#: Who asks by these is told of a refusal, and can ask again. What the portal itself asks for was promised before.
_CAN_ASK_AGAIN = ("", "button", "webhook", "slack")

FULL = (
    "{depth:,} runs wait for workers already, so no more are taken just now. Try again in {seconds} seconds."
)
TOO_MANY = (
    "Your runs keep {count:,} files already, and may keep {most:,}. Delete runs with files to make room."
)
TOO_MANY_SCHEDULES = "You have {count:,} schedules already, and may have {most:,}. Delete some to make room."
TOO_LARGE = "With this your runs would keep {size} of files, and they may keep {most}. Delete runs with files to make room."


class Full(NotRunnable):
    """No run is taken until fewer wait."""

    wait_seconds = WAIT_SECONDS


def require_room_on_queues(db: Session, settings: Settings, origin: Origin) -> None:
    """Raise Full where so many runs wait that another one would only wait longer."""
    depth = settings.limits.queue_depth
    if not depth or origin.kind not in _CAN_ASK_AGAIN:
        return
    # One step of an index for each that waits, and no more of them than that.
    last = select(JobResult.status).where(JobResult.status == Status.PENDING).offset(depth - 1).limit(1)
    if db.scalar(last) is not None:
        raise Full(FULL.format(depth=depth, seconds=WAIT_SECONDS))


def require_room_for_files(
    db: Session, settings: Settings, user: User, data: Mapping[str, Any], *, in_turn: bool = False
) -> None:
    """Raise InvalidData where a person would keep more files with their runs than one may.

    in_turn: have this person's other requests wait until `db` is committed, so that each counts those before it.
    """
    uploads = {name: value for name, value in data.items() if isinstance(value, Upload)}
    if not uploads:
        return
    if in_turn:
        _take_turn(db, user)
    kept = (
        select(func.count(), func.coalesce(func.sum(RunFile.size_bytes), 0))
        .select_from(RunFile)
        .join(JobResult, JobResult.id == RunFile.result_id)
        .where(JobResult.user_id == user.id, RunFile.variable.is_not(None))
    )
    count, size = db.execute(kept).one()
    size += sum(upload.size_bytes for upload in uploads.values())
    limits, problem = settings.limits, ""
    if limits.kept_files and count + len(uploads) > limits.kept_files:
        problem = TOO_MANY.format(count=count, most=limits.kept_files)
    elif limits.kept_bytes and size > limits.kept_bytes:
        problem = TOO_LARGE.format(size=in_units(size), most=in_units(limits.kept_bytes))
    if problem:
        raise InvalidData({next(iter(uploads)): [problem]})


def require_room_for_schedule(db: Session, settings: Settings, user: User) -> None:
    """Raise InvalidData where a person has as many schedules as one may; others of theirs wait until `db` is committed."""
    most = settings.limits.schedules
    if not most:
        return
    _take_turn(db, user)
    # Those that are over make no runs; those that are paused may be resumed.
    own = (Schedule.user_id == user.id, Schedule.wakes_at.is_not(None))
    count = db.scalar(select(func.count()).select_from(Schedule).where(*own)) or 0
    if count >= most:
        raise InvalidData([TOO_MANY_SCHEDULES.format(count=count, most=most)])


def _take_turn(db: Session, user: User) -> None:
    # On SQLite nobody else writes meanwhile anyway. Who only refers to the row is not kept waiting.
    db.execute(select(User.id).where(User.id == user.id).with_for_update(key_share=True))
