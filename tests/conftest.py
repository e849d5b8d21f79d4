"""The standing cast and the real databases every test may ask for."""

import functools
import gc
import logging
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
from sqlalchemy import Table, insert, make_url, select
from sqlalchemy.orm import Session

from benchmarks.browsers import BROWSERS
from jobs.loading import Source
from store import migrate
from store.models import Base, JobRecord, JobSource, LoadError, Namespace, User
from store.notice_settings import NOTICE_VARIABLES
from store.oidc_settings import OIDC_VARIABLES
from store.platform import Platform
from store.settings import PROJECT_ROOT, Settings, environment, load_settings
from store.slack_settings import SLACK_VARIABLES
from tests import servers
from tests.hatchery import Program
from tests.made_once import made_once_a_process
from tests.slack_stand_in import SlackStandIn, slack_stand_in
from worker.discover import Found, discover
from worker.lookups import close_data
from worker.refresh import store_found
from worker.sources import job_sources

FIXTURE_JOBS = Path(__file__).parent / "fixture_jobs"

#: Without the background networking Chromium asks for hosts that no test should need.
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--whole", action="store_true", help="leave out nothing that takes long")


#: They take longest, and begin first: a file is one process's, and at the end one of them would run alone.
LONGEST = (
    "webapp/test_every_page.py",
    "webapp/test_matrix.py",
    "test_types.py",
    "worker/test_failpoints.py",
    "worker/test_poison.py",
    "cli/test_run.py",
    "cli/test_runjob.py",
    "worker/test_firing.py",
    "browser/test_manners.py",
    "browser/test_live.py",
    "worker/test_database_faults.py",
    "worker/test_worker_processes.py",
    "launcher/test_plugin_wheel.py",
)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the longest files first, and leave each test that is `in_turn` one of its two databases.

    It is always the same one, and each database gets half of them.
    """
    places = {str(Path(__file__).parent / name): place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(str(item.path), len(places)))
    if config.getoption("--whole"):
        return
    there = {item.nodeid for item in items}
    left_out = {
        item
        for item in items
        if item.get_closest_marker("in_turn")
        and (other := _on_the_other_database(item.nodeid)) in there
        and (crc32(min(item.nodeid, other).encode()) % 2 == 0) == (item.nodeid < other)
    }
    config.hook.pytest_deselected(items=list(left_out))
    items[:] = [item for item in items if item not in left_out]


def _on_the_other_database(test: str) -> str:
    other = {"sqlite": "postgres", "postgres": "sqlite"}
    return re.sub(r"(?<=[\[-])(sqlite|postgres)(?=[\]-])", lambda database: other[database[0]], test)


@pytest.fixture(autouse=True)
def logging_stays() -> Iterator[None]:
    """What a test does to logging ends with it: commands say what they log for the whole of their process."""
    ours = [logging.getLogger(name) for name in (None, "errand", "errand.worker")]
    before = [(logger.level, logger.disabled, logger.propagate) for logger in ours]
    yield
    logging.disable(logging.NOTSET)
    for logger, (level, disabled, propagate) in zip(ours, before, strict=True):
        logger.setLevel(level)
        logger.disabled, logger.propagate = disabled, propagate


@pytest.fixture(scope="session")
def whole(pytestconfig: pytest.Config) -> bool:
    """Tell whether to try all there is, or what finds nearly all of it in a tenth of the time."""
    return bool(pytestconfig.getoption("--whole"))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    # Nothing of what is loaded is garbage: to look for some takes a third of the time.
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


def pytest_collection_finish() -> None:
    # The tests themselves stay to the end, and what is kept for them grows: the collector of garbage need not look
    # through either again and again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the developer's own databases out of the tests."""
    for name in (
        "DATABASE_URL",
        "DATA_DATABASE_URL",
        "REDIS_URL",
        "SECRET_KEY",
        "JOBS_ROOT",
        "ERRAND_INSTANCE",
        "ERRAND_TOKEN",
        "ERRAND_USER",
        "ERRAND_JOBS_FROM",
        "ERRAND_JOBSCHLEUDER",
        "ERRAND_FILES_URL",
        "ERRAND_REDACTION",
        "ERRAND_SECRETS",
        "ERRAND_SEALED_DAYS",
        "WORKER_KEY",
        "ERRAND_GIT_ALLOW",
        "ERRAND_PASSWORDS",
        *OIDC_VARIABLES,
        *NOTICE_VARIABLES,
        *SLACK_VARIABLES,
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ERRAND_PLUGINS", "")


@pytest.fixture(autouse=True)
def nothing_stays_open() -> Iterator[None]:
    """Close what a process of the product would keep open to its end."""
    yield
    close_data()


@pytest.fixture(autouse=True, scope="session")
def made_once() -> Iterator[None]:
    with made_once_a_process():
        yield


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    try:
        with servers.postgres() as url:
            yield url
    except RuntimeError as reason:
        pytest.skip(f"NO POSTGRESQL, its tests are skipped: {reason}")


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """A fresh, empty PostgreSQL database."""
    with servers.database(postgres_server) as url:
        yield url


@pytest.fixture(scope="session")
def redis_server() -> Iterator[servers.Redis]:
    with servers.redis() as server:
        yield server


@pytest.fixture(scope="session")
def oidc_provider() -> Iterator[servers.OidcProvider]:
    with servers.oidc_provider() as provider:
        yield provider


@pytest.fixture
def redis(redis_server: servers.Redis) -> servers.Redis:
    """The session's Redis, emptied."""
    from redis import Redis as Client

    with Client.from_url(redis_server.url) as client:
        client.flushall()
    return redis_server


@pytest.fixture
def slack() -> Iterator[SlackStandIn]:
    """A Slack of the test's own, in which nothing has happened yet."""
    with slack_stand_in() as stand_in:
        yield stand_in


# For one file, not longer: meanwhile Playwright has an event loop running in this thread.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    binary = next(filter(None, map(shutil.which, BROWSERS)), None)
    if binary is None:
        pytest.skip(
            "NO CHROMIUM, the browser tests are skipped: install Debian's package chromium-headless-shell."
        )
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=binary, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An instance with migrated databases to copy, DATA with the inventory: migrating takes longer than most tests."""
    settings = load_settings(tmp_path_factory.mktemp("migrated"), {"ERRAND_PLUGINS": "examples.inventory"})
    migrate.upgrade(settings)
    return settings.instance


@pytest.fixture(scope="session")
def migrated_postgres(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The name of a database to make others from, with PLATFORM and, for the inventory, DATA in it."""
    with servers.database(postgres_server) as url:
        given = {"DATABASE_URL": url, "ERRAND_PLUGINS": "examples.inventory"}
        migrate.upgrade(load_settings(tmp_path_factory.mktemp("migrated"), given))
        yield str(make_url(url).database)


@pytest.fixture(scope="session")
def postgres_copies(postgres_server: str, migrated_postgres: str) -> Iterator[servers.Copies]:
    copies = servers.Copies(postgres_server, migrated_postgres)
    yield copies
    copies.end()


@pytest.fixture
def postgres_copy(postgres_copies: servers.Copies) -> Iterator[str]:
    """A migrated PostgreSQL database of this test's own."""
    with postgres_copies.one() as url:
        yield url


@pytest.fixture
def settings(tmp_path: Path, migrated_sqlite: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """An instance of its own on SQLite, whose Redis nobody has started."""
    instance = tmp_path / "instance"
    instance.mkdir()
    shutil.copy(migrated_sqlite / "errand.db", instance)
    monkeypatch.setenv("JOBS_ROOT", str(FIXTURE_JOBS))
    return load_settings(instance)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def live(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    migrated_sqlite: Path,
    redis: servers.Redis,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Settings]:
    """An instance with a running Redis, once on SQLite and once on PostgreSQL; its environment is set."""
    instance = tmp_path / "instance"
    instance.mkdir()
    monkeypatch.setenv("ERRAND_INSTANCE", str(instance))
    monkeypatch.setenv("REDIS_URL", redis.url)
    monkeypatch.setenv("JOBS_ROOT", str(FIXTURE_JOBS))
    monkeypatch.setenv("ERRAND_PLUGINS", "examples.inventory")
    if request.param == "sqlite":
        for name in ("errand.db", "data.db"):
            shutil.copy(migrated_sqlite / name, instance)
        yield load_settings()
        return
    monkeypatch.setenv("DATABASE_URL", request.getfixturevalue("postgres_copy"))
    yield load_settings()


@pytest.fixture
def platform(settings: Settings) -> Iterator[Platform]:
    database = Platform(settings.database_url)
    yield database
    database.dispose()


@pytest.fixture
def live_platform(live: Settings) -> Iterator[Platform]:
    database = Platform(live.database_url)
    yield database
    database.dispose()


@pytest.fixture
def db(platform: Platform) -> Iterator[Session]:
    with platform.session() as session:
        yield session


def make_cast(db: Session) -> dict[str, User]:
    """alice runs, bob approves, carol is a stranger, root may do all."""
    cast = {name: User(username=name) for name in ("alice", "bob", "carol")}
    cast["root"] = User(username="root", superuser=True)
    db.add_all(cast.values())
    db.commit()
    return cast


def load_fixture_jobs(db: Session, settings: Settings) -> dict[str, JobRecord]:
    """Enable all fixture jobs, and return the records by class name."""
    sources = tuple(job_sources(settings))
    if db.query(JobRecord).first() is not None:
        _store(db, sources, settings.plugins)
    else:
        for table, rows in _stored(sources, settings.plugins).items():
            if rows:
                db.execute(insert(table), rows)
        db.commit()
    return {record.class_name: record for record in db.query(JobRecord)}


def _store(db: Session, sources: tuple[Source, ...], plugins: tuple[str, ...]) -> None:
    store_found(db, list(sources), _found(sources, plugins), enable_new=True)


@functools.cache
def _stored(sources: tuple[Source, ...], plugins: tuple[str, ...]) -> dict[Table, list[dict[str, Any]]]:
    """What a refresh writes, by table: to write that again takes a fraction of the time."""
    platform = Platform("sqlite://")
    Base.metadata.create_all(platform.engine)
    with platform.session() as db:
        _store(db, sources, plugins)
        written = {
            table: [dict(row) for row in db.execute(select(table)).mappings()]
            for table in (JobRecord.__table__, JobSource.__table__, LoadError.__table__, Namespace.__table__)
        }
    platform.dispose()
    for rows in written.values():
        for row in rows:
            del row["id"]  # Each database gives its own.
    return written


@functools.cache
def _found(sources: tuple[Source, ...], plugins: tuple[str, ...]) -> list[Found]:
    # Discovery starts a process, and finds the same for every test.
    return discover(list(sources), plugins=plugins)


@pytest.fixture
def start_worker(live: Settings) -> Iterator[Callable[..., "subprocess.Popen[bytes]"]]:
    """Start real worker processes; those that still run at the end are killed."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*arguments: str, command: str = "worker", **variables: str) -> "subprocess.Popen[bytes]":
        worker = Program(
            "webapp.cli", command, *arguments, env={**_bare_environment(), **environment(live), **variables}
        )
        started.append(worker)
        return worker

    yield start
    for worker in started:
        worker.kill()
        worker.wait()


def _bare_environment() -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", "/"),
        "PYTHONPATH": str(PROJECT_ROOT),
        "PYTHONWARNINGS": "default",
    }
