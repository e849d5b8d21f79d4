"""When a waiting run may start."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from redis import Redis as Client
from sqlalchemy import event, func, select, text

from store.models import JobResult, JobStart, Status, now
from tests import servers
from tests.worker.conftest import Portal
from tests.worker.engine import GONE, Clock, Engine, at_once
from worker import ownership
from worker.host import Process, this_process
from worker.ownership import Fenced, beat, began, claim
from worker.queues import listed_ids, waiting_ids
from worker.reconciler import Report

pytestmark = pytest.mark.in_turn

# --- priorities and wake-ups -------------------------------------------------------------------------------------


def test_runs_wait_in_the_list_of_their_priority_and_wake_a_worker(
    portal: Portal, engine: Engine, redis: servers.Redis
):
    engine.rule("Passes", priority="high")
    engine.rule("Raises", priority="low")
    high, low, normal = portal.submit("Passes"), portal.submit("Raises"), portal.submit("Stations")
    lists = {name: listed_ids(portal.settings, "default", name) for name in ("high", "normal", "low")}
    assert lists == {"high": [high.id], "normal": [normal.id], "low": [low.id]}
    assert waiting_ids(portal.settings, "default") == {high.id, low.id, normal.id}
    with Client.from_url(redis.url) as client:
        assert client.llen("rq:queue:default:high") == 1
        assert client.lrange("errand:wake:default", 0, -1) == [b"1"] * 3
        assert 0 < client.ttl("errand:wake:default") <= 3600


def test_wake_ups_do_not_pile_up(portal: Portal, redis: servers.Redis, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("worker.queues.MOST_WAKES", 3)
    for _ in range(5):
        portal.submit("Passes")
    with Client.from_url(redis.url) as client:
        assert client.llen("errand:wake:default") == 3


def test_canceling_takes_a_run_off_the_list_of_its_priority(portal: Portal, engine: Engine):
    engine.rule("Passes", priority="low")
    portal.cancel(portal.submit("Passes"))
    assert engine.waiting() == []


# --- the claim ---------------------------------------------------------------------------------------------------


def statements(portal: Portal, act: Callable[[], Any]) -> list[str]:
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        seen.append(statement)

    event.listen(portal.platform.engine, "before_cursor_execute", note)
    try:
        act()
    finally:
        event.remove(portal.platform.engine, "before_cursor_execute", note)
    return [statement for statement in seen if not statement.startswith(("BEGIN", "PRAGMA"))]


def test_a_claim_without_rules_is_one_statement(portal: Portal, engine: Engine):
    result = portal.submit("Passes")
    seen = statements(portal, lambda: claim(portal.platform, result.id, worker="w-1", process=this_process()))
    assert len(seen) == 1
    row = portal.result(result)
    assert (row.status, row.attempt, row.worker, row.began_at) == ("running", 1, "w-1", None)


def test_a_claim_need_not_reach_the_disk_but_the_beginning_must(portal: Portal, engine: Engine):
    if portal.platform.engine.dialect.name != "postgresql":
        pytest.skip("SQLite has no such choice.")
    result = portal.submit("Passes")
    asked = ownership._claim(free=True, postgres=True)
    values = {"claimed_id": result.id, "at": now(), "by": "w", "host": "h", "pid": 1, "started": "1"}
    with portal.platform.engine.begin() as connection:
        connection.execute(asked, values).one()
        assert connection.scalar(text("SHOW synchronous_commit")) == "off"
    with portal.platform.engine.begin() as connection:
        assert connection.scalar(text("SHOW synchronous_commit")) == "on"


def test_a_second_claim_finds_nothing(portal: Portal, engine: Engine):
    result = portal.submit("Passes")
    workers = [Process("here", number, "1") for number in range(1, 5)]
    answers = at_once(*[lambda worker=worker: engine.start(result, worker) for worker in workers])
    assert [answer is None for answer in answers].count(False) == 1
    assert portal.result(result).attempt == 1


def test_old_code_leaves_runs_of_a_newer_schema_alone(portal: Portal, engine: Engine):
    result = portal.submit("Passes")
    engine.rule("Raises", expires=0.001)
    portal.submit("Raises")
    with portal.platform.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'next'"))
    assert engine.start(result) is None
    assert engine.reconcile() == Report()
    assert portal.status(result) == "pending"


def test_what_lost_its_claim_cannot_begin(portal: Portal, engine: Engine):
    result = portal.submit("Passes")
    taken = claim(portal.platform, result.id, worker="w-1", process=GONE)
    assert taken is not None
    engine.write(result, attempt=2)
    with pytest.raises(Fenced):
        began(portal.platform, taken)
    assert portal.result(result).began_at is None


# --- expiry ------------------------------------------------------------------------------------------------------


def test_an_expired_run_is_canceled_at_the_claim(portal: Portal, engine: Engine, clock: Clock):
    engine.rule("Passes", expires=60)
    result = portal.submit("Passes")
    clock(60)
    assert engine.start(result) is None
    row = portal.result(result)
    assert (row.status, row.cause) == ("canceled", "It waited longer than 60 seconds and expired.")
    assert (row.attempt, row.finished_at is None) == (0, False)


def test_an_expired_run_is_canceled_without_a_worker(portal: Portal, engine: Engine, clock: Clock):
    engine.rule("Passes", expires=1)
    engine.rule("Raises", expires=100)
    result, later = portal.submit("Passes"), portal.submit("Raises")
    clock(0.5)
    assert engine.reconcile().expired == []
    clock(1)
    assert engine.reconcile().expired == [result.id]
    assert portal.result(result).cause == "It waited longer than 1 second and expired."
    assert portal.status(later) == "pending"


def test_a_run_that_started_in_time_does_not_expire(portal: Portal, engine: Engine, clock: Clock):
    engine.rule("Passes", expires=60, max_retries=1, retry_delay=100)
    result = portal.submit("Passes")
    clock(59)
    taken = engine.start(result)
    assert taken
    engine.end(taken, Status.ERRORED, "It broke.")
    clock(101)
    assert engine.reconcile().expired == []
    assert engine.start(result)


# --- concurrency -------------------------------------------------------------------------------------------------


def test_wait_starts_one_after_the_other_in_order(portal: Portal, engine: Engine):
    engine.rule("Passes", concurrency_limit=1)
    first, second, third = (portal.submit("Passes") for _ in range(3))
    taken = engine.start(first)
    assert taken
    assert (engine.start(third), engine.start(second)) == (None, None)
    held = portal.result(second)
    assert (held.status, held.pushed_at, held.attempt) == ("pending", None, 0)
    assert held.cause == "It waits until it is its turn: one run at once."
    assert engine.reconcile().pushed == [], "while it is not its turn"
    fourth = portal.submit("Passes")
    assert engine.end(taken) == [second.id]
    assert engine.waiting() == [second.id, fourth.id], "before what came later"
    assert engine.start(fourth) is None
    taken = engine.start(second)
    assert taken
    assert portal.result(second).cause is None
    assert engine.end(taken) == [third.id]


def test_a_limit_of_n_lets_n_run(portal: Portal, engine: Engine):
    engine.rule("Passes", concurrency_limit=2)
    results = [portal.submit("Passes") for _ in range(4)]
    taken = [engine.start(result) for result in results]
    assert [claimed is not None for claimed in taken] == [True, True, False, False]
    assert taken[0]
    assert engine.end(taken[0]) == [results[2].id]


def test_many_workers_at_once_never_exceed_the_limit(portal: Portal, engine: Engine):
    engine.rule("Passes", concurrency_limit=2)
    results = [portal.submit("Passes") for _ in range(6)]
    at_once(*[lambda result=result: engine.start(result) for result in results])
    with portal.platform.reading() as db:
        count = db.scalar(select(func.count()).where(JobResult.status == Status.RUNNING))
    assert count is not None
    assert 1 <= count <= 2


def test_higher_priority_goes_first_within_a_key(portal: Portal, engine: Engine):
    engine.rule("Passes", concurrency_limit=1)
    first, normal = portal.submit("Passes"), portal.submit("Passes")
    taken = engine.start(first)
    assert taken
    engine.rule("Passes", priority="high")
    high = portal.submit("Passes")
    assert (engine.start(normal), engine.start(high)) == (None, None)
    assert engine.end(taken) == [high.id]


def test_runs_with_other_values_do_not_wait_for_each_other(portal: Portal, engine: Engine):
    engine.rule("Stations", concurrency_limit=1, concurrency_key=["text"])
    here, there, here_again = (portal.submit("Stations", raw={"text": text}) for text in ("a", "b", "a"))
    assert engine.start(here)
    assert engine.start(there)
    assert engine.start(here_again) is None
    assert here.concurrency_key == 'local/stations/Stations {"text": "a"}'
    assert portal.submit("Passes").concurrency_key is None


def test_a_key_is_short_and_tells_nothing_of_sensitive_inputs(portal: Portal, engine: Engine):
    engine.rule("Stations", concurrency_limit=1, concurrency_key=["text"])
    engine.rule("Sensitive", concurrency_limit=1, concurrency_key=["password"])
    long = [portal.submit("Stations", raw={"text": "é" * 1000 + end}).concurrency_key for end in "aab"]
    assert long[0] == long[1] != long[2]
    assert all(len(key or "") <= 500 for key in long)
    secret = portal.submit("Sensitive", raw={"password": "open sesame"}).concurrency_key
    assert secret is not None
    assert "sesame" not in secret


def test_what_a_crashed_release_left_is_pushed_by_the_reconciler(portal: Portal, engine: Engine):
    engine.rule("Passes", concurrency_limit=1)
    first, second, third = (portal.submit("Passes") for _ in range(3))
    assert engine.start(first)
    assert (engine.start(second), engine.start(third)) == (None, None)
    engine.write(first, status=Status.COMPLETED)
    assert engine.reconcile().pushed == [second.id]
    assert engine.reconcile().pushed == []
    assert engine.waiting() == [second.id]


def test_a_waiting_run_elsewhere_blocks_nobody_on_this_queue(portal: Portal, engine: Engine):
    engine.rule("Passes", concurrency_limit=1, queues=["default", "unserved"])
    portal.submit("Passes", queue="unserved")
    assert engine.start(portal.submit("Passes"))


def test_canceling_the_one_ahead_releases_the_next(portal: Portal, engine: Engine):
    engine.rule("Passes", concurrency_limit=1)
    first, second = portal.submit("Passes"), portal.submit("Passes")
    assert engine.start(second) is None, "the first one goes first"
    portal.cancel(first)
    assert engine.waiting() == [second.id]
    assert engine.start(second)


def test_a_held_run_can_be_canceled(portal: Portal, engine: Engine):
    engine.rule("Passes", concurrency_limit=1)
    first, second = portal.submit("Passes"), portal.submit("Passes")
    taken = engine.start(first)
    assert taken
    assert engine.start(second) is None
    assert portal.cancel(second) is True
    assert portal.result(second).cause == "Canceled by alice before it started."
    assert engine.end(taken) == []


def test_skip_keeps_the_run_as_canceled_and_names_the_active_one(portal: Portal, engine: Engine):
    engine.rule("Sensitive", concurrency_limit=1, concurrency_policy="skip")
    first = portal.submit("Sensitive", raw={"password": "x"})
    second = portal.submit("Sensitive", raw={"password": "x"})
    assert (second.status, second.cause) == ("canceled", f"Skipped: run {first.short_id} was still waiting.")
    assert (second.sealed_data, second.finished_at is None) == (None, False)
    assert engine.waiting() == [first.id]
    taken = engine.start(first)
    assert taken
    assert "was still running" in (portal.submit("Sensitive", raw={"password": "x"}).cause or "")
    engine.end(taken)
    assert portal.submit("Sensitive", raw={"password": "x"}).status == "pending"


def test_of_many_requests_at_once_skip_lets_one_through(portal: Portal, engine: Engine):
    engine.rule("Passes", concurrency_limit=1, concurrency_policy="skip")
    states = [result.status for result in at_once(*[lambda: portal.submit("Passes")] * 5)]
    assert sorted(states) == ["canceled"] * 4 + ["pending"]


def test_replace_cancels_what_waits(portal: Portal, engine: Engine):
    engine.rule("Passes", concurrency_limit=1, concurrency_policy="replace")
    first, second = portal.submit("Passes"), portal.submit("Passes", user="bob")
    replaced = portal.result(first)
    assert (replaced.status, replaced.cause) == ("canceled", "Replaced by a newer run.")
    assert replaced.canceled_by == "bob"
    assert engine.waiting() == [second.id]


def test_replace_asks_what_runs_to_stop_and_waits_for_it(portal: Portal, engine: Engine):
    engine.rule("Passes", concurrency_limit=1, concurrency_policy="replace", max_retries=3)
    first = portal.submit("Passes")
    taken = engine.start(first)
    assert taken
    second = portal.submit("Passes")
    assert engine.start(second) is None
    with portal.platform.engine.begin() as connection:
        seen = beat(connection, first.id, worker="w-1")
    assert seen is not None
    assert seen.stop_cause == "Replaced by a newer run."
    assert engine.end(taken, Status.CANCELED, seen.stop_cause) == [second.id]
    assert portal.result(first).cause == "Replaced by a newer run."
    assert engine.start(second)


def test_replace_keeps_the_newest_of_n(portal: Portal, engine: Engine):
    engine.rule("Passes", concurrency_limit=2, concurrency_policy="replace")
    results = [portal.submit("Passes") for _ in range(4)]
    assert [portal.status(result) for result in results] == ["canceled", "canceled", "pending", "pending"]


def test_a_key_may_be_held_on_when_the_limit_is_lifted(portal: Portal, engine: Engine):
    engine.rule("Passes", concurrency_limit=1)
    first, second = portal.submit("Passes"), portal.submit("Passes")
    assert engine.start(first)
    assert engine.start(second) is None
    engine.rule("Passes", concurrency_limit=0)
    assert engine.reconcile().pushed == [second.id]
    assert engine.start(second)


# --- rates -------------------------------------------------------------------------------------------------------


def test_a_rate_holds_in_any_window_and_keeps_the_order(portal: Portal, engine: Engine, clock: Clock):
    engine.rule("Passes", rate_limit="2/m")
    results = []
    for _ in range(5):
        results.append(portal.submit("Passes"))
        clock(0.001)
    starts: list[tuple[JobResult, datetime]] = []

    def work() -> None:
        """Take all there is, as workers would; those at first in the worst order."""
        for result_id in engine.waiting()[:: 1 if starts else -1]:
            result = next(each for each in results if each.id == result_id)
            if engine.start(result):
                starts.append((result, clock(0)))

    for _ in range(200):
        if len(starts) == len(results):
            break
        work()
        engine.reconcile()
        clock(1)
    assert [result.id for result, _ in starts[2:]] == [result.id for result in results[2:]]
    times = [time for _, time in starts]
    assert len(times) == 5
    for earlier, later in zip(times, times[2:], strict=False):
        assert timedelta(seconds=60) <= later - earlier < timedelta(seconds=63)


def test_a_run_held_by_a_rate_says_so_and_when(portal: Portal, engine: Engine, clock: Clock):
    engine.rule("Passes", rate_limit="1/h")
    first = portal.submit("Passes")
    clock(0.001)
    second = portal.submit("Passes")
    assert engine.start(first)
    began = clock(0)
    assert engine.start(second) is None
    held = portal.result(second)
    assert held.not_before == began + timedelta(hours=1)
    assert held.cause == "It waits until it is its turn: at most one start in an hour."
    clock(3599)
    assert engine.reconcile().pushed == []
    clock(1)
    assert engine.reconcile().pushed == [second.id]
    assert portal.cancel(second) is True


def test_a_rate_counts_every_attempt(portal: Portal, engine: Engine, clock: Clock):
    engine.rule("Raises", rate_limit="2/m", max_retries=5)
    result = portal.submit("Raises")
    for _ in range(2):
        taken = engine.start(result)
        assert taken
        engine.end(taken, Status.ERRORED, "It broke.")
    assert engine.start(result) is None
    clock(61)
    assert engine.start(result)
    with portal.platform.reading() as db:
        assert db.scalar(select(func.count()).select_from(JobStart)) == 1, "old ones are forgotten"


def test_a_clock_that_was_set_back_does_not_stop_a_rate(portal: Portal, engine: Engine, clock: Clock):
    engine.rule("Passes", rate_limit="1/m")
    assert engine.start(portal.submit("Passes"))
    clock(-3600)
    assert engine.start(portal.submit("Passes"))


def test_many_workers_at_once_never_exceed_the_rate(portal: Portal, engine: Engine):
    engine.rule("Passes", rate_limit="3/d")
    results = [portal.submit("Passes") for _ in range(6)]
    claims = at_once(*[lambda result=result: engine.start(result) for result in results])
    assert not [answer for answer in claims if isinstance(answer, Exception)]
    started = [answer for answer in claims if answer is not None]
    assert 1 <= len(started) <= 3
