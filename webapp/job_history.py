"""How a job did: its last runs by duration and outcome, and its days, from one bounded look along an index."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import select

from store.models import FINAL, JobRecord, JobResult, Status, now
from store.permissions import visible
from webapp.auth import current_user
from webapp.database import db
from webapp.looks import LOOKS, Look

#: No history looks at more runs: however many there are, this many rows are read, the newest.
MOST_RUNS = 5_000

WARNINGS = "warnings"

#: What a run ended in, as pictures and the API name it; bars are stacked in this order.
OUTCOMES: dict[str, Look] = {
    Status.COMPLETED.value: LOOKS[Status.COMPLETED],
    WARNINGS: Look("is-warn", "warn", "Warnings"),
    Status.CANCELED.value: LOOKS[Status.CANCELED],
    Status.DENIED.value: LOOKS[Status.DENIED],
    Status.FAILED.value: LOOKS[Status.FAILED],
    Status.ERRORED.value: LOOKS[Status.ERRORED],
}
BAD = (Status.FAILED.value, Status.ERRORED.value)


class Ended(NamedTuple):
    """A run that has ended, as far as its history goes."""

    id: UUID
    status: str
    count_warning: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    @property
    def outcome(self) -> str:
        return WARNINGS if self.status == Status.COMPLETED and self.count_warning else self.status

    @property
    def bad(self) -> bool:
        return self.status in BAD

    @property
    def seconds(self) -> float | None:
        """How long it took; None: it never ran."""
        if self.started_at is None or self.finished_at is None:
            return None
        return max(0.0, (self.finished_at - self.started_at).total_seconds())

    @property
    def day(self) -> date:
        """The day on which it was asked for, in UTC."""
        return self.created_at.astimezone(UTC).date()


@dataclass(frozen=True, slots=True)
class Times:
    """Of the completed ones among some runs, in seconds; None where there are none."""

    median: float | None
    p95: float | None


@dataclass(frozen=True, slots=True)
class Day:
    day: date
    counts: Mapping[str, int]
    times: Times

    @property
    def total(self) -> int:
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True)
class JobHistory:
    #: The oldest first.
    runs: Sequence[Ended]
    #: With `since`, each day since then; without, the days on which it ran.
    days: Sequence[Day]
    counts: Mapping[str, int]
    times: Times
    #: The beginning of the first day, where days were asked for.
    since: datetime | None
    #: There are more runs than are looked at, and these are only the newest.
    cut: bool

    @property
    def until(self) -> datetime:
        """The end of the last day."""
        last = self.days[-1].day if self.days else now().date()
        return _midnight(last + timedelta(days=1))


def runs_of(job: JobRecord, count: int) -> JobHistory:
    """Return the last `count` runs that have ended."""
    runs = _ended(job, min(count, MOST_RUNS), None)
    return _history(runs, sorted({run.day for run in runs}), None, cut=False)


def days_of(job: JobRecord, count: int) -> JobHistory:
    """Return the runs of so many days, today included, that have ended."""
    today = now().astimezone(UTC).date()
    first = today - timedelta(days=count - 1)
    runs = _ended(job, MOST_RUNS + 1, _midnight(first))
    cut = len(runs) > MOST_RUNS
    runs = runs[-MOST_RUNS:]
    # Of earlier days nothing was read, which is not to look as if nothing had run.
    first = runs[0].day if cut else first
    days = [first + timedelta(days=number) for number in range((today - first).days + 1)]
    return _history(runs, days, _midnight(first), cut=cut)


def _ended(job: JobRecord, most: int, since: datetime | None) -> list[Ended]:
    columns = (
        JobResult.id,
        JobResult.status,
        JobResult.count_warning,
        JobResult.created_at,
        JobResult.started_at,
        JobResult.finished_at,
    )
    query = visible(select(*columns), current_user(), JobResult)  # type: ignore[arg-type]
    query = query.where(JobResult.job_id == job.id, JobResult.status.in_(FINAL))
    if since is not None:
        query = query.where(JobResult.created_at >= since)
    newest = query.order_by(JobResult.created_at.desc()).limit(most)
    return [Ended(*row) for row in db.session.execute(newest)][::-1]


def _history(runs: Sequence[Ended], days: Iterable[date], since: datetime | None, *, cut: bool) -> JobHistory:
    of_day: dict[date, list[Ended]] = {day: [] for day in days}
    for run in runs:
        # What was asked for since the request began may be of a day after today.
        of_day.setdefault(run.day, []).append(run)
    return JobHistory(
        runs,
        [Day(day, counts_of(some), times_of(some)) for day, some in of_day.items()],
        counts_of(runs),
        times_of(runs),
        since,
        cut,
    )


def counts_of(runs: Iterable[Ended]) -> dict[str, int]:
    found = Counter(run.outcome for run in runs)
    return {outcome: found[outcome] for outcome in OUTCOMES if found[outcome]}


def times_of(runs: Iterable[Ended]) -> Times:
    seconds = sorted(
        run.seconds for run in runs if run.status == Status.COMPLETED and run.seconds is not None
    )
    if not seconds:
        return Times(None, None)
    # The middle as in `webapp.history.usual_seconds`, and the least that 95 of 100 do not exceed.
    return Times(seconds[len(seconds) // 2], seconds[math.ceil(0.95 * len(seconds)) - 1])


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
