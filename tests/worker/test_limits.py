"""Limits of time, memory, processes and files: what a run sees of them, and what its end says."""

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.waiting import until
from tests.worker.conftest import WORKER, Portal
from worker import supervisor
from worker.host import MARK, marked_processes, start_time

pytestmark = pytest.mark.parametrize("live", ["sqlite"], indirect=True)


@pytest.fixture(autouse=True)
def short_graces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "LIMIT_GRACE_SECONDS", 0.3)
    monkeypatch.setattr(supervisor, "CANCEL_GRACE_SECONDS", 0.3)
    monkeypatch.setattr(supervisor, "LOOK_SECONDS", 0.05)


@pytest.fixture
def assert_nothing_is_left(portal: Portal) -> Callable[[], None]:
    """The nursery, a spare and a child that takes the next run are all a test may leave."""
    children = portal.supervisor().children
    children.notice()
    # Other folders of tests have a nursery of their own, under the same name, as long as the session lasts.
    before = set(marked_processes(MARK, WORKER)) - set(children.memory_pids())

    def look() -> None:
        def only_ours() -> bool:
            children.notice()
            return set(marked_processes(MARK, WORKER)) - before <= set(children.memory_pids())

        until(only_ours, "nothing but what the worker needs is left", seconds=5)
        assert portal.run("Passes").status == "completed"

    return look


@pytest.mark.parametrize("how", ["sleeps", "joins", "regex"])
def test_a_job_that_never_returns_is_interrupted_at_its_limit(
    portal: Portal, how: str, assert_nothing_is_left: Callable[[], None]
):
    result = portal.run("Hangs", raw={"how": how})
    assert result.status == "errored"
    assert result.cause == (
        "The run was ended at its time limit of 0.3 seconds: raise `time_limit` if it needs longer. "
        "None of its changes were saved."
    )
    assert portal.messages(result)[-1][2] == "post_run was called"
    assert_nothing_is_left()


@pytest.mark.parametrize("how", ["catches all", "in C", "blocks signals", "ignores signals", "stops"])
def test_a_job_that_takes_no_notice_is_killed(
    portal: Portal, how: str, assert_nothing_is_left: Callable[[], None]
):
    result = portal.run("Hangs", raw={"how": how})
    assert result.status == "errored"
    assert result.cause == (
        "The run was ended at its time limit of 0.3 seconds: raise `time_limit` if it needs longer. "
        "It did not end by itself, and was killed. None of its changes were saved."
    )
    assert_nothing_is_left()


def test_a_soft_limit_lets_a_job_clean_up_and_end_well(portal: Portal):
    result = portal.run("SoftThenHard", raw={"cleans_up": True})
    assert (result.status, result.return_value) == ("completed", "cleaned up")
    assert "soft time limit of 0.2 seconds" in portal.messages(result)[0][2]


def test_after_a_soft_limit_comes_the_hard_one(portal: Portal, assert_nothing_is_left: Callable[[], None]):
    result = portal.run("SoftThenHard", raw={"cleans_up": False})
    assert (result.status, "time limit of 0.7 seconds" in result.cause) == ("errored", True)
    assert portal.messages(result)[0][2].startswith("cleaning up: the soft time limit of 0.2")
    assert_nothing_is_left()


def test_a_soft_limit_that_nobody_catches_is_an_exception_like_others(portal: Portal):
    result = portal.run("SoftOnly")
    assert (result.status, result.cause) == (
        "errored",
        "The job raised SoftTimeLimitExceeded: the soft time limit of 0.2 seconds was reached; "
        "raise `soft_time_limit` if the job needs longer",
    )
    assert portal.messages(result)[-1][1:] == ("post_run", "post_run was called")


def test_a_hard_limit_that_comes_first_is_warned_of_and_the_job_runs(portal: Portal):
    result = portal.run("Hurried")
    assert result.status == "completed"
    [warning] = [entry for entry in portal.entries(result) if entry.level == "warning"]
    assert (warning.seq, warning.grouping) == (1, "initialization")
    assert warning.message == (
        "The hard time limit of 20 seconds is less than or equal to the soft time limit of 300 seconds. "
        "This run is ended after 20 seconds, and cannot clean up before that."
    )


