"""Schedules fire: each slot makes one run or is missed, whatever happens meanwhile."""

import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, func, select, update

from store.models import (
    ApiToken,
    Approval,
    JobRecord,
    JobResult,
    MissedSlots,
    Permission,
    Schedule,
    Status,
    User,
)
from store.timing.recurrence import Recurrence
from tests.waiting import until
from tests.worker.conftest import Portal
from tests.worker.engine import Engine, at_once
from worker import firing, schedule_approvals, schedules
from worker.approvals import AlreadyDecided, decide
from worker.asked import NotRunnable
from worker.firing import Fired, fire_due
from worker.keyring import ensure, rotate
from worker.plan_runs import make_missing
from worker.schedules import Timetable
from worker.submit import submit

START = datetime(2030, 1, 1, 12, 0, tzinfo=UTC)


class Clock:
    """What schedules take for now."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.at = START - timedelta(minutes=5)
        for module in ("firing", "schedules", "schedule_approvals", "missed_slots"):
            monkeypatch.setattr(f"worker.{module}.now", lambda: self.at)

    def go_to(self, moment: datetime) -> None:
        self.at = moment


class Scheduling:
    """A portal with a clock, and schedules in the hands of a test."""

    def __init__(self, portal: Portal, clock: Clock | None) -> None:
        self.portal, self._clock = portal, clock

    @property
    def clock(self) -> Clock:
        assert self._clock is not None, "this test goes by the real one"
        return self._clock

    def make(self, job: str = "Passes", user: str = "alice", raw: Any = None, **options: Any) -> Schedule:
        times = {"interval": "hourly", "start": START, **options.pop("times", {})}
        timetable = Timetable(options.pop("name", "Each hour"), Recurrence(**times), **options)
        with self.portal.platform.session() as db:
            return schedules.create(
                db,
                self.portal.settings,
                job=db.get_one(JobRecord, self.portal.jobs[job].id),
                raw=raw or {},
                user=db.get_one(User, self.portal.cast[user].id),
                timetable=timetable,
            )

    def fire(self, moment: datetime | None = None) -> Fired:
        if moment is not None:
            self.clock.go_to(moment)
        return fire_due(self.portal.platform, self.portal.settings)

    def act(self, what: Callable[..., Any], schedule: Schedule, *more: Any, user: str = "alice") -> Any:
        with self.portal.platform.session() as db:
            kept = db.scalars(select(Schedule).where(Schedule.id == schedule.id)).one()
            return what(db, *more, kept, user=db.get_one(User, self.portal.cast[user].id))

    def run_now(self, schedule: Schedule) -> JobResult:
        with self.portal.platform.session() as db:
            kept = firing.read(db, schedule.id)
            assert kept is not None
            assert kept.job is not None
            alice = db.get_one(User, self.portal.cast["alice"].id)
            return schedules.run_now(db, self.portal.settings, kept, kept.job, alice)

    def again(self, schedule: Schedule) -> Schedule:
        with self.portal.platform.reading() as db:
            return db.get_one(Schedule, schedule.id)

    def runs(self, schedule: Schedule) -> Sequence[JobResult]:
        with self.portal.platform.reading() as db:
            query = select(JobResult).where(JobResult.origin_id == schedule.id)
            return db.scalars(query.order_by(JobResult.slot_at)).all()

    def slots(self, schedule: Schedule) -> list[datetime | None]:
        return [run.slot_at for run in self.runs(schedule)]

    def missed(self, schedule: Schedule) -> list[tuple[datetime, datetime, int, str]]:
        with self.portal.platform.reading() as db:
            rows = db.scalars(select(MissedSlots).where(MissedSlots.schedule_id == schedule.id))
            return [(row.first_at, row.last_at, row.count, row.cause) for row in rows]

    def change_job(self, **facts: Any) -> None:
        with self.portal.platform.session() as db:
            db.execute(update(JobRecord).where(JobRecord.id == self.portal.jobs["Passes"].id).values(**facts))
            db.commit()


@pytest.fixture
def scheduling(portal: Portal, monkeypatch: pytest.MonkeyPatch) -> Scheduling:
    return Scheduling(portal, Clock(monkeypatch))


def hour(number: int) -> datetime:
    return START + timedelta(hours=number)


def test_each_slot_makes_one_run_as_its_owner(scheduling: Scheduling):
    made = scheduling.make()
    assert scheduling.fire().runs == [], "before its time"
    for number in range(3):
        assert len(scheduling.fire(hour(number)).runs) == 1
        assert scheduling.fire().runs == [], "not a second time"
    runs = scheduling.runs(made)
    assert [run.slot_at for run in runs] == [hour(0), hour(1), hour(2)]
    assert {(run.username, run.origin, run.origin_name) for run in runs} == {
        ("alice", "schedule", "Each hour")
    }
    kept = scheduling.again(made)
    assert (kept.total_run_count, kept.next_slot_at, kept.last_slot_at) == (3, hour(3), hour(2))
    assert scheduling.portal.execute(runs[0]).status == "completed"


@pytest.mark.parametrize(
    ("missed", "ran", "left_out"),
    [
        ("skip", [hour(4)], [(hour(0), hour(3), 4, firing.DOWN)]),
        ("once", [hour(4)], [(hour(0), hour(3), 4, firing.STANDS_FOR)]),
        ("all", [hour(0), hour(1), hour(2), hour(3), hour(4)], []),
    ],
)
def test_slots_that_nobody_fired_are_made_up_for_as_the_schedule_says(
    scheduling: Scheduling, missed: str, ran: list[datetime], left_out: list[Any]
):
    made = scheduling.make(missed=missed, overlap="allow")
    scheduling.fire(hour(4) + timedelta(seconds=2))
    assert scheduling.slots(made) == ran
    assert scheduling.missed(made) == left_out


def test_what_is_late_runs_once_or_is_missed(scheduling: Scheduling):
    once, skipped = scheduling.make(missed="once"), scheduling.make(missed="skip")
    scheduling.fire(hour(1) + timedelta(minutes=30))
    assert (scheduling.slots(once), scheduling.missed(once)) == (
        [hour(1)],
        [(hour(0), hour(0), 1, firing.STANDS_FOR)],
    )
    assert (scheduling.slots(skipped), scheduling.missed(skipped)) == (
        [],
        [(hour(0), hour(1), 2, firing.DOWN)],
    )
    scheduling.fire(hour(3) + timedelta(minutes=30))
    assert scheduling.missed(skipped) == [(hour(0), hour(3), 4, firing.DOWN)], "one line for one outage"


def test_a_run_starts_up_to_its_jitter_after_its_slot(scheduling: Scheduling):
    made = scheduling.make(times={"jitter_seconds": 600}, missed="skip")
    wakes_at = scheduling.again(made).wakes_at
    assert wakes_at is not None
    assert hour(0) <= wakes_at <= hour(0) + timedelta(seconds=600)
    if wakes_at > hour(0):
        assert scheduling.fire(wakes_at - timedelta(seconds=1)).runs == []
    scheduling.fire(wakes_at + timedelta(seconds=1))
    assert (scheduling.slots(made), scheduling.missed(made)) == ([hour(0)], [])


def test_many_schedulers_at_once_make_one_run_for_each_slot(scheduling: Scheduling):
    made = [scheduling.make(missed="all", overlap="allow", name=f"No. {number}") for number in range(5)]
    scheduling.clock.go_to(hour(6))
    at_once(*[scheduling.fire] * 4)
    assert scheduling.fire().runs == []
    for each in made:
        assert scheduling.slots(each) == [hour(number) for number in range(7)]
        assert scheduling.missed(each) == []


def test_a_clock_that_jumps_makes_nothing_twice(scheduling: Scheduling):
    made = scheduling.make(missed="skip")
    scheduling.fire(hour(0))
    scheduling.fire(hour(5))
    for moment in (hour(1), hour(2), hour(3)):
        assert scheduling.fire(moment).runs == []
    assert scheduling.slots(made) == [hour(0), hour(5)]
    # Even one that somebody edits then, so that its cursor goes back with the clock.
    scheduling.clock.go_to(hour(4) + timedelta(minutes=1))
    scheduling.act(schedules.pause, made)
    scheduling.act(schedules.resume, made)
    with scheduling.portal.platform.session() as db:
        db.execute(update(Schedule).values(last_slot_at=scheduling.clock.at, wakes_at=hour(5)))
        db.commit()
    scheduling.fire(hour(5))
    scheduling.fire(hour(6))
    assert scheduling.slots(made) == [hour(0), hour(5), hour(6)]


@pytest.mark.parametrize("state", [Status.PENDING, Status.RUNNING])
@pytest.mark.parametrize("overlap", ["skip", "wait", "replace", "allow"])
@pytest.mark.in_turn
def test_what_a_schedule_says_of_overlaps_is_done(
    scheduling: Scheduling, engine: Engine, overlap: str, state: Status
):
    made = scheduling.make(overlap=overlap)
    scheduling.fire(hour(0))
    first = scheduling.runs(made)[0]
    taken = engine.start(first) if state == Status.RUNNING else None
    scheduling.fire(hour(1))
    first, second = scheduling.runs(made)
    if overlap == "skip":
        word = "running" if state == Status.RUNNING else "waiting"
        expected = f"Skipped: run {first.short_id} of this schedule was still {word}."
        assert (first.status, second.status, second.cause) == (state, "canceled", expected)
    elif overlap == "wait":
        assert (first.status, second.status, second.after_id) == (state, "pending", first.id)
        assert engine.reconcile().pushed == []
        assert engine.start(second) is None
        taken = taken or engine.start(first)
        assert taken is not None
        engine.end(taken)
        assert engine.reconcile().pushed == [second.id]
    elif overlap == "replace":
        assert second.status == "pending"
        if state == Status.PENDING:
            assert (first.status, first.cause) == ("canceled", "Replaced by a newer run.")
        else:
            assert first.cancel_requested_at is not None
        assert engine.waiting() == [second.id]
    else:
        assert (first.status, second.status) == (state, "pending")
        assert first.cancel_requested_at is None


def test_a_paused_schedule_goes_on_with_what_is_to_come(scheduling: Scheduling):
    made = scheduling.make(missed="all")
    scheduling.act(schedules.pause, made)
    scheduling.fire(hour(2))
    scheduling.act(schedules.resume, made)
    scheduling.fire(hour(3))
    assert scheduling.slots(made) == [hour(3)]
    assert scheduling.missed(made) == [], "nobody wanted those"


def test_slots_that_may_not_run_are_missed_with_the_reason(scheduling: Scheduling):
    made = scheduling.make()
    scheduling.change_job(enabled=False)
    for number in range(3):
        scheduling.fire(hour(number))
    reason = "Passes is not enabled to be run."
    assert scheduling.missed(made) == [(hour(0), hour(2), 3, reason)]
    assert scheduling.again(made).problem == reason
    scheduling.change_job(enabled=True)
    scheduling.fire(hour(3))
    assert (scheduling.slots(made), scheduling.again(made).problem) == ([hour(3)], "")


def test_whose_owner_may_not_run_the_job_any_more_says_so(scheduling: Scheduling):
    made = scheduling.make()
    with scheduling.portal.platform.session() as db:
        db.execute(update(Permission).where(Permission.name == "Run enabled jobs").values(actions=["view"]))
        db.commit()
    scheduling.fire(hour(0))
    assert scheduling.slots(made) == []
    assert "alice, as whom it runs, was refused: You may not run Passes." in scheduling.again(made).problem


def test_whose_owner_is_gone_waits_to_be_taken_over(scheduling: Scheduling):
    made = scheduling.make()
    with scheduling.portal.platform.session() as db:
        db.query(ApiToken).delete()
        db.delete(db.get_one(User, scheduling.portal.cast["alice"].id))
        db.commit()
    scheduling.fire(hour(0))
    problem = "alice, as whom it runs, has no account any more. Somebody has to take it over."
    assert (scheduling.slots(made), scheduling.again(made).problem) == ([], problem)
    with scheduling.portal.platform.session() as db:
        schedule = db.get_one(Schedule, made.id)
        job = db.get_one(JobRecord, scheduling.portal.jobs["Passes"].id)
        schedules.take_over(db, schedule, job, db.get_one(User, scheduling.portal.cast["root"].id))
    scheduling.fire(hour(1))
    assert [(run.slot_at, run.username) for run in scheduling.runs(made)] == [(hour(1), "root")]


def test_inputs_that_do_not_fit_any_more_are_named(scheduling: Scheduling):
    made = scheduling.make()
    variable = {"name": "site", "type": "StringVar", "label": "Site", "required": True}
    scheduling.change_job(variables=[variable])
    scheduling.fire(hour(0))
    assert scheduling.slots(made) == []
    assert scheduling.again(made).problem.startswith("Its inputs do not fit: site: ")


def test_a_schedule_is_approved_once_for_all_its_runs(scheduling: Scheduling):
    portal = scheduling.portal
    scheduling.change_job(approval_required=True)
    with portal.platform.session() as db:
        bob = db.get_one(User, portal.cast["bob"].id)
        db.add(Permission(name="Approve", kind="job", actions=["approve"], users=[bob]))
        db.commit()
    made = scheduling.make(missed="all")
    scheduling.fire(hour(0))
    assert (scheduling.slots(made), scheduling.again(made).problem) == ([], schedule_approvals.WAITS)
    scheduling.clock.go_to(hour(0) + timedelta(minutes=10))
    with portal.platform.session() as db:
        person = db.get_one(User, portal.cast["bob"].id)
        schedule_approvals.decide(db, db.get_one(Schedule, made.id), "approved", user=person)
    with portal.platform.session() as db:
        root, again = db.get_one(User, portal.cast["root"].id), db.get_one(Schedule, made.id)
        with pytest.raises(AlreadyDecided):
            schedule_approvals.decide(db, again, "denied", user=root, comment="x")
    assert scheduling.missed(made) == [(hour(0), hour(0), 1, schedule_approvals.UNAPPROVED)]
    scheduling.fire(hour(1))
    run = scheduling.runs(made)[0]
    assert (run.slot_at, run.status) == (hour(1), "pending")
    assert portal.execute(run).status == "completed"
    # An edit voids it.
    with portal.platform.session() as db:
        schedule = db.get_one(Schedule, made.id)
        job = db.get_one(JobRecord, portal.jobs["Passes"].id)
        timetable = Timetable("Each day", Recurrence("daily", hour(3)))
        schedules.edit_timetable(db, schedule, job, timetable, db.get_one(User, portal.cast["alice"].id))
        decisions = select(Approval.decision).where(Approval.result_id.is_(None)).order_by(Approval.id)
        assert db.scalars(decisions).all() == ["void", None]
    scheduling.fire(hour(3))
    assert scheduling.slots(made) == [hour(1)]


def test_a_run_of_an_approved_schedule_is_stopped_when_the_code_has_changed(scheduling: Scheduling):
    portal = scheduling.portal
    scheduling.change_job(approval_required=True)
    made = scheduling.make()
    with portal.platform.session() as db:
        root = db.get_one(User, portal.cast["root"].id)
        schedule_approvals.decide(db, db.get_one(Schedule, made.id), "approved", user=root)
    scheduling.change_job(code_digest="0" * 64)
    scheduling.fire(hour(0))
    problem = "It was approved by root, but not like this: the job's code changed since it was asked for."
    assert (scheduling.slots(made), scheduling.again(made).problem) == ([], problem)
    with pytest.raises(NotRunnable, match="not like this"):
        scheduling.run_now(made)


@pytest.mark.parametrize("live", ["sqlite"], indirect=True)
def test_the_plan_of_an_approved_schedule_holds_for_each_of_its_runs(scheduling: Scheduling, tmp_path: Path):
    portal, world = scheduling.portal, tmp_path / "world"
    world.write_text("add vlan 10\n")
    made = scheduling.make("Plans", raw={"world": str(world)})
    [plan_id] = make_missing(portal.platform, portal.settings)
    with portal.platform.reading() as db:
        plan = db.get_one(JobResult, plan_id)
    portal.execute(plan)
    with portal.platform.session() as db:
        schedule, root = db.get_one(Schedule, made.id), db.get_one(User, portal.cast["root"].id)
        with pytest.raises(schedules.InvalidData, match="Say which plan"):
            schedule_approvals.decide(db, schedule, "approved", user=root)
        schedule_approvals.decide(db, schedule, "approved", user=root, plan=plan_id, drift=1)
    for number, (lines, status) in enumerate(
        (("10", "completed"), ("11", "completed"), ("1 2 3", "errored"))
    ):
        world.write_text("".join(f"add vlan {line}\n" for line in lines.split()))
        scheduling.fire(hour(number))
        run = next(run for run in scheduling.runs(made) if run.slot_at == hour(number))
        assert portal.execute(run).status == status, lines


def test_a_job_that_needs_an_approval_since_then_asks_for_each_run(scheduling: Scheduling):
    made = scheduling.make()
    scheduling.change_job(approval_required=True)
    scheduling.fire(hour(0))
    run = scheduling.runs(made)[0]
    assert run.status == "awaiting_approval"
    portal = scheduling.portal
    with portal.platform.session() as db:
        root = db.get_one(User, portal.cast["root"].id)
        decide(db, portal.settings, db.get_one(JobResult, run.id), "approved", user=root)
    assert portal.status(run) == "pending"


def test_one_that_runs_once_does_so_late_when_it_is_approved_late(scheduling: Scheduling):
    portal = scheduling.portal
    scheduling.change_job(approval_required=True)
    made = scheduling.make(times={"interval": "future"})
    scheduling.clock.go_to(hour(2))
    with portal.platform.session() as db:
        schedule, root = db.get_one(Schedule, made.id), db.get_one(User, portal.cast["root"].id)
        with pytest.raises(schedules.InvalidData, match="would run at once"):
            schedule_approvals.decide(db, schedule, "approved", user=root)
        schedule_approvals.decide(db, schedule, "approved", user=root, late=True)
    scheduling.fire()
    assert (scheduling.slots(made), scheduling.missed(made)) == ([hour(0)], [])
    assert scheduling.again(made).over


def test_an_edit_between_look_and_claim_is_not_overrun(
    scheduling: Scheduling, monkeypatch: pytest.MonkeyPatch
):
    made = scheduling.make()
    monkeypatch.setattr(firing, "reach", lambda _: scheduling.act(schedules.pause, made))
    assert scheduling.fire(hour(0)).runs == []
    assert scheduling.slots(made) == []


def test_a_scheduler_that_comes_too_late_to_a_schedule_writes_nothing(
    scheduling: Scheduling, monkeypatch: pytest.MonkeyPatch
):
    made = scheduling.make()
    read, written = firing.read, []

    def read_late(db: Any, schedule_id: Any) -> Schedule | None:
        """Read what another scheduler has dealt with since it was found to be due."""
        monkeypatch.setattr(firing, "read", read)
        assert len(scheduling.fire(hour(0)).runs) == 1
        event.listen(scheduling.portal.platform.engine, "before_cursor_execute", note)
        return read(db, schedule_id)

    def note(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        if not statement.startswith("SELECT"):
            written.append(statement)

    monkeypatch.setattr(firing, "read", read_late)
    assert scheduling.fire(hour(0)).runs == []
    assert (scheduling.slots(made), written) == ([hour(0)], [])


def test_a_schedule_that_breaks_stops_no_other_and_is_tried_again(
    scheduling: Scheduling, monkeypatch: pytest.MonkeyPatch
):
    broken, sound = scheduling.make(name="Broken"), scheduling.make(name="Sound")

    def submit_or_break(*given: Any, **more: Any) -> JobResult:
        if more["origin"].name == "Broken":
            raise ZeroDivisionError
        return submit(*given, **more)

    monkeypatch.setattr("worker.firing.submit", submit_or_break)
    scheduling.fire(hour(0))
    assert (scheduling.slots(broken), scheduling.slots(sound)) == ([], [hour(0)])
    assert "ZeroDivisionError" in scheduling.again(broken).problem
    assert scheduling.missed(broken) == [], "the slot is still to come"
    monkeypatch.setattr("worker.firing.submit", submit)
    scheduling.fire(hour(0) + firing.AFTER_A_BREAK)
    assert (scheduling.slots(broken), scheduling.again(broken).problem) == ([hour(0)], "")


FIRE = (
    "from store.settings import load_settings; from store.platform import Platform; "
    "from worker.firing import fire_due; s = load_settings(); fire_due(Platform(s.database_url), s)"
)


@pytest.mark.in_turn
def test_schedulers_that_are_killed_anywhere_leave_no_slot_out_and_none_twice(portal: Portal):
    scheduling = Scheduling(portal, None)
    begin = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=9)
    times = {"start": begin}
    ran = scheduling.make(missed="all", overlap="allow", times=times, name="Runs")
    left_out = scheduling.make(missed="skip", times=times, name="Left out")
    places = ["firing.read", "submit.before-commit", "submit.after-commit", "submit.after-commit:3"]
    deaths = 0
    for place in [*places, "submit.after-push:2", "firing.missed", "firing.read:2"]:
        died = subprocess.run(
            [sys.executable, "-c", FIRE], env={**os.environ, "ERRAND_FAILPOINT": place}, check=False
        )
        assert died.returncode in (-9, 0), place
        deaths += died.returncode == -9
    assert deaths >= 5
    fire_due(portal.platform, portal.settings)
    assert fire_due(portal.platform, portal.settings).runs == []
    last = scheduling.again(ran).last_slot_at
    assert last is not None
    hours = round((last - begin).total_seconds() / 3600)
    assert scheduling.slots(ran) == [begin + timedelta(hours=number) for number in range(hours + 1)]
    assert sum(count for _, _, count, _ in scheduling.missed(left_out)) in (hours, hours + 1)
    assert len(scheduling.missed(left_out)) == 1


@pytest.mark.in_turn
def test_schedules_fire_by_themselves_and_on_time(portal: Portal):
    soon = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=2)
    timetable = Timetable(
        "Each second", Recurrence("custom", soon, cron="* * * * * *", dialect="jobschleuder"), overlap="allow"
    )
    with portal.platform.session() as db:
        made = schedules.create(
            db,
            portal.settings,
            job=db.get_one(JobRecord, portal.jobs["Passes"].id),
            raw={},
            user=db.get_one(User, portal.cast["alice"].id),
            timetable=timetable,
        )

    def fired() -> int:
        with portal.platform.reading() as db:
            return db.scalar(select(func.count()).where(JobResult.origin_id == made.id)) or 0

    stop = threading.Event()
    schedulers = [
        threading.Thread(target=firing.keep_firing, args=(portal.settings, portal.platform, stop))
        for _ in range(2)
    ]
    for each in schedulers:
        each.start()
    try:
        until(lambda: fired() >= 3, "three runs")
    finally:
        stop.set()
        for each in schedulers:
            each.join()
    with portal.platform.reading() as db:
        slots = db.scalars(select(JobResult.slot_at).where(JobResult.origin_id == made.id)).all()
    assert max(Counter(slots).values()) == 1
    ordered = sorted(slot for slot in slots if slot)
    assert ordered == [soon + timedelta(seconds=number) for number in range(len(ordered))]


def test_what_nobody_may_read_is_scheduled_and_opened_by_workers_alone(scheduling: Scheduling):
    portal = scheduling.portal
    with portal.platform.session() as db:
        ensure(db, portal.settings)
    made = scheduling.make("KnowsASecret", raw={"host": "a", "password": "s3cr3t-word"})
    with portal.platform.reading() as db:
        kept = firing.read(db, made.id)
        assert kept is not None
        assert "s3cr3t-word" not in str(kept.data)
        assert kept.kept_box is not None
        assert b"s3cr3t-word" not in kept.kept_box
    # Also when the workers have got another key meanwhile.
    with portal.platform.session() as db:
        assert rotate(db, portal.settings).resealed == 1
    scheduling.fire(hour(0))
    run = portal.execute(scheduling.runs(made)[0])
    assert run.status == "completed", run.cause
    assert "s3cr3t-word" not in str([entry.message for entry in portal.entries(run)])
    # Somebody else takes it over only with inputs of their own.
    with portal.platform.session() as db:
        schedule = db.get_one(Schedule, made.id)
        job = db.get_one(JobRecord, portal.jobs["KnowsASecret"].id)
        with pytest.raises(schedules.InvalidData, match="Give the inputs anew"):
            schedules.take_over(db, schedule, job, db.get_one(User, portal.cast["root"].id))
