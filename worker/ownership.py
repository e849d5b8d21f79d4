"""Who owns a run: one claim, and writes that only its owner can make.

Every statement here names the state it expects, so that of two processes which think they own a
run only one ever writes to it. `attempt` is the fencing token.
"""

import functools
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Connection,
    String,
    Update,
    bindparam,
    case,
    cast,
    func,
    null,
    select,
    update,
)
from sqlalchemy.orm import Session

from store.models import READY, JobRecord, JobResult, Status, User, now
from store.platform import Platform
from worker import rules
from worker.attempts import end_of_attempt, read_facts, stop_cause
from worker.attempts import ended as ended
from worker.host import Process

#: Goes on while the machine sleeps, and cannot be set.
_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class RunClock:
    """What time it is for one run: read from the wall once, counted from there. A clock that is set in mid-run would
    make the run last for an hour, or end before it began."""

    def __init__(self) -> None:
        self.started_at = now()
        self._steady_at = time.clock_gettime(_STEADY)

    def now(self) -> datetime:
        return self.started_at + timedelta(seconds=time.clock_gettime(_STEADY) - self._steady_at)


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to write to a running result."""

    result_id: UUID
    attempt: int
    #: The number of the last entry of earlier attempts.
    last_seq: int
    #: Not None: others may wait for the end of this run (see pushes.release).
    concurrency_key: str | None
    #: What is to be done, and who asked for it, as it stood at the claim.
    run: "Run"
    clock: RunClock = field(default_factory=RunClock, compare=False)


class Run(NamedTuple):
    """The facts of a run that its worker needs, and what is asked of them before it begins.

    Of a job or a user that was deleted meanwhile all is None.
    """

    class_path: str
    job_id: UUID | None
    origin_id: UUID | None
    username: str
    data: dict[str, Any]
    box: bytes | None
    sealed_facts: dict[str, Any] | None
    sealed_for: UUID | None
    uploads: int
    request: dict[str, Any] | None
    origin: str
    commit: bool
    profile: bool
    ignore_singleton_lock: bool
    #: READY: it has asked for others, and they have ended.
    gathers: str
    soft_time_limit: float
    time_limit: float
    memory_limit: float
    source_digest: str | None
    job_name: str | None
    job_installed: bool | None
    job_enabled: bool | None
    job_fresh_process: bool | None
    job_read_only: bool | None
    job_approval_required: bool | None
    job_takes_data_files: bool | None
    job_code_digest: str | None
    job_code_commit: str | None
    user_active: bool | None
    user_superuser: bool | None


class Fenced(Exception):
    """The run belongs to somebody else by now, or has ended: nothing may be written to it any more."""


def claim(platform: Platform, result_id: UUID, *, worker: str, process: Process) -> Claim | None:
    """Take a pending run. None when it was delivered twice, has ended while it waited, or must wait longer."""
    clock = RunClock()
    values = {
        "claimed_id": result_id,
        "at": clock.started_at,
        "by": worker,
        "host": process.host,
        "pid": process.pid,
        "started": process.started,
    }
    postgres = platform.engine.dialect.name == "postgresql"
    with platform.single.begin() as connection:
        # Nearly always this one statement is all.
        row = connection.execute(_claim(free=True, postgres=postgres), values).first()
    if row is None:
        row = _claim_by_rules(platform, values, postgres=postgres)
    if row is None:
        return None
    attempt, last_seq, concurrency_key, *run = row[: len(_TOLD)]
    return Claim(result_id, attempt, last_seq, concurrency_key, Run(*run), clock)


def _claim_by_rules(platform: Platform, values: dict[str, Any], *, postgres: bool) -> Any:
    result_id, at = values["claimed_id"], values["at"]
    with platform.engine.begin() as connection:
        row = None
        if rules.may_start(connection, result_id, at):
            row = connection.execute(_claim(free=False, postgres=postgres), values).first()
            if row is not None:
                rules.note_start(connection, result_id, at)
        if row is None:
            # The answer to an earlier claim of ours was lost, and it stands. None of the code has run yet.
            row = connection.execute(_OURS, values).first()
    return row


_second_part = JobResult.gathers == READY


@functools.cache
def _claim(*, free: bool, postgres: bool) -> Update:
    """Return the statement that claims; with `free`, only what no rule holds back."""
    at: Any = bindparam("at", type_=JobResult.started_at.type)
    statement = (
        update(JobResult)
        .where(JobResult.id == bindparam("claimed_id"), rules.free(at) if free else rules.PENDING)
        .where(rules.SCHEMA_FITS)
        .values(
            status=Status.RUNNING,
            cause=None,
            progress=None,
            # What its first part left stays.
            hot_functions=case((_second_part, JobResult.hot_functions), else_=null()),
            attempt=JobResult.attempt + 1,
            started_at=case((_second_part, func.coalesce(JobResult.started_at, at)), else_=at),
            began_at=None,
            worker=bindparam("by"),
            worker_host=bindparam("host"),
            worker_pid=bindparam("pid"),
            worker_started=bindparam("started"),
            beat=0,
        )
        .returning(*_TOLD)
    )
    if postgres:
        # Not flushed to the disk: a server that forgets this claim shows the run as waiting, and none of its
        # code has run, because `began` is flushed, and this with it. Set here, as that costs no round trip.
        statement = statement.returning(func.set_config("synchronous_commit", "off", True))
    return statement


def _of_job(column: Any) -> Any:
    return select(column).where(JobRecord.id == JobResult.job_id).correlate(JobResult).scalar_subquery()


def _of_user(column: Any) -> Any:
    return select(column).where(User.id == JobResult.user_id).correlate(JobResult).scalar_subquery()


#: What a claim answers: its fence, and the fields of `Run`. In one statement, as this stands before every run.
_TOLD = (
    JobResult.attempt,
    JobResult.last_seq,
    JobResult.concurrency_key,
    JobResult.class_path,
    JobResult.job_id,
    JobResult.origin_id,
    JobResult.username,
    JobResult.data,
    func.coalesce(JobResult.sealed_data, JobResult.kept_box),
    JobResult.sealed_facts,
    JobResult.sealed_for,
    JobResult.uploads,
    JobResult.request,
    JobResult.origin,
    JobResult.commit,
    JobResult.profile,
    JobResult.ignore_singleton_lock,
    JobResult.gathers,
    JobResult.soft_time_limit,
    JobResult.time_limit,
    JobResult.memory_limit,
    JobResult.source_digest,
    _of_job(JobRecord.name),
    _of_job(JobRecord.installed),
    _of_job(JobRecord.enabled),
    _of_job(JobRecord.fresh_process),
    _of_job(JobRecord.read_only),
    _of_job(JobRecord.approval_required),
    _of_job(cast(JobRecord.variables, String).contains('"DataFileVar"')),
    _of_job(JobRecord.code_digest),
    _of_job(JobRecord.code_commit),
    _of_user(User.active),
    _of_user(User.superuser),
)

_OURS = select(*_TOLD).where(
    JobResult.id == bindparam("claimed_id"),
    JobResult.status == Status.RUNNING,
    JobResult.worker == bindparam("by"),
    JobResult.worker_host == bindparam("host"),
    JobResult.worker_pid == bindparam("pid"),
    JobResult.worker_started == bindparam("started"),
    JobResult.began_at.is_(None),
)


def began(platform: Platform, claim: Claim) -> None:
    """Write that the job's code begins now. Raises Fenced when the run is not ours any more.

    Before it does, not after: a run without this moment has certainly not begun.
    """
    with platform.single.begin() as connection:
        write(connection, claim, began_at=now())


def write(
    connection: Connection, claim: Claim, *, more: Mapping[str, int] | None = None, **values: Any
) -> None:
    """Write to the claimed run within the caller's transaction. Raises Fenced when it is no longer ours.

    more: {column: what to add to it}.
    """
    more = more or {}
    statement = write_statement(frozenset(values), frozenset(more))
    if connection.execute(statement, write_parameters(claim, values, more)).rowcount != 1:
        raise fenced(claim)


def hold(connection: Connection, claim: Claim) -> None:
    """Have the run stay ours to the end of the caller's transaction. Raises Fenced when it is not."""
    ours = select(JobResult.id).where(
        JobResult.id == claim.result_id,
        JobResult.attempt == claim.attempt,
        JobResult.status == Status.RUNNING,
    )
    # Locked where rows can be: the run must not end between the question and the answer.
    if connection.scalar(ours.with_for_update(read=True)) is None:
        raise fenced(claim)


