"""What must hold of runs whatever was killed, asked of plain facts: what is wrong comes back as sentences."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from store.models import FINAL, Status
from worker.attempts import MOST_FALSE_STARTS, MOST_LOSSES
from worker.markers import NOT_SAVED, SAVED, UNKNOWN
from worker.supervisor import STOPPED

#: How the end of a run may be explained that somebody killed. Its job raises nothing, and meets no limit.
KILLED = (
    "died while it ran this job",
    "died before it ran this job",
    "was killed by signal 9",
    "that the worker's jobs come from (their parent) was killed",
    STOPPED,
)


class Claim(StrEnum):
    """What a finding breaks."""

    LOST = "lost"
    DOUBLE = "double"
    UNTRUE = "untrue"
    GAP = "gap"


class Finding(NamedTuple):
    claim: Claim
    what: str


@dataclass(frozen=True, slots=True)
class Execution:
    """What one execution of a job said and left outside of Errand's own tables."""

    token: str
    begins: int
    ends: int
    #: Its object is in the DATA database.
    saved: bool


@dataclass(frozen=True, slots=True)
class Asked:
    """One run somebody wanted."""

    key: str
    #: All that answers to this request have said; none: it never got one.
    answers: frozenset[UUID]
    #: How many lines the job logs.
    lines: int
    idempotent: bool = False
    canceled: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """One stored run, and what is known of it from elsewhere."""

    id: UUID
    key: str
    status: str
    cause: str
    attempt: int
    #: Attempts that errored or were lost before the last one.
    broken: int
    last_seq: int
    #: As stored, and as counted: {level: entries}.
    counts: Mapping[str, int]
    counted: Mapping[str, int]
    #: The numbers of its entries, in order.
    seqs: Sequence[int]
    #: How many entries each execution has left: {token: entries}.
    logged: Mapping[str, int] = field(default_factory=dict)
    #: In the order in which they began.
    executions: Sequence[Execution] = ()

    @property
    def name(self) -> str:
        return f"{self.key} ({self.id})"


def check(
    asked: Sequence[Asked], runs: Sequence[Run], executed: Mapping[UUID, Sequence[Execution]]
) -> Iterator[Finding]:
    """Yield all that is wrong. executed: what the outside counter knows, also of runs that are not stored."""
    by_key = {run.key: run for run in runs}
    for one in asked:
        run = by_key.get(one.key)
        if run is None:
            yield Finding(Claim.LOST, f"{one.key} was asked for, and is not stored.")
            continue
        yield from _check_answers(one, run)
        if run.status not in FINAL:
            yield Finding(Claim.LOST, f"{run.name} is still {run.status}: {run.cause}")
            continue
        yield from _check_executions(one, run)
        yield from _check_end(one, run)
        yield from _check_entries(run)
    yield from _check_strangers(asked, runs, executed)


def _check_answers(one: Asked, run: Run) -> Iterator[Finding]:
    for answer in one.answers - {run.id}:
        yield Finding(Claim.LOST, f"{run.name} was once called {answer}.")


def _check_strangers(
    asked: Sequence[Asked], runs: Sequence[Run], executed: Mapping[UUID, Sequence[Execution]]
) -> Iterator[Finding]:
    for key, times in Counter(run.key for run in runs).items():
        if times > 1:
            yield Finding(Claim.DOUBLE, f"{key} is stored {times} times.")
    for key in {run.key for run in runs} - {one.key for one in asked}:
        yield Finding(Claim.DOUBLE, f"{key} is stored, and nobody asked for it.")
    for result_id in executed.keys() - {run.id for run in runs}:
        yield Finding(Claim.LOST, f"{result_id} was executed, and is not stored.")


def _check_executions(one: Asked, run: Run) -> Iterator[Finding]:
    most = min(run.attempt, run.broken + 1) if one.idempotent else 1
    if len(run.executions) > most:
        yield Finding(
            Claim.DOUBLE, f"{run.name} was executed {len(run.executions)} times, and {most} would be allowed."
        )
    if run.broken > MOST_LOSSES or run.attempt > run.broken + 1 + MOST_FALSE_STARTS:
        yield Finding(Claim.DOUBLE, f"{run.name} was tried {run.attempt} times.")
    for execution in run.executions:
        if execution.begins != 1 or execution.ends > 1:
            yield Finding(
                Claim.DOUBLE, f"{run.name} began {execution.begins} and ended {execution.ends} times as one."
            )


def _check_end(one: Asked, run: Run) -> Iterator[Finding]:
    if not run.cause.strip():
        yield Finding(Claim.UNTRUE, f"{run.name} is {run.status} without a cause.")
    elif why := _untruth(one, run):
        yield Finding(Claim.UNTRUE, f'{run.name} is {run.status}, "{run.cause}", but {why}.')


def _untruth(one: Asked, run: Run) -> str | None:
    """Return what is wrong with the end of a run."""
    match run.status:
        case Status.COMPLETED:
            return _not_completed(one, run)
        case Status.ERRORED if not any(known in run.cause for known in KILLED):
            return "nobody did that to it"
        case Status.CANCELED if not one.canceled:
            return "nobody canceled it"
        case Status.ERRORED | Status.CANCELED:
            return _wrong_about_changes(run)
        case _:
            return "that cannot be"


def _not_completed(one: Asked, run: Run) -> str | None:
    last = run.executions[-1] if run.executions else None
    if last is None or last.ends != 1:
        return "its job never came to its end"
    if not last.saved:
        return "its changes are not there"
    if run.logged.get(last.token, 0) != one.lines:
        return f"of {one.lines} lines of its log {run.logged.get(last.token, 0)} are there"
    return None


def _wrong_about_changes(run: Run) -> str | None:
    last = run.executions[-1] if run.executions else None
    saved = last is not None and last.saved
    if SAVED in run.cause:
        return None if saved else "they are not there"
    if NOT_SAVED in run.cause:
        # Of several attempts the last one may have ended before it said anything outside.
        of_last = len(run.executions) == run.broken + 1
        return "they are there" if saved and of_last else None
    if UNKNOWN in run.cause or len(run.executions) <= run.broken:
        return None
    return "it does not say what became of its changes"


def _check_entries(run: Run) -> Iterator[Finding]:
    if list(run.seqs) != list(range(1, run.last_seq + 1)):
        yield Finding(Claim.GAP, f"{run.name} has the entries {_short(run.seqs)}, not 1 to {run.last_seq}.")
    stored = {level: count for level, count in run.counts.items() if count}
    if stored != dict(run.counted):
        yield Finding(Claim.GAP, f"{run.name} counts {stored}, and has {dict(run.counted)}.")


def _short(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers[:40]))
