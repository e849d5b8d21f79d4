"""The lock of a singleton, and runs that are asked to ignore it."""

import os
import signal
from pathlib import Path

import pytest

from jobs.errors import InvalidData
from store.models import JobResult, Status
from tests.waiting import until
from tests.worker.conftest import Portal, StartWorker, on_sqlite
from tests.worker.engine import Engine
from worker.run_options import RunOptions

pytestmark = pytest.mark.in_turn

IGNORE = RunOptions(ignore_singleton_lock=True)

REFUSED = ("failed", "Job 'One of a kind' is a singleton and already running.")


def ended(portal: Portal, result: JobResult) -> tuple[str, str | None]:
    found = portal.result(result)
    return found.status, found.cause


def first_entry(portal: Portal, result: JobResult) -> tuple[str, str, str | None]:
    entry = portal.entries(result)[0]
    return entry.level, entry.message, entry.object_url


def test_a_run_that_ignores_the_lock_begins_beside_another(portal: Portal, engine: Engine):
    running = portal.submit("Single")
    assert engine.start(running)
    result = portal.run("Single", options=IGNORE)
    assert (result.status, result.return_value, result.ignore_singleton_lock) == ("completed", "alone", True)
    said = f"The singleton lock was ignored: this run begins beside run {running.short_id}."
    assert first_entry(portal, result) == ("warning", said, f"/results/{running.id}")


@on_sqlite
def test_it_says_so_too_when_it_runs_alone(portal: Portal):
    result = portal.run("Single", options=IGNORE)
    said = "The singleton lock was to be ignored: no other run of this job is running."
    assert first_entry(portal, result) == ("warning", said, None)
    plain = portal.run("Single")
    assert "lock" not in portal.entries(plain)[0].message


@pytest.mark.parametrize("ends_first", [0, 1])
def test_others_are_refused_while_either_of_the_two_runs(portal: Portal, engine: Engine, ends_first: int):
    both = [engine.start(portal.submit("Single")), engine.start(portal.submit("Single", options=IGNORE))]
    third, fourth = portal.submit("Single"), portal.submit("Single")
    assert engine.start(third) is None
    assert ended(portal, third) == REFUSED
    one, other = both[ends_first], both[1 - ends_first]
    assert one
    assert other
    engine.end(one)
    assert engine.start(fourth) is None
    assert ended(portal, fourth) == REFUSED
    engine.end(other)
    assert engine.start(portal.submit("Single"))


def test_several_may_ignore_it_at_once(portal: Portal, engine: Engine):
    results = [portal.submit("Single", options=IGNORE) for _ in range(3)]
    assert all(engine.start(result) for result in results)


def test_its_retry_begins_beside_another_too(portal: Portal, engine: Engine):
    engine.rule("Single", max_retries=1)
    result = portal.submit("Single", options=IGNORE)
    taken = engine.start(result)
    assert taken
    assert engine.start(portal.submit("Single", options=IGNORE))
    engine.end(taken, Status.ERRORED, "It broke.")
    assert portal.status(result) == "pending"
    engine.reconcile()
    assert result.id in engine.waiting()
    assert engine.start(result)


def test_one_that_redis_did_not_take_is_pushed_beside_another(portal: Portal, engine: Engine):
    assert engine.start(portal.submit("Single"))
    result = portal.submit("Single", options=IGNORE, push=False)
    engine.write(result, pushed_at=None)
    assert engine.reconcile().pushed == [result.id]
    assert engine.start(result)


def test_a_rate_limit_still_holds_it_back(portal: Portal, engine: Engine):
    engine.rule("Single", rate_limit="1/h")
    assert engine.start(portal.submit("Single"))
    result = portal.submit("Single", options=IGNORE)
    assert engine.start(result) is None
    assert ended(portal, result) == (
        "pending",
        "It waits until it is its turn: at most one start in an hour.",
    )


def test_with_a_rate_limit_it_is_pushed_beside_another(portal: Portal, engine: Engine):
    engine.rule("Single", rate_limit="5/h")
    assert engine.start(portal.submit("Single"))
    result = portal.submit("Single", options=IGNORE, push=False)
    engine.write(result, pushed_at=None)
    assert engine.reconcile().pushed == [result.id]


def test_the_limit_of_a_job_that_is_no_singleton_any_more_holds(portal: Portal, engine: Engine):
    assert engine.start(portal.submit("Single"))
    result = portal.submit("Single", options=IGNORE)
    engine.rule("Single", concurrency_policy="wait")
    assert engine.start(result) is None
    assert ended(portal, result) == ("pending", "It waits until it is its turn: one run at once.")


@on_sqlite
def test_a_job_that_is_no_singleton_has_no_lock_to_ignore(portal: Portal):
    with pytest.raises(InvalidData) as refusal:
        portal.submit("Passes", options=IGNORE)
    sentence = "This job is no singleton: there is no lock to ignore."
    assert refusal.value.errors == {"_ignore_singleton_lock": [sentence]}


def test_after_kill_9_of_both_workers_a_new_run_begins(
    portal: Portal, start_worker: StartWorker, tmp_path: Path
):
    folders = [tmp_path / "one", tmp_path / "two", tmp_path / "three"]
    for folder in folders:
        folder.mkdir()
    workers = []
    results = []
    for folder, options in zip(folders, (RunOptions(), IGNORE), strict=False):
        results.append(portal.submit("WaitsAlone", raw={"folder": str(folder)}, options=options))
        workers.append(start_worker())
        until(lambda folder=folder: list(folder.glob("pid-*")), "the job began")
    until(lambda: portal.entries(results[1]), "its first entry is there")
    assert first_entry(portal, results[1])[0] == "warning"
    for worker in workers:
        os.kill(worker.pid, signal.SIGKILL)
        worker.wait()
    start_worker()
    for result in results:
        until(lambda result=result: portal.result(result).finished, "the run of the dead worker ended")
        assert portal.status(result) == "errored"
    (folders[2] / "go").touch()
    last = portal.submit("WaitsAlone", raw={"folder": str(folders[2])})
    until(lambda: portal.result(last).finished, "the new run ended")
    assert portal.status(last) == "completed"
