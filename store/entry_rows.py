"""Writes the entries of a run, many at once: by the fastest way each database has."""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

#: With fewer rows a COPY costs more than it saves.
FEWEST_TO_COPY = 20


class EntryRow(NamedTuple):
    """A row of log_entries, but for the result it belongs to. The fields are in the order of COLUMNS."""

    seq: int
    #: Seconds since 1970.
    created_at: float
    level: str
    grouping: str
    message: str
    html: str
    object_text: str | None
    object_url: str | None


COLUMNS = "result_id, attempt, seq, created_at, level, grouping, message, html, object_text, object_url"
_MARKS = ", ".join(["?"] * 10)
_INSERT_SQLITE = f"INSERT INTO log_entries ({COLUMNS}) VALUES ({_MARKS})"  # noqa: S608
_INSERT_POSTGRES = _INSERT_SQLITE.replace("?", "%s")
_COPY = f"COPY log_entries ({COLUMNS}) FROM STDIN"


def insert_entries(
    connection: Connection, result_id: uuid.UUID, attempt: int, rows: Sequence[EntryRow]
) -> None:
    """Insert `rows` within the caller's transaction.

    Not through SQLAlchemy's types: they take several times as long as the database itself does. The formats
    are those of the types `Uuid` and `UtcDateTime` (see tests/store/test_entry_rows.py).
    """
    if connection.dialect.name == "sqlite":
        key = result_id.hex
        values: list[tuple[Any, ...]] = [
            (key, attempt, row.seq, _sqlite_time(row.created_at), *row[2:]) for row in rows
        ]
        connection.exec_driver_sql(_INSERT_SQLITE, values)
        return
    values = [
        (result_id, attempt, row.seq, datetime.fromtimestamp(row.created_at, UTC), *row[2:]) for row in rows
    ]
    if len(rows) < FEWEST_TO_COPY:
        connection.exec_driver_sql(_INSERT_POSTGRES, values)
        return
    _copy(connection, values)


def _copy(connection: Connection, values: Sequence[tuple[Any, ...]]) -> None:
    driver: Any = connection.dialect.loaded_dbapi
    try:
        with connection.connection.cursor() as cursor, cursor.copy(_COPY) as copy:  # type: ignore[attr-defined]
            for value in values:
                copy.write_row(value)
    except driver.Error as error:
        # It went past SQLAlchemy, whose errors callers know.
        raise DBAPIError.instance(_COPY, None, error, driver.Error, dialect=connection.dialect) from error


def _sqlite_time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(" ", "microseconds")[:26]
