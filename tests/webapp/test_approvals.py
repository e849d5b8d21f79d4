"""The page of approvals: who asks for what, and the decision."""

import re

import pytest
from sqlalchemy import select

from store.models import Approval, JobRecord, JobResult, Permission, now

from .conftest import described, text

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def asked(alice, db, cast, make_job):
    """A run that alice has asked for, and bob may approve."""
    job = make_job(approval_required=True, variables=[described("StringVar", "name", required=False)])
    with db.begin():
        db.add(Permission(name="Approve", kind="job", actions=["approve"], users=[cast["bob"]]))
    answer = alice.post("/jobs/local/greetings/Greet/", {"v-name": HOSTILE})
    assert answer.status_code == 303
    with db.begin():
        result = db.scalars(select(JobResult)).one()
        assert (result.job_id, result.status) == (job.id, "awaiting_approval")
    return result


def status(db, result) -> str:
    with db.begin():
        return db.scalar(select(JobResult.status).where(JobResult.id == result.id))


def test_a_request_is_shown_to_who_decides_and_to_who_asked(asked, alice, browser):
    page = text(browser("bob").get("/approvals/"))
    assert HOSTILE not in page
    assert "&lt;script&gt;" in page
    assert 'value="approve"' in page
    assert "1 waiting" in page
    own = text(alice.get("/approvals/"))
    assert 'value="approve"' not in own
    assert "somebody else has to decide" in own
    other = text(browser("carol").get("/approvals/"))
    assert 'value="approve"' not in other
    assert "You may not approve runs of this job." in other


def test_a_page_counts_what_waits_for_its_reader(asked, alice, browser, db, cast):
    def waiting(name: str) -> str:
        page = text(browser(name).get("/approvals/"))
        told, beside = (re.search(rf"(\d+) waiting{end}", page) for end in (" for you", '"'))
        assert (told and told[1]) == (beside and beside[1])
        return told[1] if told else ""

    assert [waiting(name) for name in ("alice", "bob", "carol", "root")] == ["", "1", "", "1"]
    # What he asked for himself waits for others.
    assert browser("bob").post("/jobs/local/greetings/Greet/", {"v-name": "Bob's"}).status_code == 303
    assert [waiting(name) for name in ("bob", "root")] == ["1", "2"]
    daily = {"_when": "cron", "_schedule_name": "Each day", "_schedule_interval": "daily"}
    start = {"_schedule_start_time": "2040-01-01T10:00", "_schedule_zone": "UTC"}
    assert alice.post("/jobs/local/greetings/Greet/", {"v-name": "A", **daily, **start}).status_code == 303
    assert [waiting(name) for name in ("alice", "bob", "root")] == ["", "2", "3"]
    # A permission may be for some inputs only.
    with db.begin():
        db.scalars(select(Permission).where(Permission.name == "Approve")).one().constraints = [
            {"data.name": "A"}
        ]
    assert waiting("bob") == "1"


def test_what_others_asked_for_comes_first(asked, alice, browser, db):
    bob = browser("bob")
    assert bob.post("/jobs/local/greetings/Greet/", {"v-name": "Bob's"}).status_code == 303

    def names(reader) -> list[str]:
        return re.findall(r"<strong>(\w+)</strong> asked", text(reader.get("/approvals/")))

    assert names(alice) == ["bob", "You"]
    assert names(bob) == ["alice", "You"]


def test_the_form_says_that_it_asks_for_one(asked, alice, db):
    page = text(alice.get("/jobs/local/greetings/Greet/"))
    assert "Ask for approval</button>" in page
    assert "Run job" not in page
    assert "1<span> waiting for approval</span>" in text(alice.get("/results/"))


def test_it_is_approved(asked, browser, db):
    bob = browser("bob")
    answer = bob.post(f"/approvals/{asked.id}", {"decision": "approve", "comment": "Fine."})
    assert answer.headers["Location"] == "/approvals/"
    assert status(db, asked) == "pending"
    assert "Nothing waits for a decision" in text(bob.get("/approvals/"))
    decided = text(bob.get("/approvals/?view=decided"))
    assert re.search(r"Approved by bob .*?: Fine\.", decided, re.DOTALL)
    late = bob.post(f"/approvals/{asked.id}", {"decision": "deny", "comment": "No."})
    assert (late.status_code, "decided on this already" in text(late)) == (409, True)


