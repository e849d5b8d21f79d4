"""The log of a run on its way to the database: masked, rendered, numbered, written in batches.

The writer has a thread and a connection of its own: whatever it waits for, the worker goes on watching its child.
"""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from queue import SimpleQueue
from typing import Any, NamedTuple

from sqlalchemy import Connection, select, update
from sqlalchemy.exc import IntegrityError, OperationalError

from store import colours
from store.entry_rows import EntryRow
from store.html import entry_html
from store.models import EntryGroup, JobResult, LogEntry
from store.platform import Platform, is_full
from store.text import clean_text, entry_text, has_sequences
from worker.batches import Batch, Group, is_one_statement, write_batch
from worker.masking import Mask
from worker.ownership import Claim, Fenced
from worker.redaction import REPLACEMENT
from worker.steps import Step, time_groups

#: An entry is readable this soon after it was logged, at the latest.
FLUSH_SECONDS = 0.05

#: More in one transaction would keep other writers waiting on SQLite, and readers without news.
FLUSH_ENTRIES = 500

#: Written at once: whoever watches should see a failure when it happens.
URGENT = frozenset({"failure", "error", "critical"})

#: Batches that wait for the database before the job has to wait too.
MOST_WAITING = 4

CUT_NOTE = "… (cut: {count:,} more characters)"

#: What a column takes, in characters.
LONGEST_GROUPING = 100
LONGEST_OBJECT_TEXT = 200

#: How long the database may be away in mid-run, and at the end of a run, before it is given up.
PATIENCE_SECONDS = 30.0
END_PATIENCE_SECONDS = 600.0
RETRY_SECONDS = 0.25

#: What a run may log; beyond it entries are counted only.
MOST_ENTRIES = 1_000_000
MOST_BYTES = 256 * 1024**2
#: Failures that are kept beyond.
MOST_LAST_WORDS = 100
DROPPED_NOTE = "{count:,} more entries were dropped: a run keeps at most {entries:,}, or {megabytes:,} MB."

MISSING_NOTE = "Entries of this log are missing ({count:,}): the database did not take them."
UNSAID = " Entries of its log are missing ({count:,}): the database had no room left."


class Entry(NamedTuple):
    """An entry as it came from the job's process; nothing in it is trusted."""

    level: str
    grouping: str
    message: str
    #: Characters that were cut off.
    more: int = 0
    object_text: str | None = None
    object_url: str | None = None
    #: Seconds since 1970.
    created_at: float = 0.0
    markdown: bool = True


