"""What jobs said about an object: its entries as its page filters them, each with its run."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.orm import load_only

from store.models import JobResult, LogEntry
from store.permissions import visible
from webapp.auth import current_user
from webapp.database import db
from webapp.log import SCAN, Filter

LINES_SHOWN = 50


@dataclass(frozen=True, slots=True)
class Said:
    #: The newest run first, its lines in the order they were logged.
    runs: list[tuple[JobResult, list[LogEntry]]]
    #: Before which entry older ones come; None: there are none.
    older: int | None
    #: Not all older ones were looked through, though not enough fit.
    unfinished: bool


def entries_about(url: str, wanted: Filter, before: int | None) -> Said:
    """Return the newest entries that name the object at `url` and that the reader may see."""
    own = select(LogEntry.id).where(LogEntry.object_url == url)
    if before is not None:
        own = own.where(LogEntry.id < before)
    # A rare level or word among very many entries cannot stall the page.
    last = db.session.scalar(own.order_by(LogEntry.id.desc()).offset(SCAN).limit(1))
    query = select(LogEntry).where(LogEntry.object_url == url, *wanted.conditions(), _may_be_seen())
    if before is not None:
        query = query.where(LogEntry.id < before)
    if last is not None:
        query = query.where(LogEntry.id > last)
    entries = list(db.session.scalars(query.order_by(LogEntry.id.desc()).limit(LINES_SHOWN + 1)))
    if len(entries) > LINES_SHOWN:
        return Said(_by_run(entries[:LINES_SHOWN]), entries[LINES_SHOWN - 1].id, unfinished=False)
    return Said(_by_run(entries), None if last is None else last + 1, unfinished=last is not None)


def _may_be_seen() -> Any:
    runs: Select[Any] = select(JobResult.id).where(JobResult.id == LogEntry.result_id).correlate(LogEntry)
    return visible(runs, current_user(), JobResult).exists()


def _by_run(entries: list[LogEntry]) -> list[tuple[JobResult, list[LogEntry]]]:
    lines: dict[UUID, list[LogEntry]] = {}
    for entry in entries:
        lines.setdefault(entry.result_id, []).insert(0, entry)
    query = visible(select(JobResult), current_user(), JobResult).where(JobResult.id.in_(lines))
    shown = load_only(JobResult.name, JobResult.status, JobResult.count_warning, JobResult.created_at)
    results = {result.id: result for result in db.session.scalars(query.options(shown))}
    return [(results[result_id], found) for result_id, found in lines.items() if result_id in results]
