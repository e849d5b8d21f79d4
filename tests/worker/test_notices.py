"""What is told to whom: one message for each event and receiver, nothing that the receiver may not see, no run slowed."""

import signal
import socket
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from store.lockbox import lock
from store.models import (
    Channel,
    Delivery,
    JobRecord,
    JobResult,
    MissedSlots,
    NoticeRule,
    Permission,
    RunReport,
    Schedule,
    Status,
    User,
    now,
)
from store.notice_settings import SmtpSettings
from store.notices import FOR_CHANNELS, OUTCOMES, WHEN
from tests.post import receiver
from tests.waiting import until
from tests.worker.conftest import Portal, StartWorker, on_sqlite
from tests.worker.engine import at_once
from worker import notice_facts, notices
from worker.approvals import decide
from worker.notices import note_all

MAIL = SmtpSettings("127.0.0.1", 1, "none", "errand@portal.example")


@pytest.fixture
def told(portal: Portal) -> Callable[[], list[tuple[str, str]]]:
    """Look for what is to be told; return all messages there are: (title, target)."""
    portal.settings = replace(portal.settings, notices=replace(portal.settings.notices, mail=MAIL))
    names = {f":{user.id}": f":{name}" for name, user in portal.cast.items()}
    with portal.platform.session() as db:
        for name, user in portal.cast.items():
            db.get_one(User, user.id).mail = "" if name == "carol" else f"{name}@example.com"
        db.commit()

    def look() -> list[tuple[str, str]]:
        note_all(portal.platform, portal.settings)
        with portal.platform.reading() as db:
            rows = db.execute(select(Delivery.title, Delivery.target).order_by(Delivery.id)).all()
        return [
            (
                title,
                target
                if target.startswith("channel")
                else target.partition(":")[0] + names[f":{target.partition(':')[2]}"],
            )
            for title, target in rows
        ]

    return look


def wish(
    portal: Portal, name: str, about: str, subject: Any, ways: Any = ("mail",), words: Any = tuple(OUTCOMES)
) -> None:
    with portal.platform.session() as db:
        db.add(
            NoticeRule(
                user_id=portal.cast[name].id,
                about=about,
                subject=str(subject),
                ways=list(ways),
                words=list(words),
            )
        )
        db.commit()


def say(portal: Portal, name: str, **notices: list[str]) -> None:
    with portal.platform.session() as db:
        db.get_one(User, portal.cast[name].id).notices = notices
        db.commit()


def channel(portal: Portal, name: str = "ops", user: str = "root", **values: Any) -> int:
    with portal.platform.session() as db:
        made = Channel(
            **{
                "name": name,
                "kind": "webhook",
                "box": lock(portal.settings.secret_key, {"url": "https://example.com", "secret": "x"}),
                "words": list(FOR_CHANNELS),
                "user_id": portal.cast[user].id,
                **values,
            }
        )
        db.add(made)
        db.commit()
        return made.id


def ended(
    portal: Portal, job: str, status: Status = Status.FAILED, user: str = "alice", **values: Any
) -> JobResult:
    """Ask for a run and have it end, without a process."""
    result = portal.submit(job, user=user)
    with portal.platform.session() as db:
        moment = now()
        facts = {"status": status, "started_at": moment, "finished_at": moment, "cause": "Because.", **values}
        db.execute(update(JobResult).where(JobResult.id == result.id).values(**facts))
        db.commit()
    return portal.result(result)


