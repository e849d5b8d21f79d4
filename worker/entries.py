"""The log of a run on its way to the database: rendered, numbered, written in batches.

The writer has a thread and a connection of its own, so that entries are there to be read while the
job's transaction is still open, and stay when it is rolled back.
"""

import os
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple

from sqlalchemy import Connection, insert, update
from sqlalchemy.exc import OperationalError

from store.html import clean_text, render
from store.models import EntryGroup, JobResult, LogEntry, now
from store.platform import Platform
from worker.ownership import Claim, write

#: An entry is readable this soon after it was logged, at the latest.
FLUSH_SECONDS = 0.05

#: More in one transaction would keep other writers waiting on SQLite, and readers without news.
FLUSH_ENTRIES = 200

#: Written at once: whoever watches should see a failure when it happens.
URGENT = frozenset({"failure", "error", "critical"})

#: A job that logs faster than the database takes it has to wait.
MOST_WAITING = 5_000
BACK_PRESSURE_SECONDS = 0.01

MOST_MESSAGE_CHARACTERS = 64_000
CUT_NOTE = "… (cut: {count:,} more characters)"

#: How long the database may be away before the run is given up.
PATIENCE_SECONDS = 30.0
RETRY_SECONDS = 0.5


@dataclass(slots=True)
class Entry:
    level: str
    grouping: str
    message: str
    object_text: str | None
    object_url: str | None
    created_at: datetime = field(default_factory=now)


class WrongProcess(RuntimeError):
    """Somebody else than the run's own process tried to log."""


class _Group(NamedTuple):
    name: str
    first_seq: int


