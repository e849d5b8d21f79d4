"""Asking for runs: of 1.1 and later, as JSON and flat, and in which order what is wrong is told."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from store.models import Schedule
from tests.worker.conftest import on_sqlite

from .conftest import Call, Portal

pytestmark = on_sqlite


def run_of(portal: Portal, name: str) -> str:
    return f"/jobs/{portal.jobs[name].id}/run/"


def schedules(portal: Portal) -> list[Schedule]:
    with portal.platform.reading() as db:
        return db.query(Schedule).all()


def in_an_hour() -> str:
    return (datetime.now(UTC) + timedelta(hours=1)).isoformat()


def test_a_run_is_asked_for_as_in_1_3(portal: Portal, call: Call):
    portal.listen("default", "fast")
    portal.change("Chatty", queues=["default", "fast"])
    body = {"data": {"lines": 7}, "commit": False, "task_queue": "fast"}
    answer = call("POST", run_of(portal, "Chatty"), json=body)
    assert answer.status_code == 201, answer.text
    assert set(answer.json()) == {"schedule", "job_result"}
    assert answer.json()["schedule"] is None
    told = answer.json()["job_result"]
    [result] = portal.results()
    assert told["id"] == str(result.id)
    assert told["url"] == f"{portal.url}/api/extras/job-results/{result.id}/"
    assert told["status"] == {"value": "pending", "label": "Pending"}
    assert (result.data, result.commit, result.queue) == ({"lines": 7}, False, "fast")
    assert result.request is not None
    assert result.request["META"]["REMOTE_ADDR"] == "127.0.0.1"

    # A body is not needed, and what it does not say is as the job has it.
    portal.change("Passes", commit_default=False)
    assert call("POST", run_of(portal, "Passes")).status_code == 201
    assert call("POST", run_of(portal, "Passes"), headers={"Content-Type": "application/json"}).ok
    assert [result.commit for result in portal.results()] == [False, False, False]
    later = call("POST", run_of(portal, "Passes"), accept="application/json; version=2.0").json()
    assert set(later) == {"scheduled_job", "job_result"}
    assert later["job_result"]["status"] == {"value": "PENDING", "label": "PENDING"}


def test_a_run_is_asked_for_as_in_1_1(portal: Portal, call: Call):
    portal.listen()
    path = "/jobs/local/endings/Chatty"
    # The old client sends what it was called with.
    body = {"class_path": "local/endings/Chatty", "data": {"lines": 2}, "commit": True}
    answer = call("POST", f"{path}/run/", json=body, accept="application/json; indent=4")
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert set(told) == {"id", "url", "name", "description", "test_methods", "vars", "result"}
    assert (told["id"], told["vars"]) == ("local/endings/Chatty", {"lines": "IntegerVar"})
    [result] = portal.results()
    assert told["result"]["id"] == str(result.id)
    assert told["result"]["status"] == {"value": "pending", "label": "Pending"}
    assert call("GET", f"{path}/").json()["result"]["id"] == str(result.id)
    listed = call("GET", "/jobs/", accept="application/json; version=1.1").json()
    assert [job["result"]["id"] for job in listed if job["result"]] == [str(result.id)]
    assert call("POST", "/jobs/local/endings/Nothing/run/").status_code == 404
    # A token works on either address, with and without the last slash.
    assert call("POST", f"{path}/run", json={"data": {"lines": 1}}).status_code == 200


def test_what_is_wrong_is_told_in_this_order(portal: Portal, call: Call, root: Call):
    """Each is mended, and then the next one is told (NB-100 to NB-102)."""
    job, all_wrong = "Chatty", {"data": {"lines": "x"}, "task_queue": "no", "schedule": {"interval": "daily"}}
    portal.change(
        job,
        enabled=False,
        installed=False,
        has_sensitive_variables=True,
        approval_required=True,
        queues=["q"],
    )
    body: dict[str, Any] = dict(all_wrong)

    def refused(by: Call = root) -> tuple[int, Any]:
        answer = by("POST", run_of(portal, job), json=body)
        return answer.status_code, answer.json()

    assert refused(call)[0] == 404, "she may not see it"
    assert refused() == (403, {"detail": "This job is not enabled to be run."})
    portal.change(job, enabled=True)
    status, told = refused()
    assert (status, list(told)) == (405, ["detail"])
    portal.change(job, installed=True)
    sensitive = "Unable to schedule job: Job may have sensitive input variables"
    assert refused() == (400, {"schedule": {"interval": [sensitive]}})
    body["schedule"] = {"interval": "immediately"}
    status, told = refused()
    assert (status, list(told)) == (400, ["errors"])
    portal.change(job, has_sensitive_variables=False, approval_required=False)
    body["schedule"] = {"interval": "daily", "start_time": in_an_hour()}
    assert refused() == (400, {"schedule": {"name": ["Please provide a name for the job schedule."]}})
    body["schedule"] = {"interval": "daily", "name": "n", "start_time": "2020-01-01T00:00:00Z"}
    early = "Please enter a valid date and time greater than or equal to the current date and time."
    assert refused() == (400, {"schedule": {"start_time": [early]}})
    body["schedule"] = {"interval": "custom", "name": "n", "crontab": "@daily"}
    status, told = refused()
    assert (status, list(told), list(told["schedule"])) == (400, ["schedule"], ["crontab"])
    for wrong, field in (
        ({}, "interval"),
        ({"interval": "yearly"}, "interval"),
        ({"interval": "daily", "name": "n"}, "start_time"),
        ({"interval": "daily", "name": "n", "start_time": "soon"}, "start_time"),
        ({"interval": "daily", "name": 7}, "name"),
        ("daily", "non_field_errors"),
    ):
        body["schedule"] = wrong
        status, told = refused()
        assert (status, list(told["schedule"])) == (400, [field])
    del body["schedule"]
    assert refused() == (400, {"task_queue": ['"no" is not a valid choice.']})
    body["task_queue"] = "q"
    body["commit"] = "perhaps"
    assert refused() == (400, {"commit": ["Must be a valid boolean."]})
    body["commit"] = "true"
    assert refused() == (400, {"errors": {"lines": ["Enter a whole number."]}})
    body["data"] = ["lines"]
    assert refused() == (400, {"errors": ["Job data needs to be a dict"]})
    body["data"] = {"lines": 1}
    nobody = "Unable to process request: No celery workers running on queue q."
    assert refused() == (503, {"detail": nobody})
    body["schedule"] = {"interval": "daily", "name": "n", "start_time": in_an_hour()}
    assert refused() == (503, {"detail": nobody})
    assert (portal.results(), schedules(portal)) == ([], [])
    portal.listen("q")
    assert refused()[0] == 201


def test_bodies_that_cannot_be_read_are_refused(portal: Portal, call: Call):
    portal.listen()
    run = run_of(portal, "Passes")
    json_type, form_type = {"Content-Type": "application/json"}, {"Content-Type": "text/plain"}
    for data, headers, status in (
        (b"{", json_type, 400),
        (b"[]", json_type, 201),
        (b"[1]", json_type, 400),
        (b"\xff", json_type, 400),
        (b"x", form_type, 415),
        (b" " * (1 << 20) + b"{}", json_type, 413),
    ):
        answer = call("POST", run, data=data, headers=headers)
        assert answer.status_code == status, data[:9]
        assert status == 201 or set(answer.json()) <= {"detail", "non_field_errors"}
    both = {"task_queue": "default", "job_queue": "other"}
    assert call("POST", run, json=both).status_code == 400
    assert len(portal.results()) == 1


ODD = (None, 7, -1, 1e99, True, "", "\x00", "\ud800", "x" * 300, [], [1], [[]], {}, {"a": 1}, {"a": {}})


def test_odd_values_are_refused_or_taken_and_break_nothing(portal: Portal, root: Call):
    portal.listen()
    fields = ("data", "commit", "task_queue", "job_queue", "schedule")
    in_schedule = ("interval", "name", "start_time", "crontab")
    schedule = {"interval": "custom", "name": "n", "crontab": "1 1 1 1 1"}
    settings = ("enabled", "name", "name_override", "task_queues", "time_limit", "hidden", "description")
    flags = {f"{name}_override": True for name in settings if name != "name_override"}
    run, job = run_of(portal, "Passes"), f"/jobs/{portal.jobs['Chatty'].id}/"
    for odd in ODD:
        asked = [("POST", run, {name: odd}) for name in fields]
        asked += [("POST", run, {"schedule": {**schedule, name: odd}}) for name in in_schedule]
        asked += [("PATCH", job, {**flags, name: odd}) for name in settings]
        asked += [(method, "/jobs/", [{"id": odd}]) for method in ("PATCH", "DELETE")]
        asked += [("DELETE", "/job-results/", [{"id": odd}]), ("DELETE", "/job-results/", odd)]
        for method, path, body in asked:
            answer = root(method, path, json=body)
            assert answer.status_code in (200, 201, 204, 400, 404, 409), (method, path, body, answer.text)
    for query in ("id=%00", "name=%ED%A0%80", "limit=9999999999999&offset=2147483647", "user=%F0", "q=%25_"):
        for path in ("jobs", "job-results", "job-logs", "scheduled-jobs"):
            answer = root("GET", f"/{path}/?{query}")
            assert answer.status_code in (200, 400), (path, query, answer.text)


def test_files_come_flat_with_quotes_or_without(portal: Portal, call: Call):
    portal.listen()
    form = {"_commit": '"true"', "_schedule_interval": '"immediately"', "note": '"3"'}
    files = {"table": ("a.csv", b"a,b\n", "text/csv")}
    answer = call("POST", run_of(portal, "ReadsAFile"), data=form, files=files)
    assert answer.status_code == 201, answer.text
    [result] = portal.results()
    assert (result.commit, result.uploads, result.data["note"]) == (True, 1, "3")
    assert result.data["table"] == {"name": "a.csv", "size": 4, "content_type": "text/csv"}
    for more, told in (
        ({"_task_queue": "no"}, {"task_queue": ['"no" is not a valid choice.']}),
        ({"_commit": "perhaps"}, {"commit": ["Must be a valid boolean."]}),
        ({"nothing": "x"}, None),
    ):
        refused = call("POST", run_of(portal, "ReadsAFile"), data={**form, **more}, files=files)
        assert refused.status_code == 400
        assert told is None or refused.json() == told
        assert told is not None or list(refused.json()["errors"]) == ["nothing"]
    wrong = call("POST", run_of(portal, "Chatty"), files={"lines": ("a", b"1")})
    assert (wrong.status_code, list(wrong.json()["errors"])) == (400, ["lines"])
    assert len(portal.results()) == 1


@pytest.mark.parametrize("flat", [False, True])
def test_a_run_is_asked_for_at_set_times(portal: Portal, call: Call, flat: bool):
    portal.listen()
    start = in_an_hour()
    asked = {"name": "Each day", "interval": "daily", "start_time": start}
    given: dict[str, Any] = {"json": {"data": {"lines": 1}, "schedule": asked}}
    if flat:
        form = {f"_schedule_{name}": (None, value) for name, value in asked.items()}
        given = {"files": {**form, "lines": (None, "1")}}
    answer = call("POST", run_of(portal, "Chatty"), **given)
    assert answer.status_code == 201, answer.text
    assert answer.json()["job_result"] is None
    told = answer.json()["schedule"]
    [schedule] = schedules(portal)
    assert (told["id"], told["name"]) == (str(schedule.id), "Each day")
    assert told["interval"] == {"value": "daily", "label": "Recurring daily"}
    assert (schedule.data, schedule.username) == ({"lines": 1}, "alice")
    assert abs(schedule.start_at - datetime.fromisoformat(start)) < timedelta(seconds=1)
    cron = {"name": "Nights", "interval": "custom", "crontab": "30 2 * * 1-5"}
    custom = call("POST", run_of(portal, "Passes"), json={"schedule": cron}).json()["schedule"]
    assert (custom["crontab"], custom["interval"]["value"]) == ("30 2 * * 1-5", "custom")
    files = call("POST", run_of(portal, "ReadsAFile"), json={"schedule": {**asked, "name": "No"}})
    assert (files.status_code, list(files.json()["schedule"])) == (400, ["interval"])
