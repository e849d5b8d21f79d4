"""Jobs that say beforehand what they will change: what is approved is that plan, and what starts is held to it."""

import io
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import undefer

from jobs.errors import InvalidData
from jobs.files import Upload
from jobs.planning import BadPlan, compare, lines_of
from store.models import Approval, JobRecord, JobResult, Permission, User
from tests.worker.conftest import Portal, on_sqlite
from worker.approvals import AlreadyDecided, decide
from worker.keyring import ensure
from worker.plan_runs import make, make_missing
from worker.plans import ANOTHER, NOT_YET, UNSEEN

SECRET = "s3cret-of-the-switch"


@pytest.fixture
def world(tmp_path: Path) -> Path:
    path = tmp_path / "world"
    path.write_text("add vlan 10\nadd vlan 20\n")
    return path


@pytest.fixture
def planning(portal: Portal) -> Portal:
    """A portal in which bob may approve."""
    with portal.platform.session() as db:
        bob = db.get_one(User, portal.cast["bob"].id)
        db.add(Permission(name="Approve", kind="job", actions=["approve"], users=[bob]))
        db.commit()
    return portal


def approval_of(portal: Portal, result: JobResult) -> Approval:
    with portal.platform.reading() as db:
        return db.scalars(select(Approval).where(Approval.result_id == result.id)).one()


def plan_of(portal: Portal, result: JobResult) -> list[str] | None:
    with portal.platform.reading() as db:
        return db.get_one(JobResult, result.id, options=[undefer(JobResult.plan)]).plan


def planned(portal: Portal, asked: JobResult) -> JobResult:
    """Have the plan of a request made."""
    [plan_id] = make_missing(portal.platform, portal.settings)
    assert approval_of(portal, asked).planned_by == plan_id
    with portal.platform.reading() as db:
        run = db.get_one(JobResult, plan_id)
    return portal.execute(run)


def approve(portal: Portal, result: JobResult, plan: UUID | None, drift: int | None = 0) -> None:
    with portal.platform.session() as db:
        bob = db.get_one(User, portal.cast["bob"].id)
        row = db.get_one(JobResult, result.id)
        decide(db, portal.settings, row, "approved", user=bob, plan=plan, drift=drift)


def test_what_starts_is_held_to_the_plan_that_was_approved(planning: Portal, world: Path):
    asked = planning.submit("Plans", raw={"world": str(world)})
    with pytest.raises(InvalidData, match=NOT_YET):
        approve(planning, asked, None)
    plan = planned(planning, asked)
    assert make_missing(planning.platform, planning.settings) == [], "once is enough"
    assert (plan.status, plan.cause) == ("completed", "It would make 2 changes. Nothing was changed.")
    assert plan_of(planning, plan) == ["add vlan 10", "add vlan 20"]
    assert (plan.origin, plan.commit, plan.username) == ("plan", False, "alice")
    assert plan.told, "nobody is told of its end"
    assert plan.followed, "no chain follows it"
    assert planning.messages(plan) == [("info", "plan", "I look.")], "nothing but plan() was called"
    with pytest.raises(InvalidData, match=UNSEEN):
        approve(planning, asked, None)
    approve(planning, asked, plan.id)
    done = planning.execute(asked)
    assert (done.status, plan_of(planning, done)) == ("completed", ["add vlan 10", "add vlan 20"])
    assert planning.messages(done)[1] == ("success", "run", "Changed. False"), "the run is another object"


@pytest.mark.parametrize(
    ("drift", "world_then", "cause"),
    [
        (0, "add vlan 20\nadd vlan 10\n", None),
        (0, "add vlan 10\nadd vlan 30\n", "1 change is new and 1 change is gone"),
        (0, "add vlan 10\nadd vlan 10\nadd vlan 20\n", "1 change is new"),
        (1, "add vlan 10\nadd vlan 30\n", None),
        (1, "", "2 changes are gone"),
        (None, "remove everything\n" * 50, None),
    ],
)
@on_sqlite
def test_a_world_that_went_on(
    planning: Portal, world: Path, drift: int | None, world_then: str, cause: str | None
):
    asked = planning.submit("Plans", raw={"world": str(world)})
    approve(planning, asked, planned(planning, asked).id, drift)
    world.write_text(world_then)
    done = planning.execute(asked)
    if cause is None:
        assert done.status == "completed"
    else:
        told = f"Its plan is not the one that bob approved: {cause}. Nothing was changed."
        assert (done.status, done.cause) == ("errored", told)
        assert "Changed." not in str(planning.messages(done))
    assert plan_of(planning, done) == world_then.splitlines(), "both can be looked at"


