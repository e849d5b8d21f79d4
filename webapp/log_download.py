"""A log as a file: whole or as far as it fits the page's filter, in pieces, however long it is."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from flask import Response, stream_with_context
from sqlalchemy import Row, Select, select

from jobs.spreadsheet import csv_rows
from store.models import JobResult, LogEntry
from webapp.api.shapes import results as shapes
from webapp.api.shapes import time
from webapp.database import db, reading
from webapp.log import Filter

#: Entries that are looked at together.
PIECE = 1_000

CSV_COLUMNS = ("seq", "created_at", "level", "grouping", "object", "object_url", "message")

Rows = Sequence[Row[Any]]


class Form(NamedTuple):
    mimetype: str
    write: Callable[[Rows], str]
    head: str = ""


def answer(result: JobResult, wanted: Filter, form: str) -> Response:
    """Return the lines that are wanted as a file of one of `FORMS`."""
    head = FORMS[form].head
    lines = lines_of(result, wanted, form, head=head)
    response = Response(lines, mimetype=FORMS[form].mimetype)
    response.headers["Content-Disposition"] = f"attachment; filename={result.short_id}-log.{form}"
    return response


def lines_of(
    result: JobResult, wanted: Filter, form: str, *, after: int = 0, head: str = ""
) -> Iterator[str]:
    """Return, in pieces, the lines that are wanted and come after one."""
    return stream_with_context(_written(_pieces(result, wanted, after), FORMS[form].write, head))


def _written(pieces: Iterable[Rows], write: Callable[[Rows], str], head: str) -> Iterator[str]:
    # The request has read all it needs: a slow reader must not keep its transaction open.
    db.session.rollback()
    if head:
        yield head
    # A server may take an empty piece for the end.
    yield from (write(rows) for rows in pieces if rows)


def _pieces(result: JobResult, wanted: Filter, after: int) -> Iterator[Rows]:
    columns: list[Any] = [
        LogEntry.seq,
        LogEntry.created_at,
        LogEntry.level,
        LogEntry.grouping,
        LogEntry.message,
        LogEntry.object_text,
        LogEntry.object_url,
    ]
    query: Select[Any] = select(*columns).where(LogEntry.result_id == result.id, *wanted.conditions())
    return (
        _read(query.where(LogEntry.seq > since, LogEntry.seq <= since + PIECE).order_by(LogEntry.seq))
        for since in range(after, result.last_seq, PIECE)
    )


def _read(query: Select[Any]) -> Rows:
    # Nothing stays open between two pieces: the reader may be slow, or gone.
    with reading() as session:
        return session.execute(query).all()


def _as_text(rows: Rows) -> str:
    return "".join(map(text_line, rows))


def text_line(row: Row[Any]) -> str:
    about = f"  [{row.object_text}]" if row.object_text else ""
    moment = row.created_at.isoformat(timespec="milliseconds")
    return f"{row.seq}\t{moment}\t{row.level}\t{row.grouping}\t{row.message}{about}\n"


def _as_csv(rows: Rows) -> str:
    return csv_rows(map(_cells, rows))


def _cells(row: Row[Any]) -> list[Any]:
    about = (row.object_text or "", row.object_url or "")
    return [row.seq, time(row.created_at), row.level, row.grouping, *about, row.message]


def _as_ndjson(rows: Rows) -> str:
    return "".join(json.dumps(shapes.line(row), ensure_ascii=False) + "\n" for row in rows)


FORMS = {
    "txt": Form("text/plain", _as_text),
    "csv": Form("text/csv", _as_csv, head=csv_rows([CSV_COLUMNS])),
    "ndjson": Form("application/x-ndjson", _as_ndjson),
}