@on_sqlite
def test_everybody_who_asked_is_told_once_by_each_way(portal: Portal, told: Any):
    path = portal.jobs["LogsAFailure"].class_path
    say(portal, "alice", mail=["failed"], browser=["failed", "completed"])
    wish(portal, "bob", "job", path, words=("failed", "errored"))
    wish(portal, "carol", "job", path, ways=("mail", "browser"))
    ops = channel(portal, class_paths=[f"{path[:-2]}*"])
    channel(portal, "others", class_paths=["plugins/*"])
    channel(portal, "off", enabled=False)
    channel(portal, "completed only", words=["completed"])
    result = portal.run("LogsAFailure")
    wish(portal, "root", "run", result.id, ways=("browser",))
    title = f"Failed: {result.name}"
    expected = {
        (title, "browser:alice"),
        (title, "mail:alice"),
        (title, "mail:bob"),
        # Who has no address is told by the other way alone.
        (title, "browser:carol"),
        (title, "browser:root"),
        (title, f"channel:{ops}"),
    }
    assert set(told()) == expected
    assert len(told()) == len(expected)
    with portal.platform.reading() as db:
        # The wish was granted.
        assert db.scalars(select(NoticeRule.about)).all() == ["job", "job"]
        one = db.scalars(select(Delivery)).first()
    assert one is not None
    assert one.content["result"]["counts"]["failure"] == len(one.content["failures"]) > 0
    assert one.content["texts"] == [portal.result(result).cause]
    ended(portal, "Passes", Status.COMPLETED)
    assert [each for each in told() if each[1] == "browser:alice"] == [
        (title, "browser:alice"),
        (f"Completed: {portal.jobs['Passes'].name}", "browser:alice"),
    ]


@on_sqlite
def test_how_a_run_ended_is_what_was_asked_for(portal: Portal, told: Any):
    say(portal, "alice", mail=["warnings", "errored"])
    wish(portal, "bob", "job", portal.jobs["Passes"].class_path, words=("canceled", "denied"))
    ended(portal, "Passes", Status.COMPLETED, count_warning=2)
    ended(portal, "Passes", Status.COMPLETED)
    ended(portal, "Passes", Status.ERRORED)
    ended(portal, "Passes", Status.CANCELED)
    ended(portal, "Passes", Status.DENIED)
    name = portal.jobs["Passes"].name
    assert set(told()) == {
        (f"Completed with warnings: {name}", "mail:alice"),
        (f"Errored: {name}", "mail:alice"),
        (f"Canceled: {name}", "mail:bob"),
        (f"Denied: {name}", "mail:bob"),
    }


@on_sqlite
def test_nobody_is_told_what_they_may_not_see(portal: Portal, told: Any):
    path = portal.jobs["LogsAFailure"].class_path
    for name in ("bob", "carol"):
        wish(portal, name, "job", path, ways=("browser",))
    channel(portal, "of bob", user="bob")
    roots = channel(portal, "of root")
    orphan = channel(portal, "of nobody")
    result = ended(portal, "LogsAFailure")
    with portal.platform.session() as db:
        # From now on people see their own runs alone, and carol those of this job.
        everyone = db.scalars(select(Permission).where(Permission.name == "See all results")).one()
        everyone.constraints = [{"owner": "me"}]
        carol = db.get_one(User, portal.cast["carol"].id)
        db.add(
            Permission(
                name="x", kind="result", actions=["view"], constraints=[{"class_path": path}], users=[carol]
            )
        )
        db.execute(update(Channel).where(Channel.id == orphan).values(user_id=None))
        db.commit()
    assert {target for _, target in told()} == {"browser:carol", f"channel:{roots}"}
    wish(portal, "carol", "run", (again := ended(portal, "LogsAFailure")).id)
    with portal.platform.session() as db:
        db.get_one(User, portal.cast["carol"].id).active = False
        db.commit()
    assert len(told()) == 3
    assert portal.result(again).told
    assert portal.result(result).told


def test_two_who_look_at_once_and_one_who_dies_make_one_message_each(
    portal: Portal, told: Any, monkeypatch: pytest.MonkeyPatch
):
    class Killed(BaseException):
        pass

    say(portal, "alice", mail=["failed"], browser=["failed"])
    for _ in range(3):
        ended(portal, "LogsAFailure")

    def dies(place: str) -> None:
        if place == "notices.written":
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(notices, "reach", dies)
        with pytest.raises(Killed):
            note_all(portal.platform, portal.settings)
    answers = at_once(*[lambda: note_all(portal.platform, portal.settings)] * 4)
    assert sum(answers) == 6, answers
    assert len(told()) == 6


