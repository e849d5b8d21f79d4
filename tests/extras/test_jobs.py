"""The list of jobs, as records and as classes, and what an admin changes of them."""

from typing import Any

import pytest
from sqlalchemy import select

from store.models import AuditRecord, JobRecord
from tests.worker.conftest import on_sqlite

from .conftest import Call, Portal

pytestmark = pytest.mark.in_turn


def names(answer: Any) -> list[str]:
    return [job["job_class_name"] for job in answer.json()["results"]]


@on_sqlite
def test_a_list_comes_in_parts_that_follow_each_other(portal: Portal, call: Call):
    first = call("GET", "/jobs/?limit=3").json()
    assert set(first) == {"count", "next", "previous", "results"}
    assert (len(first["results"]), first["previous"]) == (3, None)
    second = call("GET", first["next"]).json()
    assert second["previous"].startswith(f"{portal.url}/api/extras/jobs/?")
    assert call("GET", second["previous"]).json()["results"] == first["results"]
    everything = call("GET", "/jobs/?limit=0").json()
    assert len(everything["results"]) == everything["count"] == first["count"]
    assert everything["results"][3:6] == second["results"]
    assert call("GET", f"/jobs/?limit=5&offset={first['count'] - 1}").json()["next"] is None
    assert len(call("GET", "/jobs/?limit=x&offset=-1").json()["results"]) == 50


def test_a_job_has_its_fields_and_is_found_by_them(portal: Portal, call: Call, root: Call):
    record = portal.change("Chatty", hidden=True, queues=["slow", "fast"])
    job = call("GET", f"/jobs/{record.id}/").json()
    assert {name: job[name] for name in ("id", "source", "module_name", "job_class_name", "slug")} == {
        "id": str(record.id),
        "source": "local",
        "module_name": "endings",
        "job_class_name": "Chatty",
        "slug": "local-endings-chatty",
    }
    assert job["url"] == f"{portal.url}/api/extras/jobs/{record.id}/"
    assert (job["task_queues"], job["task_queues_override"]) == (["slow", "fast"], False)
    for asked in ("name=Chatty", "slug=local-endings-chatty", f"id={record.id}", "hidden=True&q=chatty"):
        assert names(call("GET", f"/jobs/?{asked}")) == ["Chatty"], asked
    path = "class_path=local/endings/Chatty&class_path=local/endings/Passes"
    assert names(call("GET", f"/jobs/?{path}&enabled=true&installed=true")) == ["Chatty", "Passes"]
    assert names(call("GET", "/jobs/?q=chatt&exclude_m2m=true&name=")) == ["Chatty"]
    receivers = call("GET", "/jobs/?is_job_hook_receiver=true&is_job_button_receiver=0").json()["results"]
    assert receivers
    assert all(job["is_job_hook_receiver"] for job in receivers)
    [brief] = call("GET", "/jobs/?name=Chatty&brief=true").json()["results"]
    assert set(brief) < set(job)
    assert "enabled" not in brief
    refused = call("GET", "/jobs/?nmae=x&id=y&enabled=maybe")
    assert refused.status_code == 400
    assert refused.json()["nmae"] == ["Unknown filter field"]
    assert set(refused.json()) == {"nmae", "id", "enabled"}


@on_sqlite
def test_up_to_1_2_jobs_are_classes(portal: Portal, call: Call):
    listed = call("GET", "/jobs/", accept="application/json; version=1.2; indent=4")
    assert listed.headers["API-Version"] == "1.2"
    assert listed.text.startswith("[\n    {\n        ")
    [chatty] = [job for job in listed.json() if job["id"] == "local/endings/Chatty"]
    assert chatty["vars"] == {"lines": "IntegerVar"}
    assert chatty["result"] is None
    assert call("GET", "/jobs/local/endings/Chatty/").json() == chatty
    for unknown in ("/jobs/local/endings/Nothing/", "/jobs/nothing/", "/jobs/local/endings/%00/"):
        answer = call("GET", unknown)
        assert (answer.status_code, answer.json()) == (404, {"detail": "Not found."})
    assert call("POST", "/jobs/", json={}).status_code == 405


@on_sqlite
def test_what_accept_says_is_never_a_reason_to_refuse(call: Call):
    for accept, version in (
        ("application/json", "1.5"),
        ("application/json; version=9.9; indent=99", "9.9"),
        ("application/json; version=", "1.5"),
        ("text/html; version=1.x", "1.5"),
        ("*/*", "1.5"),
    ):
        answer = call("GET", "/jobs/?limit=1", accept=accept)
        assert (answer.status_code, answer.headers["API-Version"]) == (200, version), accept
        assert answer.headers["Content-Type"] == "application/json"


