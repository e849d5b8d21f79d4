"""Search across the entries of all runs: what fits of what the reader may see, the newest first."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask import current_app
from sqlalchemy import ColumnElement, select

from store.entry_search import Backlog, EntryIndex, Query, plain_text
from store.models import FAMILY_OF, JobResult, LogEntry, User
from store.permissions import visible
from webapp.database import db
from webapp.result_list import LISTED

#: So many entries that have the words are looked at in one go, and so many in all before the reader is asked.
CHUNK = 500
MOST_LOOKED_AT = 10_000

#: A longer line is cut, with so much before what was looked for.
LONGEST_LINE = 320
BEFORE = 80

#: Larger than the number of any entry.
NEWEST = 2**62


@dataclass(frozen=True, slots=True)
class Hit:
    entry: LogEntry
    result: JobResult
    #: The line of it that has most of the words: (text, whether it is marked).
    line: Sequence[tuple[str, bool]]

    @property
    def family(self) -> str:
        return FAMILY_OF[self.entry.level]


@dataclass(frozen=True, slots=True)
class Found:
    hits: Sequence[Hit]
    #: Where the next page begins; None: there is none.
    before: int | None
    #: Whether it begins there because enough were looked at, and not because the page is full.
    tired: bool = False


def find(
    query: Query, user: User, conditions: Sequence[ColumnElement[bool]], *, before: int, most: int
) -> Found:
    """Return the newest entries that have the words, fit the conditions and are of runs that `user` may see.

    before: only entries that were written before the one with this number.
    """
    rows: list[tuple[LogEntry, JobResult]] = []
    looked_at = 0
    while looked_at < MOST_LOOKED_AT:
        wanted = CHUNK if looked_at else 2 * most
        ids = entry_index().entry_ids(db.session(), query, before, wanted)
        rows += _seen(ids, user, conditions, most + 1 - len(rows))
        if len(rows) > most:
            return Found(_hits(query, rows[:most]), rows[most - 1][0].id)
        if len(ids) < wanted:
            return Found(_hits(query, rows), None)
        looked_at += len(ids)
        before = ids[-1]
    return Found(_hits(query, rows), before, tired=True)


def backlog() -> Backlog:
    return entry_index().backlog(db.session())


def entry_index() -> EntryIndex:
    index: EntryIndex = current_app.extensions["errand"].entry_index
    return index


def _seen(
    ids: Sequence[int], user: User, conditions: Sequence[ColumnElement[bool]], most: int
) -> list[tuple[LogEntry, JobResult]]:
    if not ids:
        return []
    query: Any = select(LogEntry, JobResult).join(JobResult, JobResult.id == LogEntry.result_id)
    query = visible(query.where(LogEntry.id.in_(ids), *conditions), user, JobResult)
    listed, who, job = LISTED
    query = query.options(listed, who, job).order_by(LogEntry.id.desc()).limit(most)
    return [(entry, result) for entry, result in db.session.execute(query)]


def _hits(query: Query, rows: Sequence[tuple[LogEntry, JobResult]]) -> list[Hit]:
    return [Hit(entry, result, _line(query, entry.html)) for entry, result in rows]


def _line(query: Query, html: str) -> list[tuple[str, bool]]:
    """Return the line that has most of what is looked for; what goes over several lines has the first of them."""
    lines = [line.strip() for line in plain_text(html).splitlines() if line.strip()]
    spans = [query.marked(line) for line in lines]
    best = max(range(len(lines)), key=lambda number: (len(spans[number]), -number), default=None)
    return _cut(lines[best], spans[best]) if best is not None else []


def _cut(line: str, spans: Sequence[tuple[int, int]]) -> list[tuple[str, bool]]:
    first = spans[0][0] if spans else 0
    start = 0 if len(line) <= LONGEST_LINE or first <= BEFORE else first - BEFORE
    end = min(len(line), start + LONGEST_LINE)
    parts, place = [("…", False)] if start else [], start
    for begins, ends in spans:
        if begins < end:
            parts += [(line[place:begins], False), (line[begins : min(ends, end)], True)]
            place = min(ends, end)
    parts += [(line[place:end], False), ("…" if end < len(line) else "", False)]
    return [part for part in parts if part[0]]
