"""What the tests of the engine room share."""

import os
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from store.models import ApiToken, EntryGroup, JobRecord, JobResult, LogEntry, User, now
from store.platform import Platform
from store.secrets import new_token
from store.settings import Settings, load_settings
from tests import servers
from tests.conftest import load_fixture_jobs, make_cast
from tests.webapp.conftest import running, signed_in
from tests.worker.engine import Clock, Engine
from worker.cancel import cancel
from worker.children import Children
from worker.host import this_process
from worker.submit import submit
from worker.supervisor import Supervisor

#: What this process calls itself as a worker. A nursery that dies takes along all that carry its worker's name.
WORKER = f"test-{os.getpid()}"


class Portal:
    """A live instance in the hands of a test: submit, execute here and now, look."""

    def __init__(self, settings: Settings, platform: Platform, children: Children | None = None) -> None:
        self.settings = settings
        self.platform = platform
        self._children = children
        self._supervisor: Supervisor | None = None
        with platform.session() as db:
            self.cast: dict[str, User] = make_cast(db)
            self.jobs: dict[str, JobRecord] = load_fixture_jobs(db, settings)

    def submit(self, job: str, user: str = "alice", **options: Any) -> JobResult:
        with self.platform.session() as db:
            return submit(
                db,
                self.settings,
                job=db.get_one(JobRecord, self.jobs[job].id),
                raw=options.pop("raw", {}),
                user=db.get_one(User, self.cast[user].id),
                **options,
            )

    def execute(self, result: JobResult) -> JobResult:
        """Execute as a worker does, in a child of a nursery of this test's own."""
        self.supervisor().execute(result.id)
        return self.result(result)

    def supervisor(self) -> Supervisor:
        # Made anew when a test has changed the settings.
        if self._supervisor is None or self._supervisor.settings != self.settings:
            self.close()
            assert self._children is not None
            self._supervisor = Supervisor(
                self.settings, self.platform, self._children, worker=WORKER, process=this_process()
            )
        return self._supervisor

    def close(self) -> None:
        if self._supervisor is not None:
            self._supervisor.close()
            self._supervisor = None

    def run(self, job: str, **options: Any) -> JobResult:
        return self.execute(self.submit(job, **options))

    def cancel(self, result: JobResult, user: str = "alice") -> bool:
        with self.platform.session() as db:
            person = db.get_one(User, self.cast[user].id)
            return cancel(db, self.settings, db.get_one(JobResult, result.id), person)

    def result(self, result: JobResult) -> JobResult:
        with self.platform.reading() as db:
            return db.get_one(JobResult, result.id)

    def status(self, result: JobResult) -> str:
        return self.result(result).status

    def entries(self, result: JobResult) -> list[LogEntry]:
        with self.platform.reading() as db:
            return db.query(LogEntry).filter_by(result_id=result.id).order_by(LogEntry.seq).all()

    def groups(self, result: JobResult) -> list[EntryGroup]:
        with self.platform.reading() as db:
            return db.query(EntryGroup).filter_by(result_id=result.id).order_by(EntryGroup.first_seq).all()

    def messages(self, result: JobResult) -> list[tuple[str, str, str]]:
        return [(entry.level, entry.grouping, entry.message) for entry in self.entries(result)]


@pytest.fixture(scope="session")
def children(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Children]:
    """One nursery for all tests: to start one takes longer than most of them."""
    settings = load_settings(tmp_path_factory.mktemp("nursery"), {"ERRAND_PLUGINS": "examples.inventory"})
    children = Children(settings, WORKER)
    yield children
    children.stop()


@pytest.fixture
def portal(live: Settings, live_platform: Platform, children: Children) -> Iterator[Portal]:
    portal = Portal(live, live_platform, children)
    yield portal
    portal.close()


@pytest.fixture
def engine(portal: Portal) -> Engine:
    return Engine(portal)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Let the clock of the rules go by hand: call it with the seconds to go on."""
    moment = [now()]

    def go_on(seconds: float) -> datetime:
        moment[0] += timedelta(seconds=seconds)
        return moment[0]

    for module in ("ownership", "attempts", "reconciler", "pushes", "submit", "rules"):
        monkeypatch.setattr(f"worker.{module}.now", lambda: moment[0])
    return go_on


@pytest.fixture
def redis_gone(redis: servers.Redis) -> Iterator[servers.Redis]:
    """A Redis to which anything may be done; the next test finds it as it was started."""
    yield redis
    redis.stop()
    redis.start()


class Web:
    """The web server's side of the same instance, asked within this process."""

    def __init__(self, app: Flask, portal: Portal) -> None:
        self._app, self._portal = app, portal
        with portal.platform.session() as db:
            self._root = signed_in(app, db, db.merge(portal.cast["root"]))
            plain, token_hash = new_token("errand")
            db.add(ApiToken(user_id=portal.cast["alice"].id, prefix=plain[:12], token_hash=token_hash))
            db.commit()
        self._headers = {"Authorization": f"Token {plain}"}

    def submit(self, job: str, **data: str) -> TestResponse:
        """Ask for a run as alice's script does."""
        path = f"/api/v1/jobs/{self._portal.jobs[job].class_path}/run"
        return self._app.test_client().post(path, json={"data": data}, headers=self._headers)

    def submitted(self, job: str, **data: str) -> JobResult:
        answer = self.submit(job, **data)
        assert answer.status_code == 201, answer.text
        with self._portal.platform.reading() as db:
            return db.get_one(JobResult, UUID(answer.json["id"]))

    def ask(self, job: str, **data: str) -> TestResponse:
        """Ask for a run as root does, in the form of its page."""
        inputs = {f"v-{name}": value for name, value in data.items()}
        return self._root.post(f"/jobs/{self._portal.jobs[job].class_path}/", inputs)

    def post(self, path: str) -> TestResponse:
        return self._root.post(path)

    def page(self, path: str) -> TestResponse:
        """Open a page as root does."""
        return self._root.get(path)


@pytest.fixture
def web(portal: Portal) -> Iterator[Web]:
    for app in running(portal.settings):
        # As in production: an error must become an answer, or no test would see which.
        app.config["PROPAGATE_EXCEPTIONS"] = False
        yield Web(app, portal)


#: For faults in which the database has no part.
on_sqlite = pytest.mark.parametrize("live", ["sqlite"], indirect=True)

StartWorker = Callable[..., Any]
