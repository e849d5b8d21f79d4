"""Who is here and who is gone, what is paused, and what the queues hold."""

import dataclasses
import os
import subprocess
import threading
import uuid
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from store.models import JobResult, Queue, Status, User, WorkerProcess, now
from store.permissions import Forbidden, NotVisible
from store.platform import Platform
from tests.conftest import make_cast
from tests.waiting import until
from worker import duty, scheduler
from worker import presence as presence_module
from worker.host import memory_of, this_process
from worker.pausing import pause_queue, paused_queues, queue_is_open, resume_queue
from worker.presence import Presence, RollCall, drain_worker, forget_gone, is_listening, is_silent, version
from worker.queue_facts import present_workers, queue_facts, redis_facts
from worker.queues import push

pytestmark = pytest.mark.in_turn

#: On a machine that nobody here can see into.
ELSEWHERE = dataclasses.replace(this_process(), host="elsewhere")
#: A pid of this machine that was given to somebody else since.
DEAD = dataclasses.replace(this_process(), started="long ago")


@pytest.fixture
def be(live_platform: Platform) -> Callable[..., Presence]:
    def be(name="w-1", *, kind="worker", queues=("default",), process=None) -> Presence:
        made = Presence(live_platform, kind=kind, name=name, queues=queues, process=process or this_process())
        made.enter()
        return made

    return be


@pytest.fixture
def clock(monkeypatch) -> Callable[[float], None]:
    """Let time pass for the roll call alone."""
    passed = 0.0

    def let_pass(seconds: float) -> None:
        nonlocal passed
        passed += seconds

    monkeypatch.setattr(presence_module.time, "monotonic", lambda: passed)
    return let_pass


@pytest.fixture
def cast(live_platform: Platform) -> dict[str, User]:
    with live_platform.session() as db:
        return make_cast(db)


def rows(platform: Platform) -> dict[str, WorkerProcess]:
    with platform.reading() as db:
        return {row.name: row for row in db.scalars(select(WorkerProcess))}


# --- Presence -------------------------------------------------------------------------------------------------


def test_who_enters_is_seen_with_all_that_is_known_of_it(be, live_platform):
    be("w-1", queues=["bulk", "default"])
    row = rows(live_platform)["w-1"]
    assert (row.kind, row.queues, row.state, row.here) == ("worker", ["bulk", "default"], "idle", True)
    assert (row.host_key, row.pid, row.started) == (this_process().host, os.getpid(), this_process().started)
    assert row.version == version() != ""


def test_a_beat_says_what_the_process_does(be, live_platform):
    worker, result_id = be(), uuid.uuid4()
    before = rows(live_platform)["w-1"]
    assert worker.beat("busy", result_id, memory_bytes=5_000_000_000, done=7, failed=2) is False
    row = rows(live_platform)["w-1"]
    assert (row.state, row.result_id, row.memory_bytes) == ("busy", result_id, 5_000_000_000)
    assert (row.done, row.failed, row.beat) == (7, 2, before.beat + 1)
    assert row.seen_at > before.seen_at
    worker.beat("idle")
    assert rows(live_platform)["w-1"].result_id is None


def test_the_end_of_a_pass_is_written_with_the_next_beat(be, live_platform):
    worker = be()
    worker.reconciled()
    worker.beat("idle")
    first = rows(live_platform)["w-1"].reconciled_at
    worker.beat("idle")
    assert first is not None
    assert rows(live_platform)["w-1"].reconciled_at == first


def test_who_leaves_has_stopped(be, live_platform):
    worker = be()
    worker.beat("busy", uuid.uuid4())
    worker.leave()
    row = rows(live_platform)["w-1"]
    assert (row.state, row.here, row.result_id) == ("stopped", False, None)


def test_who_comes_with_the_same_name_takes_its_place(be, live_platform):
    be(process=DEAD)
    be()
    assert rows(live_platform)["w-1"].started == this_process().started


