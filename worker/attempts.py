"""How an attempt ends: for good, or with another one to come. Nothing is tried again without a bound."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, func, select
from sqlalchemy.orm import Session

from store.models import JobRecord, JobResult, Status, now
from store.text import clean_text

#: The delay before another try doubles each time, up to this.
LONGEST_DELAY_SECONDS = 3600.0

#: How often a run of an idempotent job is run again because its worker was lost.
MOST_LOSSES = 3

#: How often a run whose code never began is handed to another worker.
MOST_FALSE_STARTS = 10


@dataclass(frozen=True, slots=True)
class Facts:
    """What decides whether another attempt follows."""

    attempt: int
    errors: int
    losses: int
    #: False: none of the job's code has run in this attempt.
    began: bool
    #: None: nobody asked it to stop.
    stop_cause: str | None
    max_retries: int
    retry_delay: float
    idempotent: bool

    @property
    def false_starts(self) -> int:
        """How many earlier claims led to no attempt at all."""
        return self.attempt - 1 - self.errors - self.losses


def read_facts(db: Connection | Session, result_id: UUID, *conditions: ColumnElement[bool]) -> Facts | None:
    """Read them for the running attempt, and keep the row as it is until the caller's transaction ends."""
    row = db.execute(
        select(
            # What it took to ask for others, whose end it is told of now, is no try of that.
            JobResult.attempt - JobResult.attempts_before,
            JobResult.errors,
            JobResult.losses,
            JobResult.began_at,
            JobResult.cause,
            JobResult.cancel_requested_at,
            JobResult.canceled_by,
            func.coalesce(JobRecord.max_retries, 0),
            func.coalesce(JobRecord.retry_delay, 0.0),
            func.coalesce(JobRecord.idempotent, False),
        )
        .outerjoin(JobRecord, JobRecord.id == JobResult.job_id)
        .where(JobResult.id == result_id, JobResult.status == Status.RUNNING, *conditions)
        # Somebody may cancel it just now: then no other attempt may follow.
        .with_for_update(of=JobResult)
    ).first()
    if row is None:
        return None
    attempt, errors, losses, began_at, cause, asked_at, by, max_retries, retry_delay, idempotent = row
    stop = stop_cause(cause, by) if asked_at else None
    return Facts(
        attempt, errors, losses, began_at is not None, stop, max_retries, retry_delay, bool(idempotent)
    )


def stop_cause(cause: str | None, canceled_by: str | None) -> str:
    """Return why a running run was asked to stop: a rule has left its reason in `cause`, a person only a name."""
    return cause or (f"Canceled by {canceled_by}." if canceled_by else "Canceled.")


def ended(status: Status, cause: str) -> dict[str, Any]:
    """Return the values that end a run. Its sealed inputs are nobody's business any more."""
    return {"status": status, "cause": clean_text(cause), "finished_at": now(), "sealed_data": None}


def end_of_attempt(facts: Facts, status: Status, cause: str, *, lost: bool = False) -> dict[str, Any]:
    """Return the values that end this attempt: those of a final state, or of a run that waits for the next attempt.

    lost: the worker went away; the job itself did nothing wrong.
    """
    if lost and facts.stop_cause is not None:
        return ended(Status.CANCELED, f"{facts.stop_cause} {cause}")
    if status != Status.ERRORED or facts.stop_cause is not None:
        return ended(status, cause + _tries(facts))
    return _after_loss(facts, cause) if lost else _after_error(facts, cause)


def seconds(count: float) -> str:
    return "1 second" if count == 1 else f"{round(count, 3):g} seconds"


def _after_error(facts: Facts, cause: str) -> dict[str, Any]:
    # What ended before any code ran (the job is gone, or forbidden by now) ends the same way again.
    if facts.errors >= facts.max_retries or not facts.began:
        return ended(Status.ERRORED, cause + _tries(facts))
    delay = min(LONGEST_DELAY_SECONDS, facts.retry_delay * 2 ** min(facts.errors, 60))
    begins = f"starts in {seconds(delay)}" if delay else "follows at once"
    story = f"Attempt {facts.errors + 1} of {facts.max_retries + 1} errored: {cause.rstrip('. ')}"
    return _waiting(
        f"{story}; the next one {begins}.",
        errors=facts.errors + 1,
        not_before=now() + timedelta(seconds=delay),
        # It has started in time; how long it waits from here on is the retry's business.
        expires_at=None,
    )


def _after_loss(facts: Facts, cause: str) -> dict[str, Any]:
    if not facts.began:
        if facts.false_starts >= MOST_FALSE_STARTS:
            return ended(
                Status.ERRORED, f"{cause} This happened {facts.false_starts + 1} times before it began."
            )
        return _waiting(f"{cause} Its code had not begun: it waits for a worker again.")
    if not facts.idempotent:
        return ended(Status.ERRORED, cause + _tries(facts))
    if facts.losses >= MOST_LOSSES:
        return ended(
            Status.ERRORED,
            f"{cause} It is not run again: stopped after {facts.losses + 1} worker losses.",
        )
    return _waiting(
        f"{cause} The job says that it may be run again: attempt {facts.attempt + 1} follows.",
        losses=facts.losses + 1,
        expires_at=None,
    )


def _waiting(cause: str, **values: Any) -> dict[str, Any]:
    """Return the values of a run that waits for another attempt. Its sealed inputs stay."""
    return {
        "status": Status.PENDING,
        "cause": clean_text(cause),
        "pushed_at": None,
        "not_before": None,
        "started_at": None,
        "began_at": None,
        "worker": None,
        "worker_host": None,
        "worker_pid": None,
        "worker_started": None,
        **values,
    }


def _tries(facts: Facts) -> str:
    """Say after how many attempts it ended, where it was more than one."""
    tries = facts.errors + facts.losses + 1
    return f" It was tried {tries} times." if tries > 1 else ""
