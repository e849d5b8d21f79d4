"""Results and entries, as either generation of clients reads them; and removing them."""

import io
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from store.files import FileGone, file_store
from store.models import AuditRecord, JobResult, LogEntry, RunFile, now
from tests.worker.conftest import on_sqlite
from worker import removal

from .conftest import Call, Portal

pytestmark = pytest.mark.in_turn


LATER = "application/json; version=2.4"


@pytest.fixture
def make_result(portal: Portal) -> Callable[..., str]:
    def make(status: str = "completed", entries: int = 0, **values: Any) -> str:
        job = portal.jobs["Chatty"]
        ended = {} if status in ("running", "pending", "awaiting_approval") else {"finished_at": now()}
        facts = {
            "job_id": job.id,
            "class_path": job.class_path,
            "name": job.name,
            "user_id": portal.cast["alice"].id,
            "username": "alice",
            "time_limit": 600.0,
            "data": {"lines": 1},
            "told": True,
        }
        with portal.platform.session() as db:
            result = JobResult(**{**facts, "status": status, **ended, **values}, last_seq=entries)
            db.add(result)
            db.flush()
            for seq in range(1, entries + 1):
                said = {"level": ("info", "error")[seq % 2], "grouping": "run", "message": f"m{seq}"}
                db.add(LogEntry(result_id=result.id, seq=seq, attempt=1, created_at=now(), html="", **said))
            result.count_info, result.count_error = entries // 2, entries - entries // 2
            db.commit()
            return str(result.id)

    return make


def test_a_result_has_its_fields(portal: Portal, call: Call, make_result: Callable[..., str]):
    key = make_result("failed", 3, output="\nSaid this", return_value=[1], results={"run": {"x": 1}})
    told = call("GET", f"/job-results/{key}/").json()
    fields = ("url", "created", "completed", "name", "job_model", "obj_type", "status", "user", "data")
    assert {*fields, "job_id", "job_kwargs", "schedule"} <= set(told)
    assert told["name"] == "local/endings/Chatty"
    assert told["job_model"]["id"] == str(portal.jobs["Chatty"].id)
    assert told["user"]["username"] == "alice"
    assert told["job_kwargs"]["data"] == {"lines": 1}
    total = {"success": 0, "info": 1, "warning": 0, "failure": 2}
    assert (told["data"]["output"], told["data"]["run"], told["data"]["total"]) == (
        "\nSaid this",
        {"x": 1},
        total,
    )
    assert told["schedule"] is None
    assert "task_kwargs" not in told
    later = call("GET", f"/job-results/{key}/", accept=LATER).json()
    assert (later["name"], later["result"], later["task_kwargs"]) == ("Chatty", [1], {"lines": 1})
    running = call("GET", f"/job-results/{make_result('running')}/").json()
    assert (running["data"], running["completed"]) == (None, None)


STATES = [
    ("pending", "pending", "PENDING"),
    ("running", "running", "STARTED"),
    ("completed", "completed", "SUCCESS"),
    ("failed", "failed", "FAILURE"),
    ("errored", "errored", "FAILURE"),
    ("canceled", "errored", "REVOKED"),
]


@on_sqlite
def test_states_are_called_as_the_client_knows_them(call: Call, make_result: Callable[..., str]):
    keys = {ours: make_result(ours) for ours, *_ in STATES}
    for ours, first, later in STATES:
        for accept, value, label in (
            ("application/json; version=1.3", first, first.capitalize()),
            ("application/json", first, first.capitalize()),
            (LATER, later, later),
        ):
            told = call("GET", f"/job-results/{keys[ours]}/", accept=accept).json()
            assert told["status"] == {"value": value, "label": label}
            listed = call("GET", f"/job-results/?status={value}", accept=accept).json()["results"]
            assert {row["status"]["value"] for row in listed} == {value}
            assert keys[ours] in {row["id"] for row in listed}
    assert call("GET", "/job-results/?status=completed&status=PENDING").json()["count"] == 2


