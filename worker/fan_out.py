"""Makes the runs that another run has asked for, its children, each by the checks that `submit` makes.

What was asked for lies in parts. The transaction that stores the runs of a part removes it: whatever dies, they are made
once, and by whoever finds the part.
"""

import logging
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID, uuid4

from sqlalchemy import CursorResult, delete, select, true, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, joinedload

from store.audit import note
from store.lockbox import CannotUnlock, unlock
from store.models import (
    FanOut,
    FanOutPart,
    JobRecord,
    JobResult,
    Status,
    User,
    now,
)
from store.permissions import NotVisible, allowed, require
from store.platform import Platform
from store.settings import Settings
from worker import queues, rules
from worker.asked import NotRunnable, check_inputs, chosen_queue, readable, require_runnable
from worker.attempts import ended
from worker.failpoints import reach
from worker.gathering import release_fan_out
from worker.origins import MAP, Origin
from worker.pushes import note_unpushed
from worker.questions import Questions
from worker.refusals import REFUSALS, NoRun, broke, sentence
from worker.rights import require_inputs
from worker.run_options import NO_OPTIONS
from worker.submit import Reused, new_row, reusable

#: Who makes a part has this long before others take it to be gone.
RESERVED = timedelta(seconds=60)

#: Parts among which one is chosen: two that look in the same moment need not choose the same.
MOST_PARTS = 20

#: Runs that ask for runs that ask for runs.
MOST_LEVELS = 5

NEEDS_APPROVAL = "{name} needs an approval for each run, so no other run can ask for it."

logger = logging.getLogger("errand.fan_out")


@dataclass(slots=True)
class _Asked:
    """What a part is about, as it stands now."""

    part: FanOutPart
    fan_out: FanOut
    parent: JobResult
    user: User | None
    job: JobRecord | None
    #: Whether it was a dry run.
    dry: bool
    #: Where the data come from, if they were those of other runs: by their number.
    earlier: Mapping[int, UUID]
    data: Sequence[tuple[int, dict[str, Any]]] = ()
    #: Why none of them can be run; "": each is looked at.
    problem: str = ""


def make(
    platform: Platform,
    settings: Settings,
    parent_id: UUID | None = None,
    *,
    stop: Callable[[], bool] = lambda: False,
) -> int:
    """Make what has been asked for, by one run or by any, until there is nothing left or `stop` says so.

    Without `parent_id` only what nobody is at. Returns how many runs were made.
    """
    made = 0
    while not stop() and (part_id := _next_part(platform, parent_id)) is not None:
        try:
            if _reserve(platform, part_id, anyway=parent_id is not None):
                made += make_part(platform, settings, part_id)
        except CannotUnlock as error:
            # Another process may have the right key.
            logger.error("What a run asks for cannot be read here: %s", error)
            break
        except SQLAlchemyError:
            raise
        except Exception:
            # Whoever looks next tries again; this process has other things to do, too.
            logger.exception("What a run asks for could not be made.")
            break
    return made


def _next_part(platform: Platform, parent_id: UUID | None) -> int | None:
    # Not for a run that waits for an approval itself. For one that has ended they are made, and canceled: all of them count.
    query = (
        select(FanOutPart.id)
        .join(JobResult, JobResult.id == FanOutPart.result_id)
        .where(JobResult.status != Status.AWAITING_APPROVAL)
        .order_by(FanOutPart.id)
    )
    if parent_id is not None:
        query = query.where(FanOutPart.result_id == parent_id).limit(1)
    else:
        query = query.where(FanOutPart.free_at <= now()).limit(MOST_PARTS)
    with platform.reading() as db:
        found = db.scalars(query).all()
    return random.choice(found) if found else None


def _reserve(platform: Platform, part_id: int, *, anyway: bool) -> bool:
    """Have others leave a part alone for a while: that it is made once does not hang on it, but the work is saved."""
    at = now()
    free = true() if anyway else FanOutPart.free_at <= at
    with platform.single.begin() as connection:
        reserved = connection.execute(
            update(FanOutPart).where(FanOutPart.id == part_id, free).values(free_at=at + RESERVED)
        )
    return anyway or bool(reserved.rowcount)


def is_left(platform: Platform) -> bool:
    """Tell whether there is something to be made that nobody is at."""
    with platform.reading() as db:
        return db.scalar(select(FanOutPart.id).where(FanOutPart.free_at <= now()).limit(1)) is not None


def make_part(platform: Platform, settings: Settings, part_id: int) -> int:
    """Make the runs of one part, unless somebody else does; return how many. Raises CannotUnlock."""
    # Checked before the transaction that stores them: on SQLite nobody else writes as long as that goes on.
    with platform.reading() as db:
        asked = _read(db, settings, part_id)
        rows = [] if asked is None else _rows(db, settings, asked)
    if asked is None:
        return 0
    reach("fan-out.checked")
    return _store(platform, settings, asked, rows)


