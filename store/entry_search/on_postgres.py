"""The index on PostgreSQL: a table of `tsvector` beside the entries."""

import time
from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Connection, Text, bindparam, cast, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.dialects.postgresql import insert as insert_or_not
from sqlalchemy.orm import Session

from store.entry_search.index import SLICE, EntryIndex, entries_after
from store.entry_search.query import Query
from store.models import EntryWords, LogEntry, SearchPlace
from store.platform import Platform

#: How long an adder waits for entries that are being written, and how often it looks.
SETTLE_SECONDS = 1.0
LOOK_SECONDS = 0.01

#: The transactions that may be writing entries, each by its name.
_WRITERS = text("""
    SELECT virtualtransaction FROM pg_locks
    WHERE relation = 'log_entries'::regclass AND mode = 'RowExclusiveLock' AND granted
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
""")
_FITS = text("words @@ CAST(:wanted AS tsquery)")
_ADD = (
    insert_or_not(EntryWords)
    .values(
        entry_id=bindparam("entry_id"),
        result_id=bindparam("result_id"),
        words=cast(bindparam("words", type_=Text()), TSVECTOR),
    )
    .on_conflict_do_nothing()
)


class PostgresIndex(EntryIndex):
    def add_slice(self, platform: Platform) -> int:
        until = _settled(platform)
        if until is None:
            return 0
        with platform.engine.begin() as connection:
            last = _locked_place(connection)
            added = entries_after(connection, last, until)
            if added:
                rows = [
                    {"entry_id": one.entry_id, "result_id": one.result_id, "words": _vector(one.words)}
                    for one in added
                ]
                connection.execute(_ADD, rows)
                _go_on(connection, added[-1].entry_id)
        return len(added)

    def last_entry_id(self, db: Session) -> int:
        return db.scalar(select(SearchPlace.last_entry_id)) or 0

    def entry_ids(self, db: Session, query: Query, before: int, most: int) -> Sequence[int]:
        found = select(EntryWords.entry_id).where(
            _FITS.bindparams(wanted=query.as_tsquery()), EntryWords.entry_id < before
        )
        return db.scalars(found.order_by(EntryWords.entry_id.desc()).limit(most)).all()

    def clear(self, platform: Platform) -> None:
        with platform.engine.begin() as connection:
            _locked_place(connection)
            connection.execute(text("TRUNCATE entry_words"))
            _go_on(connection, 0)

    def _forget(self, platform: Platform, result_id: UUID, last_entry_id: int) -> None:
        slice_of = select(EntryWords.entry_id).where(EntryWords.result_id == result_id).limit(SLICE)
        more = True
        while more:
            with platform.engine.begin() as connection:
                gone = connection.execute(delete(EntryWords).where(EntryWords.entry_id.in_(slice_of)))
                more = gone.rowcount == SLICE


def _settled(platform: Platform) -> int | None:
    """Return the newest entry before which none can still appear; None: somebody takes long to write some.

    Numbers are given out when entries are written and seen when they are committed, in any order: what has a smaller
    number than one that is seen may be on its way. Whoever writes it holds a lock on the table meanwhile.
    """
    deadline = time.monotonic() + SETTLE_SECONDS
    with platform.reading() as db:
        newest = db.scalar(select(func.max(LogEntry.id)))
        writers = set(db.scalars(_WRITERS))
        while newest is not None and writers:
            if time.monotonic() > deadline:
                return None
            time.sleep(LOOK_SECONDS)
            writers &= set(db.scalars(_WRITERS))
    return newest


def _locked_place(connection: Connection) -> int:
    """Return up to where the index goes, and have others wait who would go on from there, too."""
    place = select(SearchPlace.last_entry_id).with_for_update()
    found = connection.scalar(place)
    if found is None:
        first = insert_or_not(SearchPlace).values(id=1, last_entry_id=0).on_conflict_do_nothing()
        connection.execute(first)
        found = connection.scalar(place)
    return found or 0


def _go_on(connection: Connection, last_entry_id: int) -> None:
    connection.execute(update(SearchPlace).values(last_entry_id=last_entry_id))


def _vector(words: Sequence[str]) -> str:
    """Return the text of a tsvector. Words are letters and digits only: nothing in it has to be quoted."""
    return " ".join(f"{word}:{number}" for number, word in enumerate(words, 1))