def fenced(claim: Claim) -> Fenced:
    return Fenced(f"Run {claim.result_id} has ended or belongs to another worker.")


def write_parameters(claim: Claim, values: Mapping[str, Any], more: Mapping[str, int]) -> dict[str, Any]:
    """Return the parameters of `write_statement` for these columns."""
    return {
        "of_result": claim.result_id,
        "of_attempt": claim.attempt,
        **{f"new_{name}": value for name, value in values.items()},
        **{f"more_{name}": value for name, value in more.items()},
    }


# Every run passes here several times, and to build a statement takes longer than to execute it.
@functools.cache
def write_statement(values: frozenset[str], more: frozenset[str]) -> Update:
    """Return the statement by which the owner of a run, and nobody else, writes to it."""
    rows = JobResult.__table__.c
    return (
        update(JobResult.__table__)  # type: ignore[arg-type]
        .where(
            rows.id == bindparam("of_result"),
            rows.attempt == bindparam("of_attempt"),
            rows.status == Status.RUNNING,
        )
        .values(
            {
                **{name: bindparam(f"new_{name}") for name in values},
                **{name: rows[name] + bindparam(f"more_{name}") for name in more},
            }
        )
    )


def end_values(
    connection: Connection, claim: Claim, status: Status, cause: str, *, lost: bool = False
) -> dict[str, Any]:
    """Return what `write` has to write to end this attempt, in the same transaction: for good, or for a retry."""
    if status != Status.ERRORED and claim.attempt == 1:
        values = ended(status, cause)  # Nothing before it, and nothing after it.
    else:
        facts = read_facts(connection, claim.result_id, JobResult.attempt == claim.attempt)
        if facts is None:
            raise fenced(claim)
        values = end_of_attempt(facts, status, cause, lost=lost)
    if "finished_at" in values:
        values["finished_at"] = claim.clock.now()
    return values


