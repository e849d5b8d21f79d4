"""What is asked of the inputs of runs is read, and answered alike by both databases."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import (
    JSON,
    Column,
    Connection,
    Integer,
    MetaData,
    Table,
    create_engine,
    insert,
    make_url,
    select,
)

from store.input_terms import fits, read_term

RUNS = Table("runs", MetaData(), Column("id", Integer, primary_key=True), Column("data", JSON))

DATA: dict[int, dict[str, Any]] = {
    1: {"site": "Bern West", "count": 5, "day": "2026-11-30", "on": True},
    2: {"site": "bern", "count": 12.5, "day": "2026-12-01", "on": False},
    3: {"site": "Basel 100%", "count": "7", "on": None, "list": ["a", "bern", 3]},
    4: {"site": "", "list": [], "count": 10**25, "file": {"name": "ports.csv", "size": 3}},
    5: {"devices": [7, 70], "device": 7, "nul": "a\x00bern", "site": None},
    6: {"devices": ["7"], "größe": "klein", "more": {"x": ["\x00", "bern"]}, "site-2": "yes"},
    7: {},
}

FOUND = {
    "site:bern": {1, 2},
    "site=bern": {2},
    "site:100%": {3},
    "site:%": {3},
    "site:_": set(),
    "site": {1, 2, 3},
    "list": {3},
    "list:bern": {3},
    "list=3": {3},
    "list:b": {3},
    "count>=5": {1, 2, 4},
    "count<=5.0": {1},
    "count:5": {1},
    "count=12.5": {2},
    "count:7": {3},
    "count>99999999999999999999": {4},
    "day<2026-12-01": {1},
    "day>=2026-12-01": {2},
    "site>=2026-12-01": set(),
    "on:yes": {1},
    "on=false": {2},
    "on": {1, 2},
    "file:ports": {4},
    "file=ports.csv": {4},
    "nul:a": {5},
    "device=7": {5},
    "devices=7": {5, 6},
    "größe:KLEIN": {6},
    "site-2:yes": {6},
    "missing": set(),
    "site:'; --": set(),
}


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def runs(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Connection]:
    url = make_url(f"sqlite:///{tmp_path / 'runs.db'}")
    if request.param == "postgres":
        url = make_url(request.getfixturevalue("postgres_url")).set(drivername="postgresql+psycopg")
    engine = create_engine(url)
    with engine.begin() as connection:
        RUNS.create(connection)
        connection.execute(insert(RUNS), [{"id": key, "data": data} for key, data in DATA.items()])
        yield connection
        connection.rollback()
    engine.dispose()


def test_both_databases_find_the_same(runs):
    def found(text: str, also: tuple[str, ...] = ()) -> set[int]:
        term = read_term(text)
        assert term is not None, text
        return set(runs.scalars(select(RUNS.c.id).where(fits(RUNS.c.data, term, runs.dialect.name, also))))

    assert {text: found(text) for text in FOUND} == FOUND
    # Objects of these keys are called so.
    assert found("devices:core", ("70",)) == {5}
    assert found("devices:core", ("7", "8")) == {5, 6}


@pytest.mark.parametrize(
    ("text", "read"),
    [
        (" site : Bern ", "site:Bern"),
        ("site", "site"),
        ("count >= 5", "count>=5"),
        ("day<2026-12-01", "day<2026-12-01"),
        ("url=https://a.b/c?d=e", "url=https://a.b/c?d=e"),
        ("größe:klein", "größe:klein"),
        ("site:", None),
        ("count>=many", None),
        ("", None),
        ('a"b:c', None),
        ("$.a:c", None),
        ("a.b:c", None),
        ("5:5", None),
        ("site:" + "x" * 200, None),
    ],
)
def test_terms_are_read(text, read):
    assert (str(term) if (term := read_term(text)) else None) == read
