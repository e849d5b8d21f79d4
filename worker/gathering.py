"""Sees when the runs that another run waits for have ended, and what is to be done then.

Every step is a conditional write, so that any number of processes may do the same at once: a worker at the end of each
such run, so that it is done at once, and every reconciler again and again, for what was missed.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

from redis.exceptions import RedisError
from sqlalchemy import ColumnElement, func, literal_column, select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session, aliased

from store.models import FINAL, READY, WAITING, FanOut, FanOutPart, Gathering, JobResult, Status, now
from store.platform import Platform
from store.settings import Settings
from worker import rules
from worker.attempts import ended
from worker.pushes import push_in_turn, push_row, release
from worker.queues import tell_to_look

TOLD = "Its runs have ended: it waits for a worker that tells it what became of them."
PARENT_ENDED = "The run that asked for it has ended: {cause}"
STOPPED = "Not started: {runs} of those asked for together did not complete."

#: At most this many runs that wait are looked at in a pass.
MOST_ROWS = 500

OPEN = (Status.AWAITING_APPROVAL, Status.PENDING, Status.RUNNING)
INCOMPLETE = tuple(FINAL - {Status.COMPLETED})

#: Written out, so that the index of these rows serves.
IS_WAITING: ColumnElement[bool] = JobResult.gathers == literal_column(f"'{WAITING}'")

_child = aliased(JobResult)
_OPEN_CHILD = (
    select(_child.id)
    .where(_child.parent_id == JobResult.id, _child.status.in_(OPEN), _child.map_number.is_not(None))
    .correlate(JobResult)
    .exists()
)
_PART = select(FanOutPart.id).where(FanOutPart.result_id == JobResult.id).correlate(JobResult).exists()

#: It waits, and for nothing any more.
_ALL_ENDED = (rules.PENDING, IS_WAITING, ~_OPEN_CHILD, ~_PART)


# --- at the end of a run ----------------------------------------------------------------------------------------


def child_ended(platform: Platform, settings: Settings, result_id: UUID) -> None:
    """Do what is to be done when an attempt of a run has ended that another one waits for."""
    with suppress(RedisError, OperationalError):
        with platform.reading() as db:
            row = db.execute(
                select(JobResult.parent_id, JobResult.origin_id, JobResult.status, FanOut)
                .join(FanOut, FanOut.id == JobResult.origin_id)
                .where(JobResult.id == result_id)
            ).first()
            if row is None:
                return
            stops = row.status in INCOMPLETE and _is_enough(db, row.FanOut)
        if stops:
            _stop(platform, row.FanOut)
        elif row.FanOut.at_once:
            with platform.session() as db:
                release_fan_out(db, settings, row.parent_id, row.origin_id, row.FanOut.at_once)
        if row.status in FINAL:
            settle(platform, settings, row.parent_id)


def settle(platform: Platform, settings: Settings, result_id: UUID) -> bool:
    """End a run that waits for nothing any more, or have it told of the outcomes; False where it still waits."""
    with platform.reading() as db:
        if not db.scalar(select(JobResult.id).where(JobResult.id == result_id, *_ALL_ENDED)):
            return False
        method = db.scalar(select(Gathering.method).where(Gathering.result_id == result_id))
        values = {"gathers": READY, "cause": TOLD} if method else _verdict(db, result_id)
    with platform.session() as db:
        written: Any = db.execute(
            update(JobResult)
            .where(JobResult.id == result_id, *_ALL_ENDED)
            .values(**values)
            .execution_options(synchronize_session=False)
        )
        db.commit()
        if not written.rowcount:
            return False
        if method:
            row = db.execute(select(*rules.PUSHED).where(JobResult.id == result_id)).one()
            db.commit()
            push_row(db, settings, row)
            return True
    release(platform, settings, result_id)
    child_ended(platform, settings, result_id)
    return True


def _verdict(db: Session, result_id: UUID) -> dict[str, Any]:
    """Return how a run ends whose children alone say so."""
    bad = _count(db, JobResult.parent_id == result_id, JobResult.map_number.is_not(None))
    total = db.get_one(Gathering, result_id).total
    if bad:
        cause = f"{bad:,} of {total:,} runs" if total > 1 else "The run that it asked for"
        return {"gathers": READY, **ended(Status.FAILED, f"{cause} did not complete.")}
    return {"gathers": READY, **ended(Status.COMPLETED, _all_completed(total))}


def _all_completed(total: int) -> str:
    return "The run that it asked for completed." if total == 1 else f"All {total:,} runs completed."


def _count(db: Session, *conditions: ColumnElement[bool]) -> int:
    query = select(func.count()).where(*conditions, JobResult.status.in_(INCOMPLETE))
    return db.scalar(query) or 0


def next_of(db: Session, result_id: UUID) -> UUID | None:
    """Return what is to be executed for a run next: itself, or the first of those it waits for; None: nothing now."""
    at: UUID | None = result_id
    while at is not None and db.scalar(select(JobResult.gathers).where(JobResult.id == at)) == WAITING:
        waiting = (JobResult.parent_id == at, JobResult.map_number.is_not(None), rules.PENDING)
        at = db.scalar(select(JobResult.id).where(*waiting).order_by(JobResult.map_number).limit(1))
    return at


# --- limits of one call of map ----------------------------------------------------------------------------------


def release_fan_out(
    db: Session, settings: Settings, parent_id: UUID, fan_out_id: UUID, limit: int
) -> list[UUID]:
    """Push those of these runs whose turn has come. Commits `db`; raises RedisError."""
    room = limit - rules.running_of_map(db, parent_id, fan_out_id)
    rows = rules.next_of_map(db, parent_id, fan_out_id, room, now()) if room > 0 else []
    return push_in_turn(db, settings, rows)


def _is_enough(db: Session, fan_out: FanOut) -> bool:
    """Tell whether so many of these runs did not complete that the others are not to begin."""
    if not fan_out.stop_after or fan_out.stop_cause:
        return False
    of_call = (JobResult.parent_id == fan_out.result_id, JobResult.origin_id == fan_out.id)
    return _count(db, *of_call) >= fan_out.stop_after


def _stop(platform: Platform, fan_out: FanOut) -> None:
    """Cancel those of these runs that have not begun, and those that are still to be made."""
    runs = "one" if fan_out.stop_after == 1 else f"{fan_out.stop_after:,}"
    cause = STOPPED.format(runs=runs)
    with platform.session() as db:
        # First: whoever makes more of them finds it, or is found by the next statement.
        db.execute(update(FanOut).where(FanOut.id == fan_out.id).values(stop_cause=cause))
        waiting = (
            JobResult.parent_id == fan_out.result_id,
            JobResult.origin_id == fan_out.id,
            JobResult.status == Status.PENDING,
            JobResult.gathers == "",
        )
        _write(db, waiting, ended(Status.CANCELED, cause))
        db.commit()


# --- when the run that waits ends -------------------------------------------------------------------------------


def end_children(db: Session, settings: Settings, parent_id: UUID) -> None:
    """End what a run has asked for that has ended itself: what waits at once, what runs as by a cancel. Commits.

    What these have asked for in their turn ends likewise.
    """
    ended_ones = [parent_id]
    while ended_ones:
        key = ended_ones.pop()
        ended_ones += _end_children(db, settings, key)


def _end_children(db: Session, settings: Settings, parent_id: UUID) -> Sequence[UUID]:
    """Return those among them that have asked for others."""
    row = db.execute(select(JobResult.cause, JobResult.canceled_by).where(JobResult.id == parent_id)).one()
    cause = PARENT_ENDED.format(cause=row.cause or "")
    # First: whoever makes more of them finds it, and cancels them; or has stored them by now.
    calls = (FanOut.result_id == parent_id, FanOut.stop_cause == "")
    db.execute(update(FanOut).where(*calls).values(stop_cause=cause))
    children = (JobResult.parent_id == parent_id, JobResult.map_number.is_not(None))
    waiting = (*children, JobResult.status.in_((Status.PENDING, Status.AWAITING_APPROVAL)))
    parents = db.scalars(select(JobResult.id).where(*waiting, JobResult.gathers == WAITING)).all()
    by = {"canceled_by": row.canceled_by}
    _write(db, waiting, {**by, **ended(Status.CANCELED, cause)})
    running = (*children, JobResult.status == Status.RUNNING, JobResult.cancel_requested_at.is_(None))
    workers = db.scalars(select(JobResult.worker).where(*running)).all()
    _write(db, running, {**by, "cause": cause, "cancel_requested_at": now()})
    # That it has been dealt with.
    _write(db, (JobResult.id == parent_id, IS_WAITING), {"gathers": READY})
    db.commit()
    for worker in workers:
        tell_to_look(settings, worker or "")
    return parents


def _write(db: Session, conditions: Sequence[ColumnElement[bool]], values: dict[str, Any]) -> None:
    db.execute(
        update(JobResult).where(*conditions).values(**values).execution_options(synchronize_session=False)
    )


# --- again and again --------------------------------------------------------------------------------------------


def look_after(platform: Platform, settings: Settings) -> list[UUID]:
    """Do what was missed at the end of a run; return the runs that do not wait any more. Raises RedisError."""
    with platform.reading() as db:
        waiting = db.scalars(select(JobResult.id).where(IS_WAITING).limit(1)).first()
        if waiting is None:
            return []
        over = db.scalars(
            select(JobResult.id).where(IS_WAITING, JobResult.status.in_(FINAL)).limit(MOST_ROWS)
        ).all()
        limited = db.scalars(
            select(FanOut)
            .join(JobResult, JobResult.id == FanOut.result_id)
            .where(IS_WAITING, (FanOut.at_once > 0) | (FanOut.stop_after > 0))
            .limit(MOST_ROWS)
        ).all()
        stopped = [fan_out for fan_out in limited if _is_enough(db, fan_out)]
    for key in over:
        with platform.session() as db:
            end_children(db, settings, key)
    for fan_out in stopped:
        _stop(platform, fan_out)
    for fan_out in limited:
        if fan_out.at_once:
            with platform.session() as db:
                release_fan_out(db, settings, fan_out.result_id, fan_out.id, fan_out.at_once)
    with platform.reading() as db:
        done = db.scalars(select(JobResult.id).where(*_ALL_ENDED).limit(MOST_ROWS)).all()
    return [key for key in done if settle(platform, settings, key)]
