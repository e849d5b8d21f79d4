"""Runs that need an approval: they wait, somebody else decides, and what starts is what was approved."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from jobs.errors import InvalidData
from store.models import (
    Approval,
    AuditRecord,
    Chain,
    Group,
    Hook,
    JobRecord,
    JobResult,
    Permission,
    User,
    Webhook,
    WebhookDelivery,
    now,
)
from store.permissions import Forbidden
from tests.worker.conftest import Portal, StartWorker, on_sqlite
from worker.approvals import AlreadyDecided, decide, expire
from worker.origins import Origin

pytestmark = pytest.mark.in_turn


@pytest.fixture
def asking(portal: Portal) -> Portal:
    """A portal with a job whose runs need an approval, which bob may give."""
    with portal.platform.session() as db:
        job = db.get_one(JobRecord, portal.jobs["Passes"].id)
        job.approval_required = True
        bob = db.get_one(User, portal.cast["bob"].id)
        db.add(Permission(name="Approve", kind="job", actions=["approve"], users=[bob]))
        db.commit()
    return portal


def change(portal: Portal, **values: object) -> None:
    with portal.platform.session() as db:
        db.execute(update(JobRecord).where(JobRecord.id == portal.jobs["Passes"].id).values(**values))
        db.commit()


def decided(
    portal: Portal, result: JobResult, decision: str = "approved", user: str = "bob", **more: str
) -> None:
    with portal.platform.session() as db:
        person = db.get_one(User, portal.cast[user].id)
        decide(db, portal.settings, db.get_one(JobResult, result.id), decision, user=person, **more)


def approval_of(portal: Portal, result: JobResult) -> Approval:
    with portal.platform.reading() as db:
        return db.scalars(select(Approval).where(Approval.result_id == result.id)).one()


def test_a_run_waits_until_somebody_else_approves_it(asking: Portal, start_worker: StartWorker):
    asked = asking.submit("Passes")
    assert (asked.status, asked.cause) == ("awaiting_approval", "It waits for somebody to approve it.")
    start_worker("--burst").wait(timeout=60)
    assert asking.status(asked) == "awaiting_approval"
    assert asking.execute(asked).status == "awaiting_approval", "not even who is told to starts it"
    decided(asking, asked, comment="Looks fine.")
    assert (asking.status(asked), asking.result(asked).cause) == ("pending", None)
    start_worker("--burst").wait(timeout=60)
    assert asking.status(asked) == "completed"
    approval = approval_of(asking, asked)
    assert (approval.decision, approval.decided_by, approval.comment) == ("approved", "bob", "Looks fine.")


def test_every_way_in_waits(asking: Portal, web):
    assert web.submitted("Passes").status == "awaiting_approval"
    assert web.ask("Passes").status_code == 303
    asking.submit("Passes", permitted=True)
    with asking.platform.reading() as db:
        assert set(db.scalars(select(JobResult.status))) == {"awaiting_approval"}


@on_sqlite
@pytest.mark.parametrize("user", ["alice", "carol"])
def test_nobody_approves_their_own_request_or_without_a_permission(asking: Portal, user: str):
    asked = asking.submit("Passes")
    with pytest.raises(Forbidden):
        decided(asking, asked, user=user)
    with asking.platform.session() as db:
        root = db.get_one(User, asking.cast["root"].id)
        asking.cast["root"] = root
    own = asking.submit("Passes", user="root")
    with pytest.raises(Forbidden, match="You cannot approve your own job request!"):
        decided(asking, own, user="root")
    assert {asking.status(each) for each in (asked, own)} == {"awaiting_approval"}


@on_sqlite
def test_who_has_it_asked_for_in_whatever_way_has_asked(asking: Portal):
    """It runs as alice each time, who knows of none of it: the choice was bob's, who is to approve it."""
    bob = asking.cast["bob"].id
    alices = {"user_id": asking.cast["alice"].id, "username": "alice"}
    job_id = asking.jobs["Passes"].id
    with asking.platform.session() as db:
        webhook = Webhook(name="In", job_id=job_id, box=b"", set_up_by_id=bob, **alices)
        others = Webhook(name="Others", job_id=job_id, box=b"", **alices)
        hook = Hook(name="On", job_id=job_id, object_types=[], set_up_by_id=bob)
        chain = Chain(
            name="Next", job_id=asking.jobs["Chatty"].id, next_job_id=job_id, data={}, set_up_by_id=bob
        )
        db.add_all([webhook, others, hook, chain])
        db.commit()
        ways = {"webhook": webhook.id, "hook": hook.id, "chain": chain.id, "again": others.id}
    runs = {
        kind: asking.submit("Passes", origin=Origin(kind="webhook" if kind == "again" else kind, id=key))
        for kind, key in ways.items()
    }
    runs["map"] = asking.submit("Passes", origin=Origin(kind="map", parent_id=runs["chain"].id))
    with asking.platform.session() as db:
        about = {"outcome": "accepted", "status": 202, "sent_by": "bob"}
        db.add(WebhookDelivery(webhook_id=ways["again"], result_id=runs["again"].id, **about))
        db.commit()
    for kind, run in runs.items():
        with pytest.raises(Forbidden, match="your own"):
            decided(asking, run)
        assert asking.status(run) == "awaiting_approval", kind
    decided(asking, runs["map"], user="root")
    assert asking.status(runs["map"]) == "pending"


