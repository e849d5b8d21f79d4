"""Decisions in Slack: buttons, what they show to whom, and under whose account they decide."""

from typing import Any

import pytest
from sqlalchemy import delete, select

from store.models import (
    Approval,
    AuditRecord,
    Group,
    Identity,
    JobRecord,
    JobResult,
    Permission,
    SlackRequest,
    now,
)
from tests.slack_stand_in import TEAM
from tests.slack_views import checked
from tests.webapp.conftest import described
from worker.approvals import ask
from worker.slack.approval_message import blocks_of, text_of

HOSTILE = "<!channel> *x*"


@pytest.fixture
def job(db, cast, make_job) -> JobRecord:
    """A job whose runs alice (U1 in Slack) and bob (U2) approve."""
    text = {"min_length": None, "max_length": None, "regex": None}
    job = make_job("Deploy", approval_required=True, variables=[described("StringVar", "name", **text)])
    for number, name in ((1, "alice"), (2, "bob")):
        db.add(Identity(issuer=f"slack:{TEAM}", subject=f"U{number}", user=cast[name], group_ids=[]))
    db.add(Permission(name="Approve", kind="job", actions=["approve"], users=[cast["alice"], cast["bob"]]))
    db.commit()
    return job


@pytest.fixture
def ask_for(db, job, make_result, slack):
    """Have alice ask for a run; return it, and the message about it."""

    def asked(**data: Any) -> tuple[JobResult, dict[str, Any]]:
        result = make_result(job, "pending", data=data, created_at=now(), queue="default")
        ask(db, result, job)
        db.commit()
        facts = {"text": text_of(result), "blocks": blocks_of(result, job, "")}
        slack._chat_postMessage({"channel": "C1", **facts})
        return result, slack.messages[-1]

    return asked


@pytest.fixture
def click(people, slack):
    """Have somebody click on a button; return what it opens, if it opens anything."""

    def clicked(message: dict[str, Any], action: str, user: str) -> dict[str, Any]:
        before = len(slack.views)
        people.click(message, action, user)
        return people.view() if len(slack.views) > before else {}

    return clicked


def told(slack) -> list[str]:
    return [call["text"] for call in slack.called("response_url")]


def status(db, result) -> tuple[str, str | None]:
    with db.begin():
        db.expire_all()
        row = db.get_one(JobResult, result.id)
        return row.status, row.cause


def test_who_approves_sees_the_inputs_and_decides_as_who_they_are_here(people, slack, db, ask_for, click):
    result, message = ask_for(name=HOSTILE)
    view = click(message, "errand.approve", "U2")
    said = str(view["blocks"])
    assert "*alice* asks to run *Deploy* on the queue default" in said
    assert "*Name*\\n&lt;!channel&gt; *x*" in said
    assert status(db, result)[0] == "awaiting_approval"
    assert people.submit(view, {}, "U2") == {}
    assert status(db, result)[0] == "pending"
    with db.begin():
        approval = db.scalars(select(Approval)).one()
        noted = db.execute(
            select(AuditRecord.actor, AuditRecord.via).where(AuditRecord.action == "run.approved")
        )
        assert list(noted) == [("bob", "slack")]
    assert (approval.decision, approval.decided_by) == ("approved", "bob")
    assert ":white_check_mark: Approved by bob" in str(message["blocks"])
    assert "errand.approve" not in str(message["blocks"])
    assert message["text"] == "Deploy waits for no approval any more."
    again = people.submit(view, {}, "U2")
    assert "Somebody has decided on this already." in str(checked(again["view"]))


def test_a_denial_has_a_reason(people, db, ask_for, click):
    result, message = ask_for(name="x")
    view = click(message, "errand.deny", "U2")
    refused = people.submit(view, {"comment": "  "}, "U2")
    assert refused["errors"] == {"comment": "Say why: whoever asked for it will read that."}
    assert people.submit(view, {"comment": "Not <now>."}, "U2") == {}
    assert status(db, result) == ("denied", "Denied by bob: Not <now>.")
    assert ":no_entry: Denied by bob.\n>Not &lt;now&gt;." in message["blocks"][0]["text"]["text"]