def test_a_beat_makes_the_row_anew_when_it_is_gone(be, live_platform):
    worker = be()
    with live_platform.session() as db:
        db.query(WorkerProcess).delete()
        db.commit()
    be("w-2")
    assert worker.beat("busy", done=3) is False
    assert rows(live_platform)["w-1"].done == 3
    assert rows(live_platform)["w-2"].state == "idle"


def test_names_may_be_longer_than_their_column(be, live_platform):
    worker = be("w" * 200)
    worker.beat("busy")
    assert [row.state for row in rows(live_platform).values()] == ["busy"]


# --- The roll call --------------------------------------------------------------------------------------------


def test_the_roll_call_finds_a_dead_process_of_this_machine_at_once(be, live_platform):
    be("dead", process=DEAD)
    be("alive")
    assert RollCall(live_platform).run_once() == ["dead"]
    found = rows(live_platform)
    assert (found["dead"].state, found["dead"].here) == ("lost", False)
    assert (found["alive"].state, found["alive"].here) == ("idle", True)


def test_the_roll_call_takes_a_still_beat_elsewhere_for_a_loss(be, live_platform, clock):
    be("still", process=ELSEWHERE)
    lively = be("lively", process=ELSEWHERE)
    roll_call = RollCall(live_platform)
    assert roll_call.run_once() == []
    clock(11)
    lively.beat("idle")
    assert roll_call.run_once() == []
    clock(2)
    assert roll_call.run_once() == ["still"]
    assert roll_call.run_once() == []


def test_the_roll_call_has_more_patience_with_who_lives_here(be, live_platform, clock):
    be("stopped by somebody")
    roll_call = RollCall(live_platform)
    roll_call.run_once()
    clock(50)
    assert roll_call.run_once() == []
    clock(11)
    assert roll_call.run_once() == ["stopped by somebody"]


def test_who_was_only_slow_is_back_with_its_next_beat(be, live_platform):
    worker = be(process=DEAD)
    RollCall(live_platform).run_once()
    worker.beat("busy")
    assert (rows(live_platform)["w-1"].state, rows(live_platform)["w-1"].here) == ("busy", True)


def test_who_left_is_not_called(be, live_platform):
    be(process=DEAD).leave()
    assert RollCall(live_platform).run_once() == []
    assert rows(live_platform)["w-1"].state == "stopped"


def test_who_is_gone_for_a_day_is_forgotten(be, live_platform):
    be("yesterday").leave()
    be("today").leave()
    be("here")
    with live_platform.session() as db:
        db.execute(
            update(WorkerProcess)
            .where(WorkerProcess.name == "yesterday")
            .values(ended_at=now() - timedelta(hours=25))
        )
        forget_gone(db)
        db.commit()
    assert set(rows(live_platform)) == {"today", "here"}


def test_silence_is_told_from_a_loss(be, live_platform):
    be()
    row = rows(live_platform)["w-1"]
    assert is_listening(row)
    assert not is_silent(row)
    row.seen_at = now() - timedelta(seconds=20)
    assert is_silent(row)
    assert not is_listening(row)


# --- Drain ----------------------------------------------------------------------------------------------------


def test_a_drained_worker_learns_it_with_its_beat(be, live_platform, cast):
    worker = be()
    with live_platform.session() as db:
        assert drain_worker(db, "w-1", cast["root"])
    assert worker.beat("busy") is True
    assert rows(live_platform)["w-1"].shown_state == "draining"
    with live_platform.session() as db:
        assert drain_worker(db, "w-1", cast["root"], on=False)
    assert worker.beat("busy") is False
    assert rows(live_platform)["w-1"].shown_state == "busy"


def test_only_superusers_drain(be, live_platform, cast):
    be()
    with live_platform.session() as db, pytest.raises((Forbidden, NotVisible)):
        drain_worker(db, "w-1", cast["alice"])
    assert rows(live_platform)["w-1"].drain is False