def test_a_denial_without_a_reason_is_refused_where_it_was_typed(asked, browser, db):
    bob = browser("bob")
    headers = {"HX-Request": "true"}
    refused = bob.post(f"/approvals/{asked.id}", {"decision": "deny", "comment": " "}, headers=headers)
    assert refused.status_code == 422
    assert "Say why: whoever asked for it will read that." in text(refused)
    assert "<html" not in text(refused)
    assert status(db, asked) == "awaiting_approval"
    denied = bob.post(f"/approvals/{asked.id}", {"decision": "deny", "comment": HOSTILE}, headers=headers)
    assert (denied.status_code, HOSTILE in text(denied)) == (200, False)
    assert status(db, asked) == "denied"
    page = text(bob.get(f"/results/{asked.id}"))
    assert "Denied by bob: &lt;script&gt;" in page
    assert HOSTILE not in page


def test_it_is_for_those_who_may(asked, alice, browser, db):
    for who in (alice, browser("carol")):
        assert who.post(f"/approvals/{asked.id}", {"decision": "approve"}).status_code == 403
    assert status(db, asked) == "awaiting_approval"
    assert alice.post("/approvals/00000000-0000-4000-8000-000000000000", {}).status_code == 404


def test_who_asked_may_take_it_back(asked, alice, browser, db):
    assert alice.post(f"/results/{asked.id}/cancel").status_code == 303
    assert status(db, asked) == "canceled"
    late = browser("bob").post(f"/approvals/{asked.id}", {"decision": "approve"})
    assert late.status_code == 409
    assert "Canceled" in text(alice.get("/approvals/?view=mine"))


@pytest.fixture
def planned(asked, db, make_job):
    """The run that made the plan of what alice has asked for."""
    with db.begin():
        job = db.get_one(JobRecord, asked.job_id)
        job.has_plan = True
        facts = {"class_path": job.class_path, "name": job.name, "username": "alice", "time_limit": 60.0}
        plan = JobResult(
            job_id=job.id, origin="plan", status="completed", plan=[HOSTILE, "add vlan 10"], **facts
        )
        db.add(plan)
        db.flush()
        db.scalars(select(Approval)).one().planned_by = plan.id
        return plan.id


def test_a_plan_is_read_before_it_is_approved(planned, asked, browser, db):
    bob, url = browser("bob"), f"/approvals/{asked.id}"
    page = text(bob.get(url))
    assert "2 changes, made" in page
    assert f'name="plan" value="{planned}"' in page
    assert HOSTILE not in page
    sent = {"decision": "approve", "comment": "Fine.", "drift": "1"}
    for wrong, sentence in (
        ({}, "Say which plan you approve."),
        ({"plan": "that one"}, "There is no such plan."),
        ({"plan": str(planned), "drift": "-1"}, "Say how many changes may be others"),
        ({"plan": str(asked.id)}, "Another plan was made meanwhile."),
    ):
        refused = bob.post(url, {**sent, **wrong})
        assert (refused.status_code, sentence in text(refused)) == (422, True), wrong
        assert 'value="Fine."' in text(refused)
    assert '<option value="1" selected>' in text(bob.post(url, sent))
    assert status(db, asked) == "awaiting_approval"
    assert bob.post(url, {**sent, "plan": str(planned)}).status_code == 303
    assert status(db, asked) == "pending"
    decided = text(bob.get("/approvals/?view=decided"))
    assert "up to 1 other change" in decided


def test_both_plans_are_shown_where_they_differ(planned, asked, browser, db):
    bob = browser("bob")
    bob.post(f"/approvals/{asked.id}", {"decision": "approve", "plan": str(planned)})
    with db.begin():
        run = db.get_one(JobResult, asked.id)
        run.plan, run.status, run.finished_at = ["add vlan 10", "remove vlan 7"], "errored", now()
    page = text(bob.get(f"/results/{asked.id}"))
    assert "Approved by bob" in page
    assert "<mark>+ remove vlan 7</mark>" in page
    assert "<mark>− &lt;script&gt;alert(1)&lt;/script&gt;</mark>" in page
    assert "  add vlan 10" in page
    assert text(bob.get(f"/results/{asked.id}/plan.txt")) == "add vlan 10\nremove vlan 7\n"


def test_a_plan_that_is_awaited_comes_by_itself_and_can_be_made_again(planned, asked, browser, db):
    bob, url = browser("bob"), f"/approvals/{asked.id}"
    again = bob.post(url, {"decision": "plan"})
    assert again.headers["Location"] == url
    page = text(bob.get(url))
    assert 'hx-trigger="every 2s"' in page
    assert "It is being made" in page
    with db.begin():
        newest = db.scalars(select(Approval).where(Approval.result_id == asked.id)).one().planned_by
        assert newest != planned
        run = db.get_one(JobResult, newest)
        assert (run.origin, run.commit, run.username) == ("plan", False, "alice")
        run.status, run.cause, run.finished_at = "errored", "plan() raised OSError: no route.", now()
    page = text(bob.get(url))
    assert "plan() raised OSError: no route." in page
    assert 'hx-trigger="every 2s"' not in page