class EntryWriter:
    """Writes the entries of one claimed run. `finish` writes the last of them together with the end."""

    def __init__(self, platform: Platform, claim: Claim) -> None:
        self._platform = platform
        self._claim = claim
        self._pid = os.getpid()
        self._seq = claim.last_seq
        self._group: _Group | None = None
        # A SimpleQueue, because a time limit may interrupt `add` anywhere: it has no lock to leave behind.
        self._queue: SimpleQueue[Entry | None] = SimpleQueue()
        self._last: list[Entry] = []
        self._error: Exception | None = None
        self._unlinked: set[str] = set()
        self._thread = threading.Thread(target=self._work, name="entries", daemon=True)
        self._thread.start()

    def add(self, entry: Entry) -> None:
        """Take an entry. Waits while too many are on their way; raises what stopped the writer, if anything did."""
        if os.getpid() != self._pid:
            raise WrongProcess(
                "A process that the job started cannot log: let it tell the job's own process."
            )
        while self._queue.qsize() >= MOST_WAITING and self._error is None:
            time.sleep(BACK_PRESSURE_SECONDS)
        if self._error is not None:
            raise self._error
        self._queue.put(entry)

    def note(self, **values: Any) -> None:
        """Write facts about the run now. Raises Fenced when it is not ours."""
        with self._platform.engine.begin() as connection:
            write(connection, self._claim, **values)

    def unlink(self, urls: Iterable[str]) -> None:
        """Take the links to these objects away at the end: they were rolled back, and their keys may come again."""
        self._unlinked.update(urls)

    def assert_owned(self) -> None:
        """Raise Fenced when the run is not ours any more."""
        self.note(attempt=self._claim.attempt)

    def finish(self, **values: Any) -> None:
        """Write what still waits and the end of the run in one transaction. Raises Fenced when it is not ours."""
        self._queue.put(None)
        self._thread.join()
        if self._error is not None:
            raise self._error
        self._write(self._last, values)
        self._unlink()

    def _unlink(self) -> None:
        urls = sorted(self._unlinked)
        for start in range(0, len(urls), FLUSH_ENTRIES):
            with self._platform.engine.begin() as connection:
                connection.execute(
                    update(LogEntry)
                    .where(
                        LogEntry.result_id == self._claim.result_id,
                        LogEntry.attempt == self._claim.attempt,
                        LogEntry.object_url.in_(urls[start : start + FLUSH_ENTRIES]),
                    )
                    .values(object_url=None)
                )

    def _work(self) -> None:
        try:
            while True:
                batch, closing = self._next_batch()
                if closing:
                    # `finish` writes these, together with the end.
                    self._last = batch
                    return
                self._write(batch, {})
        except Exception as error:
            self._error = error

    def _next_batch(self) -> tuple[list[Entry], bool]:
        """Wait for an entry, then a moment for more; say whether `finish` has been called."""
        batch: list[Entry] = []
        entry = self._queue.get()
        deadline = time.monotonic() + FLUSH_SECONDS
        while entry is not None:
            batch.append(entry)
            if len(batch) >= FLUSH_ENTRIES:
                return batch, False
            if entry.level in URGENT:
                deadline = 0.0  # Only what is there already goes with it.
            try:
                entry = self._queue.get(timeout=max(0.0, deadline - time.monotonic()))
            except Empty:
                return batch, False
        return batch, True

    def _write(self, batch: list[Entry], values: dict[str, Any]) -> None:
        rows = [self._row(number, entry) for number, entry in enumerate(batch, self._seq + 1)]
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                with self._platform.engine.begin() as connection:
                    group = self._write_in(connection, rows, values)
                break
            except OperationalError:
                # The database is restarting or locked: the run goes on meanwhile.
                if time.monotonic() > deadline:
                    raise
                time.sleep(RETRY_SECONDS)
        # Only now that it is saved: a write that is tried again must start from the same state.
        self._group = group
        self._seq += len(rows)

    def _write_in(
        self, connection: Connection, rows: list[dict[str, Any]], values: dict[str, Any]
    ) -> _Group | None:
        """Write in the caller's transaction; return the group that the next entry may continue."""
        counts = _counts(rows)
        write(
            connection,
            self._claim,
            last_seq=self._seq + len(rows),
            **{name: getattr(JobResult, name) + count for name, count in counts.items()},
            **values,
        )
        group = self._group
        if rows:
            connection.execute(insert(LogEntry), rows)
        for stretch in _stretches(rows):
            group = self._write_group(connection, group, stretch)
        return group

    def _write_group(
        self, connection: Connection, group: _Group | None, stretch: list[dict[str, Any]]
    ) -> _Group:
        first, last = stretch[0], stretch[-1]
        counts = _counts(stretch)
        if group is not None and group.name == first["grouping"]:
            more = {name: getattr(EntryGroup, name) + count for name, count in counts.items()}
            connection.execute(
                update(EntryGroup)
                .where(EntryGroup.result_id == self._claim.result_id, EntryGroup.first_seq == group.first_seq)
                .values(last_at=last["created_at"], **more)
            )
            return group
        connection.execute(
            insert(EntryGroup).values(
                result_id=self._claim.result_id,
                first_seq=first["seq"],
                name=first["grouping"],
                started_at=first["created_at"],
                last_at=last["created_at"],
                **counts,
            )
        )
        return _Group(first["grouping"], first["seq"])

    def _row(self, number: int, entry: Entry) -> dict[str, Any]:
        message = clean_text(_cut(entry.message))
        return {
            "result_id": self._claim.result_id,
            "seq": number,
            "attempt": self._claim.attempt,
            "created_at": entry.created_at,
            "level": entry.level,
            "grouping": clean_text(entry.grouping),
            "message": message,
            "html": render(message),
            "object_text": None if entry.object_text is None else clean_text(entry.object_text),
            "object_url": entry.object_url,
        }


def _cut(message: str) -> str:
    rest = len(message) - MOST_MESSAGE_CHARACTERS
    return message if rest <= 0 else message[:MOST_MESSAGE_CHARACTERS] + CUT_NOTE.format(count=rest)


def _counts(rows: list[dict[str, Any]]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for row in rows:
        name = f"count_{row['level']}"
        counts[name] = counts.get(name, 0) + 1
    return counts


def _stretches(rows: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    stretches: list[list[dict[str, Any]]] = []
    for row in rows:
        if stretches and stretches[-1][-1]["grouping"] == row["grouping"]:
            stretches[-1].append(row)
        else:
            stretches.append([row])
    return stretches
