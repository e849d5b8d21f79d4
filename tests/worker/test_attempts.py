"""Whether a run is tried again when an attempt has ended."""

from datetime import timedelta
from pathlib import Path

import pytest

from store.models import Status, now
from tests.waiting import until
from tests.worker.conftest import Portal, StartWorker
from tests.worker.engine import GONE, Clock, Engine
from worker import attempts, ownership
from worker.ownership import began, claim, end_for_worker
from worker.reconciler import Report

pytestmark = pytest.mark.in_turn

# --- retries -----------------------------------------------------------------------------------------------------


def test_a_retry_waits_twice_as_long_each_time(portal: Portal, engine: Engine, clock: Clock):
    engine.rule("Raises", max_retries=2, retry_delay=10)
    result = portal.submit("Raises")
    for number, delay in ((1, 10), (2, 20)):
        taken = engine.start(result)
        assert taken
        assert engine.end(taken, Status.ERRORED, "It broke.") == []
        row = portal.result(result)
        assert row.cause == (
            f"Attempt {number} of 3 errored: It broke; the next one starts in {delay} seconds."
        )
        assert (row.status, row.errors, row.worker, row.finished_at) == ("pending", number, None, None)
        clock(delay - 1)
        assert engine.reconcile().pushed == []
        assert engine.start(result) is None, "a delivery that came twice starts nothing early"
        clock(1)
        assert engine.reconcile().pushed == [result.id]
    taken = engine.start(result)
    assert taken
    engine.end(taken, Status.ERRORED, "It broke.")
    row = portal.result(result)
    assert (row.status, row.attempt, row.cause) == ("errored", 3, "It broke. It was tried 3 times.")


def test_a_delay_grows_to_an_hour_at_most():
    facts = attempts.Facts(
        attempt=5001,
        errors=5000,
        losses=0,
        began=True,
        stop_cause=None,
        max_retries=9000,
        retry_delay=0.5,
        idempotent=False,
    )
    values = attempts.end_of_attempt(facts, Status.ERRORED, "It broke.")
    assert timedelta(minutes=59) < values["not_before"] - now() <= timedelta(hours=1)


def test_a_retry_without_a_delay_is_pushed_at_once(portal: Portal, engine: Engine):
    engine.rule("Raises", max_retries=1)
    result = portal.submit("Raises")
    taken = engine.start(result)
    assert taken
    assert engine.end(taken, Status.ERRORED, "It broke.") == [result.id]


def test_a_run_that_completes_at_last_says_after_how_many_attempts(portal: Portal, engine: Engine):
    engine.rule("Raises", max_retries=3)
    result = portal.submit("Raises")
    for status in (Status.ERRORED, Status.COMPLETED):
        taken = engine.start(result)
        assert taken
        engine.end(taken, status, "An end.")
    assert portal.result(result).cause == "An end. It was tried 2 times."


@pytest.mark.parametrize("status", [Status.FAILED, Status.CANCELED, Status.COMPLETED])
def test_only_an_error_is_tried_again(portal: Portal, engine: Engine, status: Status):
    engine.rule("Raises", max_retries=3)
    result = portal.submit("Raises")
    taken = engine.start(result)
    assert taken
    engine.end(taken, status, "So it ended.")
    assert portal.status(result) == status


def test_what_was_asked_to_stop_is_not_tried_again(portal: Portal, engine: Engine):
    engine.rule("Raises", max_retries=3)
    result = portal.submit("Raises")
    taken = engine.start(result)
    assert taken
    portal.cancel(result)
    engine.end(taken, Status.ERRORED, "It broke.")
    assert portal.status(result) == "errored"


def test_what_could_not_begin_is_not_tried_again(portal: Portal, engine: Engine):
    engine.rule("Passes", max_retries=3)
    result = portal.submit("Passes")
    engine.rule("Passes", enabled=False)
    assert portal.execute(result).status == "errored"


def test_a_waiting_retry_can_be_canceled(portal: Portal, engine: Engine):
    engine.rule("Raises", max_retries=3, retry_delay=100)
    result = portal.run("Raises")
    assert result.status == "pending"
    assert portal.cancel(result) is True
    assert portal.result(result).cause == "Canceled by alice before it was tried again."


def test_sealed_inputs_stay_for_the_retry_and_go_at_the_end(portal: Portal, engine: Engine):
    engine.rule("Sensitive", max_retries=1)
    result = portal.submit("Sensitive", raw={"password": "open sesame"})
    taken = engine.start(result)
    assert taken
    engine.end(taken, Status.ERRORED, "It broke.")
    assert portal.result(result).sealed_data
    ended = portal.execute(result)
    assert (ended.status, ended.sealed_data) == ("completed", None)


def test_a_key_is_free_while_its_run_waits_for_a_retry(portal: Portal, engine: Engine):
    engine.rule("Raises", concurrency_limit=1, max_retries=1, retry_delay=100)
    first, second = portal.submit("Raises"), portal.submit("Raises")
    taken = engine.start(first)
    assert taken
    assert engine.start(second) is None
    assert engine.end(taken, Status.ERRORED, "It broke.") == [second.id]


def test_a_worker_retries_in_real_life(portal: Portal, engine: Engine, start_worker: StartWorker):
    engine.rule("Raises", max_retries=2)
    result = portal.submit("Raises")
    start_worker()

    def ended() -> bool:
        engine.reconcile()
        return portal.result(result).finished

    until(ended, "all attempts were made")
    row = portal.result(result)
    assert (row.status, row.attempt, row.errors) == ("errored", 3, 2)
    assert row.cause is not None
    assert row.cause.endswith("It was tried 3 times.")
    assert len({entry.attempt for entry in portal.entries(result)}) == 3


