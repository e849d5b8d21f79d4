"""The standing cast and the real databases every test may ask for."""

import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url
from sqlalchemy.orm import Session

from jobs.loading import Source
from store import migrate
from store.models import JobRecord, User
from store.notice_settings import NOTICE_VARIABLES
from store.oidc_settings import OIDC_VARIABLES
from store.platform import Platform
from store.settings import PROJECT_ROOT, Settings, environment, load_settings
from tests import servers
from worker.discover import Found, discover
from worker.lookups import close_data
from worker.refresh import store_found
from worker.sources import job_sources

FIXTURE_JOBS = Path(__file__).parent / "fixture_jobs"


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
        "ERRAND_JOBS_FROM",
        "ERRAND_FILES_URL",
        "ERRAND_REDACTION",
        "ERRAND_SECRETS",
        "ERRAND_SEALED_DAYS",
        "WORKER_KEY",
        "ERRAND_GIT_ALLOW",
        "ERRAND_PASSWORDS",
        *OIDC_VARIABLES,
        *NOTICE_VARIABLES,
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ERRAND_PLUGINS", "")


@pytest.fixture(autouse=True)
def nothing_stays_open() -> Iterator[None]:
    """Close what a process of the product would keep open to its end."""
    yield
    close_data()


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


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated PLATFORM database to copy: migrating takes longer than most tests."""
    path = tmp_path_factory.mktemp("migrated") / "errand.db"
    migrate.upgrade_platform(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def migrated_postgres(postgres_server: str) -> Iterator[str]:
    """The name of a migrated PLATFORM database to make others from."""
    with servers.database(postgres_server) as url:
        migrate.upgrade_platform(make_url(url).set(drivername="postgresql+psycopg").render_as_string(False))
        yield str(make_url(url).database)


@pytest.fixture
def settings(tmp_path: Path, migrated_sqlite: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """An instance of its own on SQLite, whose Redis nobody has started."""
    instance = tmp_path / "instance"
    instance.mkdir()
    shutil.copy(migrated_sqlite, instance / "errand.db")
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
        shutil.copy(migrated_sqlite, instance / "errand.db")
        settings = load_settings()
        migrate.upgrade_data(settings)
        yield settings
        return
    server = request.getfixturevalue("postgres_server")
    template = request.getfixturevalue("migrated_postgres")
    with servers.database(server, template=template) as url:
        monkeypatch.setenv("DATABASE_URL", url)
        settings = load_settings()
        migrate.upgrade_data(settings)
        yield settings


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
    sources = job_sources(settings)
    store_found(db, sources, _found(tuple(sources), settings.plugins), enable_new=True)
    return {record.class_name: record for record in db.query(JobRecord)}


@functools.cache
def _found(sources: tuple[Source, ...], plugins: tuple[str, ...]) -> list[Found]:
    # Discovery starts a process, and finds the same for every test.
    return discover(list(sources), plugins=plugins)


@pytest.fixture
def start_worker(live: Settings) -> Iterator[Callable[..., "subprocess.Popen[bytes]"]]:
    """Start real worker processes; those that still run at the end are killed."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*arguments: str, command: str = "worker", **variables: str) -> "subprocess.Popen[bytes]":
        worker = subprocess.Popen(
            [sys.executable, "-m", "webapp.cli", command, *arguments],
            env={**_bare_environment(), **environment(live), **variables},
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