@on_sqlite
def test_a_plan_can_be_made_again_and_the_older_one_cannot_be_approved(planning: Portal, world: Path):
    asked = planning.submit("Plans", raw={"world": str(world)})
    first = planned(planning, asked)
    world.write_text("add vlan 30\n")
    with planning.platform.session() as db:
        again = make(db, planning.settings, approval_of(planning, asked).id)
    with pytest.raises(InvalidData, match=ANOTHER):
        approve(planning, asked, first.id)
    with pytest.raises(InvalidData, match=NOT_YET):
        approve(planning, asked, again.id)
    planning.execute(again)
    approve(planning, asked, again.id)
    assert planning.execute(asked).status == "completed"
    with planning.platform.session() as db, pytest.raises(AlreadyDecided):
        make(db, planning.settings, approval_of(planning, asked).id)


@on_sqlite
def test_a_plan_has_the_files_and_the_secrets_of_its_run(planning: Portal):
    with planning.platform.session() as db:
        ensure(db, planning.settings)
    files = Upload("switches.txt", io.BytesIO(b"sw1 sw2"))
    asked = planning.submit("PlansWithSecrets", raw={"token": SECRET, "switches": files})
    plan = planned(planning, asked)
    lines = plan_of(planning, plan)
    assert lines is not None, plan.cause
    assert lines[:2] == ['{"add": 1, "switch": "sw1"}', '{"add": 1, "switch": "sw2"}']
    assert SECRET not in str(lines), "what a plan says is masked, too"
    approve(planning, asked, plan.id)
    done = planning.execute(asked)
    assert (done.status, plan_of(planning, done)) == ("completed", lines)
    assert planning.messages(done)[-1][2] == f"sw1 sw2 {len(SECRET)}", "the file is there from its beginning"
    with planning.platform.reading() as db:
        again = db.get_one(JobResult, plan.id)
    assert again.again_until is None, "nobody runs the plan again with what somebody typed"


@on_sqlite
def test_without_its_plan_nothing_is_approved(planning: Portal):
    asked = planning.submit("CannotPlan")
    plan = planned(planning, asked)
    assert (plan.status, plan_of(planning, plan)) == ("errored", None)
    assert plan.cause == "plan() raised JobFailed: The controller did not answer."
    with pytest.raises(InvalidData, match=r"could not be made, .* The controller did not answer\."):
        approve(planning, asked, plan.id)
    assert planning.status(asked) == "awaiting_approval"


@on_sqlite
def test_why_no_plan_can_be_asked_for_is_said(planning: Portal, world: Path):
    asked = planning.submit("Plans", raw={"world": str(world)})
    with planning.platform.session() as db:
        db.execute(update(User).where(User.username == "alice").values(active=False))
        db.commit()
    assert make_missing(planning.platform, planning.settings) == []
    assert make_missing(planning.platform, planning.settings) == []
    told = approval_of(planning, asked).why_no_plan
    assert told.startswith("Whoever asked for it"), told
    with pytest.raises(InvalidData, match=r"nothing to approve\. Whoever asked for it"):
        approve(planning, asked, None)


@on_sqlite
def test_a_method_of_that_name_in_a_job_of_nautobot_is_its_own(planning: Portal):
    asked = planning.submit("TheirsPlans")
    assert make_missing(planning.platform, planning.settings) == []
    approve(planning, asked, None)
    assert planning.execute(asked).status == "completed"


@on_sqlite
def test_a_job_says_how_long_its_requests_wait(planning: Portal, world: Path):
    asked = planning.submit("Plans", raw={"world": str(world)})
    approval = approval_of(planning, asked)
    assert approval.expires_at == approval.created_at + timedelta(hours=1)
    with planning.platform.session() as db:
        db.execute(update(JobRecord).values(approval_expires=0))
        db.commit()
    other = approval_of(planning, planning.submit("CannotPlan"))
    assert other.expires_at == other.created_at + timedelta(days=7)


def test_what_a_plan_may_be():
    assert lines_of(None) == lines_of([]) == lines_of("") == []
    assert lines_of("a\n\n  b \n") == ["a", "  b"]
    assert lines_of({"vlan": 10, "ports": [1, 2]}) == ["vlan: 10", "ports: [1, 2]"]
    assert lines_of(x for x in ({"b": 1, "a": 2}, "two\nlines", 3)) == ['{"a": 2, "b": 1}', "two lines", "3"]
    for bad in (3, b"x", range(10_001), ["x" * 1_000_001]):
        with pytest.raises(BadPlan):
            lines_of(bad)
    found = compare(["a", "b", "b"], ["b", "c", "d", "e"])
    assert (found.gone, found.new, found.changes) == (["a", "b"], ["c", "d", "e"], 3)