# --- lost workers ------------------------------------------------------------------------------------------------


def lose(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Report:
    """Reconcile when every worker elsewhere has been silent for long enough."""
    clock = [0.0]
    monkeypatch.setattr("worker.reconciler.time.monotonic", lambda: clock[0])
    first = engine.reconcile()
    assert first.ended == []
    clock[0] += 13
    return engine.reconcile()


def test_a_lost_idempotent_run_is_run_again_three_times(
    portal: Portal, engine: Engine, monkeypatch: pytest.MonkeyPatch
):
    engine.rule("Passes", idempotent=True)
    result = portal.submit("Passes")
    for losses in (1, 2, 3):
        assert engine.start(result, GONE)
        report = lose(engine, monkeypatch)
        assert (report.ended, report.pushed) == ([result.id], [result.id])
        row = portal.result(result)
        assert (row.status, row.losses, row.errors) == ("pending", losses, 0)
        assert row.cause is not None
        assert "w-1 died" in row.cause
    assert engine.start(result, GONE)
    assert lose(engine, monkeypatch).pushed == []
    row = portal.result(result)
    assert (row.status, row.attempt) == ("errored", 4)
    assert row.cause is not None
    assert "stopped after 4 worker losses" in row.cause


def test_a_lost_run_of_any_other_job_is_errored(
    portal: Portal, engine: Engine, monkeypatch: pytest.MonkeyPatch
):
    engine.rule("Passes", max_retries=3)
    result = portal.submit("Passes")
    assert engine.start(result, GONE)
    lose(engine, monkeypatch)
    row = portal.result(result)
    assert (row.status, row.attempt) == ("errored", 1)


def test_a_lost_run_that_never_began_waits_again_whatever_the_job_says(
    portal: Portal, engine: Engine, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("worker.attempts.MOST_FALSE_STARTS", 2)
    result = portal.submit("Sensitive", raw={"password": "open sesame"})
    for _ in range(2):
        assert claim(portal.platform, result.id, worker="w-1", process=GONE)
        assert lose(engine, monkeypatch).pushed == [result.id]
        row = portal.result(result)
        assert (row.status, row.losses, row.errors) == ("pending", 0, 0)
        assert row.sealed_data
    assert claim(portal.platform, result.id, worker="w-1", process=GONE)
    lose(engine, monkeypatch)
    row = portal.result(result)
    assert (row.status, row.sealed_data) == ("errored", None)


def test_a_run_that_began_in_the_meantime_is_not_taken_for_one_that_did_not(portal: Portal, engine: Engine):
    result = portal.submit("Passes")
    taken = claim(portal.platform, result.id, worker="w-1", process=GONE)
    assert taken
    seen = portal.result(result)
    began(portal.platform, taken)
    with portal.platform.session() as db:
        assert ownership.end_lost(db, seen, cause="It died.") is False
        db.commit()
    assert portal.status(result) == "running"


def test_a_canceled_run_whose_worker_died_is_canceled(
    portal: Portal, engine: Engine, monkeypatch: pytest.MonkeyPatch
):
    engine.rule("Passes", idempotent=True)
    result = portal.submit("Passes")
    assert engine.start(result, GONE)
    assert portal.cancel(result) is False
    lose(engine, monkeypatch)
    row = portal.result(result)
    assert (row.status, row.losses) == ("canceled", 0)
    assert row.cause is not None
    assert row.cause.startswith("Canceled by alice. The worker w-1 died")


def test_a_worker_that_has_to_stop_loses_its_run_without_an_error(portal: Portal, engine: Engine):
    engine.rule("Passes", idempotent=True)
    result = portal.submit("Passes")
    assert engine.start(result)
    with portal.platform.engine.begin() as connection:
        assert end_for_worker(
            connection, result.id, worker="w-1", status=Status.ERRORED, cause="It was stopped.", lost=True
        )
    row = portal.result(result)
    assert (row.status, row.losses, row.errors) == ("pending", 1, 0)


# --- real workers ------------------------------------------------------------------------------------------------


def test_a_worker_stops_what_was_replaced_and_runs_the_newer(
    portal: Portal, engine: Engine, start_worker: StartWorker, tmp_path: Path
):
    engine.rule("WaitsForFile", concurrency_limit=1, concurrency_policy="replace")
    first = portal.submit("WaitsForFile", raw={"folder": str(tmp_path)})
    start_worker()
    until(lambda: portal.entries(first), "the first one began")
    second = portal.submit("WaitsForFile", raw={"folder": str(tmp_path)})
    until(lambda: portal.result(first).finished, "the first one was stopped")
    ended = portal.result(first)
    assert (ended.status, "Replaced by a newer run." in (ended.cause or "")) == ("canceled", True)
    (tmp_path / "go").touch()
    until(lambda: portal.result(second).finished, "the second one ran")
    assert portal.status(second) == "completed"


def test_a_run_of_an_idempotent_job_survives_the_stop_of_its_worker(
    portal: Portal, engine: Engine, start_worker: StartWorker, tmp_path: Path
):
    engine.rule("WaitsForFile", idempotent=True)
    result = portal.submit("WaitsForFile", raw={"folder": str(tmp_path)})
    worker = start_worker()
    until(lambda: portal.entries(result), "it began")

    def ended_when_told_again() -> bool:
        worker.terminate()  # RQ ignores a second signal within a second of the first.
        return worker.poll() is not None

    until(ended_when_told_again, "the worker stopped")
    waiting = portal.result(result)
    assert (waiting.status, waiting.losses) == ("pending", 1)
    (tmp_path / "go").touch()
    start_worker()
    until(lambda: portal.result(result).finished, "another worker ran it")
    assert (portal.status(result), portal.result(result).attempt) == ("completed", 2)
