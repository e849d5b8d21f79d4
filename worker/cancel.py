"""Cancel a run: at once while it waits; by its worker while it runs."""

from contextlib import suppress

from redis.exceptions import RedisError
from sqlalchemy import update
from sqlalchemy.orm import Session

from store.audit import note
from store.models import WAITING, Approval, JobResult, Status, User, now
from store.permissions import require
from store.settings import Settings
from worker.attempts import ended
from worker.gathering import end_children
from worker.pushes import release_key
from worker.queues import tell_to_look, withdraw


class AlreadyFinished(Exception):
    """Too late: the run has ended."""


def cancel(
    db: Session, settings: Settings, result: JobResult, user: User | None, *, permitted: bool = False
) -> bool:
    """End a waiting run, or ask a running one to stop. Commits `db`.

    user: None, with `permitted`, where nobody in particular asks. permitted: as for `worker.submit`.
    Returns True when it is canceled now, False when its worker was asked to stop it.
    Raises Forbidden, or AlreadyFinished.
    """
    if not permitted:
        require(user, "change", result)
    if end_waiting(db, settings, result, user):
        return True
    if _ask_running(db, result, user):
        db.refresh(result)
        if result.worker:
            tell_to_look(settings, result.worker)
        return False
    db.refresh(result)
    raise AlreadyFinished("This run has already ended.")


def end_waiting(db: Session, settings: Settings, result: JobResult, user: User | None) -> bool:
    """End a run, if it waits, and what it has asked for; what runs is left alone.

    Commits `db`; permission is the caller's to ask.
    """
    result_id, queue, priority, key = result.id, result.queue, result.priority, result.concurrency_key
    waits_for_others = result.gathers == WAITING
    if not _end_waiting(db, result, user):
        return False
    withdraw(settings, result_id, queue=queue, priority=priority)
    with suppress(RedisError):
        release_key(db, settings, key)
    if waits_for_others:
        end_children(db, settings, result_id)
    db.refresh(result)
    return True


def _end_waiting(db: Session, result: JobResult, user: User | None) -> bool:
    if result.status == Status.AWAITING_APPROVAL:
        open_one = (Approval.result_id == result.id, Approval.decision.is_(None))
        db.execute(update(Approval).where(*open_one).values(decision="withdrawn"))
    started = "was tried again" if result.errors or result.losses else "started"
    if result.gathers:
        started = "was told what became of its runs"
    return _write(
        db,
        result,
        (Status.PENDING, Status.AWAITING_APPROVAL),
        canceled_by=user.username if user else None,
        **ended(Status.CANCELED, f"{_canceled(user)} before it {started}."),
    )


def _ask_running(db: Session, result: JobResult, user: User | None) -> bool:
    # Its worker finds the reason in `cause`, or makes a sentence of the name (see attempts.stop_cause).
    by = {"canceled_by": user.username} if user else {"cause": f"{_canceled(None)}."}
    return _write(db, result, (Status.RUNNING,), cancel_requested_at=now(), **by)


def _canceled(user: User | None) -> str:
    return f"Canceled by {user.username}" if user else "Canceled on the command line"


def _write(db: Session, result: JobResult, expected: tuple[Status, ...], **values: object) -> bool:
    """Write only while the row is in an expected state: its worker may be just as fast."""
    written = db.execute(
        update(JobResult)
        .where(JobResult.id == result.id, JobResult.status.in_(expected))
        .values(**values)
        .execution_options(synchronize_session=False)
    )
    done = bool(written.rowcount)  # type: ignore[attr-defined]
    if done:
        note(db, "run.cancel", str(result.id), actor=str(values.get("canceled_by") or ""))
    db.commit()
    return done
