"""The inventory on both databases, and a small network in it."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import make_url

from examples.inventory.models import Device, DeviceRole, DeviceType, Manufacturer, Site, Status
from store.objects import Data, ObjectModel
from store.plugins import load_plugins
from store.settings import Settings, load_settings
from tests import servers

PLUGIN = {"ERRAND_PLUGINS": "examples.inventory"}


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database(request: pytest.FixtureRequest) -> str:
    """Every test here is made on both databases."""
    return str(request.param)


@pytest.fixture
def inventory_settings(database: str, request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """An instance with the inventory, whose DATA database is empty."""
    given = dict(PLUGIN)
    if database == "postgres":
        given["DATA_DATABASE_URL"] = request.getfixturevalue("postgres_url")
    return load_settings(tmp_path / "instance", given)


@pytest.fixture(scope="session")
def tables_on_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the inventory's tables to copy: making them takes longer than most tests."""
    path = tmp_path_factory.mktemp("inventory") / "data.db"
    _make_tables(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def tables_on_postgres(postgres_server: str) -> Iterator[servers.Copies]:
    """Databases with the inventory's tables."""
    with servers.database(postgres_server) as url:
        _make_tables(_with_driver(url))
        copies = servers.Copies(postgres_server, str(make_url(url).database))
        yield copies
        copies.end()


def _make_tables(url: str) -> None:
    data = Data(url)
    ObjectModel.metadata.create_all(data.engine)
    data.dispose()


def _with_driver(url: str) -> str:
    return make_url(url).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)


@pytest.fixture
def data(database: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Data]:
    """A DATA database with the tables of the inventory, and nothing in them."""
    load_plugins(load_settings(tmp_path / "instance", PLUGIN))
    if database == "sqlite":
        path = shutil.copy(request.getfixturevalue("tables_on_sqlite"), tmp_path)
        yield from _opened(f"sqlite:///{path}")
        return
    with request.getfixturevalue("tables_on_postgres").one() as url:
        yield from _opened(_with_driver(url))


def _opened(url: str) -> Iterator[Data]:
    data = Data(url)
    yield data
    data.dispose()


def never_waits() -> None:
    raise AssertionError("Nobody else is writing.")


@pytest.fixture
def run(data: Data) -> Iterator[Any]:
    """The session of a run, which may change objects."""
    with data.run_session(wait_seconds=5, on_wait=never_waits) as session:
        yield session


@pytest.fixture
def network(run: Any) -> SimpleNamespace:
    """Two sites: three switches in Zurich, one of them planned, and a router in Basel."""
    made = SimpleNamespace()
    made.active = Status.objects.create(name="Active", slug="active")
    made.planned = Status.objects.create(name="Planned", slug="planned")
    made.cisco = Manufacturer.objects.create(name="Cisco", slug="cisco")
    made.juniper = Manufacturer.objects.create(name="Juniper", slug="juniper")
    made.switch = DeviceType.objects.create(manufacturer=made.cisco, model="Catalyst 9300", slug="c9300")
    made.router = DeviceType.objects.create(manufacturer=made.juniper, model="MX204", slug="mx204")
    made.access = DeviceRole.objects.create(name="Access Switch", slug="access-switch")
    made.edge = DeviceRole.objects.create(name="Router", slug="router")
    made.zurich = Site.objects.create(name="Zürich HQ", slug="zurich-hq", status=made.active)
    made.basel = Site.objects.create(name="Basel", slug="basel", status=made.planned)
    for number, status in enumerate([made.active, made.active, made.planned], start=1):
        Device.objects.create(
            name=f"sw-zrh-{number}",
            site=made.zurich,
            device_type=made.switch,
            device_role=made.access,
            status=status,
            asset_tag=f"A{number}" if number < 3 else None,
        )
    Device.objects.create(
        name="rtr-bsl-1", site=made.basel, device_type=made.router, device_role=made.edge, status=made.active
    )
    return made