class Ticket:
    """Something the writer was asked to write."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self._work = work
        self._done = threading.Event()
        self.error: Exception | None = None
        self.value: Any = None

    @property
    def done(self) -> bool:
        return self._done.is_set()

    def run(self) -> None:
        try:
            self.value = self._work()
        except Exception as error:  # Whoever asked is told.
            self.error = error
        self._done.set()

    def wait(self, seconds: float | None = None) -> bool:
        return self._done.wait(seconds)


class Writer:
    """One thread that writes what it is given, in that order."""

    def __init__(self, platform: Platform, *, name: str = "writer") -> None:
        self.platform = platform
        self._queue: SimpleQueue[Ticket | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def ask(self, work: Callable[[], Any]) -> Ticket:
        ticket = Ticket(work)
        self._queue.put(ticket)
        return ticket

    def close(self) -> None:
        self._queue.put(None)
        self._thread.join(timeout=5)

    def _work(self) -> None:
        while (ticket := self._queue.get()) is not None:
            ticket.run()


class RunLog:
    """The entries of one claimed run. `finish` writes the last of them together with the end."""

    def __init__(self, writer: Writer, claim: Claim, mask: Mask) -> None:
        self._writer = writer
        self._claim = claim
        self._mask = mask
        self._seq = claim.last_seq
        self._group: Group | None = None
        self._waiting: list[Entry] = []
        self._flush_at: float | None = None
        self._tickets: list[Ticket] = []
        self._notes: dict[str, Any] = {}
        #: Steps that have ended.
        self._steps: list[Step] = []
        #: What was written, or was to be, as the end of the attempt.
        self._ended: dict[str, Any] = {}
        self._bytes = 0
        self._count = 0
        self._dropped = 0
        #: Entries that the database did not take.
        self._lost = 0
        self._last_words = 0
        #: A grouping as it came, and as it is kept: the next entry has the same, most likely.
        self._grouping = ("", "")

    # Called by the worker's main thread

    @property
    def flush_at(self) -> float | None:
        """When `flush` is due, on the monotonic clock."""
        return self._flush_at

    def has_room(self, *, wait_seconds: float) -> bool:
        """Wait until the database has taken enough for the job to go on; False when it still has not."""
        self._tickets = [ticket for ticket in self._tickets if not ticket.done or ticket.error]
        if len(self._tickets) < MOST_WAITING:
            return True
        return self._tickets[0].wait(wait_seconds)

    @property
    def error(self) -> Exception | None:
        """What stopped the writing, if anything did."""
        return next((ticket.error for ticket in self._tickets if ticket.error), None)

    def add(self, entry: Entry, *, ours: bool = False) -> None:
        """Keep an entry. ours: the worker says it, not the job, and no limit of the job's counts."""
        if self.over and not ours and not self._is_last_word(entry):
            self.drop(1)
            return
        self._bytes += len(entry.message)
        self._count += 1
        self._waiting.append(entry)
        if len(self._waiting) >= FLUSH_ENTRIES:
            self.flush()
        elif entry.level in URGENT:
            self._flush_at = time.monotonic()
        elif self._flush_at is None:
            self._flush_at = time.monotonic() + FLUSH_SECONDS

    @property
    def over(self) -> bool:
        """True once the run has logged what it may: the rest is counted only."""
        return self._count >= MOST_ENTRIES or self._bytes >= MOST_BYTES

    def drop(self, count: int) -> None:
        """Count entries that nobody keeps."""
        self._dropped += count

    def note(self, **values: Any) -> None:
        """Write facts about the run with the next batch."""
        self._notes.update(values)
        if self._flush_at is None:
            self._flush_at = time.monotonic() + FLUSH_SECONDS

    def time_step(self, step: Step) -> None:
        """Have the groups of a step begin and end as it did, with the next batch."""
        self._steps.append(step)
        if len(self._steps) >= FLUSH_ENTRIES:
            self.flush()
        elif self._flush_at is None:
            self._flush_at = time.monotonic() + FLUSH_SECONDS

    def flush(self) -> None:
        """Hand what waits to the writer."""
        batch, values, steps = self._take()
        self._flush_at = None
        if batch or values or steps:
            self._tickets.append(
                self._writer.ask(lambda: self._write(batch, values, steps=steps, patience=PATIENCE_SECONDS))
            )

    def finish(
        self, end: Callable[[Connection], dict[str, Any]], *, more: bool = False, **values: Any
    ) -> Ticket:
        """Write what still waits and the end of the run in one transaction.

        end: called in it, and returns the values that end the attempt. more: it writes to other tables, too.
        """
        if self._dropped:
            self._waiting.append(
                Entry(
                    "warning",
                    "run",
                    DROPPED_NOTE.format(
                        count=self._dropped, entries=MOST_ENTRIES, megabytes=MOST_BYTES // 1024**2
                    ),
                    created_at=time.time(),
                )
            )
        batch, notes, steps = self._take()
        last = {**notes, **values}
        if all(ticket.done for ticket in self._tickets):
            # Nothing is on its way before it: to hand it over would take longer than to write it.
            here = Ticket(lambda: self._write(batch, last, end, steps=steps, more=more, patience=0))
            here.run()
            if not isinstance(here.error, OperationalError):
                return here
        return self._writer.ask(
            lambda: self._write(
                batch, last, end, steps=steps, more=more, patience=END_PATIENCE_SECONDS, tried=True
            )
        )

    def unlink(self, urls: Iterable[str]) -> None:
        """Take the links to these objects away: they were rolled back, and their keys may come again."""
        self.flush()
        wanted = [str(url) for url in urls]
        self._tickets.append(self._writer.ask(lambda: self._unlink(wanted)))

    def _is_last_word(self, entry: Entry) -> bool:
        """Tell whether an entry beyond the limit is kept: why a run failed matters more than all it said before."""
        if entry.level not in URGENT or self._last_words >= MOST_LAST_WORDS:
            return False
        self._last_words += 1
        return True

    def _take(self) -> tuple[list[Entry], dict[str, Any], list[Step]]:
        taken = self._waiting, self._notes, self._steps
        self._waiting, self._notes, self._steps = [], {}, []
        return taken

    # Called by the writer

    def _unlink(self, urls: list[str]) -> None:
        for start in range(0, len(urls), FLUSH_ENTRIES):
            with self._writer.platform.engine.begin() as connection:
                connection.execute(
                    update(LogEntry)
                    .where(
                        LogEntry.result_id == self._claim.result_id,
                        LogEntry.attempt == self._claim.attempt,
                        LogEntry.object_url.in_(urls[start : start + FLUSH_ENTRIES]),
                    )
                    .values(object_url=None)
                )

    def _write(
        self,
        batch: Sequence[Entry],
        values: dict[str, Any],
        end: Callable[[Connection], dict[str, Any]] | None = None,
        *,
        steps: Sequence[Step] = (),
        more: bool = False,
        patience: float,
        tried: bool = False,
    ) -> None:
        # Who has once waited in vain does not wait again with every batch: the beat waits behind them.
        deadline = time.monotonic() + (0 if self._lost and not end else patience)
        lost = self._lost
        note = [self._said_of_missing(lost)] if end and lost else []
        rows = self._rows([*batch, *note])
        platform = self._writer.platform
        alone = is_one_statement(platform.engine, rows) and not more
        engine = platform.single if alone else platform.engine
        while True:
            try:
                with engine.begin() as connection:
                    # A commit whose answer got lost must not be made twice.
                    if tried and self._is_written(connection, rows):
                        group = self._open_group(connection)
                    else:
                        self._ended = end(connection) if end else {}
                        if self._ended and lost > self._lost:
                            self._ended["cause"] += UNSAID.format(count=lost)
                        last = {"last_seq": self._seq + len(rows), **values, **self._ended}
                        group = write_batch(connection, Batch(self._claim, rows, self._group, last))
                    if steps:
                        named = [step._replace(grouping=self._grouping_of(step.grouping)) for step in steps]
                        time_groups(connection, self._claim.result_id, named)
                break
            except OperationalError as error:
                if rows and is_full(error):
                    # The run may go on, and how it ends fits in where its entries do not.
                    lost, rows = lost + len(batch), []
                    continue
                # The database is restarting or locked: the run goes on meanwhile.
                if time.monotonic() > deadline:
                    if not end:
                        self._lost = lost + len(rows)
                    raise
                tried = True
                time.sleep(RETRY_SECONDS)
            except IntegrityError as error:
                # The one rule of the database that a write of ours can meet: what has ended stays ended.
                raise Fenced(f"Run {self._claim.result_id} has ended.") from error
        # Only now that it is saved: a write that is tried again must start from the same state.
        self._group = group or self._group
        self._seq += len(rows)
        self._lost = lost

    def _said_of_missing(self, count: int) -> Entry:
        return Entry("warning", "run", MISSING_NOTE.format(count=count), created_at=time.time())

    def _is_written(self, connection: Connection, rows: list[EntryRow]) -> bool:
        """Tell whether this very batch, or this very end, is in the database already."""
        key, attempt = self._claim.result_id, self._claim.attempt
        if rows:
            last = select(LogEntry.attempt).where(LogEntry.result_id == key, LogEntry.seq == rows[-1].seq)
            return connection.scalar(last) == attempt
        if not self._ended:
            return False
        same = (JobResult.status == self._ended["status"], JobResult.cause == self._ended["cause"])
        ended = select(JobResult.id).where(JobResult.id == key, JobResult.attempt == attempt, *same)
        return connection.scalar(ended) is not None

    def _open_group(self, connection: Connection) -> Group | None:
        last = connection.execute(
            select(EntryGroup.name, EntryGroup.first_seq)
            .where(EntryGroup.result_id == self._claim.result_id)
            .order_by(EntryGroup.first_seq.desc())
            .limit(1)
        ).first()
        return Group(last.name, last.first_seq) if last else None

    def _rows(self, batch: Iterable[Entry]) -> list[EntryRow]:
        return [self._row(number, entry) for number, entry in enumerate(batch, self._seq + 1)]

    def _row(self, number: int, entry: Entry) -> EntryRow:
        if has_sequences(entry.message):
            text, spans = colours.read(entry.message)
        else:
            text, spans = clean_text(entry.message), []
        # Before it is rendered: what is plain, or came a moment ago, is so without its secrets.
        message = self._mask.message(text, cut=entry.more > 0)
        if spans and message != text:
            spans = colours.moved(spans, text, message, REPLACEMENT)
        if entry.more:
            message += CUT_NOTE.format(count=entry.more)
        return EntryRow(
            number,
            entry.created_at,
            entry.level,
            self._grouping_of(entry.grouping),
            message,
            entry_html(message, spans, markdown=entry.markdown),
            None if entry.object_text is None else self._short(entry.object_text, LONGEST_OBJECT_TEXT),
            None if entry.object_url is None else self._mask.url(entry.object_url),
        )

    def _grouping_of(self, given: str) -> str:
        if given != self._grouping[0]:
            self._grouping = (given, self._short(given, LONGEST_GROUPING))
        return self._grouping[1]

    def _short(self, text: str, longest: int) -> str:
        """Return a text that may have been cut to `longest` characters, masked; what is redacted may be longer."""
        return self._mask.text(entry_text(text), cut=len(text) == longest)[:longest]
