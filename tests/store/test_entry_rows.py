"""Rows that are written past SQLAlchemy's types are the rows its types would have written."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Text, cast, insert, make_url, select
from sqlalchemy.exc import IntegrityError

from store.entry_rows import FEWEST_TO_COPY, EntryRow, insert_entries
from store.models import LEVELS, Base, LogEntry
from store.platform import Platform

RESULT = uuid.UUID(int=7)

TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=40) | st.sampled_from(
    [
        "",
        "\\N",
        "\\.",
        "tab\tand\\backslash",
        "two\nlines\r\n",
        '"quoted"',
        "'",
        "\N{PILE OF POO}",
        "%s :x",
        "{}",
    ]
)
ROWS = st.lists(
    st.tuples(
        st.floats(0, 4_000_000_000),
        st.sampled_from(LEVELS),
        TEXTS,
        TEXTS,
        TEXTS,
        st.none() | TEXTS,
        st.none() | TEXTS,
    ),
    min_size=1,
    max_size=FEWEST_TO_COPY + 5,
).map(lambda rows: [EntryRow(number, *row) for number, row in enumerate(rows, 1)])


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def platform(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Platform]:
    url = f"sqlite:///{tmp_path / 'rows.db'}"
    if request.param == "postgres":
        given = make_url(request.getfixturevalue("postgres_url")).set(drivername="postgresql+psycopg")
        url = given.render_as_string(hide_password=False)
    platform = Platform(url)
    # Without the table of runs: these rows belong to none.
    table = LogEntry.__table__.to_metadata(type(Base.metadata)())
    for key in list(table.foreign_key_constraints):
        table.constraints.remove(key)
    for column in table.c:
        column.foreign_keys.clear()
    table.create(platform.engine)
    yield platform
    platform.dispose()


LONGEST = EntryRow(
    1, 1.5, "x" * 10, "g" * 100, "\N{PILE OF POO}" * 64_100, "h" * 500_000, "t" * 200, "u" * 255
)


def stored(platform: Platform, attempt: int) -> list[tuple[object, ...]]:
    columns = [column for column in LogEntry.__table__.c if column.name not in ("id", "attempt", "seq")]
    # Also as the database keeps it: what a type reads as the same may still be sorted and compared otherwise.
    kept = [cast(column, Text).label(f"kept_{column.name}") for column in columns]
    query = select(LogEntry.seq, *columns, *kept).where(LogEntry.attempt == attempt).order_by(LogEntry.seq)
    with platform.reading() as db:
        return [tuple(row) for row in db.execute(query)]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS)
@example(rows=[LONGEST])
@example(rows=[LONGEST._replace(seq=number) for number in range(1, FEWEST_TO_COPY + 1)])
def test_they_are_the_rows_that_sqlalchemy_would_write(platform: Platform, rows: list[EntryRow]):
    with platform.engine.begin() as connection:
        connection.execute(LogEntry.__table__.delete())
        insert_entries(connection, RESULT, 1, rows)
        for row in rows:
            moment = datetime.fromtimestamp(row.created_at, UTC)
            values = {**row._asdict(), "created_at": moment, "seq": row.seq + 1_000}
            connection.execute(insert(LogEntry).values(result_id=RESULT, attempt=2, **values))
    ours = stored(platform, 1)
    theirs = [(*row[:0], row[0] - 1_000, *row[1:]) for row in stored(platform, 2)]
    assert ours == theirs
    assert [row[0] for row in ours] == [row.seq for row in rows]


@pytest.mark.parametrize("count", [1, FEWEST_TO_COPY])
def test_all_of_them_are_there_or_none(platform: Platform, count: int):
    rows = [EntryRow(number, 1.0, "info", "main", "x", "x", None, None) for number in range(1, count + 1)]
    with platform.engine.begin() as connection:
        insert_entries(connection, RESULT, 1, rows)
    with pytest.raises(IntegrityError), platform.engine.begin() as connection:
        # The first of these is new, the second is there already.
        insert_entries(connection, RESULT, 1, [rows[0]._replace(seq=count + 1), *rows])
    with platform.engine.connect() as connection:
        insert_entries(connection, RESULT, 1, [rows[0]._replace(seq=count + 1)])
        connection.rollback()
    assert [row[0] for row in stored(platform, 1)] == [row.seq for row in rows]