# --- what was asked for -----------------------------------------------------------------------------------------


def _read(db: Session, settings: Settings, part_id: int) -> _Asked | None:
    part = db.get(FanOutPart, part_id)
    if part is None:
        return None
    fan_out = db.get_one(FanOut, part.fan_out_id)
    parent = db.get_one(JobResult, part.result_id, options=[joinedload(JobResult.job)])
    job = db.scalars(select(JobRecord).where(JobRecord.class_path == fan_out.class_path)).first()
    dry = parent.dry_run and not (parent.job is not None and parent.job.read_only)
    content = unlock(settings.secret_key, part.content)
    numbers = content.get("numbers") or range(part.first_number, part.first_number + len(content["data"]))
    earlier = {int(number): UUID(key) for number, key in content.get("earlier", {}).items()}
    asked = _Asked(part, fan_out, parent, None, job, dry, earlier)
    asked.data = list(zip(numbers, content["data"], strict=True))
    try:
        asked.user = _user(db, parent)
        _check_job(db, asked)
    except REFUSALS as refusal:
        asked.problem = _problem(asked, refusal)
    return asked


def _problem(asked: _Asked, refusal: Exception) -> str:
    who = asked.parent.username or "the command line"
    if isinstance(refusal, NotVisible):
        return f"There is no job {asked.fan_out.class_path}, or {who} may not run it."
    return sentence(refusal, who)


def _user(db: Session, parent: JobResult) -> User | None:
    user = db.get(User, parent.user_id) if parent.user_id is not None else None
    if user is None and not parent.permitted:
        raise NoRun(f"{parent.username or 'Who asked for the run'} is gone.")
    if user is not None and not user.active:
        raise NoRun(f"{user.username}, who asked for it, may not do anything any more.")
    return user


def _permitted(asked: _Asked) -> bool:
    # An admin let hooks run what they run, and nothing that follows.
    return asked.parent.permitted and asked.parent.origin != "hook"


def _check_job(db: Session, asked: _Asked) -> None:
    """Raise one of REFUSALS where no run of the job can be asked for."""
    job = asked.job
    if job is None or not (_permitted(asked) or allowed(asked.user, "view", job)):
        raise NotVisible
    if not _permitted(asked):
        require(asked.user, "run", job)
    require_runnable(job)
    if job.receives:
        raise NotRunnable(f"{job.name} is run by what it receives something from alone.")
    if job.approval_required:
        raise NotRunnable(NEEDS_APPROVAL.format(name=job.name))
    if asked.dry and job.always_commits:
        raise NoRun(f"It was a dry run, and {job.name} always saves what it changes.")
    if _level(db, asked.parent) >= MOST_LEVELS:
        raise NoRun(f"Runs have asked for runs {MOST_LEVELS} times over: it ends here.")


def _level(db: Session, result: JobResult) -> int:
    """Return how many runs have asked for one another up to this one."""
    level, at = 0, (result.origin, result.parent_id)
    while at[0] == MAP and at[1] is not None and level < MOST_LEVELS:
        level += 1
        row = db.execute(select(JobResult.origin, JobResult.parent_id).where(JobResult.id == at[1])).first()
        if row is None:
            break
        at = (row.origin, row.parent_id)
    return level


# --- the rows ---------------------------------------------------------------------------------------------------


def _rows(db: Session, settings: Settings, asked: _Asked) -> list[JobResult]:
    asked_at = now()
    return [_row(db, settings, asked, number, data, asked_at) for number, data in asked.data]


def _row(
    db: Session,
    settings: Settings,
    asked: _Asked,
    number: int,
    data: dict[str, Any],
    asked_at: datetime,
) -> JobResult:
    try:
        if asked.problem or asked.job is None:
            raise NoRun(asked.problem)
        row = _checked(db, settings, asked, asked.job, number, data)
    except REFUSALS as refusal:
        row = _refused(asked, data, _problem(asked, refusal))
    except SQLAlchemyError:
        raise
    except Exception as error:
        logger.exception("Run %s of %s could not be asked for.", number, asked.parent.id)
        row = _refused(asked, data, broke(error))
    parent, fan_out = asked.parent, asked.fan_out
    Origin(MAP, fan_out.id, f"{parent.name} #{parent.short_id}", parent_id=parent.id).mark(row)
    row.map_number, row.map_limit = number, fan_out.at_once or None
    # In lists, and in line, they stand in their order.
    row.created_at = asked_at + timedelta(microseconds=number - asked.part.first_number)
    return row


