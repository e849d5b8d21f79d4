"""What clients know as scheduled jobs: our schedules, and runs that somebody has to approve."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from store.models import Permission, Schedule, User

from .conftest import Call, Portal

pytestmark = pytest.mark.in_turn


DAILY = {"name": "Each day", "interval": "daily"}


@pytest.fixture(autouse=True)
def approver(portal: Portal) -> None:
    """A job whose runs need an approval, which bob may give; a worker is there."""
    portal.listen()
    portal.change("Chatty", approval_required=True)
    with portal.platform.session() as db:
        bob = db.get_one(User, portal.cast["bob"].id)
        db.add(Permission(name="Approve", kind="job", actions=["approve"], users=[bob]))
        db.commit()


def ask(portal: Portal, call: Call, job: str = "Chatty", **schedule: str) -> dict[str, Any]:
    body: dict[str, Any] = {"data": {"lines": 1} if job == "Chatty" else {}}
    if schedule:
        start = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
        body["schedule"] = {"start_time": start, **schedule}
    answer = call("POST", f"/jobs/{portal.jobs[job].id}/run/", json=body)
    assert answer.status_code == 201, answer.text
    assert answer.json()["job_result"] is None
    told: dict[str, Any] = answer.json()["schedule"]
    return told


def listed(call: Call, query: str = "") -> list[str]:
    answer = call("GET", f"/scheduled-jobs/{query}").json()
    assert answer["count"] == len(answer["results"])
    return [row["id"] for row in answer["results"]]


def test_a_run_that_needs_it_is_approved_by_somebody_else(portal: Portal, call: Call, bob: Call):
    asked = ask(portal, call)
    address = f"/scheduled-jobs/{asked['id']}/"
    assert asked["url"] == f"{portal.url}/api/extras{address}"
    assert asked["interval"] == {"value": "immediately", "label": "Once immediately"}
    assert (asked["approval_required"], asked["approved_by_user"], asked["approved_at"]) == (True, None, None)
    assert (asked["one_off"], asked["enabled"], asked["job_class"]) == (True, True, "local/endings/Chatty")
    assert asked["kwargs"]["data"] == {"lines": 1}
    assert listed(call) == [asked["id"]]
    assert call("GET", f"/job-results/{asked['id']}/").status_code == 404
    own = call("POST", f"{address}approve/")
    assert (own.status_code, list(own.json())) == (403, ["detail"])
    approved = bob("POST", f"{address}approve/")
    assert approved.status_code == 200, approved.text
    assert approved.json()["approved_by_user"]["username"] == "bob"
    assert approved.json()["approved_at"] is not None
    result = call("GET", f"/job-results/?schedule={asked['id']}").json()["results"]
    assert [row["schedule"]["id"] for row in result] == [asked["id"]]
    assert result[0]["status"]["value"] == "pending"
    again = bob("POST", f"{address}approve/")
    assert (again.status_code, list(again.json())) == (409, ["detail"])
    assert listed(bob) == [asked["id"]]


def test_who_approves_may_not_have_asked(portal: Portal, bob: Call, call: Call):
    asked = ask(portal, bob)
    refused = bob("POST", f"/scheduled-jobs/{asked['id']}/approve/")
    assert (refused.status_code, refused.json()) == (
        403,
        {"detail": "You cannot approve your own job request!"},
    )


def test_what_is_denied_is_gone(portal: Portal, call: Call, bob: Call):
    run, schedule = ask(portal, call), ask(portal, call, **DAILY)
    plain = ask(portal, call, "Passes", **DAILY)
    assert listed(call) == [plain["id"], schedule["id"], run["id"]]
    assert listed(call, "?limit=9&name=Each+day&enabled=true&user=alice") == [plain["id"], schedule["id"]]
    assert listed(call, f"?job_model={portal.jobs['Chatty'].id}&id={run['id']}") == [run["id"]]
    assert listed(call, "?brief=true")[0] == plain["id"]
    assert call("GET", "/scheduled-jobs/?nmae=x").json() == {"nmae": ["Unknown filter field"]}
    second = call("GET", "/scheduled-jobs/?limit=1&offset=1").json()
    assert (second["count"], second["results"][0]["id"]) == (3, schedule["id"])
    for each in (run, schedule):
        assert call("POST", f"/scheduled-jobs/{each['id']}/deny/").status_code == 403
        denied = bob("POST", f"/scheduled-jobs/{each['id']}/deny/")
        assert (denied.status_code, denied.json()) == (200, None)
        assert call("GET", f"/scheduled-jobs/{each['id']}/").status_code == 404
    assert listed(call) == [plain["id"]]
    assert call("GET", "/job-results/").json()["count"] == 0
    nothing = bob("POST", f"/scheduled-jobs/{plain['id']}/approve/")
    assert nothing.status_code == 409, "nobody asked"


def test_a_request_is_tried_and_waits_on(portal: Portal, call: Call, bob: Call):
    for asked in (ask(portal, call), ask(portal, call, **DAILY)):
        tried = bob("POST", f"/scheduled-jobs/{asked['id']}/dry-run/")
        assert tried.status_code == 200, tried.text
        assert tried.json()["job_kwargs"]["commit"] is False
        assert tried.json()["user"]["username"] == "bob"
        told = bob("GET", f"/job-results/{tried.json()['id']}/").json()
        assert told["schedule"] is None
        assert call("POST", f"/scheduled-jobs/{asked['id']}/dry-run/").status_code == 403
        assert bob("POST", f"/scheduled-jobs/{asked['id']}/approve/").status_code == 200
        over = bob("POST", f"/scheduled-jobs/{asked['id']}/dry-run/")
        assert (over.status_code, list(over.json())) == (409, ["detail"])
    assert len(listed(call)) == 2


def test_what_was_to_run_once_and_before_is_approved_by_force(portal: Portal, call: Call, bob: Call):
    asked = ask(portal, call, name="Later", interval="future")
    with portal.platform.session() as db:
        db.execute(update(Schedule).values(start_at=datetime.now(UTC) - timedelta(hours=1)))
        db.commit()
    address = f"/scheduled-jobs/{asked['id']}/approve/"
    late = bob("POST", address)
    assert late.status_code == 400
    assert late.json()["detail"].startswith("The job's start time is in the past.")
    assert bob("POST", f"{address}?force=true").status_code == 200