@dataclass(frozen=True, slots=True)
class Beat:
    """What the worker learns about the run it watches each time it raises the beat."""

    attempt: int
    canceled_by: str | None
    time_limit: float
    #: Not None: it was asked to stop; the sentence is the cause of its end.
    stop_cause: str | None = None


def beat(connection: Connection, result_id: UUID, *, worker: str) -> Beat | None:
    """Say that the worker still watches the run; None when the run is not its own (any more)."""
    row = connection.execute(
        update(JobResult)
        .where(JobResult.id == result_id, JobResult.status == Status.RUNNING, JobResult.worker == worker)
        .values(beat=JobResult.beat + 1)
        .returning(
            JobResult.attempt,
            JobResult.cancel_requested_at,
            JobResult.canceled_by,
            JobResult.cause,
            JobResult.time_limit,
        )
    ).first()
    if row is None:
        return None
    if row.cancel_requested_at is None:
        return Beat(row.attempt, None, row.time_limit)
    return Beat(row.attempt, row.canceled_by, row.time_limit, stop_cause(row.cause, row.canceled_by))


def running_attempt(connection: Connection, result_id: UUID, *, worker: str) -> int | None:
    """Return the attempt of the run that `worker` watches; None when it has ended, or is not its own."""
    return connection.scalar(
        select(JobResult.attempt).where(
            JobResult.id == result_id, JobResult.status == Status.RUNNING, JobResult.worker == worker
        )
    )


def end_for_worker(
    connection: Connection, result_id: UUID, *, worker: str, status: Status, cause: str, lost: bool = False
) -> bool:
    """End the attempt that `worker` watched, if its child left it unfinished.

    lost: the worker itself is why it ends, as when it has to stop.
    """
    return _end(connection, result_id, status, cause, JobResult.worker == worker, lost=lost)


def end_lost(db: Session, result: Any, *, cause: str) -> bool:
    """End an attempt whose worker is gone, unless it moved since `result` (a row, or some of it) was read."""
    return _end(
        db,
        result.id,
        Status.ERRORED,
        cause,
        JobResult.attempt == result.attempt,
        JobResult.beat == result.beat,
        JobResult.began_at.is_not_distinct_from(result.began_at),
        lost=True,
    )


def _end(
    db: Connection | Session,
    result_id: UUID,
    status: Status,
    cause: str,
    *conditions: ColumnElement[bool],
    lost: bool,
) -> bool:
    facts = read_facts(db, result_id, *conditions)
    if facts is None:
        return False
    written = db.execute(
        update(JobResult)
        .where(JobResult.id == result_id, JobResult.status == Status.RUNNING, *conditions)
        .values(**end_of_attempt(facts, status, cause, lost=lost))
        .execution_options(synchronize_session=False)
    )
    return bool(written.rowcount)  # type: ignore[attr-defined]
