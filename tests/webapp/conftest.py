"""An app on a real database, browsers of the standing cast, and rows to look at."""

import re
import shutil
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from store.html import render
from store.models import EntryGroup, JobRecord, JobResult, LogEntry, Schedule, User, UserSession, now
from store.secrets import hash_token
from store.settings import Settings, load_settings
from store.timing.recurrence import Recurrence
from store.timing.saved import cursor, keep_times
from tests.conftest import make_cast
from webapp.app import create_app

NOON = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
OIDC_CLIENT = {"ERRAND_OIDC_CLIENT_ID": "errand", "ERRAND_OIDC_CLIENT_SECRET": "hush-hush-secret"}
TOKEN = re.compile(r'"X-CSRFToken": "([^"]+)"|name="csrf_token" value="([^"]+)"')


class Browser:
    """A test client that keeps its cookie, knows the page's CSRF token and can speak as HTMX does."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client
        #: The cookie of a session, and the token of its pages.
        self._known: tuple[str | None, str] = (None, "")

    def get(self, url: str, **options: Any) -> TestResponse:
        return self.client.get(url, **options)

    def fragment(self, url: str, **options: Any) -> TestResponse:
        return self.client.get(url, headers={"HX-Request": "true"}, **options)

    def post(self, url: str, data: dict[str, Any] | None = None, **options: Any) -> TestResponse:
        return self.client.post(url, data={"csrf_token": self.token(), **(data or {})}, **options)

    def token(self) -> str:
        if (cookie := self._cookie()) is None or cookie != self._known[0]:
            token = self._look_up_token()
            # That page may be what gives a stranger a session.
            self._known = (self._cookie(), token)
        return self._known[1]

    def again(self, app: Flask) -> "Browser":
        """The same session in a browser that has been nowhere else."""
        browser = Browser(app.test_client())
        browser._known = self._known
        if cookie := self._cookie():
            browser.client.set_cookie("session", cookie)
        return browser

    def _cookie(self) -> str | None:
        cookie = self.client.get_cookie("session")
        return None if cookie is None else cookie.value

    def _look_up_token(self) -> str:
        # The lightest page that everybody gets, be it after a redirect to the sign-in.
        page = self.client.get("/welcome", follow_redirects=True).get_data(as_text=True)
        found = TOKEN.search(page)
        assert found is not None
        return found[1] or found[2]


@pytest.fixture
def app(settings: Settings) -> Iterator[Flask]:
    yield from running(settings)


@pytest.fixture
def inventory_settings(
    settings: Settings, migrated_sqlite: Path, monkeypatch: pytest.MonkeyPatch
) -> Settings:
    """The same instance with the demo's objects: their tables, and none in them."""
    monkeypatch.setenv("ERRAND_PLUGINS", "examples.inventory")
    shutil.copy(migrated_sqlite / "data.db", settings.instance)
    return load_settings(settings.instance)


def running(settings: Settings) -> Iterator[Flask]:
    app = create_app(settings)
    yield app
    with app.app_context():
        app.extensions["sqlalchemy"].engine.dispose()
    app.extensions["errand"].data.dispose()


@pytest.fixture
def make_app(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Flask]]:
    """Make apps of one instance that sign in at `issuer`, with more settings as they stand in the environment."""
    open_apps = []

    def make(issuer: str, **more: str) -> Flask:
        for name, value in {"ERRAND_OIDC_ISSUER": issuer, **OIDC_CLIENT, **more}.items():
            monkeypatch.setenv(name, value)
        apps = running(load_settings(settings.instance))
        open_apps.append(apps)
        return next(apps)

    yield make
    for apps in open_apps:
        assert next(apps, None) is None


@pytest.fixture
def cast(db: Session) -> dict[str, User]:
    return make_cast(db)


@pytest.fixture
def stranger(app: Flask) -> Browser:
    return Browser(app.test_client())


@pytest.fixture
def browser(app: Flask, db: Session, cast: dict[str, User]) -> Callable[[str], Browser]:
    return lambda name: signed_in(app, db, cast[name])


@pytest.fixture
def alice(browser: Callable[[str], Browser]) -> Browser:
    return browser("alice")


@pytest.fixture
def root(browser: Callable[[str], Browser]) -> Browser:
    return browser("root")


def signed_in(app: Flask, db: Session, user: User, **values: Any) -> Browser:
    """Give a browser that has signed in, without the form."""
    token = uuid.uuid4().hex
    times = {"created_at": now(), "last_seen_at": now(), "expires_at": now() + timedelta(days=7)}
    db.add(UserSession(token_hash=hash_token(token), user_id=user.id, **{**times, **values}))
    db.commit()
    client = app.test_client()
    client.set_cookie("session", token)
    return Browser(client)


