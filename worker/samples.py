"""What the queues hold, once a minute: a scheduler writes it down, for the pictures of the last day."""

from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from store.models import QueueSample, minute_of, now
from store.platform import Platform
from worker.queue_facts import QueueLoad, queue_loads

KEPT_MINUTES = 7 * 24 * 60

#: Those with most to do; of the others there is no sample.
MOST_QUEUES = 50

#: Minutes that are forgotten at a time: what a long pause leaves behind is removed in small deletes.
FORGOTTEN_AT_ONCE = 60

_INSERTS: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


class Sampler:
    """Called often; takes a sample in each minute."""

    def __init__(self) -> None:
        self._minute = 0

    def run_once(self, platform: Platform) -> int:
        """Return how many queues were written down: none if this minute has its sample."""
        minute = minute_of(now())
        if minute == self._minute:
            return 0
        # Before it is tried: what fails leaves a gap of one minute, and is not tried in each pass.
        self._minute = minute
        return take(platform, minute)


def take(platform: Platform, minute: int) -> int:
    """Write down what the queues hold, and forget what is too old; return how many queues were written.

    Of several schedulers the first one has written a minute; what the others would write is left out.
    """
    # Counting many waiting runs takes its time, which is not to be SQLite's write turn.
    with platform.reading() as db:
        if db.scalar(select(QueueSample.minute).where(QueueSample.minute == minute).limit(1)):
            return 0
        loads = queue_loads(db)[:MOST_QUEUES]
    with platform.session() as db:
        written = _write(db, [_row(minute, load) for load in loads]) if loads else 0
        oldest = db.scalar(select(func.min(QueueSample.minute)))
        if oldest is not None and oldest < minute - KEPT_MINUTES:
            until = min(oldest + FORGOTTEN_AT_ONCE, minute - KEPT_MINUTES)
            db.execute(delete(QueueSample).where(QueueSample.minute < until))
        db.commit()
    return written


def _write(db: Session, rows: list[dict[str, Any]]) -> int:
    insert = _INSERTS[db.get_bind().dialect.name](QueueSample).values(rows).on_conflict_do_nothing()
    return len(db.execute(insert.returning(QueueSample.queue)).all())


def _row(minute: int, load: QueueLoad) -> dict[str, Any]:
    return {
        "minute": minute,
        "queue": load.name,
        "waiting": load.waiting,
        "running": load.running,
        "workers": load.workers,
        "busy": load.busy,
    }
