"""The index of the words of all entries: made beside them, a slice at a time, and never by whoever writes them."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from store.entry_search.query import Query
from store.entry_search.words import LONGEST_TEXT, plain_text, words_of
from store.models import LogEntry, SearchRemoval
from store.platform import Platform

#: Entries that are added in one transaction, and rows that are removed in one.
SLICE = 500
#: Removed results that are seen to in one pass.
REMOVALS = 100


class Indexed(NamedTuple):
    """An entry as the index takes it."""

    entry_id: int
    result_id: UUID
    words: list[str]


@dataclass(frozen=True, slots=True)
class Backlog:
    """What cannot be found yet."""

    #: About how many entries.
    entries: int = 0
    #: When the oldest of them was logged.
    since: datetime | None = None


class EntryIndex(ABC):
    """What both databases have in common. Any number of processes may use one, and add to it: they take turns."""

    @abstractmethod
    def add_slice(self, platform: Platform) -> int:
        """Add the entries that come next, and return how many there were: SLICE if there may be more."""

    @abstractmethod
    def last_entry_id(self, db: Session) -> int:
        """Return up to which entry the index goes."""

    @abstractmethod
    def entry_ids(self, db: Session, query: Query, before: int, most: int) -> Sequence[int]:
        """Return the newest entries that fit, those before an entry, the newest first."""

    @abstractmethod
    def clear(self, platform: Platform) -> None:
        """Forget all: it is added anew."""

    @abstractmethod
    def _forget(self, platform: Platform, result_id: UUID, last_entry_id: int) -> None:
        """Take the words of a removed result away, a slice at a time (see SearchRemoval)."""

    def forget_removed(self, platform: Platform) -> int:
        """Take along what was removed, and return how many results that were."""
        with platform.reading() as db:
            rows = db.execute(
                select(SearchRemoval.id, SearchRemoval.result_id, SearchRemoval.last_entry_id)
                .order_by(SearchRemoval.id)
                .limit(REMOVALS)
            ).all()
        for _, result_id, last_entry_id in rows:
            self._forget(platform, result_id, last_entry_id)
        if rows:
            with platform.session() as db:
                db.execute(delete(SearchRemoval).where(SearchRemoval.id.in_([row.id for row in rows])))
                db.commit()
        return len(rows)

    def backlog(self, db: Session) -> Backlog:
        last = self.last_entry_id(db)
        since = db.scalar(
            select(LogEntry.created_at).where(LogEntry.id > last).order_by(LogEntry.id).limit(1)
        )
        if since is None:
            return Backlog()
        return Backlog((db.scalar(select(func.max(LogEntry.id))) or 0) - last, since)


def entries_after(db: Any, last: int, until: int | None = None) -> list[Indexed]:
    """Return the entries that come next. db: a session or a connection."""
    query = select(LogEntry.id, LogEntry.result_id, func.substr(LogEntry.html, 1, LONGEST_TEXT))
    query = query.where(LogEntry.id > last).order_by(LogEntry.id).limit(SLICE)
    if until is not None:
        query = query.where(LogEntry.id <= until)
    return [
        Indexed(entry_id, result_id, words_of(plain_text(html)))
        for entry_id, result_id, html in db.execute(query)
    ]
