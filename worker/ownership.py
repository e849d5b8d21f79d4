"""Who owns a run: one claim, and writes that only its owner can make.

Every statement here names the state it expects, so that of two processes which think they own a
run only one ever writes to it. `attempt` is the fencing token.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, select, update
from sqlalchemy.orm import Session

from store.html import clean_text
from store.models import JobResult, Status, now
from store.platform import Platform
from worker.host import Process


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to write to a running result."""

    result_id: UUID
    attempt: int
    #: The number of the last entry of earlier attempts.
    last_seq: int


class Fenced(Exception):
    """The run belongs to somebody else by now, or has ended: nothing may be written to it any more."""


def claim(platform: Platform, result_id: UUID, *, worker: str, process: Process) -> Claim | None:
    """Take a pending run; None when it was delivered twice, or canceled while it waited."""
    statement = (
        update(JobResult)
        .where(JobResult.id == result_id, JobResult.status == Status.PENDING)
        .values(
            status=Status.RUNNING,
            attempt=JobResult.attempt + 1,
            started_at=now(),
            began_at=None,
            worker=worker,
            worker_host=process.host,
            worker_pid=process.pid,
            worker_started=process.started,
            beat=0,
        )
        .returning(JobResult.attempt, JobResult.last_seq)
    )
    with platform.engine.begin() as connection:
        row = connection.execute(statement).first()
    return Claim(result_id, row.attempt, row.last_seq) if row else None


def began(platform: Platform, claim: Claim) -> None:
    """Write that the job's code begins now. Raises Fenced when the run is not ours any more.

    Before it does, not after: a run without this moment has certainly not begun.
    """
    with platform.engine.begin() as connection:
        write(connection, claim, began_at=now())


def write(connection: Connection, claim: Claim, **values: Any) -> None:
    """Write to the claimed run within the caller's transaction. Raises Fenced when it is no longer ours."""
    written = connection.execute(
        update(JobResult)
        .where(
            JobResult.id == claim.result_id,
            JobResult.attempt == claim.attempt,
            JobResult.status == Status.RUNNING,
        )
        .values(**values)
    )
    if written.rowcount != 1:
        raise Fenced(f"Run {claim.result_id} has ended or belongs to another worker.")


def ended(status: Status, cause: str) -> dict[str, Any]:
    """Return the values that end a run. Its sealed inputs are nobody's business any more."""
    return {"status": status, "cause": clean_text(cause), "finished_at": now(), "sealed_data": None}


@dataclass(frozen=True, slots=True)
class Beat:
    """What the worker learns about the run it watches each time it raises the beat."""

    attempt: int
    canceled_by: str | None
    time_limit: float


def beat(connection: Connection, result_id: UUID, *, worker: str) -> Beat | None:
    """Say that the worker still watches the run; None when the run is not its own (any more)."""
    row = connection.execute(
        update(JobResult)
        .where(JobResult.id == result_id, JobResult.status == Status.RUNNING, JobResult.worker == worker)
        .values(beat=JobResult.beat + 1)
        .returning(
            JobResult.attempt, JobResult.cancel_requested_at, JobResult.canceled_by, JobResult.time_limit
        )
    ).first()
    if row is None:
        return None
    return Beat(row.attempt, row.canceled_by if row.cancel_requested_at else None, row.time_limit)


def running_attempt(connection: Connection, result_id: UUID, *, worker: str) -> int | None:
    """Return the attempt of the run that `worker` watches; None when it has ended, or is not its own."""
    return connection.scalar(
        select(JobResult.attempt).where(
            JobResult.id == result_id, JobResult.status == Status.RUNNING, JobResult.worker == worker
        )
    )


def end_for_worker(
    connection: Connection, result_id: UUID, *, worker: str, status: Status, cause: str
) -> bool:
    """End the run that `worker` watched, if its child left it unfinished."""
    written = connection.execute(
        update(JobResult)
        .where(JobResult.id == result_id, JobResult.status == Status.RUNNING, JobResult.worker == worker)
        .values(**ended(status, cause))
    )
    return bool(written.rowcount)


def end_lost(db: Session, result: JobResult, *, cause: str) -> bool:
    """End a run whose worker is gone, unless it moved since `result` was read."""
    written = db.execute(
        update(JobResult)
        .where(
            JobResult.id == result.id,
            JobResult.attempt == result.attempt,
            JobResult.beat == result.beat,
            JobResult.status == Status.RUNNING,
        )
        .values(**ended(Status.ERRORED, cause))
        .execution_options(synchronize_session=False)
    )
    return bool(written.rowcount)  # type: ignore[attr-defined]
