"""A run that somebody waits for at a terminal: its entries as they arrive, why it waits, and Ctrl-C."""

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from store.models import JobResult, LogEntry, Status
from store.permissions import Forbidden, NotVisible
from store.platform import Platform
from webapp.cli.asking import tell
from worker.cancel import AlreadyFinished
from worker.local_worker import LocalWorker
from worker.pausing import paused_queues
from worker.queue_facts import listening_workers, present_workers

#: Between two looks at the row: at first, and at most where somebody reads along, and where nobody does.
FIRST_PAUSE_SECONDS = 0.05
READING_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 1.0

#: Some wrappers pass on a Ctrl-C that the terminal has sent us as well: that is one, not two.
TWICE_SECONDS = 0.5

#: Entries that are read at once.
PAGE = 500

Entry = Any


class Interrupts:
    """Counts Ctrl-C while it is entered: the first one may ask for something, the second one raises KeyboardInterrupt."""

    def __init__(self, *signals: signal.Signals, on_first: Callable[[], None] | None = None) -> None:
        """signals: those that count besides Ctrl-C. on_first: called within the signal handler."""
        self._signals = (signal.SIGINT, *signals)
        self._on_first = on_first
        self._before: dict[signal.Signals, Any] = {}
        self._last = float("-inf")
        self.count = 0

    def __enter__(self) -> "Interrupts":
        for number in self._signals:
            # Whoever started us in the background, or under nohup, wants it to do nothing.
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._take)
        return self

    def __exit__(self, *_: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    def _take(self, _number: int, _frame: object) -> None:
        if time.monotonic() - self._last < TWICE_SECONDS:
            return
        self._last = time.monotonic()
        self.count += 1
        if self.count > 1:
            raise KeyboardInterrupt
        if self._on_first is not None:
            self._on_first()


@dataclass(slots=True)
class Following:
    """A run from the moment it is stored to its end."""

    platform: Platform
    result_id: UUID
    interrupts: Interrupts
    #: Asks the run to end, in the name of whoever sits here.
    cancel: Callable[[Session, JobResult], Any]
    #: What is done with each entry as it arrives.
    show: Callable[[Entry], None] | None = None
    #: What is done with its row, again and again.
    look: Callable[[JobResult], None] | None = None
    #: Not None: it is executed in this process.
    worker: LocalWorker | None = None
    _after: int = 0
    _told: set[str] = field(default_factory=set)

    def until_final(self) -> JobResult:
        """Return the row of the run when it has ended."""
        pause = FIRST_PAUSE_SECONDS
        while True:
            # Before its entries: the last look misses none.
            result = self._read()
            self._show_entries()
            if result.finished:
                return result
            if self.look is not None:
                self.look(result)
            self._heed_interrupts(result)
            self._say_why_it_waits(result)
            if not self._executed(result):
                time.sleep(pause)
                longest = READING_PAUSE_SECONDS if self.show else LONGEST_PAUSE_SECONDS
                pause = min(pause * 1.5, longest)

    def _read(self) -> JobResult:
        with self.platform.reading() as db:
            return db.get_one(JobResult, self.result_id)

    def _show_entries(self) -> None:
        if self.show is None:
            return
        for entry in entries(self.platform, self.result_id, after=self._after):
            self._after = entry.seq
            self.show(entry)

    def _heed_interrupts(self, result: JobResult) -> None:
        if not self.interrupts.count or not self._tell_once("Asked the run to cancel. Ctrl-C again leaves."):
            return
        with self.platform.session() as db:
            try:
                self.cancel(db, db.get_one(JobResult, result.id))
            except AlreadyFinished:
                pass  # The next look shows how.
            except (Forbidden, NotVisible) as error:
                tell(f"It was not canceled: {error}")

    def _say_why_it_waits(self, result: JobResult) -> None:
        if result.status not in (Status.PENDING, Status.AWAITING_APPROVAL):
            return
        with self.platform.reading() as db:
            why = result.cause if self.worker else why_it_waits(db, result)
        if why:
            self._tell_once(why)

    def _executed(self, result: JobResult) -> bool:
        if self.worker is None or result.status != Status.PENDING or self.interrupts.count:
            return False
        executed = self.worker.execute(self.result_id, self._beat)
        if not executed and not result.cause:
            self._tell_once("The run waits until the rules of its job let it start.")
        return executed

    def _beat(self) -> None:
        if self.worker and self.interrupts.count and self._tell_once("Asked the run to end."):
            self.worker.cancel()

    def _tell_once(self, sentence: str) -> bool:
        if sentence in self._told:
            return False
        self._told.add(sentence)
        tell(sentence)
        return True


def why_it_waits(db: Session, result: JobResult) -> str | None:
    """Return a sentence on why a run that has not started does not start; None where it will at once."""
    if result.cause:
        return result.cause
    if result.unreached:
        return "Redis cannot be reached: the run starts when it is back."
    workers = listening_workers(present_workers(db))[result.queue]
    return why_its_queue_waits(result.queue, paused=result.queue in paused_queues(db), workers=workers)


def why_its_queue_waits(queue: str, *, paused: bool, workers: int) -> str | None:
    """Return a sentence on what a run of this queue waits for; None where it is nothing that concerns the queue."""
    if paused:
        return f"The queue {queue} is paused: the run waits until somebody resumes it."
    return None if workers else f"No worker listens on the queue {queue}: the run waits for one."


def entries(
    platform: Platform, result_id: UUID, *, after: int = 0, grouping: str | None = None
) -> Iterator[Entry]:
    """Yield what a run has logged so far: rows with seq, created_at, level, grouping, message, object_text."""
    while page := _page(platform, result_id, after, grouping):
        # Outside of the session: a slow reader of our output must not hold the database.
        yield from page
        after = page[-1].seq


def _page(platform: Platform, result_id: UUID, after: int, grouping: str | None) -> Sequence[Entry]:
    query = select(
        LogEntry.seq,
        LogEntry.created_at,
        LogEntry.level,
        LogEntry.grouping,
        LogEntry.message,
        LogEntry.object_text,
    ).where(LogEntry.result_id == result_id, LogEntry.seq > after)
    if grouping is not None:
        query = query.where(LogEntry.grouping == grouping)
    with platform.reading() as db:
        return db.execute(query.order_by(LogEntry.seq).limit(PAGE)).all()
