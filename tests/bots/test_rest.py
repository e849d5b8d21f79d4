"""The REST API of ndscheduler, as clients of Bots Scheduler call it."""

import io
import json
from base64 import b64encode
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

from jobs.report import Text
from store.models import ApiToken, JobRecord, JobResult, LogEntry, MissedSlots, RunReport, Schedule, User, now
from store.platform import Platform
from store.secrets import hash_password, new_token
from store.settings import Settings, SettingsError, load_settings
from tests.conftest import make_cast
from tests.multipart import multipart
from tests.webapp.conftest import signed_in
from webapp.app import create_app
from worker.awaited_jobs import adopt
from worker.firing import fire_due

pytestmark = pytest.mark.in_turn


BASE = "/ndscheduler/api/v1"
HOURLY = {"minute": "5"}

Call = Callable[..., TestResponse]


@pytest.fixture
def app(live: Settings) -> Iterator[Flask]:
    app = create_app(live)
    app.testing = True
    app.config["PROPAGATE_EXCEPTIONS"] = False
    yield app
    with app.app_context():
        app.extensions["sqlalchemy"].engine.dispose()
    app.extensions["errand"].data.dispose()


@pytest.fixture
def cast(live_platform: Platform) -> dict[str, User]:
    with live_platform.session() as db:
        return make_cast(db)


@pytest.fixture
def call(app: Flask, cast: dict[str, User], live_platform: Platform) -> Call:
    headers = {}
    with live_platform.session() as db:
        for name, user in cast.items():
            plain, token_hash = new_token("errand")
            db.add(ApiToken(user_id=user.id, prefix=plain[:12], token_hash=token_hash))
            headers[name] = {"Authorization": f"Token {plain}"}
        db.commit()

    def call(method: str, path: str, body: Any = None, user: str = "alice", **more: Any) -> TestResponse:
        if body is not None:
            more |= {"data": json.dumps(body), "content_type": "application/json; charset=UTF-8"}
        # Clients of theirs send parameters that nobody knows.
        address = f"{BASE}{path}{'&' if '?' in path else '?'}sync=true"
        return app.test_client().open(address, method=method, headers=headers[user], **more)

    return call


@pytest.fixture
def job(live_platform: Platform) -> JobRecord:
    return make_job(live_platform, "shell", "ShellCommand")


def make_job(platform: Platform, module: str, name: str, **values: Any) -> JobRecord:
    variables = [
        {
            "name": each,
            "type": "StringVar",
            "label": each,
            "description": "",
            "required": True,
            "default": None,
        }
        for each in ("host", "command")
    ]
    record = JobRecord(
        class_path=f"local/{module}/{name}",
        source="local",
        module=module,
        class_name=name,
        name=name,
        grouping=module,
        enabled=True,
        refreshed_at=now(),
        **{"variables": variables, **values},
    )
    with platform.session() as db:
        db.add(record)
        db.commit()
        db.refresh(record)
        db.expunge(record)
    return record


def asked(**more: Any) -> dict[str, Any]:
    named = {"name": "Nightly", "job_class_string": "shell.ShellCommand", "pub_args": ["a", "ls"]}
    return {**named, **HOURLY, **more}


def added(call: Call, **more: Any) -> str:
    answer = call("POST", "/jobs", asked(**more))
    assert answer.status_code == 201, answer.text
    found: str = answer.json["job_id"]
    return found