def described(kind: str, name: str, **options: Any) -> dict[str, Any]:
    """Describe a variable as discovery does."""
    common = {
        "label": name.replace("_", " ").capitalize(),
        "description": "",
        "required": True,
        "default": None,
    }
    return {"name": name, "type": kind, **common, **options}


@pytest.fixture
def make_job(db: Session) -> Callable[..., JobRecord]:
    def make(name: str = "Greet", **values: Any) -> JobRecord:
        class_name = values.pop("class_name", re.sub(r"\W", "", name) or "Job")
        job = JobRecord(
            **{
                "class_path": f"local/greetings/{class_name}",
                "source": "local",
                "module": "greetings",
                "class_name": class_name,
                "name": name,
                "grouping": "Greetings",
                "enabled": True,
                "refreshed_at": NOON,
                **values,
            }
        )
        db.add(job)
        db.commit()
        return job

    return make


@pytest.fixture
def make_result(db: Session, cast: dict[str, User]) -> Callable[..., JobResult]:
    def make(job: JobRecord, status: str = "completed", username: str = "alice", **values: Any) -> JobResult:
        user = cast[username]
        started = None if status in ("pending", "awaiting_approval") else values.get("created_at", NOON)
        finished = started + timedelta(seconds=5) if started and status != "running" else None
        result = JobResult(
            **{
                "id": uuid.uuid4(),
                "job_id": job.id,
                "class_path": job.class_path,
                "name": job.name,
                "user_id": user.id,
                "username": user.username,
                "status": status,
                "created_at": NOON,
                "pushed_at": NOON,
                "started_at": started,
                "finished_at": finished,
                "time_limit": 600.0,
                "attempt": 1,
                **values,
            }
        )
        db.add(result)
        db.commit()
        return result

    return make


@pytest.fixture
def make_schedule(db: Session, cast: dict[str, User]) -> Callable[..., Schedule]:
    """Make a schedule that fires each hour from tomorrow on."""

    def make(job: JobRecord, username: str = "alice", **values: Any) -> Schedule:
        times = Recurrence("hourly", now().replace(minute=0, second=0) + timedelta(days=1))
        schedule = Schedule(
            **{
                "id": uuid.uuid4(),
                "name": "Each hour",
                "job_id": job.id,
                "class_path": job.class_path,
                "user_id": cast[username].id,
                "username": username,
                "enabled": True,
                "problem": "",
                **values,
            }
        )
        keep_times(schedule, times)
        for name, value in cursor(schedule, times, None).items():
            setattr(schedule, name, value)
        db.add(schedule)
        db.commit()
        return schedule

    return make


@pytest.fixture
def add_entries(db: Session) -> Callable[..., None]:
    """Add entries as the log pipeline does: numbered, counted, under their headings."""

    def add(
        result: JobResult, *messages: str, level: str = "info", grouping: str = "run", **values: Any
    ) -> None:
        for message in messages:
            result.last_seq += 1
            group = db.scalars(
                select(EntryGroup)
                .where(EntryGroup.result_id == result.id)
                .order_by(EntryGroup.first_seq.desc())
                .limit(1)
            ).first()
            if group is None or group.name != grouping:
                group = EntryGroup(
                    result_id=result.id,
                    first_seq=result.last_seq,
                    name=grouping,
                    started_at=now(),
                    last_at=now(),
                )
                db.add(group)
            group.last_at = now()
            for counted in (group, result):
                setattr(counted, f"count_{level}", (getattr(counted, f"count_{level}") or 0) + 1)
            db.add(
                LogEntry(
                    result_id=result.id,
                    seq=result.last_seq,
                    attempt=1,
                    created_at=now(),
                    level=level,
                    grouping=grouping,
                    message=message,
                    html=render(message),
                    **values,
                )
            )
            db.flush()
        db.commit()

    return add


def text(response: TestResponse) -> str:
    return response.get_data(as_text=True)


def first_view(browser: Browser, address: str) -> int:
    """Return how many bytes a browser that has been nowhere yet is sent for a page and all that it names."""
    packed = {"Accept-Encoding": "gzip"}
    with browser.client.get(address, headers=packed) as page:
        size, named = len(page.data), set(re.findall(r'(?:href|src)="(/static/[^"#]+)', page.text))
    assert named
    for each in named:
        with browser.client.get(each, headers=packed) as file:
            assert file.status_code == 200
            size += len(file.data)
    return size
