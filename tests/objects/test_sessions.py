"""Sessions on DATA: pages read, runs take turns, and only what was saved is written."""

import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session

from examples.inventory.models import Device, Manufacturer, Site
from store import migrate
from store.objects import Data, NoSession, ReadOnlySession, WriteTurnTimeout, current_session
from store.settings import PROJECT_ROOT, load_settings

WRITER = Path(__file__).parent / "writer.py"


def never_waits():
    raise AssertionError("Nobody else is writing.")


def says(writer: "subprocess.Popen[str]", word: str) -> None:
    assert writer.stdout.readline().strip() == word


@pytest.fixture
def start_writer(data: Data):
    """Start runs in processes of their own, which make a site of this name."""
    started = []

    def start(name: str) -> "subprocess.Popen[str]":
        url = data.engine.url.render_as_string(hide_password=False)
        started.append(
            subprocess.Popen(
                [sys.executable, "-W", "error", str(WRITER), url, name],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env={"PYTHONPATH": str(PROJECT_ROOT)},
            )
        )
        return started[-1]

    yield start
    for writer in started:
        writer.kill()
        writer.communicate()


def test_of_two_runs_that_make_the_same_the_slower_is_told_so(data, network, run, start_writer):
    run.commit()
    first, second = start_writer("same"), None
    says(first, "wrote")
    second = start_writer("same")
    if data.engine.dialect.name == "sqlite":
        says(second, "waits")
    first.communicate("commit\n", timeout=60)
    says(second, "A site with the name same exists already. A site with the slug same exists already.")


def test_two_runs_that_write_at_once_both_complete(data, network, run, start_writer):
    run.commit()
    first = start_writer("first")
    says(first, "wrote")
    second = start_writer("second")
    # On PostgreSQL they write side by side.
    says(second, "waits" if data.engine.dialect.name == "sqlite" else "wrote")
    with data.session():
        assert Site.objects.count() == 2, "what is not committed is not seen, and reading waits for nobody"
    first.communicate("commit\n", timeout=60)
    if data.engine.dialect.name == "sqlite":
        says(second, "wrote")
    second.communicate("commit\n", timeout=60)
    assert (first.returncode, second.returncode) == (0, 0)
    with data.session():
        for slug in ("first", "second"):
            assert Device.objects.filter(site__slug=slug).count() == 20


#: Only SQLite knows turns.
on_sqlite = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


@on_sqlite
def test_a_run_says_once_that_it_waits_and_gives_up_in_time(data):
    told = []
    with (
        data.engine.begin(),
        data.run_session(wait_seconds=0.5, on_wait=lambda: told.append("waits")) as session,
        pytest.raises(WriteTurnTimeout, match=r"more than 0.5 seconds"),
    ):
        Manufacturer.objects.create(name="x", slug="x")
    assert told == ["waits"]
    session.rollback()
    with data.run_session(wait_seconds=0.5, on_wait=never_waits) as session:
        Manufacturer.objects.create(name="x", slug="x")
        session.commit()


@on_sqlite
def test_what_others_saved_meanwhile_does_not_make_a_write_fail(data):
    """A transaction that began with reading would fail here at once, whatever its patience."""
    with data.run_session(wait_seconds=1, on_wait=never_waits) as session:
        assert Manufacturer.objects.count() == 0
        with Session(data.engine) as other, other.begin():
            other.execute(text("INSERT INTO inventory_manufacturers (name, slug) VALUES ('x', 'x')"))
        Manufacturer.objects.create(name="y", slug="y")
        session.commit()
        assert Manufacturer.objects.count() == 2


@on_sqlite
@pytest.mark.parametrize(
    "change",
    [
        lambda session: session.execute(text("DELETE FROM inventory_manufacturers")),
        lambda session: session.execute(
            text("WITH ids AS (SELECT 1) DELETE FROM inventory_manufacturers WHERE id IN ids")
        ),
        lambda session: session.begin_nested(),
        lambda session: Manufacturer.objects.update(name="z"),
    ],
)
def test_every_way_of_changing_takes_the_turn_first(data, change):
    with data.run_session(wait_seconds=1, on_wait=never_waits) as session:
        Manufacturer.objects.count()
        change(session)
        assert session.connection().connection.dbapi_connection.in_transaction
        with (
            data.run_session(wait_seconds=0, on_wait=lambda: None),
            pytest.raises(WriteTurnTimeout),
        ):
            Manufacturer.objects.create(name="x", slug="x")


def test_what_is_not_committed_is_rolled_back(data, network, run):
    run.commit()
    with data.run_session(wait_seconds=5, on_wait=never_waits):
        Manufacturer.objects.create(name="x", slug="x")
        assert Manufacturer.objects.filter(slug="x").exists()
    with data.session():
        assert not Manufacturer.objects.filter(slug="x").exists()


def test_pages_cannot_change_objects(data):
    with data.session(), pytest.raises((ReadOnlySession, DBAPIError), match=r"reads|read-only"):
        Manufacturer.objects.create(name="x", slug="x")


def test_the_current_session_is_that_of_the_innermost_block(data):
    with pytest.raises(NoSession):
        current_session()
    with data.session() as outer:
        with data.session() as inner:
            assert current_session() is inner
        assert current_session() is outer
    with pytest.raises(NoSession):
        current_session()


def test_changes_that_nobody_saved_are_not_written(data, network, run):
    device = Device.objects.get(name="sw-zrh-1")
    other = Device.objects.get(name="sw-zrh-2")
    device.serial, device.site = "unsaved", network.basel
    network.zurich.name = "Unsaved"
    other.serial = "saved"
    other.save()
    assert (device.serial, device.site, network.zurich.name) == ("unsaved", network.basel, "Unsaved")
    assert Device.objects.filter(name="sw-zrh-1", serial="", site__name="Zürich HQ").exists()
    run.commit()
    with data.session():
        assert dict(Device.objects.filter(site__name="Zürich HQ").values_list("name", "serial")) == {
            "sw-zrh-1": "",
            "sw-zrh-2": "saved",
            "sw-zrh-3": "",
        }


def test_an_object_the_database_refuses_leaves_the_rest_of_the_run_alone(data, network, run):
    Manufacturer.objects.create(name="kept", slug="kept")
    with pytest.raises(IntegrityError):
        Manufacturer(name="other", slug="kept").save()
    run.commit()
    with data.session():
        assert Manufacturer.objects.filter(slug="kept").count() == 1


def test_connections_of_a_parent_process_are_forgotten_not_closed(data):
    with data.engine.connect() as connection:
        parents = data.engine.pool
        data.dispose(close=False)
        assert data.engine.pool is not parents
        assert connection.execute(text("SELECT 1")).scalar() == 1
    with data.session() as session:
        assert session.execute(text("SELECT 2")).scalar() == 2
    parents.dispose()


@pytest.mark.postgres
def test_the_schema_of_the_url_is_used(tmp_path, postgres_url):
    platform = make_url(postgres_url).render_as_string(False)
    settings = load_settings(tmp_path, {"DATABASE_URL": platform, "ERRAND_PLUGINS": "examples.inventory"})
    migrate.upgrade_data(settings)
    data = Data(settings.data_database_url)
    try:
        with data.session() as session:
            tables = text("SELECT table_schema FROM information_schema.tables WHERE table_name = :name")
            assert session.scalars(tables, {"name": "inventory_sites"}).all() == ["errand_data"]
            assert Site.objects.count() == 0
    finally:
        data.dispose()