def test_jobs_are_added_listed_changed_paused_resumed_and_deleted(
    call: Call, job: JobRecord, live_platform: Platform
):
    for wrong, said in (
        (asked(name=""), "Give name"),
        ({"name": "x", "job_class_string": "shell.ShellCommand"}, "at least one of"),
        (asked(minute="61"), "minute"),
        (asked(minute="5; hour=1"), "does not fit"),
        (asked(day="32"), "day"),
        (asked(pub_args=["a"]), "command"),
        (asked(pub_args=["a", "b", "c"]), "more_arguments"),
        (asked(pub_args="{"), "pub_args cannot be read"),
        (asked(pub_args={"a": 1}), "needs to be a list"),
        (asked(job_class_string="$x.Y"), "may not have a $"),
        (asked(name="$x"), "may not have a $"),
        (asked(job_class_string="local/no/No"), "There is no job local/no/No."),
        ([1], "needs to be a JSON object"),
    ):
        answer = call("POST", "/jobs", wrong)
        assert answer.status_code == 400, answer.text
        assert said in answer.json["error"]
    assert call("GET", "/jobs").json == {"jobs": []}
    job_id = added(call, job_class_string="jobs.shell.ShellCommand", day_of_week="mon-fri")
    assert (len(job_id), job_id) == (32, job_id.lower())
    [line] = call("GET", "/jobs").json["jobs"]
    assert line.pop("next_run_time").endswith("+00:00")
    assert line == {
        "job_id": job_id,
        "name": "Nightly",
        "job_class_string": "jobs.shell.ShellCommand",
        "pub_args": ["a", "ls"],
        **{"week": "*", "month": "*", "day": "*", "day_of_week": "mon-fri", "hour": "*", "minute": "5"},
    }
    with live_platform.reading() as db:
        row = db.get_one(Schedule, UUID(job_id))
    assert (row.data, row.username) == ({"host": "a", "command": "ls"}, "alice")
    assert (row.missed, row.overlap, row.zone, row.class_path) == ("once", "allow", "UTC", job.class_path)
    # 0 is Monday; what is less significant than all that is given takes its least value.
    assert call("PUT", f"/jobs/{job_id}", {"day_of_week": "0", "minute": "0"}).json == {"job_id": job_id}
    assert call("PATCH", f"/jobs/{job_id}").json == {"job_id": job_id}
    assert call("PUT", f"/jobs/{job_id}", {"name": "Weekly", "pub_args": ["b", "df"]}).status_code == 200
    shown = call("GET", f"/jobs/{job_id}").json
    assert (shown["name"], shown["pub_args"], shown["next_run_time"]) == ("Weekly", ["b", "df"], "")
    assert call("PUT", f"/jobs/{job_id}", {"pub_args": ["b"]}).status_code == 400
    resumed = call("OPTIONS", f"/jobs/{job_id}")
    assert (resumed.status_code, resumed.json) == (200, {"job_id": job_id})
    moment = call("GET", f"/jobs/{job_id}").json["next_run_time"]
    with live_platform.reading() as db:
        row = db.get_one(Schedule, UUID(job_id))
        assert row.next_slot_at is not None
        assert (row.next_slot_at.isoformat(), row.next_slot_at.weekday(), row.enabled) == (moment, 0, True)
    only = added(call, hour="2", minute="", name="a\x00b\ud800", pub_args='["\\u0000\\ud800", "x"]')
    assert call("GET", f"/jobs/{only}").json["minute"] == "0"
    assert call("DELETE", f"/jobs/{job_id}").json == {"job_id": job_id}
    for method in ("GET", "PUT", "DELETE", "PATCH", "OPTIONS"):
        gone = call(method, f"/jobs/{job_id}", {} if method == "PUT" else None)
        assert (gone.status_code, gone.json) == (400, {"error": f"Job not found: {job_id}"})
    logs = call("GET", "/logs", user="root").json["logs"]
    mine = [line for line in logs if line["job_id"] == job_id]
    events = ["deleted", "resumed", "modified", "paused", "modified", "added"]
    assert [line["event"] for line in mine] == events
    assert {line["user"] for line in mine} == {"alice"}
    assert "name: Nightly => Weekly" in mine[2]["description"]
    assert json.loads(mine[0]["description"])["inputs"] == {"host": "b", "command": "df"}
    assert call("GET", "/logs").status_code in (403, 404)