@on_sqlite
def test_approvers_may_be_a_group_for_some_jobs(asking: Portal):
    with asking.platform.session() as db:
        carol = db.get_one(User, asking.cast["carol"].id)
        group = Group(name="Net approvers", members=[carol])
        constraints = [{"class_path": asking.jobs["Passes"].class_path}]
        db.add(
            Permission(name="Net", kind="job", actions=["approve"], constraints=constraints, groups=[group])
        )
        db.commit()
    decided(asking, asked := asking.submit("Passes"), user="carol")
    assert asking.status(asked) == "pending"


@on_sqlite
def test_a_denial_has_a_reason_and_is_final(asking: Portal):
    asked = asking.submit("Passes")
    with pytest.raises(InvalidData, match="Say why"):
        decided(asking, asked, "denied", comment="  ")
    decided(asking, asked, "denied", comment="Not in the change window.")
    result = asking.result(asked)
    assert (result.status, result.cause) == ("denied", "Denied by bob: Not in the change window.")
    with pytest.raises(AlreadyDecided):
        decided(asking, asked)
    with asking.platform.reading() as db:
        actions = db.scalars(select(AuditRecord.action).where(AuditRecord.subject == str(asked.id))).all()
    assert actions == ["run.denied"]


def test_of_two_decisions_in_the_same_moment_one_counts(asking: Portal):
    for _ in range(5):
        asked = asking.submit("Passes")

        def act(decision: str, asked: JobResult = asked) -> str:
            try:
                decided(asking, asked, decision, user="root" if decision == "denied" else "bob", comment="x")
            except AlreadyDecided:
                return "late"
            return decision

        with ThreadPoolExecutor(2) as pool:
            outcomes = sorted(pool.map(act, ("approved", "denied")))
        [won] = [each for each in outcomes if each != "late"]
        assert "late" in outcomes
        assert asking.status(asked) == {"approved": "pending", "denied": "denied"}[won]
        assert approval_of(asking, asked).decision == won


@on_sqlite
def test_what_was_taken_back_cannot_be_approved(asking: Portal):
    asked = asking.submit("Passes")
    asking.cancel(asked)
    with pytest.raises(AlreadyDecided):
        decided(asking, asked)
    assert (asking.status(asked), approval_of(asking, asked).decision) == ("canceled", "withdrawn")


def test_a_request_expires(asking: Portal):
    asked, other = asking.submit("Passes"), asking.submit("Passes")
    with asking.platform.session() as db:
        past = now() - timedelta(seconds=1)
        db.execute(update(Approval).where(Approval.result_id == asked.id).values(expires_at=past))
        db.commit()
    assert expire(asking.platform) == [asked.id]
    assert expire(asking.platform) == []
    result = asking.result(asked)
    assert (result.status, result.cause) == ("canceled", "Nobody approved it in time.")
    assert asking.status(other) == "awaiting_approval"
    with pytest.raises(AlreadyDecided):
        decided(asking, asked)


@on_sqlite
@pytest.mark.parametrize(
    ("act", "sentence"),
    [
        ({"code_digest": "f" * 64}, "the job's code changed since it was asked for."),
        ({"siblings": {"helper": "0" * 64}}, "the job's code changed since it was asked for."),
    ],
    ids=["its file", "what it imports"],
)
def test_other_code_is_not_what_was_approved(asking: Portal, act: dict, sentence: str):
    early, late = asking.submit("Passes"), asking.submit("Passes")
    decided(asking, early)
    change(asking, **act)
    ended = asking.execute(early)
    assert (ended.status, ended.cause) == (
        "errored",
        f"It was approved by bob, but not like this: {sentence}",
    )
    with pytest.raises(InvalidData, match=sentence):
        decided(asking, late)


@on_sqlite
@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"data": {"more": 1}}, "its inputs changed"),
        ({"queue": "other"}, "its queue changed"),
        ({"commit": False, "data": {"x": 1}}, "its inputs and whether it saves changes changed"),
    ],
)
def test_another_request_is_not_what_was_approved(asking: Portal, values: dict, sentence: str):
    asked = asking.submit("Passes")
    decided(asking, asked)
    with asking.platform.session() as db:
        db.execute(update(JobResult).where(JobResult.id == asked.id).values(**values))
        db.commit()
    ended = asking.execute(asked)
    assert ended.status == "errored"
    assert sentence in ended.cause


@on_sqlite
def test_a_file_that_was_edited_behind_its_record_is_not_what_was_approved(asking: Portal):
    asked = asking.submit("Passes")
    with asking.platform.session() as db:
        row = db.scalars(select(Approval)).one()
        row.asked = {**row.asked, "module": "0" * 64}
        db.commit()
    decided(asking, asked)
    ended = asking.execute(asked)
    assert (ended.status, ended.cause) == (
        "errored",
        "The job's code is not the one that was approved. Ask for the run again.",
    )


@on_sqlite
def test_who_asked_before_an_approval_was_needed_asks_again(portal: Portal):
    asked = portal.submit("Passes")
    change(portal, approval_required=True)
    ended = portal.execute(asked)
    assert (ended.status, ended.cause) == (
        "errored",
        "This job needs an approval since the run was asked for. Ask for it again.",
    )


@on_sqlite
def test_rules_of_its_job_are_asked_when_it_is_approved(asking: Portal):
    change(asking, concurrency_limit=1, concurrency_policy="skip")
    first, second = asking.submit("Passes"), asking.submit("Passes")
    assert {asking.status(each) for each in (first, second)} == {"awaiting_approval"}
    decided(asking, first)
    decided(asking, second)
    assert (asking.status(first), asking.status(second)) == ("pending", "canceled")
    assert asking.result(second).cause.startswith("Skipped: run ")
