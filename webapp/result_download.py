"""The list of results as a file: all that fit the filter, in pieces, however many there are."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

from flask import Response, stream_with_context
from sqlalchemy import Select, tuple_

from jobs.spreadsheet import csv_rows
from store.models import FAMILIES, JobResult
from webapp.api.shapes import time
from webapp.database import db, reading
from webapp.result_list import LISTED

#: Results that are read together.
PIECE = 500

COLUMNS = (
    *("id", "job", "class_path", "status", "cause", "commit", "by"),
    *("created_at", "started_at", "finished_at", "duration_seconds"),
    *FAMILIES,
)


def answer(queries: Iterable[Select[JobResult]]) -> Response:
    """Return the results of the queries as CSV; each has its own newest first."""
    response = Response(stream_with_context(_written(queries)), mimetype="text/csv")
    response.headers["Content-Disposition"] = "attachment; filename=results.csv"
    return response


def _written(queries: Iterable[Select[JobResult]]) -> Iterator[str]:
    for query in chain([None], queries):
        # What was read for the query is read: a slow reader must not keep its transaction open.
        db.session.rollback()
        if query is None:
            yield csv_rows([COLUMNS])
            continue
        for results in _pieces(query):
            yield csv_rows(map(_cells, results))


def _pieces(query: Select[JobResult]) -> Iterator[Sequence[JobResult]]:
    key = tuple_(JobResult.created_at, JobResult.id)
    query = query.options(*LISTED).order_by(JobResult.created_at.desc(), JobResult.id.desc()).limit(PIECE)
    found = _read(query)
    while found:
        yield found
        last = found[-1]
        found = _read(query.where(key < (last.created_at, last.id))) if len(found) == PIECE else []


def _read(query: Select[JobResult]) -> Sequence[JobResult]:
    with reading() as session:
        return session.scalars(query).all()


def _cells(result: JobResult) -> list[Any]:
    seconds = result.duration_seconds if result.finished else None
    return [
        *(str(result.id), result.name, result.class_path, result.status, result.cause or ""),
        *(result.commit, result.username),
        *(
            time(moment) if moment else ""
            for moment in (result.created_at, result.started_at, result.finished_at)
        ),
        "" if seconds is None else round(seconds, 3),
        *result.families.values(),
    ]
