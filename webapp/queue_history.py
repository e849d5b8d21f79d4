"""Queues over the last day: what waited, and who worked, as the schedulers have written it down."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import func, select

from store.models import QueueSample, minute_of, moment_of, now
from webapp.database import db
from webapp.plots import Tick, area, day_ticks, gaps, outline

HOURS = 24

#: A picture has one point for so many minutes: the most that there was in any of them.
STEP_MINUTES = 5

#: Those with most to do; reading and drawing them is at most 8 * 288 rows.
MOST_QUEUES = 8

#: Steps of a picture that are one line of its table.
STEPS_OF_LINE = 12


class Sample(NamedTuple):
    """The most that there was on a queue in a few minutes."""

    at: datetime
    waiting: int
    running: int
    workers: int
    busy: int


@dataclass(frozen=True, slots=True)
class QueuePicture:
    """One queue. Paths stand in a box `steps` wide and 100 high; gaps are (x, width) in percent of the width."""

    name: str
    waiting: str
    busy: str
    workers: str
    gaps: list[tuple[float, float]]
    most_waiting: int
    most_workers: int
    #: (the beginning, the most of that hour) for each hour; None: there is no sample.
    lines: list[tuple[datetime, Sample | None]]

    @property
    def label(self) -> str:
        missing = " There are gaps: no scheduler ran." if self.gaps else ""
        return (
            f"{self.name} in the last {HOURS} hours: at most {self.most_waiting:,} waiting, "
            f"and at most {self.most_workers:,} workers.{missing}"
        )


@dataclass(frozen=True, slots=True)
class QueueHistory:
    pictures: list[QueuePicture]
    ticks: list[Tick]
    #: Queues with less to do, which are not drawn.
    left_out: int
    steps: int = HOURS * 60 // STEP_MINUTES


def last_day() -> QueueHistory:
    """Draw the queues that had most to do within the last day."""
    since, until = minutes_of_last(HOURS, STEP_MINUTES)
    names = queues_of(since, until)
    drawn = sorted(names[:MOST_QUEUES])
    samples = samples_of(drawn, since, until, STEP_MINUTES)
    steps = range(since // STEP_MINUTES, until // STEP_MINUTES)
    pictures = [_picture(name, [samples.get((name, step)) for step in steps], steps[0]) for name in drawn]
    return QueueHistory(
        pictures, day_ticks(moment_of(since), moment_of(until), hours=3), max(0, len(names) - MOST_QUEUES)
    )


def minutes_of_last(hours: int, step_minutes: int) -> tuple[int, int]:
    """Return the first minute of so many hours in whole steps, and the one after the last step, which goes on."""
    last = minute_of(now()) // step_minutes
    count = hours * 60 // step_minutes
    return (last - count + 1) * step_minutes, (last + 1) * step_minutes


def samples_of(
    queues: Sequence[str], since: int, until: int, step_minutes: int
) -> dict[tuple[str, int], Sample]:
    """Return the most of each step: {(queue, step): sample}, where a step is minutes // step_minutes.

    since, until: minutes as QueueSample has them, the first and the one after the last.
    """
    step = (QueueSample.minute // step_minutes).label("step")
    counts = (QueueSample.waiting, QueueSample.running, QueueSample.workers, QueueSample.busy)
    query = (
        select(QueueSample.queue, step, *(func.max(count) for count in counts))
        .where(QueueSample.minute >= since, QueueSample.minute < until, QueueSample.queue.in_(list(queues)))
        .group_by(QueueSample.queue, step)
        .order_by(QueueSample.queue, step)
    )
    return {
        (queue, number): Sample(moment_of(number * step_minutes), *most)
        for queue, number, *most in db.session.execute(query)
    }


def queues_of(since: int, until: int) -> list[str]:
    """Return the queues on which there was anything or anybody, those with most to do first."""
    most = func.max(QueueSample.waiting + QueueSample.running)
    anybody = func.max(QueueSample.workers)
    query = (
        select(QueueSample.queue)
        .where(QueueSample.minute >= since, QueueSample.minute < until)
        .group_by(QueueSample.queue)
        .having(most + anybody > 0)
        .order_by(most.desc(), anybody.desc(), QueueSample.queue)
    )
    return list(db.session.scalars(query))


def _picture(name: str, samples: Sequence[Sample | None], first: int) -> QueuePicture:
    most_waiting = max((each.waiting for each in samples if each), default=0)
    most_workers = max((max(each.workers, each.busy) for each in samples if each), default=0)
    return QueuePicture(
        name,
        waiting=area([each and each.waiting for each in samples], most_waiting),
        busy=area([each and each.busy for each in samples], most_workers),
        workers=outline([each and each.workers for each in samples], most_workers),
        gaps=gaps(samples),
        most_waiting=most_waiting,
        most_workers=most_workers,
        lines=_lines(samples, first),
    )


def _lines(samples: Sequence[Sample | None], first: int) -> list[tuple[datetime, Sample | None]]:
    """Return an hour as one line each, the latest first."""
    lines: list[tuple[datetime, Sample | None]] = []
    for place in range(0, len(samples), STEPS_OF_LINE):
        at = moment_of((first + place) * STEP_MINUTES)
        there = [each for each in samples[place : place + STEPS_OF_LINE] if each]
        lines.append((at, _most(at, there) if there else None))
    return lines[::-1]


def _most(at: datetime, samples: Sequence[Sample]) -> Sample:
    return Sample(
        at,
        waiting=max(each.waiting for each in samples),
        running=max(each.running for each in samples),
        workers=max(each.workers for each in samples),
        busy=max(each.busy for each in samples),
    )