def test_nobody_decides_on_their_own_request_or_without_a_permission(slack, db, ask_for, click):
    result, message = ask_for(name="x")
    for user in ("U1", "U3"):
        for action in ("errand.approve", "errand.deny"):
            assert click(message, action, user) == {}
    own, _, other, _ = told(slack)
    assert own == "You cannot approve your own job request!"
    assert other
    assert other != own
    assert status(db, result)[0] == "awaiting_approval"


def test_who_has_not_connected_an_account_decides_nothing(slack, db, people, job, ask_for, click):
    members = db.scalars(select(Group).where(Group.name == "Slack members")).one()
    db.scalars(select(Permission).where(Permission.name == "Approve")).one().groups = [members]
    mine = db.scalars(select(Identity).where(Identity.subject == "U2")).one()
    db.delete(mine)
    db.commit()
    result, message = ask_for(name="x")
    # Bob, or alice by a second account in Slack: nobody can tell.
    assert click(message, "errand.approve", "U2") == {}
    assert "choose *Connect Slack*" in told(slack)[-1]
    assert status(db, result)[0] == "awaiting_approval"


def test_who_connects_an_account_after_asking_has_asked(slack, db, ask_for, click):
    result, message = ask_for(name="x")
    row = db.get_one(JobResult, result.id)
    # It was asked for as the account that only Slack opens; bob has said since that he is who spoke.
    row.origin, row.user_id = "slack", None
    db.add(SlackRequest(result_id=row.id, channel="C1", slack_user="U2", state="waiting", said={}))
    db.commit()
    assert click(message, "errand.approve", "U2") == {}
    assert told(slack)[-1] == "You cannot approve your own job request!"
    assert click(message, "errand.approve", "U1") != {}


def test_what_was_decided_elsewhere_is_shown_and_nothing_is_opened(slack, db, ask_for, click):
    result, message = ask_for(name="x")
    with db.begin():
        db.scalars(select(Approval)).one().decision = "expired"
        db.get_one(JobResult, result.id).status = "canceled"
    assert click(message, "errand.approve", "U2") == {}
    assert told(slack) == ["Somebody has decided on this already, or it was taken back."]
    assert "Nobody approved it in time" in str(message["blocks"])


def test_nothing_is_approved_that_slack_does_not_show_whole(slack, db, job, ask_for, click):
    _, message = ask_for(name="x" * 3_001)
    assert click(message, "errand.approve", "U2") == {}
    assert click(message, "errand.deny", "U2"), "to deny it one need not see all"
    _, other = ask_for(name="x")
    with db.begin():
        db.get_one(JobRecord, job.id).has_plan = True
    assert click(other, "errand.approve", "U2") == {}
    assert told(slack) == ["There is more to look at than Slack shows: decide on it in the portal."] * 2


def test_sealed_inputs_stay_sealed(slack, db, ask_for, click):
    result, message = ask_for()
    with db.begin():
        db.get_one(JobResult, result.id).sealed_facts = {
            "name": {"fingerprint": "0123456789abcdef", "length": 4}
        }
    assert "Set, 4 characters, fingerprint 01234567" in str(click(message, "errand.approve", "U2")["blocks"])


def test_who_may_not_see_a_run_is_not_told_of_it(slack, db, cast, ask_for, click):
    _, message = ask_for(name="x")
    with db.begin():
        db.add(Identity(issuer=f"slack:{TEAM}", subject="U3", user=cast["carol"], group_ids=[]))
        db.execute(delete(Permission).where(Permission.name == "See all results"))
    assert click(message, "errand.approve", "U3") == {}
    assert told(slack) == ["There is no such run that you may see."]
