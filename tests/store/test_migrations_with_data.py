"""Migrations with data in every table: what a step does not take away is there afterwards, up and down."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, make_url

from store import migrate
from store.models import Base

#: {table: its rows}, as the database has them.
Rows = dict[str, list[Mapping[str, Any]]]

#: What a step gives to everybody is a row of these; back there it goes again.
GIVEN = {"permissions": {"*"}, "permission_groups": {"*"}}

#: What a step changes on purpose: {(from, to): {table: columns, or * for all}}.
MEANT: dict[tuple[str, str], dict[str, set[str]]] = {
    # What everybody may run does not include restricted jobs, which there were not before.
    ("0034", "0035"): {"permissions": {"constraints"}},
    **dict.fromkeys((("0035", "0034"), ("0030", "0029"), ("0020", "0019")), GIVEN),
}


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/filled.db"
    given = make_url(request.getfixturevalue("postgres_url"))
    return given.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)


class Way:
    """The revisions, and a database that goes from one to the next, all in one transaction."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._connection: Connection = config.attributes["connection"]
        self._script = ScriptDirectory.from_config(config)
        self.revisions = [each.revision for each in self._script.walk_revisions()][::-1]
        self.at = "base"

    def go(self, revision: str) -> None:
        """Take one step, or many."""
        up = self.at == "base" or revision > self.at
        steps = self._script._upgrade_revs if up else self._script._downgrade_revs
        with EnvironmentContext(
            self._config, self._script, fn=lambda at, _: steps(revision, at), destination_rev=revision
        ):
            self._script.run_env()
        self.at = revision

    def rows(self) -> Rows:
        if self._connection.dialect.name == "sqlite":
            broken = self._connection.execute(sa.text("PRAGMA foreign_key_check")).all()
            assert broken == [], f"in {self.at}"
        return {name: list(_rows_of(self._connection, name)) for name in _tables(self._connection)}

    def fill(self, rows: Rows) -> Rows:
        """Put a row into each table that has none, those first that others name; return all rows."""
        empty = [name for name in rows if not rows[name]]
        if not empty:
            return rows
        found = sa.MetaData()
        found.reflect(self._connection, only=empty)
        for table in found.sorted_tables:
            if table.name in empty:
                self._connection.execute(table.insert(), [_row(self._connection, table)])
        filled = {name: list(_rows_of(self._connection, name)) for name in empty}
        assert [name for name in empty if not filled[name]] == []
        return {**rows, **filled}


def _tables(connection: Connection) -> list[str]:
    # The index of the search is made anew when it is gone.
    names = sa.inspect(connection).get_table_names()
    return sorted(name for name in names if name in Base.metadata.tables)


def _rows_of(connection: Connection, name: str) -> Iterator[Mapping[str, Any]]:
    for row in connection.execute(sa.text(f'SELECT * FROM "{name}"')).mappings():
        yield dict(row)


def _row(connection: Connection, table: sa.Table) -> dict[str, Any]:
    """Make a row up: of what the columns take, and of the rows of other tables that they name."""
    return {
        column.name: _named(connection, column) if column.foreign_keys else _value(column)
        for column in table.columns
        if not (column.foreign_keys and column.nullable and _is_circular(table, column))
    }


def _is_circular(table: sa.Table, column: sa.Column) -> bool:
    return any(key.column.table is table for key in column.foreign_keys)


def _named(connection: Connection, column: sa.Column) -> Any:
    [key] = column.foreign_keys
    return connection.execute(sa.select(key.column).limit(1)).scalar()


def _value(column: sa.Column) -> Any:
    kind = column.type
    if isinstance(kind, sa.JSON):
        return {"made": "up"}
    if isinstance(kind, sa.Boolean):
        return True
    if isinstance(kind, sa.Uuid):
        return UUID(int=7)
    if isinstance(kind, sa.DateTime):
        return datetime(2030, 5, 15, 9, 30, tzinfo=UTC)
    if isinstance(kind, sa.Integer | sa.Numeric | sa.Float):
        return 7
    if isinstance(kind, sa.LargeBinary):
        return b"seven"
    if getattr(kind, "length", None) == 32 and column.name.endswith("id"):
        return UUID(int=7).hex
    return "seven"[: getattr(kind, "length", None) or 5]


def lost(before: Rows, after: Rows, meant: Mapping[str, set[str]]) -> list[str]:
    """Say what was there before a step, could be there after it, and is not."""
    found = []
    for name in sorted(before.keys() & after.keys()):
        if "*" in meant.get(name, ()):
            continue
        for row in before[name]:
            if not any(_same(row, other, meant.get(name, set())) for other in after[name]):
                found.append(f"{name}: {row} is not among {after[name]}")
    return found


def _same(row: Mapping[str, Any], other: Mapping[str, Any], changed: set[str]) -> bool:
    both = (row.keys() & other.keys()) - changed
    return bool(both) and all(row[column] == other[column] for column in both)


def test_what_a_step_does_not_take_away_stays(url: str):
    """Step by step up, each with rows in all tables, and step by step down and up again."""
    with migrate._platform_config(url) as config:
        way = Way(config)
        way.go(way.revisions[0])
        before = way.fill(way.rows())
        for revision in way.revisions[1:]:
            here = way.at
            before = _step(way, revision, before, MEANT.get((here, revision), {}))
            before = way.fill(before)
        assert before.keys() == Base.metadata.tables.keys()
        for revision in way.revisions[-2::-1]:
            here = way.at
            before = _step(way, revision, before, MEANT.get((here, revision), {}))
        way.go(way.revisions[-1])
        assert lost(before, way.rows(), {}) == []


def _step(way: Way, revision: str, before: Rows, meant: Mapping[str, set[str]]) -> Rows:
    here = way.at
    way.go(revision)
    after = way.rows()
    assert lost(before, after, meant) == [], f"from {here} to {revision}"
    return after
