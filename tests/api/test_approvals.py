"""`/approvals`: who asks for what, and the decision, by token."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from store.models import Approval, AuditRecord, JobResult, Permission, Schedule, now
from tests.api.conftest import described, follow
from worker.approvals import ask
from worker.plans import ANOTHER, NOT_YET, UNSEEN

RUN = {"data": {"name": "Ada"}}


@pytest.fixture
def careful(make_job):
    return make_job(
        "local/careful/Careful", approval_required=True, variables=[described("StringVar", "name")]
    )


@pytest.fixture
def call_as_bob(db, make_user, calls_of):
    bob = make_user("bob")
    db.add(Permission(name="Approve", kind="job", actions=["approve"], users=[bob]))
    db.commit()
    return calls_of(bob)


def asked(call):
    answer = call("POST", "/jobs/local/careful/Careful/run", json=RUN)
    assert answer.json["status"] == "awaiting_approval", answer.text
    return f"/approvals/runs/{answer.json['id']}"


def stored(db, model):
    with db.begin():
        db.expire_all()
        return db.scalars(select(model).order_by(model.created_at)).all()


def test_a_run_is_approved_by_somebody_else_once(call, call_as_bob, calls_of, carol, careful, db):
    db.commit()
    url = asked(call)
    shown = call_as_bob("GET", url).json
    assert {
        key: shown[key] for key in ("kind", "user", "waits", "own", "may_decide", "decision", "plan")
    } == {
        "kind": "run",
        "user": "alice",
        "waits": True,
        "own": False,
        "may_decide": True,
        "decision": None,
        "plan": None,
    }
    assert (shown["data"], shown["sealed"], shown["url"]) == (RUN["data"], {}, url.replace("/runs", ""))
    own = call("GET", url).json
    assert (own["own"], own["may_decide"]) == (True, False)
    for other in (call, calls_of(carol)):
        for verb in ("approve", "deny", "dry-run", "plan"):
            assert other("POST", f"{url}/{verb}").status_code == 403, verb
    silent = call_as_bob("POST", f"{url}/deny")
    assert silent.json["errors"] == {"comment": ["Say why: whoever asked for it will read that."]}
    tried = call_as_bob("POST", f"{url}/dry-run")
    assert (tried.status_code, tried.json["commit"]) == (201, False)
    assert call_as_bob("GET", url).json["dry_run"]["id"] == tried.json["id"]
    decided = call_as_bob("POST", f"{url}/approve", json={"comment": "Fine."}).json
    assert (decided["decision"], decided["decided_by"], decided["comment"]) == ("approved", "bob", "Fine.")
    assert (decided["waits"], decided["may_decide"], decided["drift"]) == (False, False, None)
    for verb, body in (("approve", {}), ("deny", {"comment": "No."}), ("dry-run", {}), ("plan", {})):
        late = call_as_bob("POST", f"{url}/{verb}", json=body)
        assert (late.status_code, late.json["title"]) == (409, "Conflict"), verb
    run, _ = stored(db, JobResult)
    assert run.status == "pending"
    with db.begin():
        noted = db.scalars(select(AuditRecord).where(AuditRecord.action == "run.approved")).one()
        assert (noted.actor, noted.subject) == ("bob", str(run.id))


def test_a_plan_is_named_by_who_approves_it(call, call_as_bob, careful, plain, make_result, db):
    careful.has_plan = True
    db.commit()
    url = asked(call)
    waiting = call_as_bob("POST", f"{url}/approve").json["errors"]
    assert waiting == {"plan": [NOT_YET]}
    made = make_result(status="completed", plan=["add vlan 10"], origin="plan")
    db.execute(update(Approval).values(planned_by=made.id))
    db.commit()
    assert call_as_bob("GET", url).json["plan"] == {
        "run": str(made.id),
        "lines": ["add vlan 10"],
        "problem": None,
    }
    for body, errors in (
        ({}, {"plan": [UNSEEN]}),
        ({"plan": str(careful.id)}, {"plan": [ANOTHER]}),
        ({"plan": str(made.id), "drift": "all"}, {"drift": ['Give a number from 0 to 10,000, or "any".']}),
        ({"plan": str(made.id), "drift": True}, {"drift": ['Give a number from 0 to 10,000, or "any".']}),
    ):
        assert call_as_bob("POST", f"{url}/approve", json=body).json["errors"] == errors
    again = call_as_bob("POST", f"{url}/plan").json["plan"]
    assert (again["lines"], again["run"] != str(made.id)) == (None, True)
    db.execute(update(Approval).where(Approval.decision.is_(None)).values(planned_by=made.id))
    db.commit()
    answer = call_as_bob("POST", f"{url}/approve", json={"plan": str(made.id), "drift": "any"})
    assert (answer.json["decision"], answer.json["drift"]) == ("approved", "any")


def test_a_schedule_is_approved_for_all_its_runs(call, call_as_bob, careful, db):
    once = {"interval": "once", "start_at": (now() + timedelta(days=1)).isoformat()}
    made = call("POST", "/schedules", json={"job": str(careful.id), **RUN, **once}).json
    assert made["problem"] == "It waits for somebody to approve it."
    url = f"/approvals/schedules/{made['id']}"
    assert call("POST", f"{url}/approve").status_code == 403
    with db.begin():
        db.execute(update(Schedule).values(start_at=now() - timedelta(hours=1)))
    shown = call_as_bob("GET", url).json
    assert (shown["kind"], shown["late"], shown["url"]) == ("schedule", True, url)
    assert list(call_as_bob("POST", f"{url}/approve").json["errors"]) == ["late"]
    answer = call_as_bob("POST", f"{url}/approve", json={"late": True})
    assert (answer.json["decision"], answer.json["late"]) == ("approved", False)
    assert call("GET", f"/schedules/{made['id']}").json["problem"] is None
    assert call_as_bob("POST", f"{url}/deny", json={"comment": "No."}).status_code == 409


def test_requests_are_found(call, call_as_bob, careful, make_result, alice, db):
    db.commit()
    first, second = (asked(call).rpartition("/")[2] for _ in range(2))
    third = call(
        "POST", "/schedules", json={"job": str(careful.id), **RUN, "interval": "cron", "cron": "0 6 * * *"}
    ).json["id"]
    call_as_bob("POST", f"/approvals/runs/{first}/deny", json={"comment": "No."})
    for query, expected in {
        "": [second, third],
        "sort=-created_at": [third, second],
        "view=decided": [first],
        "view=decided&sort=created_at": [first],
    }.items():
        pages = follow(call_as_bob, f"/approvals?{query}&limit=1")
        assert [row["id"] for page in pages for row in page] == expected, query
    assert [row["id"] for row in call("GET", "/approvals?view=mine").json["results"]] == [
        third,
        second,
        first,
    ]
    assert call_as_bob("GET", "/approvals?view=mine").json["results"] == []
    assert list(call("GET", "/approvals?sort=decided_at").json["errors"]) == ["sort"]
    assert call("GET", f"/approvals/runs/{third}").status_code == 404
    # Where the job is gone, nobody can decide any more.
    orphan = make_result(status="awaiting_approval")
    ask(db, orphan, careful)
    orphan.job_id = None
    db.commit()
    gone = call_as_bob("POST", f"/approvals/runs/{orphan.id}/dry-run")
    assert gone.status_code == 409
