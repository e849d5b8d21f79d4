"""What the tests of commands share."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select
from sqlalchemy.orm import Session

from examples.inventory.models import Site, Status
from store.models import JobRecord, JobResult, User, now
from store.platform import Platform
from store.settings import PROJECT_ROOT, Settings, load_settings
from tests.conftest import load_fixture_jobs, make_cast
from tests.hatchery import Program
from tests.waiting import until
from webapp.cli import main
from webapp.cli.following import TWICE_SECONDS
from worker.helper import stop as stop_helper
from worker.lookups import open_data

Errand = Callable[..., Result]


@pytest.fixture
def fresh(tmp_path: Path) -> Settings:
    """An instance whose database was never upgraded."""
    return load_settings(tmp_path / "fresh")


@pytest.fixture
def errand(settings: Settings) -> Errand:
    """Call a command on the instance as a script would."""

    def call(*arguments: str, input: str | None = None, on: Settings = settings) -> Result:
        arguments = (*arguments, "--instance", str(on.instance))
        return CliRunner().invoke(main, arguments, input=input, catch_exceptions=False)

    return call


@pytest.fixture
def alice(db: Session) -> User:
    user = User(username="alice")
    db.add(user)
    db.commit()
    return user


@pytest.fixture
def make_job(db: Session) -> Callable[..., JobRecord]:
    def make(class_path: str, **values: object) -> JobRecord:
        source, module, class_name = class_path.split("/")
        record = JobRecord(
            class_path=class_path,
            source=source,
            module=module,
            class_name=class_name,
            name=class_name,
            grouping=module,
            refreshed_at=now(),
            **values,
        )
        db.add(record)
        db.commit()
        return record

    return make


class Portal:
    """A live instance with the cast and the fixture jobs, as somebody at a shell has it."""

    def __init__(self, settings: Settings, platform: Platform) -> None:
        self.settings, self.platform = settings, platform
        self._started: list[subprocess.Popen[str]] = []
        with platform.session() as db:
            make_cast(db)
            self.jobs = {name: job.class_path for name, job in load_fixture_jobs(db, settings).items()}

    def __call__(self, command: str, job: str, *arguments: str, input: str | None = None) -> Result:
        """Call a command of a job as a script would."""
        arguments = (command, self.jobs.get(job, job), *arguments)
        return CliRunner().invoke(main, arguments, input=input, catch_exceptions=False)

    def start(self, command: str, job: str, *arguments: str, **options: Any) -> "subprocess.Popen[str]":
        """Start a command in a process of its own."""
        process = Program(
            *("webapp.cli", command, self.jobs[job], *arguments),
            cwd=PROJECT_ROOT,
            text=True,
            **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options},
        )
        self._started.append(process)
        return process

    def close(self) -> None:
        """Kill what still runs."""
        for process in self._started:
            process.kill()
            process.communicate()

    def results(self) -> list[JobResult]:
        with self.platform.reading() as db:
            return list(db.scalars(select(JobResult).order_by(JobResult.created_at)))

    def result(self) -> JobResult:
        (result,) = self.results()
        return result

    def until(self, status: str) -> JobResult:
        """Wait until the only run is in this state."""

        def found() -> JobResult | None:
            return next((result for result in self.results() if result.status == status), None)

        return until(found, f"the run is {status}")

    def change(self, table: Any, **values: Any) -> None:
        with self.platform.session() as db:
            for row in db.scalars(select(table)):
                for name, value in values.items():
                    setattr(row, name, value)
            db.commit()


@pytest.fixture
def portal(live: Settings, live_platform: Platform) -> Iterator[Portal]:
    portal = Portal(live, live_platform)
    yield portal
    portal.close()


@pytest.fixture(scope="module", autouse=True)
def helpers_end() -> Iterator[None]:
    """Let the tests of a file ask the same helper: to start one takes longer than most of them."""
    yield
    stop_helper()


@pytest.fixture
def sites(portal: Portal) -> dict[str, str]:
    """Keys of sites by name."""
    data = open_data(portal.settings)
    with data.run_session(wait_seconds=10, on_wait=lambda: None) as session:
        active = Status(name="Active", slug="active")
        made = [
            Site(name=name, slug=name.lower(), status=active) for name in ("Aarau", "Bern-1", "Bern-2", "Zug")
        ]
        session.add_all([active, *made])
        session.commit()
        return {site.name: str(site.pk) for site in made}


def ended(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    """Wait for a command, and return its exit code and what it wrote that nobody has read yet."""
    with ThreadPoolExecutor(2) as pool:
        # Not by `communicate`: what has been read ahead of a line waits in these.
        out, err = pool.map(lambda stream: stream.read() if stream else "", (process.stdout, process.stderr))
    return process.wait(60), out, err


def interrupt(process: "subprocess.Popen[str]") -> None:
    """Do what Ctrl-C does."""
    os.kill(process.pid, signal.SIGINT)


def interrupt_again(process: "subprocess.Popen[str]") -> None:
    """Press Ctrl-C once more: what comes at once after the first is taken for the same."""
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=TWICE_SECONDS + 0.1)
    interrupt(process)


def until_said(process: "subprocess.Popen[str]", sentence: str) -> None:
    """Read what a command says on standard error, up to this sentence."""
    said = []
    while not said or said[-1] != f"{sentence}\n":
        said.append(process.stderr.readline() if process.stderr else "")
        assert said[-1], said
