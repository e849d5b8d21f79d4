"""When a waiting run may start: expiry, retries that wait, how many at once (keys), how many in a time (rates).

The row alone remembers that it is held back: it is pending, but not pushed, and its cause says why. Nothing here
speaks to Redis; `worker.pushes` pushes what is in its turn.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    and_,
    case,
    column,
    delete,
    exists,
    false,
    func,
    insert,
    literal_column,
    or_,
    select,
    table,
    update,
)
from sqlalchemy.orm import Session, aliased

from jobs.kinds import secret_names
from store.models import (
    FINAL,
    READY,
    SINGLETON,
    WAITING,
    JobRecord,
    JobResult,
    JobStart,
    Status,
    Suppression,
    now,
)
from store.platform import SCHEMA
from worker.attempts import ended, seconds, stop_cause

LONGEST_KEY = 500

REPLACED = "Replaced by a newer run."

#: What the cause of a run begins with whose job is suppressed.
SUPPRESSED = "Suppressed"

UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
UNITS = {"s": "a second", "m": "a minute", "h": "an hour", "d": "a day"}

#: Which of the runs that wait goes first: by this, then by how long they have stood in line.
rank = case({"high": 0, "low": 2}, value=JobResult.priority, else_=1)
turn = func.coalesce(JobResult.turn_at, JobResult.created_at)
ORDER = (rank, turn, JobResult.id)

#: Written out, because the indexes of waiting rows serve no query that names the state as a parameter.
PENDING: ColumnElement[bool] = JobResult.status == literal_column(f"'{Status.PENDING}'")

_VERSION: Any = table("alembic_version", column("version_num"))

#: A database that was migrated meanwhile is left to workers that know its schema.
SCHEMA_FITS: ColumnElement[bool] = exists().where(_VERSION.c.version_num == SCHEMA)


@dataclass(frozen=True, slots=True)
class Rate:
    """At most so many starts in so many seconds."""

    limit: int
    seconds: int
    text: str


def rate(text: str | None) -> Rate | None:
    """Read "10/m". None: no limit."""
    if not text:
        return None
    limit, _, unit = text.partition("/")
    starts = "one start" if limit == "1" else f"{limit} starts"
    return Rate(int(limit), UNIT_SECONDS[unit], f"{starts} in {UNITS[unit]}")


#: Says that a run begins whatever other runs of its singleton do; they still count it.
IGNORES_LOCK: ColumnElement[bool] = func.coalesce(
    and_(JobResult.ignore_singleton_lock, JobRecord.concurrency_policy == SINGLETON), false()
)


#: The run that another one comes after.
_before = aliased(JobResult)

#: Says that one has not ended.
COMES_AFTER: ColumnElement[bool] = exists().where(
    _before.id == JobResult.after_id, _before.status.not_in(FINAL)
)


#: Says that it has not asked for others: what has, goes on, and takes no place.
BEGINS: ColumnElement[bool] = JobResult.gathers == ""


def due(at: Any) -> ColumnElement[bool]:
    """Say that a run waits, and not for a later moment or other runs. at: a time, or the parameter for one."""
    return and_(
        PENDING,
        or_(JobResult.not_before.is_(None), JobResult.not_before <= at),
        or_(JobResult.expires_at.is_(None), JobResult.expires_at > at),
        or_(JobResult.after_id.is_(None), ~COMES_AFTER),
        JobResult.gathers != WAITING,
        # What has begun goes on.
        or_(~BEGINS, ~exists().where(*_suppresses(JobResult.job_id, at))),
    )


def _suppresses(job_id: Any, at: Any) -> tuple[ColumnElement[bool], ...]:
    """Say that no run of this job begins now."""
    return Suppression.job_id == job_id, Suppression.starts_at <= at, Suppression.ends_at > at


# --- a later moment ----------------------------------------------------------------------------------------------


def delayed(asked_at: datetime, seconds: float) -> dict[str, Any]:
    """Return what is said of a run that is to start so many seconds after it was asked for, as column values."""
    if seconds <= 0:
        return {}
    starts_at = asked_at + timedelta(seconds=seconds)
    cause = f"It waits until {clock_time(starts_at, asked_at, seconds=True)}."
    return {"not_before": starts_at, "turn_at": starts_at, "pushed_at": None, "cause": cause}


def clock_time(moment: datetime, at: datetime, *, seconds: bool = False) -> str:
    """Return a moment for a sentence: with its day where that is not the one of `at`."""
    day = "" if moment.date() == at.date() else f"{moment:%Y-%m-%d} "
    return f"{day}{moment:%H:%M:%S} UTC" if seconds else f"{day}{moment:%H:%M} UTC"


def next_moment(db: Connection | Session, at: datetime) -> datetime | None:
    """Return when the next run may start that only waits for the time to pass; None: there is no such run."""
    waiting = select(func.min(JobResult.not_before)).where(
        PENDING, JobResult.pushed_at.is_(None), JobResult.not_before > at
    )
    suppressed = select(func.min(Suppression.ends_at)).where(Suppression.ends_at > at)
    moments = [moment for moment in (db.scalar(waiting), db.scalar(suppressed)) if moment is not None]
    return min(moments, default=None)


# --- at submit ---------------------------------------------------------------------------------------------------


def concurrency_key(job: JobRecord, data: Mapping[str, Any], secret_key: str) -> str | None:
    """Return what the run shares with those it may not run beside; None where the job sets no limit."""
    if not job.concurrency_limit:
        return None
    values = json.dumps({name: data.get(name) for name in job.concurrency_key}, sort_keys=True)
    hidden = job.has_sensitive_variables or set(secret_names(job.variables)).intersection(job.concurrency_key)
    if hidden and job.concurrency_key:
        # Hashed with a secret: nobody may learn the inputs by trying.
        values = hmac.new(secret_key.encode(), values.encode(), hashlib.sha256).hexdigest()
    key = f"{job.class_path} {values}"
    if len(key) <= LONGEST_KEY:
        return key
    return f"{job.class_path} {hashlib.sha256(values.encode()).hexdigest()}"


def admit(db: Session, result: JobResult, *, limit: int, policy: str) -> list[JobResult]:
    """Apply the policy of the job's concurrency to its new run, in the transaction that will store it.

    "skip" may end `result` here and now; "replace" ends older ones, and returns those that will not start any more.
    """
    if result.concurrency_key is None or policy in ("wait", SINGLETON):
        return []
    lock(db, result.class_path)
    active = _active(db, result.concurrency_key)
    if len(active) < limit:
        return []
    if policy == "skip":
        values = {"pushed_at": None, **ended(Status.CANCELED, _skipped(active, limit))}
        for name, value in values.items():
            setattr(result, name, value)
        return []
    # The newest stay, the new one among them.
    return [old for old in active[: len(active) - limit + 1] if replace(db, old, result.username)]


def _active(db: Session, key: str) -> Sequence[JobResult]:
    """Return the runs with this key that have not ended and were not told to, the oldest first."""
    query = (
        select(JobResult)
        .where(
            JobResult.concurrency_key == key,
            JobResult.status.in_((Status.PENDING, Status.RUNNING)),
            JobResult.cancel_requested_at.is_(None),
        )
        .order_by(JobResult.created_at, JobResult.id)
    )
    return db.scalars(query).all()


def _skipped(active: Sequence[JobResult], limit: int) -> str:
    first = active[0]
    state = "still running" if first.status == Status.RUNNING else "still waiting"
    if limit == 1:
        return f"Skipped: run {first.short_id} was {state}."
    return f"Skipped: {len(active)} runs had not ended, the first of them {first.short_id}."


def replace(db: Session, old: JobResult, by: str) -> bool:
    """End it while it waits, or ask it to stop; True when it was waiting."""
    values = {"canceled_by": by, **ended(Status.CANCELED, REPLACED)}
    if _write(db, old.id, Status.PENDING, values):
        return True
    # Its worker finds the reason in `cause` (see Beat.stop_cause).
    _write(
        db,
        old.id,
        Status.RUNNING,
        {"canceled_by": by, "cancel_requested_at": now(), "cause": REPLACED},
    )
    return False


# --- at the claim ------------------------------------------------------------------------------------------------


def free(at: Any) -> ColumnElement[bool]:
    """Say that a run waits, is due, and is under no rule for which other rows would have to be looked at."""
    limited = exists().where(
        JobRecord.id == JobResult.job_id, or_(JobRecord.rate_limit != "", JobRecord.withdrawn)
    )
    return and_(
        due(at),
        JobResult.cancel_requested_at.is_(None),
        JobResult.concurrency_key.is_(None),
        JobResult.map_limit.is_(None),
        ~limited,
    )


def may_start(connection: Connection, result_id: UUID, at: datetime) -> bool:
    """Tell whether this waiting run may start now. If not, see to it that it starts later, or end it.

    The answer holds until the caller's transaction ends. To be followed by `note_start`.
    """
    row = _waiting(connection, result_id)
    if row is None:
        return False
    if row.cancel_requested_at is not None:
        values = ended(Status.CANCELED, stop_cause(None, row.canceled_by))
    elif row.expires_at is not None and row.expires_at <= at:
        values = ended(Status.CANCELED, expired(row))
    elif row.withdrawn:
        values = ended(Status.CANCELED, f"{row.name} was switched off by its author while this run waited.")
    elif row.comes_after or row.gathers == WAITING or (row.not_before is not None and row.not_before > at):
        values = {"pushed_at": None}
    elif not row.gathers and (cause := suppressed(connection, row.job_id, at)):
        values = {"pushed_at": None, "cause": cause}
    else:
        # What has asked for others has kept its place meanwhile.
        held = None if row.gathers else _refused(connection, row) or _held_back(connection, row, at)
        if held is None:
            return True
        values = {"pushed_at": None, **held}
    _write(connection, result_id, Status.PENDING, values)
    return False


def note_start(connection: Connection, result_id: UUID, at: datetime) -> None:
    """Count this start, where its job has a rate limit, and forget those that no limit counts any more."""
    row = connection.execute(
        select(JobRecord.id, JobRecord.rate_limit)
        .join(JobResult, JobResult.job_id == JobRecord.id)
        .where(JobResult.id == result_id, BEGINS)
    ).first()
    limit = rate(row.rate_limit) if row else None
    if row is None or limit is None:
        return
    past = at - timedelta(seconds=limit.seconds)
    connection.execute(delete(JobStart).where(JobStart.job_id == row.id, JobStart.started_at <= past))
    connection.execute(insert(JobStart).values(job_id=row.id, started_at=at))


def end_expired(db: Connection | Session, row: Any) -> bool:
    """End what has waited too long, if it still waits."""
    return _write(db, row.id, Status.PENDING, ended(Status.CANCELED, expired(row)))


def expired(row: Any) -> str:
    waited = (row.expires_at - row.created_at).total_seconds()
    return f"It waited longer than {seconds(waited)} and expired."


def _waiting(connection: Connection, result_id: UUID) -> Row[Any] | None:
    return connection.execute(
        select(
            JobResult.id,
            JobResult.job_id,
            JobResult.class_path,
            JobResult.queue,
            rank.label("rank"),
            JobResult.created_at,
            turn.label("turn"),
            JobResult.concurrency_key,
            JobResult.not_before,
            JobResult.expires_at,
            JobResult.cancel_requested_at,
            JobResult.canceled_by,
            JobResult.name,
            JobResult.gathers,
            JobResult.parent_id,
            JobResult.origin_id,
            JobResult.map_limit,
            IGNORES_LOCK.label("ignores_lock"),
            COMES_AFTER.label("comes_after"),
            JobRecord.concurrency_limit,
            JobRecord.concurrency_policy,
            JobRecord.rate_limit,
            JobRecord.withdrawn,
        )
        .outerjoin(JobRecord, JobRecord.id == JobResult.job_id)
        .where(JobResult.id == result_id, PENDING, SCHEMA_FITS)
    ).first()


def suppressed(db: Connection | Session, job_id: UUID | None, at: datetime) -> str:
    """Return until when no run of the job begins, and who said so, in a sentence; "" where one may."""
    query = select(Suppression.ends_at, Suppression.username).where(*_suppresses(job_id, at))
    last = db.execute(query.order_by(Suppression.ends_at.desc()).limit(1)).first()
    if last is None:
        return ""
    by = f" by {last.username}" if last.username else ""
    return f"{SUPPRESSED} until {clock_time(last.ends_at, at)}{by}."


def _refused(connection: Connection, row: Row[Any]) -> dict[str, Any] | None:
    """Return the end of a run that would start beside another one of its job, where that may not be; None elsewhere."""
    if row.concurrency_policy != SINGLETON or not row.concurrency_key:
        return None
    lock(connection, row.class_path)
    if row.ignores_lock or not running(connection, row.concurrency_key):
        return None
    return ended(Status.FAILED, f"Job '{row.name}' is a singleton and already running.")


def _held_back(connection: Connection, row: Row[Any], at: datetime) -> dict[str, Any] | None:
    """Return why it is not this run's turn, as column values; None when it is."""
    if row.map_limit:
        lock(connection, f"map {row.origin_id}")
        if running_of_map(connection, row.parent_id, row.origin_id) >= row.map_limit:
            return {"cause": waits_in_map(row.map_limit)}
    limit, by_rate = 0 if row.ignores_lock else row.concurrency_limit, rate(row.rate_limit)
    if not (row.concurrency_key and limit) and by_rate is None:
        return None
    lock(connection, row.class_path)
    if row.concurrency_key and limit:
        same = JobResult.concurrency_key == row.concurrency_key
        if running(connection, row.concurrency_key) + _ahead(connection, row, same, at) >= limit:
            return {"cause": f"It waits until it is its turn: {_at_once(limit)} at once."}
    if by_rate is not None:
        cause = {"cause": f"It waits until it is its turn: at most {by_rate.text}."}
        room, opens_at = room_in_rate(connection, row.job_id, by_rate, at)
        if room <= 0:
            return {"not_before": opens_at, **cause}
        if _ahead(connection, row, JobResult.job_id == row.job_id, at) >= room:
            return cause
    return None