@on_sqlite
def test_a_message_that_cannot_be_made_holds_up_no_other(
    portal: Portal, told: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    say(portal, "alice", browser=["failed", "errored"])
    bad = ended(portal, "LogsAFailure")
    ended(portal, "LogsAFailure", Status.ERRORED)
    of_result = notice_facts.of_result

    def fails(db: Any, result: JobResult) -> Any:
        if result.id == bad.id:
            raise KeyError("x")
        return of_result(db, result)

    monkeypatch.setattr(notice_facts, "of_result", fails)
    assert [title.partition(":")[0] for title, _ in told()] == ["Errored"]
    assert f"ended:{bad.id}" in caplog.text


def test_approvals_are_told_to_who_may_give_them_and_decisions_to_who_asked(portal: Portal, told: Any):
    with portal.platform.session() as db:
        db.execute(update(JobRecord).values(approval_required=True))
        bob, alice = (db.get_one(User, portal.cast[name].id) for name in ("bob", "alice"))
        db.add(Permission(name="x", kind="job", actions=["approve"], users=[bob, alice]))
        db.commit()
    say(portal, "root", mail=[])
    ops = channel(portal, words=["asked", "decided", "denied"])
    name = portal.jobs["Passes"].name
    result = portal.submit("Passes")
    # Not to alice, who asked, and not to root, who does not want to know.
    asked = [(f"To approve: {name}", target) for target in ("browser:bob", "mail:bob", f"channel:{ops}")]
    assert told() == asked
    with portal.platform.reading() as db:
        [request] = db.scalars(select(Delivery).where(Delivery.target == f"channel:{ops}"))
        assert request.content["decide"] == str(result.id)
    with portal.platform.session() as db:
        person = db.get_one(User, portal.cast["bob"].id)
        decide(
            db, portal.settings, db.get_one(JobResult, result.id), "denied", user=person, comment="No <b>!"
        )
    decided = [(f"Denied: {name}", target) for target in ("browser:alice", "mail:alice")]
    both = [(f"Denied: {name}", f"channel:{ops}")] * 2
    assert sorted(told()[3:]) == sorted([*decided, *both])
    with portal.platform.reading() as db:
        contents = db.scalars(select(Delivery).where(Delivery.event == "decided")).all()
    assert contents[0].content["texts"] == ["bob denied it.", "No <b>!"]
    # Taken back before anybody was told: nobody is.
    with portal.platform.session() as db:
        db.execute(delete(Delivery))
        db.commit()
    portal.cancel(portal.submit("Passes"))
    assert told() == []


def test_schedules_tell_their_owner_and_who_asked(portal: Portal, told: Any):
    job = portal.jobs["Passes"]
    facts: dict[str, Any] = {"class_path": job.class_path, "interval": "daily", "start_at": now()}
    with portal.platform.session() as db:
        schedule = Schedule(
            id=uuid.uuid4(),
            name="Nightly",
            job_id=job.id,
            user_id=portal.cast["alice"].id,
            username="alice",
            **facts,
        )
        db.add(schedule)
        db.commit()
    wish(portal, "bob", "schedule", schedule.id, words=(*OUTCOMES, "missed"))
    ops = channel(portal, words=["missed"])
    ended(portal, "Passes", Status.FAILED, user="carol", origin="schedule", origin_id=schedule.id)
    assert told() == [(f"Failed: {job.name}", "mail:bob")]
    moment = now()
    with portal.platform.session() as db:
        db.add(
            MissedSlots(
                schedule_id=schedule.id,
                first_at=moment,
                last_at=moment + timedelta(1),
                count=2,
                cause="Nobody looked.",
                noticed_at=moment,
            )
        )
        db.get_one(Schedule, schedule.id).problem = "Its job is gone."
        db.commit()
    receivers = ("mail:alice", "mail:bob", f"channel:{ops}")
    both = [(title, to) for title in ("Missed: Nightly", "Cannot run: Nightly") for to in receivers]
    assert told()[1:] == both
    assert len(told()) == 7
    for problem in ("", "Its job is gone."):
        with portal.platform.session() as db:
            db.get_one(Schedule, schedule.id).problem = problem
            db.commit()
        last = told()
    assert len(last) == 10


@on_sqlite
def test_what_has_something_to_report_is_told_to_who_wants_that(portal: Portal, told: Any):
    say(portal, "alice", mail=["output"])
    wish(portal, "bob", "job", portal.jobs["Passes"].class_path, words=WHEN["output"])
    ops = channel(portal, words=["output"], kind="mail", class_paths=["dialect:bots"])
    bots = {"results": {"notify": True}}
    runs = [
        ended(portal, "Passes", Status.COMPLETED),
        # One that says nothing, or no, asks nobody to be told.
        ended(portal, "BotsPlain", Status.COMPLETED, results={"notify": "", "other": 1}),
        ended(portal, "BotsPlain", Status.COMPLETED),
        ended(portal, "BotsPlain", Status.COMPLETED, **bots),
    ]
    with portal.platform.session() as db:
        for run in runs:
            pieces = [{"kind": "text", "content": "3 hosts"}]
            db.add(RunReport(result_id=run.id, data={"pieces": pieces}, pieces=1))
        db.commit()
    for job in ("Passes", "BotsPlain"):
        ended(portal, job, Status.COMPLETED, **bots)
    plain, passes = (f"Report: {portal.jobs[name].name}" for name in ("BotsPlain", "Passes"))
    assert sorted(told()) == sorted(
        [
            (passes, "mail:alice"),
            (passes, "mail:bob"),
            (plain, "mail:alice"),
            (plain, f"channel:{ops}"),
        ]
    )
    with portal.platform.reading() as db:
        [one] = db.scalars(select(Delivery).where(Delivery.channel_id == ops))
    assert (one.via, one.event, one.result_id) == ("mail", "output", runs[3].id)
    assert "3 hosts" not in str([one.title, one.content]), "it is copied nowhere"


@on_sqlite
def test_a_run_knows_of_no_messages(portal: Portal, told: Any, monkeypatch: pytest.MonkeyPatch):
    """The mail server is dead and the channel too: the run ends as ever, and its process opens no socket for them."""
    say(portal, "alice", mail=list(OUTCOMES))
    channel(portal)
    opened = []
    create = socket.create_connection
    monkeypatch.setattr(
        socket,
        "create_connection",
        lambda address, *rest, **more: opened.append(address) or create(address, *rest, **more),
    )
    result = portal.run("Passes")
    assert (result.status, result.told) == (Status.COMPLETED, False)
    assert opened == []
    with portal.platform.reading() as db:
        assert db.scalars(select(Delivery)).all() == []
    assert len(told()) == 2


@on_sqlite
def test_processes_that_are_killed_and_race_write_and_send_one_message(
    portal: Portal, told: Any, start_worker: StartWorker
):
    with receiver() as web:
        made = channel(
            portal, box=lock(portal.settings.secret_key, {"url": web.url(), "secret": "x"}), words=["failed"]
        )
        result = ended(portal, "LogsAFailure")
        dying = start_worker(
            command="scheduler", ERRAND_FAILPOINT="notices.written", ERRAND_WEBHOOK_HOSTS="localhost"
        )
        assert dying.wait(60) == -signal.SIGKILL
        with portal.platform.reading() as db:
            assert db.scalars(select(Delivery)).all() == []
        for _ in range(2):
            start_worker(command="scheduler", ERRAND_WEBHOOK_HOSTS="localhost")

        def sent() -> list[tuple[str, str]]:
            with portal.platform.reading() as db:
                rows = db.execute(select(Delivery.target, Delivery.state).where(Delivery.state == "sent"))
                return [(target, state) for target, state in rows]

        assert until(sent, "the message is sent") == [(f"channel:{made}", "sent")]
        assert [request.json["result"]["id"] for request in web.got] == [str(result.id)]
        assert len(told()) == 1