def test_who_is_not_a_worker_or_not_here_cannot_be_drained(be, live_platform, cast):
    be("scheduler-1", kind="scheduler")
    be("gone").leave()
    with live_platform.session() as db:
        for name in ("scheduler-1", "gone", "never there", "a\x00b"):
            assert not drain_worker(db, name, cast["root"])
    assert not any(row.drain for row in rows(live_platform).values())


# --- Pause ----------------------------------------------------------------------------------------------------


def test_a_paused_queue_is_on_the_list_until_it_is_resumed(live_platform, cast):
    with live_platform.session() as db:
        assert paused_queues(db) == frozenset()
        pause_queue(db, "bulk", cast["root"])
        pause_queue(db, "bulk", cast["root"])
        assert paused_queues(db) == {"bulk"}
        resume_queue(db, "bulk", cast["root"])
        resume_queue(db, "never paused", cast["root"])
        assert paused_queues(db) == frozenset()
        pause_queue(db, "bulk", cast["root"])
        assert paused_queues(db) == {"bulk"}
        assert db.scalars(select(Queue.name)).all() == ["bulk"]


def test_it_is_known_who_paused_first(live_platform, cast):
    with live_platform.session() as db:
        pause_queue(db, "bulk", cast["root"])
        first = db.scalars(select(Queue)).one().paused_at
        cast["bob"].superuser = True
        pause_queue(db, "bulk", cast["bob"])
        row = db.scalars(select(Queue)).one()
        assert (row.paused_by, row.paused_at) == ("root", first)


def test_only_superusers_pause_and_resume(live_platform, cast):
    with live_platform.session() as db:
        pause_queue(db, "bulk", cast["root"])
        for act, name in ((pause_queue, "default"), (resume_queue, "bulk")):
            with pytest.raises((Forbidden, NotVisible)):
                act(db, name, cast["alice"])
        assert paused_queues(db) == {"bulk"}


def test_a_claim_may_be_bound_to_an_open_queue(portal):
    result = portal.submit("Passes")
    claim = update(JobResult).where(JobResult.id == result.id, queue_is_open()).values(status=Status.RUNNING)
    with portal.platform.session() as db:
        pause_queue(db, "default", portal.cast["root"])
        assert db.execute(claim).rowcount == 0
        resume_queue(db, "default", portal.cast["root"])
        assert db.execute(claim).rowcount == 1


# --- What the queues hold -------------------------------------------------------------------------------------


def add_runs(platform: Platform, *runs: dict) -> None:
    common = {"class_path": "local/x/X", "name": "X", "username": "alice", "time_limit": 600.0}
    with platform.session() as db:
        db.add_all(JobResult(**common, **run) for run in runs)
        db.commit()


def facts(live, platform):
    with platform.reading() as db:
        found, _ = queue_facts(db, live, present_workers(db))
    return {fact.name: fact for fact in found}


def test_queues_are_those_that_anything_speaks_of(live, live_platform, be, portal):
    be(queues=["of a worker"])
    add_runs(live_platform, {"queue": "of a run"}, {"queue": "of an old run", "status": "completed"})
    with live_platform.session() as db:
        pause_queue(db, "paused", portal.cast["root"])
    found = facts(live, live_platform)
    of_jobs = {name for job in portal.jobs.values() for name in job.allowed_queues}
    assert set(found) == {"of a worker", "of a run", "paused", *of_jobs}
    assert found["paused"].paused_by == "root"
    assert [name for name, fact in found.items() if fact.paused] == ["paused"]


