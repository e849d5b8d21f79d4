"""What holds for every address there is: they are those of the matrix, so that a new route is in here by itself."""

import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask

from benchmarks.soak.junk import Asker
from store.data_files import Folder
from store.settings import Settings
from webapp.headers import CONTENT_SECURITY_POLICY
from webapp.limits import COUNTED

from .conftest import TOKEN, signed_in
from .test_matrix import DOING, LOOKING, TABLE, app, fill, token_of

__all__ = ["app", "fill"]

Fill = Callable[[str], str]

#: What may be kept by browsers: it is the same for all.
KEPT = ("static", "jobs.form_script", "jobs.form_style")

#: So many broken requests to each address; `./errand soak junk` sends more.
BROKEN = 1


@pytest.fixture
def inventory_settings(inventory_settings: Settings) -> Settings:
    """Behind TLS, where there is something to promise."""
    return replace(inventory_settings, https=True)


class Visitor:
    """Somebody with a session, by its cookie: nothing else is sent unless it is asked for."""

    def __init__(self, app: Flask, db: Any, user: Any) -> None:
        cookie = signed_in(app, db, user).client.get_cookie("session")
        assert cookie is not None
        self.cookie = {"Cookie": f"__Host-session={cookie.value}"}
        self._client = app.test_client(use_cookies=False)
        found = TOKEN.search(self.open("/welcome", **{"HX-Request": ""}).text)
        assert found is not None
        self.token = found[1] or found[2]

    def open(self, path: str, method: str = "GET", **headers: str) -> Any:
        given = {**self.cookie, "HX-Request": "true", **headers}
        return self._client.open(
            path, method=method, base_url="https://localhost", headers=given, buffered=True
        )


def is_for_programs(app: Flask, path: str, endpoint: str) -> bool:
    view = app.view_functions[endpoint]
    return path.startswith(("/api/", "/ndscheduler/")) or getattr(view, "is_for_programs", False)


def test_every_answer_is_guarded(app: Flask, db: Any, cast: Any, fill: Fill):
    fill("/")
    root, problems, attached = Visitor(app, db, cast["root"]), [], set()
    policy = CONTENT_SECURITY_POLICY.format(images="'self' data:")
    expected = {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Strict-Transport-Security": "max-age=31536000",
    }
    for key in LOOKING:
        endpoint = TABLE[key][0]
        path = fill(key[1])
        for answer in (
            root.open(path),
            app.test_client().get(path, base_url="https://localhost", buffered=True),
        ):
            headers = answer.headers
            problems += [f"{path}: {name}" for name, value in expected.items() if headers.get(name) != value]
            if endpoint not in KEPT and headers.get("Cache-Control") != "no-store":
                problems.append(f"{path}: may be kept: {headers.get('Cache-Control')}")
            for cookie in headers.getlist("Set-Cookie"):
                flags = set(cookie.split("; ")[1:])
                if not cookie.startswith("__Host-session=") or not flags >= {
                    "Secure",
                    "HttpOnly",
                    "SameSite=Lax",
                    "Path=/",
                }:
                    problems.append(f"{path}: {cookie}")
            if headers.get("Content-Disposition", "").startswith("attachment"):
                attached.add(endpoint)
    assert problems == []
    assert len(LOOKING) > 150
    assert attached - COUNTED["download"] == set(), "whoever gives files counts them (webapp.limits)"


def test_no_change_without_the_sessions_own_token_from_our_own_pages(
    app: Flask, db: Any, cast: Any, fill: Fill, settings: Settings
):
    fill("/")
    root, bob = (Visitor(app, db, cast[name]) for name in ("root", "bob"))
    ways: dict[str, dict[str, str]] = {
        "no token": {},
        "somebody else's token": {"X-CSRFToken": bob.token},
        "a foreign page": {"X-CSRFToken": root.token, "Origin": "https://evil.example"},
        "a foreign page, says the browser": {"X-CSRFToken": root.token, "Sec-Fetch-Site": "cross-site"},
    }
    asked, problems = 0, []
    with closing(sqlite3.connect(settings.instance / "errand.db")) as watcher:
        for method, path in DOING:
            if is_for_programs(app, path, TABLE[method, path][0]):
                continue
            asked += 1
            for name, headers in ways.items():
                before = version(watcher)
                answer = root.open(fill(path), method, **headers)
                if answer.status_code != 400 or version(watcher) != before:
                    problems.append(f"{method} {path}, {name}: {answer.status}")
    assert problems == []
    assert asked > 80


def version(watcher: sqlite3.Connection) -> Any:
    """Return what is another one as soon as anybody else has written anything."""
    return watcher.execute("PRAGMA data_version").fetchone()


def test_what_needs_no_token_reads_no_cookie(app: Flask, db: Any, cast: Any, fill: Fill, settings: Settings):
    fill("/")
    root = Visitor(app, db, cast["root"])
    asked, problems = 0, []
    with closing(sqlite3.connect(settings.instance / "errand.db")) as watcher:
        for method, path in TABLE:
            if not is_for_programs(app, path, TABLE[method, path][0]):
                continue
            asked += 1
            bare = app.test_client(use_cookies=False).open(
                fill(path), method=method, base_url="https://localhost"
            )
            before = version(watcher)
            answer = root.open(fill(path), method, **{"X-CSRFToken": root.token, "HX-Request": ""})
            same = (answer.status, answer.data) == (bare.status, bare.data) or path.startswith("/hooks/")
            if not same or answer.status_code != bare.status_code or "Set-Cookie" in answer.headers:
                problems.append(f"{method} {path}: {bare.status}, {answer.status}")
            if not path.startswith("/hooks/") and version(watcher) != before:
                problems.append(f"{method} {path}: it has changed something")
    assert problems == []
    assert asked > 100


# Where a form is refused in its middle, Werkzeug leaves the files that came before to be closed by themselves.
@pytest.mark.filterwarnings("ignore:Unclosed file <tempfile.SpooledTemporaryFile:ResourceWarning")
@pytest.mark.timeout(300)
def test_broken_requests_are_answered_with_a_sentence(
    app: Flask, db: Any, cast: Any, fill: Fill, settings: Settings
):
    fill("/")
    app.extensions["errand_limits"].clear()
    root = Visitor(app, db, cast["root"])
    asker = Asker(app, root.cookie, root.token, token_of(db, cast["root"]), base_url="https://localhost")
    chance, problems = random.Random(13), []
    with (
        closing(sqlite3.connect(settings.instance / "errand.db")) as now,
        closing(sqlite3.connect("")) as first,
    ):
        now.execute("PRAGMA synchronous = OFF")
        now.backup(first)
        for method, path in TABLE:
            if path == "/jobs/refresh":
                continue  # It looks at all job files, which takes its time, and takes nothing from the request.
            problems += filter(None, (asker.ask(method, fill(path), chance) for _ in range(BROKEN)))
            if method != "GET":
                first.backup(now)
                Folder(settings).write("x.lst", b"a\n", new=False)
    print(f"{asker.answers.total()} broken requests: {sorted(asker.answers.items())}")
    assert problems == []
