"""Pages that follow a key instead of counting rows: none is lost or repeated while rows are added."""

from collections.abc import Sequence
from dataclasses import dataclass
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


def page_of_results(query: Select[JobResult], arguments: MultiDict[str, str], size: int = PAGE_SIZE) -> Page:
    """Return the page of results that `?newer=` or `?older=` names, the newest first; else the first."""
    newer_than, older_than = _position(arguments.get("newer")), _position(arguments.get("older"))
    key = tuple_(JobResult.created_at, JobResult.id)
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


def _cursor(rows: Sequence[JobResult]) -> str | None:
    return f"{rows[0].created_at:%Y%m%dT%H%M%S.%f}_{rows[0].id.hex}" if rows else None


def _position(cursor: str | None) -> Any:
    """Return what a cursor stands for; None for one that is not ours, which begins at the first page."""
    moment, _, key = (cursor or "").partition("_")
    try:
        created_at = datetime.strptime(moment + "+0000", "%Y%m%dT%H%M%S.%f%z")
        return tuple_(literal(created_at, JobResult.created_at.type), literal(UUID(key), JobResult.id.type))
    except ValueError:
        return None