def test_a_longer_soft_limit_alone_makes_the_hard_one_longer(portal: Portal):
    job = portal.jobs["Passes"]
    job.soft_time_limit, job.time_limit = 1200, 0
    assert (job.effective_soft_time_limit, job.effective_time_limit) == (1200, 2400)


@pytest.mark.parametrize(
    ("swallows", "forced"), [(False, ""), (True, " It did not end by itself, and was killed.")]
)
def test_a_cancel_is_soft_and_then_hard(
    portal: Portal, swallows: bool, forced: str, assert_nothing_is_left: Callable[[], None]
):
    result = portal.submit("Waits", raw={"swallows": swallows})

    def cancel() -> None:
        until(lambda: portal.entries(result), "the job began")
        portal.cancel(result)
        portal.supervisor().look()

    canceling = threading.Thread(target=cancel)
    canceling.start()
    ended = portal.execute(result)
    canceling.join()
    assert (ended.status, ended.cause) == (
        "canceled",
        f"Canceled by alice.{forced} None of its changes were saved.",
    )
    assert [line[1] for line in portal.messages(result)] == ["run", *["post_run"] * (not swallows)]
    assert_nothing_is_left()


def test_one_allocation_beyond_the_limit_is_an_exception_that_names_it(portal: Portal):
    result = portal.run("AllocatesAtOnce")
    assert (result.status, result.cause) == (
        "errored",
        "The job raised MemoryError: there was no memory left under its limit of 1,024 MB; "
        "raise `memory_limit` if it needs more",
    )
    assert "Traceback" in portal.messages(result)[0][2]


@pytest.mark.parametrize("where", ["here", "in a child process"])
def test_growing_beyond_the_limit_ends_the_run(
    portal: Portal, where: str, assert_nothing_is_left: Callable[[], None]
):
    result = portal.run("Grows", raw={"where": where})
    assert result.status == "errored"
    assert "MB of memory, and its limit is 200 MB: raise `memory_limit` if it needs more." in result.cause
    assert_nothing_is_left()


def test_a_fork_bomb_is_killed_whole(
    portal: Portal,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    assert_nothing_is_left: Callable[[], None],
):
    monkeypatch.setattr(supervisor, "MOST_PROCESSES", 200)
    result = portal.run("ForkBomb", raw={"folder": str(tmp_path)})
    assert (result.status, "more than 200 processes at once" in result.cause) == ("errored", True)
    pids = [int(path.name.removeprefix("pid-")) for path in tmp_path.glob("pid-*")]
    assert len(pids) > 200
    assert [pid for pid in pids if start_time(pid)] == []
    assert_nothing_is_left()


def test_a_file_may_only_grow_so_large(portal: Portal, tmp_path: Path):
    result = portal.run("WritesALargeFile", raw={"folder": str(tmp_path)})
    assert (result.status, "up to 4 GB each" in result.cause) == ("errored", True)
    assert (tmp_path / "large").stat().st_size == 0


def test_a_dying_job_leaves_no_core_file(portal: Portal):
    result = portal.run("LooksAround")
    assert result.return_value["limits"]["RLIMIT_CORE"][0] == 0


def test_a_killed_job_that_had_nearly_all_its_memory_is_told_about_its_limit(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(supervisor, "memory_bytes", lambda pids: 1000 * 1024**2)
    result = portal.submit("Waits")

    def kill() -> None:
        until(lambda: portal.entries(result), "the job began")
        [child] = portal.supervisor().children._living.keys() - {portal.supervisor().children._spare.pid}
        os.kill(child, signal.SIGKILL)

    killing = threading.Thread(target=kill)
    killing.start()
    ended = portal.execute(result)
    killing.join()
    assert ended.cause == (
        "The job's process was killed by signal 9, Killed; memory was at 98% of its 1,024 MB limit: "
        "raise `memory_limit`. None of its changes were saved."
    )