def next_of_map(
    db: Connection | Session, parent_id: UUID, origin_id: UUID, room: int, at: datetime
) -> Sequence[Row[Any]]:
    """Return the unpushed ones among the next `room` runs of one call of `map`, in their order."""
    of_parent = (JobResult.parent_id == parent_id, JobResult.origin_id == origin_id)
    query = select(*PUSHED).where(*of_parent, due(at), BEGINS)
    rows = db.execute(query.order_by(JobResult.map_number).limit(room)).all()
    return [row for row in rows if row.pushed_at is None]  # type: ignore[misc]


def _at_once(limit: int) -> str:
    return "one run" if limit == 1 else f"at most {limit} runs"


def _ahead(connection: Connection, row: Row[Any], same: ColumnElement[bool], at: datetime) -> int:
    """Count the runs on the same queue whose turn comes before this one's."""
    # Not those on other queues: who knows whether anybody serves them.
    before = or_(
        rank < row.rank,
        and_(
            rank == row.rank,
            or_(turn < row.turn, and_(turn == row.turn, JobResult.id < row.id)),
        ),
    )
    query = select(func.count()).where(same, due(at), BEGINS, JobResult.queue == row.queue, before)
    return connection.scalar(query) or 0


# --- whose turn it is --------------------------------------------------------------------------------------------