def _checked(
    db: Session, settings: Settings, asked: _Asked, job: JobRecord, number: int, data: dict[str, Any]
) -> JobResult:
    """Return the row of a run, as `submit` makes it. Raises one of REFUSALS."""
    user, permitted = asked.user, _permitted(asked)
    queue = chosen_queue(job, asked.fan_out.queue)
    sealed = _sealed(db, asked, number)
    questions = Questions(settings, job, username=user.username if user else "")
    checked = check_inputs(
        db,
        settings,
        job,
        data,
        form=False,
        questions=questions,
        sealed=sealed.names if sealed else frozenset(),
        user=None if permitted else user,
    )
    if not permitted:
        require_inputs(user, job, readable(job, checked), queue)
    return new_row(
        db,
        settings,
        job,
        checked,
        user,
        queue=queue,
        commit=not asked.dry if job.asks_commit else None,
        options=NO_OPTIONS,
        delay=job.delay,
        sealed=sealed,
        permitted=permitted,
    )


def _sealed(db: Session, asked: _Asked, number: int) -> Reused | None:
    """Return the sealed inputs of the run that is run again."""
    key = asked.earlier.get(number)
    if key is None:
        return None
    earlier = db.get(JobResult, key, options=[joinedload(JobResult.job)])
    return reusable(earlier, asked.user) if earlier is not None else None


def _refused(asked: _Asked, data: dict[str, Any], problem: str) -> JobResult:
    """Return a run that has ended before it began, so that it is counted with the others."""
    job, parent, path = asked.job, asked.parent, asked.fan_out.class_path
    row = JobResult(
        id=uuid4(),
        job_id=job.id if job else None,
        class_path=path,
        name=(job.name if job else path.rpartition("/")[2])[:100],
        user_id=parent.user_id,
        username=parent.username,
        commit=not asked.dry,
        queue=chosen_queue(job, None) if job else parent.queue,
        time_limit=job.effective_time_limit if job else 0,
        # Of a job that nobody knows, nobody knows what is secret.
        data=readable(job, data) if job else {},
        permitted=parent.permitted,
        sensitive=bool(job and job.has_sensitive_variables),
    )
    _end(row, Status.ERRORED, problem)
    return row


def _end(row: JobResult, status: Status, cause: str) -> None:
    for name, value in {**ended(status, cause), "pushed_at": None}.items():
        setattr(row, name, value)


# --- the transaction --------------------------------------------------------------------------------------------


def _store(platform: Platform, settings: Settings, asked: _Asked, rows: list[JobResult]) -> int:
    with platform.session() as db:
        # Whoever stops these runs in this moment is done before, or finds those that are stored here.
        fan_out = db.scalars(
            select(FanOut).where(FanOut.id == asked.fan_out.id).with_for_update(read=True)
        ).first()
        gone = cast(CursorResult[Any], db.execute(delete(FanOutPart).where(FanOutPart.id == asked.part.id)))
        if fan_out is None or not gone.rowcount:
            db.rollback()
            return 0
        replaced = _admit(db, asked, fan_out, rows)
        pushed = [
            (row.id, row.queue, row.priority)
            for row in rows
            if not row.finished and row.map_limit is None and row.pushed_at is not None
        ]
        about = {"parent": str(asked.parent.id), "runs": len(rows)}
        note(db, "run.map", fan_out.class_path, after=about, actor=asked.parent.username)
        reach("fan-out.before-commit")
        db.commit()
    reach("fan-out.after-commit")
    _push(platform, settings, asked, pushed)
    for result_id, queue, priority in replaced:
        queues.withdraw(settings, result_id, queue=queue, priority=priority)
    return len(rows)


def _admit(db: Session, asked: _Asked, fan_out: FanOut, rows: list[JobResult]) -> list[tuple[UUID, str, str]]:
    """Add the rows, under the rules of their job; return what they have replaced."""
    job, ended_by = asked.job, list[JobResult]()
    one_by_one = job is not None and job.concurrency_policy in ("skip", "replace")
    for row in rows:
        if not row.finished and fan_out.stop_cause:
            _end(row, Status.CANCELED, fan_out.stop_cause)
        if not row.finished and row.map_limit is not None:
            row.pushed_at, row.cause = None, rules.waits_in_map(row.map_limit)
        if job is not None and one_by_one and not row.finished:
            db.flush()
            ended_by += rules.admit(db, row, limit=job.concurrency_limit, policy=job.concurrency_policy)
        db.add(row)
    return [(old.id, old.queue, old.priority) for old in ended_by]


def _push(
    platform: Platform, settings: Settings, asked: _Asked, pushed: Sequence[tuple[UUID, str, str]]
) -> None:
    with platform.session() as db:
        if asked.fan_out.at_once:
            release_fan_out(db, settings, asked.parent.id, asked.fan_out.id, asked.fan_out.at_once)
        if pushed and not queues.push_all(settings, pushed, description=asked.fan_out.class_path):
            note_unpushed(db, [result_id for result_id, _, _ in pushed])
