"""What became of the runs of each queue in the last hour."""

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple

from flask import current_app
from sqlalchemy import Select, select

from store.models import JobResult, now
from webapp.database import db
from webapp.looks import PULSE_RUNS, Pulse, pulse

HOUR = timedelta(hours=1)
#: So many of the newest runs are looked at: a page that is watched asks again every few seconds.
MOST_ENDED = 2000
#: What was found holds for so long.
FRESH_SECONDS = 10.0


class Ended(NamedTuple):
    status: str
    count_warning: int
    duration_seconds: float | None


@dataclass(frozen=True, slots=True)
class QueueHour:
    #: Runs that have ended; `more`: at least so many.
    done: int
    more: bool
    pulse: Pulse


NOTHING = QueueHour(0, False, pulse([]))


def last_hour() -> dict[str, QueueHour]:
    """Return what became of the runs of each queue, by its name; queues without any are left out."""
    kept: tuple[float, dict[str, QueueHour]] | None = current_app.extensions.get("errand-queue-hour")
    if kept is None or time.monotonic() - kept[0] > FRESH_SECONDS:
        kept = (time.monotonic(), _read())
        current_app.extensions["errand-queue-hour"] = kept
    return kept[1]


def _read() -> dict[str, QueueHour]:
    columns: list[Any] = [JobResult.queue, JobResult.status, JobResult.count_warning]
    columns += [JobResult.started_at, JobResult.finished_at]
    query: Select[Any] = select(*columns).where(JobResult.finished_at >= now() - HOUR)
    rows = db.session.execute(query.order_by(JobResult.finished_at.desc()).limit(MOST_ENDED)).all()
    of_queue: dict[str, list[Ended]] = defaultdict(list)
    for queue, status, warnings, started_at, finished_at in rows:
        lasted = (finished_at - started_at).total_seconds() if started_at else None
        of_queue[queue].append(Ended(status, warnings, lasted))
    return {name: _hour(ended, more=len(rows) == MOST_ENDED) for name, ended in of_queue.items()}


def _hour(ended: Sequence[Ended], *, more: bool) -> QueueHour:
    return QueueHour(len(ended), more, pulse(ended[:PULSE_RUNS]))
