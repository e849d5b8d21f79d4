"""What the tests of Nautobot's API share: a portal with its fixture jobs, served to real clients."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests
from flask import Flask
from werkzeug.serving import make_server

from store.models import ApiToken, JobRecord, JobResult, User
from store.platform import Platform
from store.secrets import new_token
from store.settings import Settings
from tests.conftest import load_fixture_jobs, make_cast
from tests.webapp.conftest import running
from worker.host import this_process
from worker.presence import Presence


@dataclass
class Portal:
    """A live instance, with a server that answers at `url`."""

    settings: Settings
    platform: Platform
    cast: dict[str, User]
    jobs: dict[str, JobRecord]
    url: str

    def token(self, user: str = "alice") -> str:
        plain, token_hash = new_token("errand")
        with self.platform.session() as db:
            db.add(ApiToken(user_id=self.cast[user].id, prefix=plain[:12], token_hash=token_hash))
            db.commit()
        return plain

    def change(self, job: str, **values: Any) -> JobRecord:
        with self.platform.session() as db:
            record = db.get_one(JobRecord, self.jobs[job].id)
            for name, value in values.items():
                setattr(record, name, value)
            db.commit()
        return self.jobs[job]

    def results(self) -> list[JobResult]:
        with self.platform.reading() as db:
            return db.query(JobResult).all()

    def listen(self, *queues: str) -> None:
        """Have a worker on these queues, as far as anybody can see."""
        Presence(
            self.platform,
            kind="worker",
            name="w-1",
            queues=list(queues or ("default",)),
            process=this_process(),
        ).enter()


@pytest.fixture
def app(live: Settings) -> Iterator[Flask]:
    for app in running(live):
        app.config["PROPAGATE_EXCEPTIONS"] = False
        yield app


@pytest.fixture
def portal(live: Settings, live_platform: Platform, app: Flask) -> Iterator[Portal]:
    with live_platform.session() as db:
        cast, jobs = make_cast(db), load_fixture_jobs(db, live)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield Portal(live, live_platform, cast, jobs, f"http://127.0.0.1:{server.server_port}")
    server.shutdown()
    thread.join()
    server.server_close()


Call = Callable[..., requests.Response]


@pytest.fixture
def calls_of(portal: Portal) -> Iterator[Callable[[str], Call]]:
    with requests.Session() as session:

        def calls_of(user: str) -> Call:
            token = portal.token(user)

            def call(method: str, path: str, **more: Any) -> requests.Response:
                accept = more.pop("accept", "application/json; version=1.5")
                headers = {"Authorization": f"Token {token}", "Accept": accept, **more.pop("headers", {})}
                url = path if path.startswith("http") else f"{portal.url}/api/extras{path}"
                return session.request(method, url, headers=headers, timeout=30, **more)

            return call

        yield calls_of


@pytest.fixture
def call(calls_of: Callable[[str], Call]) -> Call:
    return calls_of("alice")


@pytest.fixture
def root(calls_of: Callable[[str], Call]) -> Call:
    return calls_of("root")


@pytest.fixture
def bob(calls_of: Callable[[str], Call]) -> Call:
    """Somebody else, who may approve."""
    return calls_of("bob")
