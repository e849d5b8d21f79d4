"""What the tests of the API share: an app on a real database, people with tokens, jobs and results."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from store.models import ApiToken, JobRecord, JobResult, User
from store.secrets import new_token
from store.settings import Settings
from webapp.app import create_app

Call = Callable[..., TestResponse]

NOON = datetime(2026, 1, 31, 12, 0, 0, 5, tzinfo=UTC)


def described(kind: str, name: str, **options: Any) -> dict[str, Any]:
    common = {"label": name.title(), "description": "", "required": True, "default": None}
    return {"name": name, "type": kind, **common, **options}


#: One variable of every kind that needs no object.
VARIABLES = [
    described("StringVar", "text", min_length=None, max_length=None, regex=None),
    described("IntegerVar", "number", required=False, min_value=0, max_value=None),
    described("BooleanVar", "flag", required=False, default=True),
    described("ChoiceVar", "colour", required=False, choices=[["r", "Red"], ["g", "Green"]]),
    described("MultiChoiceVar", "colours", required=False, choices=[["r", "Red"], ["g", "Green"]]),
]


@pytest.fixture
def app(settings: Settings) -> Iterator[Flask]:
    app = create_app(settings)
    app.testing = True
    # As in production: an error must become an answer, or no test would see which.
    app.config["PROPAGATE_EXCEPTIONS"] = False
    yield app
    close(app)


@pytest.fixture
def make_user(db: Session) -> Callable[..., User]:
    def make(username: str, **values: Any) -> User:
        user = User(username=username, **values)
        db.add(user)
        db.commit()
        return user

    return make


@pytest.fixture
def alice(make_user: Callable[..., User]) -> User:
    return make_user("alice")


@pytest.fixture
def carol(make_user: Callable[..., User]) -> User:
    return make_user("carol")


@pytest.fixture
def root(make_user: Callable[..., User]) -> User:
    return make_user("root", superuser=True)


@pytest.fixture
def make_token(db: Session) -> Callable[..., str]:
    def make(user: User, **values: Any) -> str:
        plain, token_hash = new_token("errand")
        db.add(ApiToken(user_id=user.id, prefix=plain[:12], token_hash=token_hash, **values))
        db.commit()
        return plain

    return make


@pytest.fixture
def calls_of(app: Flask, make_token: Callable[..., str]) -> Callable[[User], Call]:
    def calls_of(user: User) -> Call:
        token = make_token(user)

        def call(method: str, path: str, **more: Any) -> TestResponse:
            headers = {"Authorization": f"Token {token}", **more.pop("headers", {})}
            return app.test_client().open(f"/api/v1{path}", method=method, headers=headers, **more)

        return call

    return calls_of


@pytest.fixture
def call(calls_of: Callable[[User], Call], alice: User) -> Call:
    """Call the API as alice."""
    return calls_of(alice)


@pytest.fixture
def call_as_root(calls_of: Callable[[User], Call], root: User) -> Call:
    return calls_of(root)


@pytest.fixture
def make_job(db: Session) -> Callable[..., JobRecord]:
    def make(class_path: str, **values: Any) -> JobRecord:
        source, module, class_name = class_path.split("/")
        record = JobRecord(
            class_path=class_path,
            source=source,
            module=module,
            class_name=class_name,
            refreshed_at=NOON,
            **{"name": class_name, "grouping": module, "enabled": True, **values},
        )
        db.add(record)
        db.commit()
        return record

    return make


@pytest.fixture
def hello(make_job: Callable[..., JobRecord]) -> JobRecord:
    return make_job("local/hello/Hello", description="Says hello.", variables=VARIABLES)


@pytest.fixture
def plain(make_job: Callable[..., JobRecord]) -> JobRecord:
    """A job without variables."""
    return make_job("local/plain/Plain")


@pytest.fixture
def make_result(db: Session, alice: User, plain: JobRecord) -> Callable[..., JobResult]:
    """Make results of `plain`, each a second after the last."""
    made = 0

    def make(**values: Any) -> JobResult:
        nonlocal made
        made += 1
        result = JobResult(
            **{
                "job_id": plain.id,
                "class_path": plain.class_path,
                "name": plain.name,
                "user_id": alice.id,
                "username": "alice",
                "time_limit": 600.0,
                "created_at": NOON + timedelta(seconds=made),
                **values,
            }
        )
        db.add(result)
        db.commit()
        return result

    return make


def close(app: Flask) -> None:
    """Close every connection that this app opened."""
    with app.app_context():
        app.extensions["sqlalchemy"].engine.dispose()
    app.extensions["errand"].data.dispose()


def follow(call: Call, path: str) -> list[list[dict[str, Any]]]:
    """Return the results of all pages."""
    pages = []
    url: str | None = path
    while url is not None:
        answer = call("GET", url)
        assert answer.status_code == 200, answer.text
        pages.append(answer.json["results"])
        url = answer.json["next"]
        assert url is None or url.startswith("/api/v1/")
        url = url and url.removeprefix("/api/v1")
        assert len(pages) < 100
    return pages
