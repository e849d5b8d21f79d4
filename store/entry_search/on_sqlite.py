"""The index on SQLite: FTS5, in a file of its own beside the database.

There it never takes the write turn that runs wait for: adding a slice takes milliseconds mostly, but tenths of a second when
FTS5 merges what it has. How far it goes is kept in the same file, so the two cannot disagree.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from uuid import UUID

from sqlalchemy.orm import Session

from store.entry_search.index import SLICE, EntryIndex, entries_after
from store.entry_search.query import Query
from store.platform import BUSY_TIMEOUT_SECONDS, Platform

_TABLES = """
CREATE TABLE IF NOT EXISTS place (one INTEGER PRIMARY KEY CHECK (one = 1), last_entry_id INTEGER NOT NULL);
INSERT OR IGNORE INTO place VALUES (1, 0);
CREATE TABLE IF NOT EXISTS entries (id INTEGER PRIMARY KEY, result_id TEXT NOT NULL, words TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS entries_of_result ON entries (result_id);
CREATE VIRTUAL TABLE IF NOT EXISTS said USING fts5(
    words, content = 'entries', content_rowid = 'id', tokenize = 'unicode61 remove_diacritics 0', prefix = '2 3');
CREATE TRIGGER IF NOT EXISTS entry_added AFTER INSERT ON entries BEGIN
    INSERT INTO said (rowid, words) VALUES (new.id, new.words); END;
CREATE TRIGGER IF NOT EXISTS entry_removed AFTER DELETE ON entries BEGIN
    INSERT INTO said (said, rowid, words) VALUES ('delete', old.id, old.words); END;
"""
_DROP = "DROP TABLE IF EXISTS said; DROP TABLE IF EXISTS entries; DROP TABLE IF EXISTS place;"

_LAST = "SELECT last_entry_id FROM place"
_FIND = "SELECT rowid FROM said WHERE said MATCH ? AND rowid < ? ORDER BY rowid DESC LIMIT ?"
_ADD = "INSERT OR IGNORE INTO entries (id, result_id, words) VALUES (?, ?, ?)"
_GO_ON = "UPDATE place SET last_entry_id = ?"
_GO_BACK = "UPDATE place SET last_entry_id = min(last_entry_id, ?)"
_REMOVE = "DELETE FROM entries WHERE id IN (SELECT id FROM entries WHERE result_id = ? LIMIT ?)"


class SqliteIndex(EntryIndex):
    def __init__(self, path: Path) -> None:
        self.path = path

    def add_slice(self, platform: Platform) -> int:
        with self._open() as index, _turn(index):
            # In the turn: two that add must not both go on from the same place.
            [last] = index.execute(_LAST).fetchone()
            with platform.reading() as db:
                added = entries_after(db, last)
            if added:
                rows = [(each.entry_id, each.result_id.hex, " ".join(each.words)) for each in added]
                index.executemany(_ADD, rows)
                index.execute(_GO_ON, (added[-1].entry_id,))
        return len(added)

    def last_entry_id(self, db: Session) -> int:
        if not self.path.exists():
            return 0
        with self._open() as index:
            found: int = index.execute(_LAST).fetchone()[0]
        return found

    def entry_ids(self, db: Session, query: Query, before: int, most: int) -> Sequence[int]:
        # Only who adds makes the file: to look changes nothing.
        if not self.path.exists():
            return []
        with self._open() as index:
            return [row[0] for row in index.execute(_FIND, (query.as_fts5(), before, most))]

    def clear(self, platform: Platform) -> None:
        with self._open() as index:
            index.executescript(f"BEGIN IMMEDIATE; {_DROP} {_TABLES} COMMIT;")

    def _forget(self, platform: Platform, result_id: UUID, last_entry_id: int) -> None:
        more = True
        while more:
            with self._open() as index, _turn(index):
                more = index.execute(_REMOVE, (result_id.hex, SLICE)).rowcount == SLICE
                # Entries that came since may have numbers from here on which the removed ones had.
                index.execute(_GO_BACK, (last_entry_id,))

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        fresh = not self.path.exists()
        with closing(
            sqlite3.connect(self.path, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None)
        ) as connection:
            connection.execute("PRAGMA synchronous = NORMAL")
            if fresh or not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'place'").fetchone():
                connection.execute("PRAGMA journal_mode = WAL")
                connection.executescript(f"BEGIN IMMEDIATE; {_TABLES} COMMIT;")
            yield connection


@contextmanager
def _turn(index: sqlite3.Connection) -> Iterator[None]:
    index.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        index.execute("ROLLBACK")
        raise
    index.execute("COMMIT")
