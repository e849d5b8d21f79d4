"""What commands ask for: runs whose end is told in Slack, cancels, suppressions, and what goes on."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from store.models import Group, JobRecord, JobResult, SlackRequest, User, group_members, now
from store.permissions import Forbidden
from tests.worker.conftest import Portal
from tests.worker.engine import Engine
from worker import commands
from worker.cancel import AlreadyFinished

pytestmark = pytest.mark.in_turn

#: As bennettbot's jobs are.
DEPLOY = {
    "concurrency_limit": 1,
    "dedupe": True,
    "dialect": "bennettbot",
    "slack_commands": [{"namespace": "op", "command": "op deploy [text]", "action": "schedule_job"}],
}


def acting(portal: Portal, act: Callable[[Session, JobRecord, User], Any], job: str, user: str) -> Any:
    with portal.platform.session() as db:
        return act(db, db.get_one(JobRecord, portal.jobs[job].id), db.get_one(User, portal.cast[user].id))


def ask(
    portal: Portal, text: str, *, job: str = "Stations", user: str = "alice", **options: Any
) -> tuple[JobResult, bool]:
    data = {"text": text, "flag": False} if job == "Stations" else {}
    options = {"channel": "C1", "message_ts": "1.1", "slack_user": "U1", **options}
    return acting(
        portal,
        lambda db, record, person: commands.schedule_job(
            db, portal.settings, record, data, person, **options
        ),
        job,
        user,
    )


def told(portal: Portal, result: JobResult) -> tuple[Any, ...]:
    with portal.platform.reading() as db:
        row = db.scalars(select(SlackRequest).where(SlackRequest.result_id == result.id)).one()
        return row.channel, row.thread_ts, row.message_ts, row.slack_user, row.is_im, row.state


def test_a_command_asks_for_a_run_and_says_where_to_answer(portal: Portal, engine: Engine):
    engine.rule("Stations", **DEPLOY)
    first, busy = ask(portal, "one", is_im=True)
    assert (first.origin, first.data["text"], busy) == ("slack", "one", False)
    assert told(portal, first) == ("C1", None, "1.1", "U1", True, "waiting")
    # Once more while it waits: the answer goes where that was asked; it stays a direct message.
    again, _ = ask(
        portal, "one", user="bob", channel="C2", thread_ts="2.0", message_ts="2.1", slack_user="U2"
    )
    assert (again.id, again.joined) == (first.id, True)
    assert told(portal, first) == ("C2", "2.0", "2.1", "U2", True, "waiting")
    # While it runs, another one waits behind it, whatever its inputs are.
    taken = engine.start(first)
    assert taken is not None
    (same, busy), (other, also_busy) = ask(portal, "one", channel="C3"), ask(portal, "two", channel="")
    assert (busy, also_busy, same.id != first.id) == (True, True, True)
    assert told(portal, same)[0] == "C3"
    with portal.platform.reading() as db:
        assert db.query(SlackRequest).filter_by(result_id=other.id).count() == 0
    assert engine.waiting() == [same.id, other.id]


def test_a_message_that_slack_sends_again_runs_nothing(portal: Portal, engine: Engine):
    engine.rule("Stations", **DEPLOY)
    first, _ = ask(portal, "one", idempotency_key="slack C1 1.1")
    ask(portal, "one", idempotency_key="slack C1 2.2", message_ts="2.2")
    again, _ = ask(portal, "one", idempotency_key="slack C1 1.1")
    assert (again.id, again.repeated, again.joined) == (first.id, True, False)
    assert told(portal, first)[2] == "2.2"


def test_canceling_a_job_leaves_alone_what_runs(portal: Portal, engine: Engine):
    engine.rule("Stations", **DEPLOY)
    runs = [ask(portal, text)[0] for text in ("one", "two", "three")]
    other, _ = ask(portal, "", job="Passes")
    assert engine.start(runs[0]) is not None

    def cancel(db: Session, record: JobRecord, person: User) -> int:
        return commands.cancel_job(db, portal.settings, record, person)

    # Whoever may run it may cancel what others have asked for.
    assert acting(portal, cancel, "Stations", "bob") == 2
    assert [portal.status(run) for run in runs] == ["running", "canceled", "canceled"]
    assert portal.result(runs[1]).cause == "Canceled by bob before it started."
    assert portal.status(other) == "pending"
    engine.rule("Stations", restricted=True)
    with pytest.raises(Forbidden):
        acting(portal, cancel, "Stations", "bob")


def release(portal: Portal, result: JobResult, user: str = "alice") -> bool:
    with portal.platform.session() as db:
        row, person = db.get_one(JobResult, result.id), db.get_one(User, portal.cast[user].id)
        return commands.release(db, portal.settings, row, person)


def test_a_run_that_hangs_can_be_removed_from_the_way(portal: Portal, engine: Engine):
    engine.rule("Stations", **DEPLOY)
    hangs, waits = ask(portal, "one")[0], ask(portal, "two")[0]
    taken = engine.start(hangs)
    assert taken is not None
    assert engine.start(waits) is None
    # Anybody may, of bennettbot's jobs. It goes on, and is not counted any more.
    assert release(portal, hangs, user="bob") is False
    assert portal.result(hangs).concurrency_key is None
    assert engine.waiting() == [waits.id]
    assert ask(portal, "three")[1] is False
    assert engine.start(waits) is not None
    engine.end(taken)
    assert portal.status(hangs) == "completed"
    with pytest.raises(AlreadyFinished):
        release(portal, hangs)


def test_a_run_that_waits_is_removed_for_good(portal: Portal, engine: Engine):
    engine.rule("Stations", **DEPLOY)
    result, _ = ask(portal, "one")
    assert release(portal, result, user="bob") is True
    assert portal.status(result) == "canceled"
    other, _ = ask(portal, "", job="Passes")
    with pytest.raises(Forbidden):
        release(portal, other, user="bob")


def test_status_names_what_goes_on_of_jobs_with_commands(portal: Portal, engine: Engine):
    engine.rule("Stations", **DEPLOY)
    runs, waits = ask(portal, "one")[0], ask(portal, "two", delay_seconds=60)[0]
    by_slack, _ = ask(portal, "", job="Raises")
    portal.submit("Passes")
    assert engine.start(runs) is not None
    at = now()

    def suppress(db: Session, record: JobRecord, person: User) -> None:
        commands.schedule_suppression(db, record, at, at + timedelta(hours=1), person)

    acting(portal, suppress, "Stations", "alice")
    with portal.platform.session() as db:
        person = db.get_one(User, portal.cast["bob"].id)
        seen = commands.status(db, person)
        assert [run.id for run in seen.running] == [runs.id]
        assert [run.id for run in seen.scheduled] == [by_slack.id, waits.id]
        assert (seen.running_count, seen.scheduled_count) == (1, 2)
        assert commands.starts_at(seen.scheduled[1]) == waits.not_before
        assert [each.job.name for each in seen.suppressions] == ["All stations"]
        assert commands.find_active(db, person, waits.short_id.upper()) is seen.scheduled[1]
        assert commands.find_active(db, person, "nothing") is None
        assert commands.find_active(db, person, "12") is None
        record = db.get_one(JobRecord, portal.jobs["Stations"].id)
        assert commands.cancel_suppressions(db, record, person) == 1
        assert commands.status(db, person).suppressions == []


def test_members_of_slack_may_run_restricted_jobs(portal: Portal, engine: Engine):
    engine.rule("Stations", restricted=True)
    with pytest.raises(Forbidden):
        ask(portal, "one")
    with portal.platform.session() as db:
        members = db.scalars(select(Group).where(Group.name == "Slack members")).one()
        db.execute(group_members.insert().values(group_id=members.id, user_id=portal.cast["alice"].id))
        db.commit()
    assert ask(portal, "one")[0].status == "pending"
