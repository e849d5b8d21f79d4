"""Equal requests count once while the run waits; and runs that are asked for later."""

import threading
from typing import Any

import pytest
from sqlalchemy import func, select

from store.models import JobResult, User
from tests.waiting import PATIENCE_SECONDS
from tests.worker.conftest import Portal
from tests.worker.engine import Clock, Engine, at_once
from worker import submit as door
from worker.approvals import decide
from worker.host import Process, this_host
from worker.origins import Origin
from worker.run_options import RunOptions

pytestmark = pytest.mark.in_turn


def ask(portal: Portal, text: str, **options: Any) -> JobResult:
    return portal.submit("Stations", raw={"text": text, "flag": False}, **options)


def rows(portal: Portal) -> int:
    with portal.platform.reading() as db:
        return db.scalar(select(func.count()).select_from(JobResult)) or 0


def test_the_same_once_more_takes_a_new_place_in_line(portal: Portal, engine: Engine, clock: Clock):
    engine.rule("Stations", dedupe=True, concurrency_limit=1, expires=1000)
    first = ask(portal, "one")
    clock(10)
    second = ask(portal, "two")
    at = clock(10)
    again = ask(portal, "one", user="bob")
    assert (again.id, again.repeated, again.joined) == (first.id, True, True)
    row = portal.result(first)
    assert (row.created_at, row.turn_at, row.username) == (first.created_at, at, "alice")
    assert (row.expires_at - at).total_seconds() == 1000
    # It was first, and has gone behind the other.
    assert engine.start(first) is None
    assert portal.result(first).cause == "It waits until it is its turn: one run at once."
    taken = engine.start(second)
    assert taken is not None
    assert rows(portal) == 2
    assert engine.end(taken) == [first.id]


def test_what_runs_already_is_asked_for_anew_and_once(portal: Portal, engine: Engine):
    engine.rule("Stations", dedupe=True)
    first = ask(portal, "one")
    assert engine.start(first) is not None
    second, third = ask(portal, "one"), ask(portal, "one")
    assert second.id != first.id
    assert third.id == second.id
    assert engine.waiting() == [second.id]


@pytest.mark.parametrize(
    "options",
    [
        {"commit": False},
        {"queue": "bulk"},
        {"permitted": True},
        {"options": RunOptions(ignore_singleton_lock=True)},
    ],
)
def test_what_differs_in_more_than_its_inputs_is_not_the_same(
    portal: Portal, engine: Engine, options: dict[str, Any]
):
    alone = {"concurrency_limit": 1, "concurrency_policy": "singleton"}
    engine.rule("Stations", dedupe=True, queues=["default", "bulk"], **alone)
    assert ask(portal, "one").id != ask(portal, "one", **options).id


def test_what_nobody_may_read_is_never_the_same(portal: Portal, engine: Engine):
    engine.rule("Sensitive", dedupe=True)
    asked = [portal.submit("Sensitive", raw={"password": "open sesame"}) for _ in range(2)]
    assert asked[0].id != asked[1].id
    assert asked[0].dedupe_key is None


def test_a_request_that_joined_is_known_when_it_comes_again(portal: Portal, engine: Engine):
    engine.rule("Stations", dedupe=True)
    first = ask(portal, "one", idempotency_key="k-1")
    ask(portal, "one", idempotency_key="k-2")
    assert engine.start(first) is not None
    # Both are answered with the run that they led to, and so nothing runs a second time.
    for key in ("k-1", "k-2"):
        again = ask(portal, "one", idempotency_key=key)
        assert (again.id, again.repeated, again.joined) == (first.id, True, False)
    assert rows(portal) == 1


@pytest.mark.parametrize("waits", [False, True])
def test_one_request_that_comes_several_times_at_once_asks_once(
    portal: Portal, engine: Engine, monkeypatch: pytest.MonkeyPatch, waits: bool
):
    engine.rule("Stations", dedupe=True)
    if waits:
        ask(portal, "one")
    # Each looks for the key before any has stored it.
    barrier = threading.Barrier(4, timeout=PATIENCE_SECONDS)
    known = door._is_known
    met = threading.local()

    def look(*args: Any) -> bool:
        answer = known(*args)
        if not hasattr(met, "once"):
            met.once = barrier.wait()
        return answer

    monkeypatch.setattr(door, "_is_known", look)
    # Read before: on SQLite who reads first keeps the others waiting.
    job, alice = portal.jobs["Stations"], portal.cast["alice"]
    job.dedupe = True
    raw = {"text": "one", "flag": False}

    def request() -> JobResult:
        with portal.platform.session() as db:
            return door.submit(db, portal.settings, job=job, raw=raw, user=alice, idempotency_key="k-1")

    asked = at_once(*[request] * 4)
    assert len({result.id for result in asked}) == rows(portal) == 1
    assert [result.joined for result in asked].count(True) == waits
    assert [result.repeated for result in asked].count(False) == (not waits)