def running(db: Connection | Session, key: str) -> int:
    """Count the runs with this key that have begun: those that wait for others they have asked for, too."""
    same = JobResult.concurrency_key == key
    begun = select(func.count()).where(same, JobResult.status == Status.RUNNING)
    gathering = select(func.count()).where(
        same, PENDING, or_(JobResult.gathers == WAITING, JobResult.gathers == READY)
    )
    return (db.scalar(begun) or 0) + (db.scalar(gathering) or 0)


def running_of_map(db: Connection | Session, parent_id: UUID, origin_id: UUID) -> int:
    """Count the runs of one call of `map` that have begun, and not ended."""
    of_parent = (JobResult.parent_id == parent_id, JobResult.origin_id == origin_id)
    begun = select(func.count()).where(*of_parent, JobResult.status == Status.RUNNING)
    gathering = select(func.count()).where(*of_parent, PENDING, JobResult.gathers != "")
    return (db.scalar(begun) or 0) + (db.scalar(gathering) or 0)


def waits_in_map(limit: int) -> str:
    return f"It waits until it is its turn: {_at_once(limit)} of these at once."


def running_beside(db: Session, result_id: UUID, key: str) -> Sequence[UUID]:
    """Return the other runs with this key that are running, those that began first coming first."""
    query = select(JobResult.id).where(
        JobResult.concurrency_key == key, JobResult.status == Status.RUNNING, JobResult.id != result_id
    )
    return db.scalars(query.order_by(JobResult.started_at, JobResult.id)).all()