@on_sqlite
def test_variables_are_described(portal: Portal, call: Call):
    described = call("GET", f"/jobs/{portal.jobs['Chatty'].id}/variables/").json()
    assert described == [
        {"name": "lines", "type": "IntegerVar", "label": "Lines", "default": 250, "required": True}
    ]
    [choice] = call("GET", f"/jobs/{portal.jobs['ReturnsWhatNoDatabaseTakes'].id}/variables/").json()
    assert choice["choices"][0] == ["nul", "nul"]
    by_name = {each["name"]: each for each in call("GET", "/jobs/Open a shop/variables/").json()}
    assert by_name["model"]["model"] == "inventory.devicetype"
    assert by_name["shop"]["min_length"] == 3


def record_of(portal: Portal, name: str) -> JobRecord:
    with portal.platform.reading() as db:
        return db.get_one(JobRecord, portal.jobs[name].id)


@on_sqlite
def test_a_job_is_disabled_and_overridden(portal: Portal, root: Call, call: Call):
    address = f"/jobs/{portal.jobs['Chatty'].id}/"
    said = {
        "enabled": False,
        "name": "Talks",
        "name_override": True,
        "description": "Without its flag this does not count.",
        "task_queues": ["slow"],
        "task_queues_override": True,
        "unknown": "let be",
    }
    changed = root("PATCH", address, json=said)
    assert changed.status_code == 200, changed.text
    assert (changed.json()["name"], changed.json()["enabled"]) == ("Talks", False)
    record = record_of(portal, "Chatty")
    assert record.overrides == {"name": "Talks", "queues": ["slow"]}
    assert root("PATCH", address, json={"name_override": False}).json()["name"] == "Chatty"
    assert root("PATCH", address, json={"task_queues": ["fast"]}).json()["task_queues"] == ["fast"]
    for wrong, field in (
        ({"enabled": "perhaps"}, "enabled"),
        ({"task_queues": 7}, "task_queues"),
        ({"time_limit": "long", "time_limit_override": True}, "time_limit"),
        ([], "non_field_errors"),
    ):
        answer = root("PATCH", address, json=wrong)
        assert (answer.status_code, list(answer.json())) == (400, [field])
    assert call("PATCH", address, json={"enabled": True}).status_code == 404, "alice sees enabled ones only"
    with portal.platform.reading() as db:
        acts = db.scalars(select(AuditRecord.action).where(AuditRecord.subject == record.class_path)).all()
    assert acts == ["job.disable", "job.settings", "job.settings", "job.settings"]


@on_sqlite
def test_many_are_changed_or_none(portal: Portal, root: Call):
    ids = [str(portal.jobs[name].id) for name in ("Chatty", "Passes")]
    bad = [{"id": ids[0], "hidden": True, "hidden_override": True}, {"id": ids[1], "enabled": "perhaps"}]
    assert root("PATCH", "/jobs/", json=bad).status_code == 400
    assert not record_of(portal, "Chatty").hidden
    done = root("PATCH", "/jobs/", json=[{"id": key, "enabled": False} for key in ids])
    assert [job["enabled"] for job in done.json()] == [False, False]
    assert not record_of(portal, "Passes").enabled


@on_sqlite
def test_the_record_of_a_class_that_is_gone_is_removed(portal: Portal, root: Call):
    ids = [str(portal.jobs[name].id) for name in ("Chatty", "Passes", "Raises")]
    portal.change("Chatty", installed=False)
    refused = root("DELETE", "/jobs/", json=[{"id": key} for key in ids])
    assert refused.status_code == 409
    assert "Disable it instead" in refused.json()["detail"]
    assert root("DELETE", f"/jobs/{ids[0]}/").status_code == 204
    assert root("GET", f"/jobs/{ids[0]}/").status_code == 404
    for name in ("Passes", "Raises"):
        portal.change(name, installed=False)
    assert root("DELETE", "/jobs/", json=[{"id": key} for key in ids[1:]]).status_code == 204
    assert root("DELETE", "/jobs/", json=[{"name": "x"}]).status_code == 400


@on_sqlite
def test_it_says_where_what_is(portal: Portal, call: Call):
    api = f"{portal.url}/api"
    assert call("GET", f"{api}/").json() == {"extras": f"{api}/extras/", "status": f"{api}/status/"}
    lists = call("GET", "/").json()
    assert set(lists) == {"jobs", "job-results", "job-logs", "scheduled-jobs"}
    assert all(call("GET", url).status_code == 200 for url in lists.values())
    assert call("GET", f"{api}/extras/nothing/").status_code == 404
    answer = call("GET", "/jobs/", headers={"Authorization": "Token wrong"})
    assert (answer.status_code, list(answer.json())) == (401, ["detail"])
    assert "Set-Cookie" not in answer.headers
