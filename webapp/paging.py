"""Pages that follow a key instead of counting rows: none is lost or repeated while rows are added."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, literal, tuple_
from werkzeug.datastructures import MultiDict

from store.models import JobResult
from webapp.database import db

PAGE_SIZE = 40


@dataclass(frozen=True, slots=True)
class Page:
    rows: Sequence[JobResult]
    #: Cursors for the neighbouring pages; None where there is none.
    newer: str | None
    older: str | None
    #: Where to look further back: enough were looked through, and not all there are. None: nothing is behind.
    further: str | None = None


place = tuple_(JobResult.created_at, JobResult.id)


def page_of_results(query: Select[JobResult], arguments: MultiDict[str, str], size: int = PAGE_SIZE) -> Page:
    """Return the page of results that `?newer=` or `?older=` names, the newest first; else the first."""
    newer_than, older_than = _position(arguments.get("newer")), _position(arguments.get("older"))
    key = place
    if newer_than is not None:
        ascending = query.where(key > newer_than).order_by(JobResult.created_at, JobResult.id)
        found = list(db.session.scalars(ascending.limit(size + 1)))
        rows = found[:size][::-1]
        return Page(rows, _cursor(rows[:1]) if len(found) > size else None, _cursor(rows[-1:]))
    if older_than is not None:
        query = query.where(key < older_than)
    descending = query.order_by(JobResult.created_at.desc(), JobResult.id.desc())
    found = list(db.session.scalars(descending.limit(size + 1)))
    rows = found[:size]
    newer = _cursor(rows[:1]) if older_than is not None else None
    return Page(rows, newer, _cursor(rows[-1:]) if len(found) > size else None)


def page_of_few(
    query: Select[JobResult], among: Select[JobResult], arguments: MultiDict[str, str], most: int
) -> Page:
    """Return the same page where no index finds what `query` wants of `among`: `most` are looked through for it."""
    newer_than, older_than = _position(arguments.get("newer")), _position(arguments.get("older"))
    if newer_than is not None:
        edge = edge_of(among.where(place > newer_than), most, newest_first=False)
        page = page_of_results(query.where(place <= edge) if edge is not None else query, arguments)
        return page if edge is None or page.newer else replace(page, newer=_written(*edge))
    edge = edge_of(among if older_than is None else among.where(place < older_than), most)
    if edge is None:
        return page_of_results(query, arguments)
    page = page_of_results(query.where(place >= edge), arguments)
    return page if page.older else replace(page, further=_written(*edge))


def edge_of(
    query: Select[JobResult], most: int, *, newest_first: bool = True
) -> tuple[datetime, UUID] | None:
    """Return the place of the last of `most` results, when there are more."""
    places = query.with_only_columns(JobResult.created_at, JobResult.id)
    ways = [each.desc() if newest_first else each.asc() for each in (JobResult.created_at, JobResult.id)]
    found: Sequence[Any] = db.session.execute(places.order_by(*ways).offset(most - 1).limit(2)).all()
    return (found[0][0], found[0][1]) if len(found) == 2 else None


def _cursor(rows: Sequence[JobResult]) -> str | None:
    return _written(rows[0].created_at, rows[0].id) if rows else None


def _written(created_at: datetime, key: UUID) -> str:
    return f"{created_at:%Y%m%dT%H%M%S.%f}_{key.hex}"


def _position(cursor: str | None) -> Any:
    """Return what a cursor stands for; None for one that is not ours, which begins at the first page."""
    moment, _, key = (cursor or "").partition("_")
    try:
        created_at = datetime.strptime(moment + "+0000", "%Y%m%dT%H%M%S.%f%z")
        return tuple_(literal(created_at, JobResult.created_at.type), literal(UUID(key), JobResult.id.type))
    except ValueError:
        return None