def room_in_rate(
    db: Connection | Session, job_id: UUID, limit: Rate, at: datetime
) -> tuple[int, datetime | None]:
    """Return how many runs of the job may start now; and where none may, when the next one may."""
    window = timedelta(seconds=limit.seconds)
    # A start further ahead than that is one before the clock was set back.
    counted = (
        JobStart.job_id == job_id,
        JobStart.started_at > at - window,
        JobStart.started_at < at + window,
    )
    starts = db.scalar(select(func.count()).where(*counted)) or 0
    if starts < limit.limit:
        return limit.limit - starts, None
    query = select(JobStart.started_at).where(*counted).order_by(JobStart.started_at.desc())
    oldest = db.scalar(query.offset(limit.limit - 1).limit(1))
    return 0, (oldest or at) + window


def in_turn(
    db: Connection | Session, same: ColumnElement[bool], room: int, at: datetime
) -> Sequence[Row[Any]]:
    """Return the unpushed ones among the next `room` runs of each queue, in their order."""
    place = func.row_number().over(partition_by=JobResult.queue, order_by=ORDER)
    waiting = (
        select(*PUSHED, rank.label("rank"), turn.label("turn"), place.label("place"))
        .where(same, due(at), BEGINS)
        .subquery()
    )
    query = select(waiting).where(waiting.c.place <= room, waiting.c.pushed_at.is_(None))
    return db.execute(query.order_by(waiting.c.rank, waiting.c.turn, waiting.c.id)).all()


#: What a push needs to know of a row.
PUSHED = (
    JobResult.id,
    JobResult.queue,
    JobResult.priority,
    JobResult.class_path,
    JobResult.created_at,
    JobResult.pushed_at,
)


# --- both --------------------------------------------------------------------------------------------------------


def lock(db: Connection | Session, class_path: str) -> None:
    """Let the runs of one job be counted by one transaction at a time. SQLite has a single writer anyway."""
    connection = db.connection() if isinstance(db, Session) else db
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(func.hashtext(f"errand rules {class_path}"))))


def _write(db: Connection | Session, result_id: UUID, expected: Status, values: Mapping[str, Any]) -> bool:
    written = db.execute(
        update(JobResult)
        .where(JobResult.id == result_id, JobResult.status == expected)
        .values(**values)
        .execution_options(synchronize_session=False)
    )
    return bool(written.rowcount)  # type: ignore[attr-defined]