def test_who_may_do_what(call: Call, app: Flask, job: JobRecord, cast: Any, live_platform: Any):
    job_id = added(call)
    for user in ("carol", "bob"):
        assert [line["job_id"] for line in call("GET", "/jobs", user=user).json["jobs"]] == [job_id]
        for method, path in (
            ("PUT", f"/jobs/{job_id}"),
            ("PATCH", f"/jobs/{job_id}"),
            ("OPTIONS", f"/jobs/{job_id}"),
            ("DELETE", f"/jobs/{job_id}"),
            ("POST", f"/executions/{job_id}"),
        ):
            answer = call(method, path, {"name": "x"} if method == "PUT" else None, user=user)
            assert answer.status_code == 403, (method, answer.text)
            assert answer.json["error"]
    client = app.test_client()
    for headers in ({}, {"Authorization": "Basic eDp5"}, {"Authorization": "Token x"}):
        refused = client.get(f"{BASE}/jobs", headers=headers)
        assert (refused.status_code, list(refused.json)) == (401, ["error"])
        assert refused.headers["WWW-Authenticate"].lower().startswith("basic")
    # A browser that has signed in is nobody here.
    with live_platform.session() as db:
        browser = signed_in(app, db, db.merge(cast["root"]))
    assert browser.get("/jobs/").status_code == 200
    assert browser.get(f"{BASE}/jobs").status_code == 401
    assert (
        browser.client.patch(f"{BASE}/jobs/{job_id}", headers={"X-CSRFToken": browser.token()}).status_code
        == 401
    )
    # Somebody whom a name and a password show to be alice.
    with live_platform.session() as db:
        db.get_one(User, cast["alice"].id).password_hash = hash_password("change-this")
        db.commit()
    basic = {"Authorization": f"Basic {b64encode(b'alice:change-this').decode()}"}
    assert client.patch(f"{BASE}/jobs/{job_id}", headers=basic).json == {"job_id": job_id}
    shown = client.get(f"{BASE}/jobs/{job_id}", headers=basic)
    assert (shown.json["next_run_time"], "RateLimit-Remaining" in shown.headers) == ("", True)
    # A slash at the end is taken away where nothing is changed by that.
    sent_on = call("GET", "/jobs/")
    assert (sent_on.status_code, sent_on.location) == (301, f"{BASE}/jobs?sync=true")
    for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
        assert call(method, f"/jobs/{job_id}/").status_code == 404
    assert call("OPTIONS", "/jobs").status_code == 404
    assert call("GET", "/nothing").json == {"error": "There is nothing here."}
    # A job that its author has switched off takes along all that is about it.
    made = call("POST", f"/executions/{job_id}").json["execution_id"]
    with live_platform.session() as db:
        db.get_one(JobRecord, job.id).withdrawn = True
        db.commit()
    assert call("GET", "/jobs").json == {"jobs": []}
    assert call("GET", "/executions").json == {"executions": []}
    assert call("GET", f"/executions/{made}").status_code == 400
    assert call("GET", "/logs", user="root").json == {"logs": []}


