"""A run from the call to its entries, with a real queue, a real worker, and both kinds of database."""

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask

from store.models import ApiToken
from store.secrets import new_token
from tests.api.conftest import close
from tests.conftest import load_fixture_jobs, make_cast
from tests.waiting import until
from webapp.app import create_app

pytestmark = pytest.mark.in_turn


@pytest.fixture
def app(live) -> Iterator[Flask]:
    app = create_app(live)
    yield app
    close(app)


@pytest.fixture
def call(app, live, live_platform):
    with live_platform.session() as db:
        alice = make_cast(db)["alice"]
        load_fixture_jobs(db, live)
        plain, token_hash = new_token("errand")
        db.add(ApiToken(user_id=alice.id, prefix=plain[:12], token_hash=token_hash))
        db.commit()

    def call(method: str, path: str, **more: Any):
        headers = {"Authorization": f"Bearer {plain}"}
        return app.test_client().open(f"/api/v1{path}", method=method, headers=headers, **more)

    return call


def test_a_run_is_asked_for_executed_and_read_back(call, start_worker):
    jobs = {job["name"]: job for job in call("GET", "/jobs").json["results"]}
    asked = call("POST", f"/jobs/{jobs['All stations']['class_path']}/run", json={"data": {"text": "x"}})
    assert (asked.status_code, asked.json["status"]) == (201, "pending")
    start_worker()
    url = asked.headers["Location"].removeprefix("/api/v1")
    result = until(lambda: (one := call("GET", url).json)["finished_at"] and one, "the run has ended")
    assert result["status"] == "completed"
    assert result["results"]["kept"] == [1, 2]
    entries = call("GET", f"{url}/entries").json
    assert [entry["seq"] for entry in entries["results"]] == list(range(1, result["last_seq"] + 1))
    assert sum(result["counts"].values()) == len(entries["results"])
    assert entries["next"] is None
    [with_object] = [entry for entry in entries["results"] if entry["object"]]
    assert with_object["object"] == {"text": "an object", "url": None}
    assert call("POST", f"{url}/cancel").status_code == 409


HOSTILE_CALLS = [
    ("GET", "/jobs/a%00/b", {}),
    ("GET", "/jobs?after=%00", {}),
    ("GET", "/jobs?after=%F0%9F%8E%89", {}),
    ("GET", "/results/%00", {}),
    ("GET", "/results?job=a/%00", {}),
    ("GET", "/results?since=0001-01-01T00:00:00Z", {}),
    ("GET", "/results?since=9999-12-31T23:59:59Z", {}),
    ("GET", "/results?after=9999-12-31T23:59:59Z_00000000-0000-0000-0000-000000000000", {}),
    ("GET", "/objects/inventory.device?q=%00", {}),
    ("GET", "/objects/inventory.device?id=99999999999999999999", {}),
    ("GET", "/objects/inventory.device?id__gt=9223372036854775808", {}),
    ("GET", "/objects/inventory.device?name=%25", {}),
    *(
        ("POST", "/jobs/{path}/run", {"json": {"data": {"text": text, "flag": True}}})
        for text in ("\x00", "\ud800", "\U0010ffff", "\ufffe", "' OR 1=1 --", "x" * 100_000)
    ),
    ("POST", "/jobs/{path}/run", {"json": {"data": {"\x00": 1}}}),
    ("POST", "/jobs/{path}/run", {"json": {"queue": "\x00"}}),
    ("POST", "/jobs/{path}/run", {"data": {"text": "a\x00"}, "content_type": "multipart/form-data"}),
]


def test_nothing_hostile_breaks_anything_on_either_database(call):
    [path] = [
        job["class_path"] for job in call("GET", "/jobs").json["results"] if job["name"] == "All stations"
    ]
    answers = [
        (method, url, call(method, url.format(path=path), **more)) for method, url, more in HOSTILE_CALLS
    ]
    assert [(m, u, a.status_code) for m, u, a in answers if a.status_code >= 500 or a.json is None] == []
