"""Migrations with data in every table: what a step does not take away is there afterwards, up and down."""

from collections.abc import Callable, Iterator, Mapping
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
from store.settings import load_settings

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
        self._tables: set[str] = set(config.attributes["metadata"].tables)
        self._script = ScriptDirectory.from_config(config)
        #: From the first to the last; a later branch begins when an earlier one is at its end, or beside it.
        self._revisions = list(self._script.walk_revisions())[::-1]
        self._taken = 0

    @property
    def at(self) -> str:
        return self._revisions[self._taken - 1].revision if self._taken else "base"

    @property
    def at_end(self) -> bool:
        return self._taken == len(self._revisions)

    @property
    def at_beginning(self) -> bool:
        return self._taken <= 1

    def up(self) -> None:
        self._go(self._script._upgrade_revs, self._revisions[self._taken].revision)
        self._taken += 1

    def down(self) -> None:
        self._taken -= 1
        taken_back = self._revisions[self._taken]
        # The first step of a plugin stands on none.
        [branch] = taken_back.branch_labels or [""]
        before = taken_back.down_revision or f"{branch}@base"
        self._go(self._script._downgrade_revs, str(before))

    def _go(self, steps: Callable[[str, Any], Any], revision: str) -> None:
        with EnvironmentContext(
            self._config, self._script, fn=lambda at, _: steps(revision, at), destination_rev=revision
        ):
            self._script.run_env()

    def rows(self) -> Rows:
        if self._connection.dialect.name == "sqlite":
            broken = self._connection.execute(sa.text("PRAGMA foreign_key_check")).all()
            assert broken == [], f"in {self.at}"
        # The index of the search is made anew when it is gone.
        names = sorted(self._tables & set(sa.inspect(self._connection).get_table_names()))
        return {name: list(_rows_of(self._connection, name)) for name in names}

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
    with migrate._platform_config(url) as config:
        assert walked(Way(config)).keys() == Base.metadata.tables.keys()


def test_what_a_step_does_not_take_away_stays_in_the_tables_of_objects(url: str, tmp_path):
    """The tables of Errand, and those of a plugin."""
    given = {"DATA_DATABASE_URL": url, "ERRAND_PLUGINS": "examples.inventory"}
    with migrate._data_config(load_settings(tmp_path / "instance", given)) as config:
        filled = walked(Way(config))
    assert {"errand_run_markers", "errand_object_changes", "inventory_devices"} <= filled.keys()


def walked(way: Way) -> Rows:
    """Go step by step up, each with rows in all tables, and step by step down and up again; return the rows at the end."""
    way.up()
    before = way.fill(way.rows())
    while not way.at_end:
        before = way.fill(_step(way, way.up, before))
    filled = before
    while not way.at_beginning:
        before = _step(way, way.down, before)
    while not way.at_end:
        way.up()
    assert lost(before, way.rows(), {}) == []
    return filled


def _step(way: Way, step: Callable[[], None], before: Rows) -> Rows:
    here = way.at
    step()
    after = way.rows()
    meant = MEANT.get((here, way.at), {})
    assert lost(before, after, meant) == [], f"from {here} to {way.at}"
    return after