def test_executions(call: Call, job: JobRecord, live_platform: Platform):
    job_id = added(call)
    made = call("POST", f"/executions/{job_id}")
    assert made.status_code == 200, made.text
    first = made.json["execution_id"]
    shown = call("GET", f"/executions/{first}").json
    assert shown["state"] == "scheduled"
    assert shown["job"] == {
        "job_id": job_id,
        "name": "Nightly",
        "task_name": "jobs.shell.ShellCommand",
        "pub_args": ["a", "ls"],
        **{"week": "*", "month": "*", "day": "*", "day_of_week": "*", "hour": "*", "minute": "5"},
    }
    states = (
        ("running", {"worker_host": "h/boot/7", "worker_pid": 7}, "running"),
        ("running", {"cancel_requested_at": now()}, "stopping"),
        ("completed", {"return_value": {"b": 1, "a": "é"}}, "succeeded"),
        ("failed", {"cause": "It said so."}, "failed"),
        ("errored", {"cause": "It broke.", "began_at": now()}, "failed"),
        ("errored", {"cause": "Ended at its time limit of 3 seconds.", "began_at": now()}, "timeout"),
        ("errored", {"cause": "Unable to locate job."}, "scheduled error"),
        ("errored", {"cause": "x/y/Z cannot be loaded: ImportError", "began_at": now()}, "scheduled error"),
        ("canceled", {"cause": "Canceled by bob."}, "stopped"),
    )
    with live_platform.session() as db:
        origin = db.get_one(JobResult, UUID(first))
        for number, (status, values, _) in enumerate(states):
            at = now() - timedelta(minutes=number + 1)
            copied = {name: getattr(origin, name) for name in ("class_path", "name", "job_id", "user_id")}
            same = {
                "origin": "schedule",
                "origin_id": origin.origin_id,
                "time_limit": 9.0,
                "username": "alice",
            }
            db.add(JobResult(status=status, created_at=at, finished_at=at, **copied, **same, **values))
        db.add(JobResult(status="completed", created_at=now() - timedelta(days=2), **copied, **same))
        db.add(JobResult(status="completed", **copied, **{**same, "origin": "", "origin_id": None}))
        db.commit()
        broken = db.scalars(select(JobResult).where(JobResult.cause == "It broke.")).one()
        entry = {"created_at": now(), "grouping": "main", "html": "", "attempt": 1}
        db.add(LogEntry(result_id=broken.id, seq=1, level="failure", message="Traceback: x", **entry))
        db.commit()
    lines = call("GET", "/executions").json["executions"]
    assert [line["state"] for line in lines] == ["scheduled", *(state for *_, state in states)]
    succeeded = lines[3]
    assert succeeded["result"] == '{\n    "a": "é",\n    "b": 1\n}'
    assert (lines[1]["hostname"], lines[1]["pid"]) == ("h", 7)
    with live_platform.session() as db:
        # What it has reported is what it has made.
        pieces = [Text("<b>3</b> found").as_data()]
        db.add(RunReport(result_id=UUID(succeeded["execution_id"]), data={"pieces": pieces}, pieces=1))
        db.commit()
    listed = call("GET", "/executions").json["executions"][3]
    assert "&lt;b&gt;3&lt;/b&gt; found" in json.loads(listed["result"])
    assert call("GET", f"/executions/{succeeded['execution_id']}").json["result"] == listed["result"]
    assert call("GET", f"/executions/{broken.id.hex}").json["result"] == "It broke.\n\nTraceback: x"
    start = (now() - timedelta(days=3)).isoformat().replace("+", "%2B")
    assert len(call("GET", f"/executions?time_range_start={start}").json["executions"]) == 11
    end = (now() - timedelta(days=1)).isoformat()
    assert (
        len(call("GET", f"/executions?time_range_start={start}&time_range_end={end}").json["executions"]) == 1
    )
    assert call("GET", "/executions?time_range_start=soon").status_code == 400
    # Without its job, an execution stays.
    assert call("DELETE", f"/jobs/{job_id}").status_code == 200
    assert "job" not in call("GET", f"/executions/{first}").json
    for unknown in ("0" * 31 + "9", "f" * 32, first.upper(), "x"):
        answer = call("GET", f"/executions/{unknown}")
        assert (answer.status_code, answer.json) == (400, {"error": f"Execution not found: {unknown}"})
    assert call("DELETE", f"/executions/{first}").status_code == 501
    logs = call("GET", "/logs", user="root").json["logs"]
    assert [line["description"] for line in logs if line["event"] == "custom_run"] == [first]