def test_waiting_runs_are_counted_in_the_database(live, live_platform):
    long_ago, lately = now() - timedelta(hours=2), now() - timedelta(minutes=2)
    add_runs(
        live_platform,
        {"queue": "a", "created_at": lately},
        {"queue": "a", "created_at": now()},
        # It could have started two minutes ago, and not since it was asked for.
        {"queue": "b", "created_at": long_ago, "not_before": lately},
        {"queue": "b", "created_at": long_ago, "not_before": now() + timedelta(hours=1)},
        {"queue": "c", "created_at": long_ago, "not_before": now() + timedelta(hours=1)},
        {"queue": "a", "created_at": long_ago, "status": "awaiting_approval"},
        {"queue": "a", "created_at": long_ago, "status": "running"},
    )
    found = facts(live, live_platform)
    assert {name: (fact.waiting, fact.later, fact.running) for name, fact in found.items()} == {
        "a": (2, 0, 1),
        "b": (1, 1, 0),
        "c": (0, 1, 0),
    }
    assert (found["a"].oldest_at, found["b"].oldest_at, found["c"].oldest_at) == (lately, lately, None)
    assert 120 <= found["a"].oldest_seconds < 180
    assert found["c"].oldest_seconds is None


def test_the_rate_is_that_of_the_last_ten_minutes(live, live_platform):
    starts = [now() - timedelta(minutes=minutes) for minutes in (1, 2, 9, 11, 300)]
    add_runs(live_platform, *({"queue": "a", "status": "completed", "started_at": at} for at in starts))
    assert facts(live, live_platform)["a"].started_per_minute == pytest.approx(0.3)


def test_only_workers_that_take_runs_are_counted(live, live_platform, be, cast):
    be("one", queues=["a", "b"])
    be("two", queues=["a"])
    be("gone", queues=["a"]).leave()
    be("draining", queues=["a"])
    be("scheduler", kind="scheduler", queues=["a"])
    with live_platform.session() as db:
        drain_worker(db, "draining", cast["root"])
    assert {name: fact.workers for name, fact in facts(live, live_platform).items()} == {"a": 2, "b": 1}


def test_what_redis_holds_stands_beside_it(live, live_platform, be):
    be(queues=["a", "b"])
    push(live, uuid.uuid4(), queue="a", priority="normal", description="x")
    found = facts(live, live_platform)
    assert (found["a"].queued, found["b"].queued) == (1, 0)
    told = redis_facts(live, ["a"])
    assert told.reachable
    assert told.memory_bytes > 0


def test_facts_do_not_need_redis(settings, platform):
    with platform.session() as db:
        db.add(JobResult(class_path="a/b/C", name="C", username="alice", time_limit=1.0))
        db.commit()
        (fact,), redis = queue_facts(db, settings, [])
    assert not redis.reachable
    assert (fact.name, fact.waiting, fact.queued) == ("default", 1, None)


# --- Memory, and the scheduler --------------------------------------------------------------------------------


def test_memory_is_that_of_the_living():
    child = subprocess.Popen(["sleep", "60"])
    try:
        own = memory_of([os.getpid()])
        assert own > 5_000_000
        assert memory_of([child.pid]) < own
    finally:
        child.kill()
        child.wait()
    assert memory_of([child.pid]) == 0
    assert memory_of([]) == 0


def test_the_scheduler_says_that_it_is_here_calls_the_roll_and_leaves(live, live_platform, be, monkeypatch):
    monkeypatch.setattr(duty, "PASS_SECONDS", 0.3)
    be("dead", process=DEAD)
    stop = threading.Event()
    thread = threading.Thread(target=scheduler.run, args=(live, stop))
    thread.start()

    def own():
        found = [row for row in rows(live_platform).values() if row.kind == "scheduler"]
        return found[0] if found and found[0].beat else None

    try:
        row = until(lambda: (row := own()) and row.reconciled_at and row, "the scheduler has reconciled")
        assert row.here
        assert row.memory_bytes > 0
        until(lambda: rows(live_platform)["dead"].state == "lost", "the dead worker is found")
    finally:
        stop.set()
        thread.join()
    assert [row.state for row in rows(live_platform).values() if row.kind == "scheduler"] == ["stopped"]
