"""Tables of a database that already exists, as objects: found, shown, given to jobs, and not changed unless allowed."""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from sqlalchemy import create_engine, make_url, text

from store import registry
from store.objects import (
    Data,
    ObjectLookup,
    ReadOnlySession,
    model_info,
    reflect,
    register_model,
    search,
)
from store.plugins import Plugin, PluginError, load_named
from store.registry import RegistrationError

# A process makes each of these models once; here every test does.
pytestmark = pytest.mark.filterwarnings("ignore:This declarative base already contains")

TABLES = """
CREATE TABLE customers (number VARCHAR(20) PRIMARY KEY, name VARCHAR(50) NOT NULL, city VARCHAR(50), since DATE);
CREATE TABLE parts (id INTEGER PRIMARY KEY, title VARCHAR(50) NOT NULL, price NUMERIC(8, 2));
CREATE TABLE stock (part_id INTEGER, shelf VARCHAR(10), code VARCHAR(10) NOT NULL, PRIMARY KEY (part_id, shelf));
INSERT INTO customers VALUES ('C-1', 'Ada', 'Basel', '2020-01-31'), ('C-2', 'Bob', 'Bern', NULL), ('C-3', 'Ada <b>', NULL, NULL);
INSERT INTO parts VALUES (1, 'Bolt', 0.10), (2, 'Nut', 0.05);
INSERT INTO stock VALUES (1, 'A', 'bolt-a')
"""


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def warehouse(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """The URL of a database that somebody else has made."""
    url = f"sqlite:///{tmp_path / 'warehouse.db'}"
    if request.param == "postgres":
        url = (
            make_url(request.getfixturevalue("postgres_url"))
            .set(drivername="postgresql+psycopg")
            .render_as_string(hide_password=False)
        )
    engine = create_engine(url)
    with engine.begin() as connection:
        for statement in filter(str.strip, TABLES.split(";")):
            connection.execute(text(statement))
    engine.dispose()
    monkeypatch.setenv("WAREHOUSE_URL", url)
    known = dict(registry._models)
    yield url
    registry._models.clear()
    registry._models.update(known)


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Data]:
    data = Data(f"sqlite:///{tmp_path / 'data.db'}")
    yield data
    data.dispose()


def known(model: Any) -> Any:
    register_model(model.object_label, model)
    return model


def test_a_table_is_found_searched_and_shown(warehouse: str, data: Data):
    customer = known(reflect("warehouse.customers", search=("name", "city"), columns=("city", "since")))
    info = model_info("warehouse.customers")
    assert (info.label_plural, [column.title for column in info.list_columns]) == (
        "customers",
        ["City", "Since"],
    )
    with data.session() as session:
        assert [str(each) for each in customer.objects.all()] == ["Ada", "Ada <b>", "Bob"]
        assert customer.objects.filter(city="Bern").first().pk == "C-2"
        assert customer.objects.count() == 3
        assert customer.objects.filter(name__icontains="ADA").exists()
        page = search(session, "warehouse.customers", q="bern", params={}, limit=10)
        assert [each.pk for each in page.objects] == ["C-2"]
        assert page.objects[0].get_absolute_url() == "/objects/warehouse.customers/C-2"


def test_a_job_gets_its_object_by_key_or_by_what_it_is(warehouse: str, data: Data):
    known(reflect("warehouse.customers"))
    with data.session() as session:
        lookup = ObjectLookup(session)
        assert lookup.find("warehouse.customers", "C-1", {}) == "C-1"
        assert lookup.find("warehouse.customers", {"name": "Bob"}, {}) == "C-2"
        assert str(lookup.load("warehouse.customers", "C-2")) == "Bob"
        with pytest.raises(ValueError, match="C-9"):
            lookup.find("warehouse.customers", "C-9", {})


def test_it_stands_beside_the_objects_of_data_in_one_session(warehouse: str, data: Data):
    part = known(reflect("warehouse.parts", display=["title", "price"]))
    with data.run_session(wait_seconds=1, on_wait=lambda: None) as session:
        assert [str(each) for each in part.objects.order_by("pk")] == ["Bolt 0.10", "Nut 0.05"]
        session.execute(text("CREATE TABLE own (id INTEGER PRIMARY KEY)"))
        session.commit()


def test_it_is_not_changed_unless_that_is_allowed(warehouse: str, data: Data):
    part = known(reflect("warehouse.parts"))
    with data.run_session(wait_seconds=1, on_wait=lambda: None) as session:
        bolt = part.objects.get(pk=1)
        bolt.title = "Changed"
        with pytest.raises(ReadOnlySession, match=r"warehouse\.parts is only read here"):
            bolt.save()
        session.rollback()
        with pytest.raises(ReadOnlySession):
            bolt.delete()
        session.rollback()
    with data.session():
        assert part.objects.get(pk=1).title == "Bolt"


def test_it_is_changed_with_the_run_where_that_is_allowed(warehouse: str, data: Data):
    part = known(reflect("warehouse.parts", read_only=False))
    with data.run_session(wait_seconds=1, on_wait=lambda: None) as session:
        part(id=3, title="Washer").save()
        session.rollback()
        part(id=4, title="Screw").validated_save()
        session.commit()
    with data.session():
        assert sorted(each.title for each in part.objects.all()) == ["Bolt", "Nut", "Screw"]


@pytest.mark.parametrize(
    ("name", "options", "complaint"),
    [
        ("warehouse", {}, "no name of a table"),
        ("warehouse.nothing", {}, "there is no table nothing"),
        ("warehouse.customers", {"search": ("nam",)}, "no column 'nam'; it has: number, name"),
        ("warehouse.stock", {}, "a primary key of several columns"),
        ("elsewhere.parts", {}, "set ELSEWHERE_URL"),
    ],
)
def test_what_cannot_be_is_a_sentence(warehouse: str, name: str, options: dict[str, Any], complaint: str):
    with pytest.raises(RegistrationError, match=complaint):
        reflect(name, **options)


def test_a_table_without_a_key_of_its_own_may_be_given_one(warehouse: str, data: Data):
    stock = known(reflect("warehouse.stock", key="code"))
    with data.session():
        assert stock.objects.get(pk="bolt-a").shelf == "A"


def test_a_plugin_of_three_lines_brings_it(warehouse: str, monkeypatch: pytest.MonkeyPatch):
    module = ModuleType("three_lines")
    module.plugin = Plugin(name="Warehouse", label="store_room", models="three_lines")  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "three_lines", module)
    exec("from store.objects import reflect\nParts = reflect('warehouse.parts')", module.__dict__)
    load_named(["three_lines"])
    assert model_info("warehouse.parts").model is module.Parts


def test_a_plugin_whose_database_is_away_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / "away.py").write_text(
        "from store.plugins import Plugin\nplugin = Plugin(name='Away', label='away', models='away_models')\n"
    )
    (tmp_path / "away_models.py").write_text("from store.objects import reflect\nreflect('away.parts')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("AWAY_URL", "postgresql+psycopg://nobody:hidden@127.0.0.1:1/none")
    with pytest.raises(PluginError, match="cannot be asked") as refusal:
        load_named(["away"])
    assert "hidden" not in str(refusal.value)