def test_results_are_listed_the_latest_first(portal: Portal, call: Call, make_result: Callable[..., str]):
    keys = [make_result() for _ in range(3)]
    mine = make_result(username="bob", user_id=portal.cast["bob"].id)
    make_result("awaiting_approval"), make_result("denied")
    listed = call("GET", "/job-results/?limit=2").json()
    assert (listed["count"], [row["id"] for row in listed["results"]]) == (4, [mine, keys[2]])
    for asked in (
        "user=bob",
        f"id={mine}",
        f"user={portal.cast['bob'].id}",
        f"user=bob&job_model={portal.jobs['Chatty'].id}&name=local/endings/Chatty&status=completed",
    ):
        found = call("GET", f"/job-results/?{asked}").json()["results"]
        assert [row["id"] for row in found] == [mine], asked
    assert call("GET", "/job-results/?job=Chatty&q=chat").json()["count"] == 4
    assert set(call("GET", "/job-results/?brief=1").json()["results"][0]) < {*listed["results"][0]}
    for wrong in ("status=lost", "id=x", "sttaus=completed"):
        refused = call("GET", f"/job-results/?{wrong}")
        assert (refused.status_code, list(refused.json())) == (400, [wrong.partition("=")[0]])


def test_entries_are_read_in_one_list_or_in_parts(
    call: Call, make_result: Callable[..., str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("webapp.extras.results.PIECE", 2)
    key, other = make_result(entries=5), make_result(entries=2)
    logs = call("GET", f"/job-results/{key}/logs/", accept="application/json; indent=4")
    assert logs.headers["Content-Type"] == "application/json"
    assert [entry["message"] for entry in logs.json()] == ["m1", "m2", "m3", "m4", "m5"]
    fields = {"id", "url", "absolute_url", "created", "grouping", "log_level", "log_object", "message"}
    assert fields <= set(logs.json()[0])
    assert [entry["log_level"] for entry in logs.json()[:2]] == ["failure", "info"]
    assert call("GET", f"/job-results/{make_result()}/logs/").json() == []
    part = call("GET", f"/job-logs/?job_result={key}&limit=2").json()
    assert (part["count"], [entry["message"] for entry in part["results"]]) == (5, ["m1", "m2"])
    assert len(call("GET", part["next"]).json()["results"]) == 2
    assert call("GET", part["results"][0]["url"]).json() == part["results"][0]
    errors = call("GET", f"/job-logs/?job_result={other}&log_level=error&log_level=", accept=LATER).json()
    assert (errors["count"], [entry["log_level"] for entry in errors["results"]]) == (1, ["error"])
    assert call("GET", "/job-logs/?log_level=failure").json()["count"] == 4
    assert call("GET", "/job-logs/?log_level=loud").json()["count"] == 0
    for unknown in ("999", "x", "9" * 30):
        assert call("GET", f"/job-logs/{unknown}/").status_code == 404


def test_a_result_is_removed_with_all_that_belongs_to_it(
    portal: Portal, root: Call, call: Call, make_result: Callable[..., str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(removal, "PIECE", 2)
    key, kept, going_on = make_result(entries=5), make_result(entries=1), make_result("running")
    files = file_store(portal.settings, portal.platform.engine)
    content = files.put(io.BytesIO(b"x"))
    with portal.platform.session() as db:
        db.add(RunFile(key=content, result_id=UUID(key), name="a.txt", size_bytes=1))
        db.commit()
    assert call("DELETE", f"/job-results/{key}/").status_code == 403, "alice may only see it"
    assert root("DELETE", f"/job-results/{key}/").status_code == 204
    assert root("DELETE", f"/job-results/{key}/").status_code == 404
    with portal.platform.session() as db:
        assert db.scalars(select(LogEntry.message)).all() == ["m1"]
        assert db.scalars(select(RunFile)).all() == []
        [note] = db.scalars(select(AuditRecord).where(AuditRecord.action == "result.delete")).all()
    assert (note.subject, note.actor, note.before) == (
        key,
        "root",
        {"job": "local/endings/Chatty", "user": "alice", "status": "completed"},
    )
    with pytest.raises(FileGone):
        files.size(content)
    refused = root("DELETE", "/job-results/", json=[{"id": kept}, {"id": going_on}])
    assert (refused.status_code, list(refused.json())) == (409, ["detail"])
    assert root("GET", f"/job-results/{kept}/").status_code == 200, "all, or none"
    assert root("DELETE", "/job-results/", json=[{"id": kept}]).status_code == 204
    assert [str(row.id) for row in portal.results()] == [going_on]