def test_a_class_that_is_not_there_fails_until_it_is(call: Call, live: Settings, live_platform: Platform):
    job_id = added(call, job_class_string="jobs.later.Later", pub_args=["a", "b"])
    shown = call("GET", f"/jobs/{job_id}").json
    assert (shown["job_class_string"], shown["pub_args"]) == ("jobs.later.Later", ["a", "b"])
    by_hand = call("POST", f"/executions/{job_id}").json["execution_id"]
    with live_platform.session() as db:
        row = db.get_one(Schedule, UUID(job_id))
        slot = now() - timedelta(seconds=5)
        row.start_at, row.last_slot_at = slot - timedelta(hours=2), slot - timedelta(hours=1)
        row.wakes_at = row.next_slot_at = slot
        db.commit()
    fire_due(live_platform, live)
    lines = call("GET", "/executions").json["executions"]
    assert {line["state"] for line in lines} == {"scheduled error"}
    assert len(lines) == 2
    assert {line["result"] for line in lines} == {"There is no job jobs.later.Later."}
    assert call("GET", f"/executions/{by_hand}").json["job"]["job_id"] == job_id
    assert call("PUT", f"/jobs/{job_id}", {"pub_args": ["c", "d"], "hour": "3"}).status_code == 200
    make_job(live_platform, "later", "Later")
    with live_platform.session() as db:
        assert adopt(db) == 1
        assert adopt(db) == 0
        db.commit()
        row = db.get_one(Schedule, UUID(job_id))
        assert (row.class_path, row.data) == ("local/later/Later", {"host": "c", "command": "d"})
        assert db.scalars(select(MissedSlots)).all()
    assert call("POST", f"/executions/{job_id}").status_code == 200
    # And back again.
    assert call("PUT", f"/jobs/{job_id}", {"job_class_string": "gone.Gone"}).status_code == 200
    assert call("GET", f"/jobs/{job_id}").json["job_class_string"] == "gone.Gone"


def test_files(call: Call, live: Settings):
    def upload(content: bytes, name: str, kind: str = "text/plain", user: str = "root") -> TestResponse:
        return call("POST", "/files", user=user, **multipart(file=(io.BytesIO(content), name, kind)))

    assert upload(b"# Words\na\n\nb\n", "w.lst").status_code == 201
    for answer, said in (
        (upload(b"a", "w.lst"), "File exists"),
        (upload(b"a", "w.exe"), "ends with"),
        (upload(b"a", "v.lst", "application/json"), "text/plain"),
        (upload(b"\x00", "v.lst"), "not printable"),
        (call("POST", "/files", user="root"), "multipart"),
    ):
        assert answer.status_code == 400, answer.text
        assert said in answer.json["error"]
    assert upload(b"a", "v.lst", user="alice").status_code == 403
    # What stands before the last slash is no part of a name.
    assert upload(b"a", "../../up.lst").json == {"filename": "up.lst"}
    up, words = call("GET", "/files").json["files"]
    assert words.pop("created_time").endswith("+00:00")
    assert words == {"filename": "w.lst", "user": "root", "entries": 2, "description": "Words"}
    assert up["filename"] == "up.lst"
    assert [call("OPTIONS", f"/files/{name}").status_code for name in ("w.lst", "x.lst", "%00.lst")] == [
        200,
        404,
        404,
    ]
    assert call("DELETE", "/files/w.lst").status_code == 403
    assert call("DELETE", "/files/w.lst", user="root").json == {"filename": "w.lst"}
    events = [(line["event"], line["job_name"]) for line in call("GET", "/logs", user="root").json["logs"]]
    assert events == [("file deleted", "w.lst"), ("file added", "up.lst"), ("file added", "w.lst")]


def test_options_of_the_original_are_settings(tmp_path: Any):
    def read(**environ: str) -> Any:
        return load_settings(
            tmp_path, {f"ERRAND_NDSCHEDULER_{name}": said for name, said in environ.items()}
        ).ndscheduler

    assert (read().missed, read().overlap, read().time_zone) == ("once", "allow", "UTC")
    assert read(COALESCE="0").missed == "all"
    assert read(MISFIRE="0").missed == "skip"
    assert read(MAX_INSTANCES="1").overlap == "skip"
    assert read(TIMEZONE="Europe/Zurich").time_zone == "Europe/Zurich"
    for name, wrong in (
        ("COALESCE", "maybe"),
        ("MISFIRE", "-1"),
        ("MAX_INSTANCES", "0"),
        ("TIMEZONE", "Mars/X"),
    ):
        with pytest.raises(SettingsError, match=name):
            read(**{name: wrong})