def test_a_schedule_has_a_run_of_its_own_which_is_skipped(portal: Portal, engine: Engine):
    engine.rule("Stations", dedupe=True)
    first = ask(portal, "one")
    origin = Origin("schedule", first.id, "Nightly", key="slot 1")
    skipped = ask(portal, "one", origin=origin)
    assert (skipped.status, skipped.origin_name) == ("canceled", "Nightly")
    assert skipped.cause == f"Skipped: run {first.short_id}, which is the same, was still waiting."
    assert portal.result(first).turn_at is None


def test_what_waits_for_an_approval_is_left_alone(portal: Portal, engine: Engine):
    engine.rule("Stations", dedupe=True, approval_required=True)
    assert ask(portal, "one").id != ask(portal, "one").id


def test_a_hundred_requests_at_once_make_one_run_for_each_text(portal: Portal, engine: Engine):
    engine.rule("Stations", dedupe=True, concurrency_limit=1)
    texts = [f"text {number % 10}" for number in range(100)]
    chunks = [texts[start::4] for start in range(4)]
    answers = at_once(*[lambda chunk=chunk: [ask(portal, text) for text in chunk] for chunk in chunks])
    asked = [result for answer in answers for result in answer]
    assert len(asked) == 100
    assert rows(portal) == len({result.id for result in asked}) == 10
    with portal.platform.reading() as db:
        turn = func.coalesce(JobResult.turn_at, JobResult.created_at)
        line = list(db.scalars(select(JobResult).order_by(turn, JobResult.id)))
    started = []
    for _ in line:
        # Whichever of them a worker takes from its queue, one may start: the one whose turn it is.
        taken = [each for each in map(engine.start, line) if each is not None]
        assert len(taken) == 1
        started.append(taken[0].result_id)
        engine.end(taken[0])
    assert started == [result.id for result in line]


def test_what_is_asked_for_while_it_begins_is_never_lost(portal: Portal, engine: Engine):
    engine.rule("Stations", dedupe=True)
    for text in "abcdef":
        first = ask(portal, text)
        taken, again = at_once(lambda first=first: engine.start(first), lambda text=text: ask(portal, text))
        assert taken is not None
        begun = portal.result(first)
        # Either it had begun, and there is another one; or what was asked for begins afterwards.
        if again.id == first.id:
            assert begun.turn_at is not None
            assert begun.turn_at <= begun.began_at
        else:
            assert portal.status(again) == "pending"


def test_a_run_whose_worker_died_blocks_nothing(portal: Portal, engine: Engine):
    engine.rule("Stations", dedupe=True, concurrency_limit=1)
    first = ask(portal, "one")
    assert engine.start(first, Process(this_host(), 2**30, "1")) is not None
    second, third = ask(portal, "one"), ask(portal, "two")
    assert engine.start(second) is None
    report = engine.reconcile()
    assert (report.ended, report.pushed) == ([first.id], [second.id])
    assert portal.status(first) == "errored"
    taken = engine.start(second)
    assert taken is not None
    assert engine.start(third) is None
    assert engine.end(taken) == [third.id]


# --- later -------------------------------------------------------------------------------------------------------


def test_a_run_that_is_asked_for_later_waits_so_long(portal: Portal, engine: Engine, clock: Clock):
    engine.rule("Stations", delay=60, expires=10)
    at = clock(0)
    result = ask(portal, "one")
    assert ((result.not_before - at).total_seconds(), result.created_at) == (60, at)
    assert result.cause == f"It waits until {result.not_before:%H:%M:%S} UTC." or "-" in result.cause
    assert engine.waiting() == []
    clock(59.5)
    report = engine.reconcile()
    assert (report.pushed, report.next_seconds) == ([], 0.5)
    clock(1)
    assert engine.reconcile().pushed == [result.id]
    assert engine.start(result) is not None
    assert portal.result(result).cause is None


def test_an_approved_run_waits_for_the_rest_of_its_time(portal: Portal, engine: Engine):
    engine.rule("Stations", delay=600, approval_required=True)
    result = ask(portal, "one")
    assert result.status == "awaiting_approval"
    with portal.platform.session() as db:
        row, root = db.get_one(JobResult, result.id), db.get_one(User, portal.cast["root"].id)
        decide(db, portal.settings, row, "approved", user=root)
    row = portal.result(result)
    assert (row.status, row.pushed_at, engine.waiting()) == ("pending", None, [])
    assert abs((row.not_before - result.not_before).total_seconds()) < 0.01
    assert (row.cause or "").startswith("It waits until ")


def test_whoever_asks_may_say_when(portal: Portal, engine: Engine, clock: Clock):
    engine.rule("Stations", delay=60, dedupe=True)
    later = ask(portal, "one")
    assert engine.waiting() == []
    # The same at once: it need not wait any longer. And the same later: it is taken off its queue again.
    assert ask(portal, "one", delay=0).id == later.id
    assert engine.waiting() == [later.id]
    at = clock(1)
    assert ask(portal, "one", delay=5).id == later.id
    assert engine.waiting() == []
    row = portal.result(later)
    assert ((row.not_before - at).total_seconds(), row.turn_at, row.pushed_at) == (5, row.not_before, None)
    assert portal.submit("Passes", delay=0.0).pushed_at is not None
