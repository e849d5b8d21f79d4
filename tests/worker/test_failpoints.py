"""A process dies in this very place: nothing is lost, nothing runs twice, and no end is untrue."""

import json
import os
import signal
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from examples.inventory.models import Manufacturer
from store.data import Data
from store.models import JobResult
from store.settings import PROJECT_ROOT, environment
from tests.conftest import _bare_environment
from tests.hatchery import Program
from tests.waiting import until
from tests.worker.conftest import Portal, StartWorker
from tests.worker.engine import Engine
from worker import failpoints, queues
from worker.host import Process, start_time, this_host
from worker.markers import NOT_SAVED, SAVED, UNKNOWN
from worker.reconciler import Reconciler

DEAD = Process(host=this_host(), pid=2**22 + 1, started="1")


class Counter:
    """What the job of a run said outside of the portal."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "said"
        self.go = folder / "go"

    def raw(self, **more: str) -> dict[str, str]:
        return {"file": str(self.file), **more}

    @property
    def lines(self) -> list[list[str]]:
        return [line.split() for line in self.file.read_text().splitlines()] if self.file.exists() else []

    @property
    def said(self) -> str:
        return "".join(what for what, _ in self.lines)

    def begun(self) -> int:
        """Wait until the job runs; return the pid of its process."""
        return int(until(lambda: self.lines, "the job began")[-1][1])


@pytest.fixture
def counter(tmp_path: Path) -> Counter:
    return Counter(tmp_path)


@pytest.fixture(autouse=True)
def what_is_missing_is_pushed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.reconciler.PUSH_GRACE", timedelta(0))


def dies(process: "subprocess.Popen[Any]") -> None:
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL


def act(portal: Portal, *arguments: str, failpoint: str = "") -> "subprocess.Popen[str]":
    return Program(
        *("tests.worker.one_act", *arguments),
        env={**_bare_environment(), **environment(portal.settings), failpoints.VARIABLE: failpoint},
        stdout=subprocess.PIPE,
        text=True,
        cwd=PROJECT_ROOT,
    )


def work_off(portal: Portal, engine: Engine) -> None:
    """Do as healthy processes would: reconcile, and execute what its queue holds, until nothing waits there."""
    for _ in range(10):
        engine.reconcile()
        waiting = engine.waiting()
        for result_id in waiting:
            queues.withdraw(portal.settings, result_id, queue="default", priority="normal")
            portal.supervisor().execute(result_id)
        if not waiting:
            return
    raise AssertionError("There was no end to it.")


def rows(portal: Portal) -> list[JobResult]:
    with portal.platform.reading() as db:
        return list(db.scalars(select(JobResult)))


def is_saved(portal: Portal, name: str) -> bool:
    data = Data(portal.settings.data_database_url)
    with data.session() as session:
        found = session.scalar(select(Manufacturer).where(Manufacturer.name == name))
    data.dispose()
    return found is not None


def numbers(portal: Portal, result: JobResult) -> list[int]:
    return [entry.seq for entry in portal.entries(result)]


def assert_ended_once(portal: Portal, result: JobResult, status: str, *sentences: str) -> JobResult:
    """Its end says this, its entries have no gap, and nothing can end it once more."""
    ended = portal.result(result)
    assert (ended.status, ended.finished) == (status, True)
    for sentence in sentences:
        assert sentence in ended.cause
    assert numbers(portal, result) == list(range(1, ended.last_seq + 1))
    assert Reconciler(portal.settings, portal.platform).run_once().ended == []
    return ended


# --- whoever asks for a run ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("point", ["submit.before-commit", "submit.after-commit", "submit.after-push"])
@pytest.mark.in_turn
def test_a_request_that_is_repeated_after_a_death_makes_one_run(
    portal: Portal, engine: Engine, counter: Counter, point: str
):
    asked = ("submit", "Counts", json.dumps(counter.raw()), "k-1")
    first = act(portal, *asked, failpoint=point)
    answer, _ = first.communicate(timeout=60)
    assert (first.returncode, answer) == (-signal.SIGKILL, ""), "the client got no answer"
    there = rows(portal)
    assert len(there) == (0 if point == "submit.before-commit" else 1)
    work_off(portal, engine)
    assert counter.said == "SE" * len(there), "what was accepted starts by itself"
    again, _ = act(portal, *asked).communicate(timeout=60)
    work_off(portal, engine)
    [only] = rows(portal)
    assert only.id == UUID(again.strip())
    assert_ended_once(portal, only, "completed")
    assert counter.said == "SE"


# --- a worker -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("point", ["worker.popped", "worker.claimed"])
def test_a_run_whose_worker_dies_before_it_begins_runs_once(
    portal: Portal, engine: Engine, counter: Counter, start_worker: StartWorker, point: str
):
    result = portal.submit("Counts", raw=counter.raw(makes="New"))
    dies(start_worker(ERRAND_FAILPOINT=point))
    assert portal.status(result) == ("pending" if point == "worker.popped" else "running")
    assert (counter.said, portal.result(result).began_at) == ("", None)
    work_off(portal, engine)
    assert_ended_once(portal, result, "completed")
    assert (counter.said, is_saved(portal, "New")) == ("SE", True)


@pytest.mark.parametrize(
    ("point", "job", "said"),
    [
        ("worker.began", "Counts", {""}),
        # Whether the child came to its code before it died with its worker: nobody can know.
        ("worker.gave", "Counts", {"", "S", "SE"}),
        ("worker.ended", "Counts", {"SE"}),
        ("worker.ended", "CountsAgain", {"SE"}),
    ],
)
@pytest.mark.in_turn
def test_a_run_whose_worker_dies_after_it_began_is_never_called_completed(
    portal: Portal,
    engine: Engine,
    counter: Counter,
    start_worker: StartWorker,
    point: str,
    job: str,
    said: set[str],
):
    result = portal.submit(job, raw=counter.raw())
    dies(start_worker(ERRAND_FAILPOINT=point))
    first = counter.said
    assert first in said
    assert (portal.status(result), portal.result(result).began_at is None) == ("running", False)
    work_off(portal, engine)
    if job == "Counts":
        assert_ended_once(portal, result, "errored", "died while it ran", NOT_SAVED)
        assert counter.said == first, "its effect is unknown: nobody runs it again"
    else:
        assert assert_ended_once(portal, result, "completed").attempt == 2
        assert counter.said == first + "SE"


def test_a_run_whose_worker_dies_while_its_job_works_ends_with_its_process(
    portal: Portal, engine: Engine, counter: Counter, start_worker: StartWorker
):
    result = portal.submit("Counts", raw=counter.raw(makes="New", waits_for=str(counter.go)))
    worker = start_worker()
    pid = counter.begun()
    until(lambda: portal.entries(result), "its first entry is there")
    worker.kill()
    dies(worker)
    until(lambda: start_time(pid) is None, "its process died too")
    work_off(portal, engine)
    counter.go.touch()
    assert_ended_once(portal, result, "errored", "died while it ran", NOT_SAVED)
    assert (counter.said, is_saved(portal, "New")) == ("S", False)
    assert portal.entries(result), "what it had logged is kept"


def test_what_a_dead_worker_left_running_is_killed_before_the_end_is_written(
    portal: Portal, engine: Engine, start_worker: StartWorker, tmp_path: Path
):
    result = portal.submit("LeavesAProcess", raw={"folder": str(tmp_path)})
    worker = start_worker()
    [marker] = until(lambda: list(tmp_path.glob("stray-*")), "the job left a process behind")
    stray = int(marker.name.removeprefix("stray-"))
    worker.kill()
    dies(worker)
    assert start_time(stray) is not None
    engine.reconcile()
    assert_ended_once(portal, result, "errored", "died while it ran")
    until(lambda: start_time(stray) is None, "it is gone")


def test_a_death_after_the_end_is_written_changes_nothing(
    portal: Portal, engine: Engine, counter: Counter, start_worker: StartWorker
):
    result = portal.submit("Counts", raw=counter.raw(makes="New"))
    dies(start_worker(ERRAND_FAILPOINT="worker.written"))
    before = assert_ended_once(portal, result, "completed")
    # Its id may come once more, from a queue that remembers too much.
    assert queues.push(portal.settings, result.id, queue="default", priority="normal", description="")
    work_off(portal, engine)
    after = portal.result(result)
    assert (after.status, after.attempt, after.finished_at) == ("completed", 1, before.finished_at)
    assert (counter.said, is_saved(portal, "New")) == ("SE", True)


# --- the process of a job -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("point", "sentence"), [("child.before-commit", NOT_SAVED), ("child.after-commit", SAVED)]
)
@pytest.mark.in_turn
def test_the_end_of_a_killed_job_says_whether_its_changes_were_saved(
    portal: Portal, counter: Counter, start_worker: StartWorker, point: str, sentence: str
):
    result = portal.submit("Counts", raw=counter.raw(makes="New"))
    assert start_worker("--burst", ERRAND_FAILPOINT=point).wait(60) == 0
    assert_ended_once(portal, result, "errored", "signal 9", sentence)
    assert (counter.said, is_saved(portal, "New")) == ("SE", sentence == SAVED)
    assert portal.entries(result)[0].message == "began"


@pytest.mark.parametrize("point", ["child.before-commit", "child.after-commit"])
def test_the_end_of_a_lost_run_says_whether_its_changes_were_saved(
    portal: Portal, engine: Engine, counter: Counter, start_worker: StartWorker, point: str
):
    """As above, but the worker dies with its child: both are stopped, as by a machine that loses its power."""
    result = portal.submit("Counts", raw=counter.raw(makes="New"))
    # The worker notices the death of its child, and dies before it can write what became of the run.
    dies(start_worker(ERRAND_FAILPOINT=f"{point},worker.ended"))
    work_off(portal, engine)
    saved = point == "child.after-commit"
    assert_ended_once(portal, result, "errored", "died while it ran", SAVED if saved else NOT_SAVED)
    assert is_saved(portal, "New") is saved


# --- whoever puts things right ------------------------------------------------------------------------------------


@pytest.mark.parametrize("point", ["reconciler.buried", "reconciler.ended"])
@pytest.mark.parametrize(
    ("job", "status", "said"), [("Counts", "errored", ""), ("CountsAgain", "completed", "SE")]
)
def test_the_next_pass_completes_what_a_dead_reconciler_began(
    portal: Portal, engine: Engine, counter: Counter, point: str, job: str, status: str, said: str
):
    result = portal.submit(job, raw=counter.raw())
    assert engine.start(result, process=DEAD)
    dies(act(portal, "reconcile", failpoint=point))
    work_off(portal, engine)
    assert_ended_once(portal, result, status, *([NOT_SAVED] if job == "Counts" else []))
    assert counter.said == said


@pytest.mark.parametrize("point", ["push.noted", "push.done"])
def test_a_run_that_a_dead_reconciler_was_pushing_runs_once(
    portal: Portal, engine: Engine, counter: Counter, point: str
):
    result = portal.submit("Counts", raw=counter.raw())
    queues.withdraw(portal.settings, result.id, queue="default", priority="normal")
    dies(act(portal, "reconcile", failpoint=point))
    assert engine.waiting() == ([] if point == "push.noted" else [result.id])
    work_off(portal, engine)
    assert_ended_once(portal, result, "completed")
    assert counter.said == "SE"


@pytest.mark.in_turn
def test_a_worker_does_the_work_of_a_scheduler_that_died(
    portal: Portal, counter: Counter, start_worker: StartWorker
):
    result = portal.submit("Counts", raw=counter.raw())
    queues.withdraw(portal.settings, result.id, queue="default", priority="normal")
    dies(start_worker(command="scheduler", ERRAND_FAILPOINT="push.noted"))
    start_worker()
    until(lambda: portal.result(result).finished, "the run ended")
    assert_ended_once(portal, result, "completed")
    assert counter.said == "SE"


# --- a worker that only seemed dead ------------------------------------------------------------------------------


@pytest.mark.parametrize("goes_on", [False, True], ids=["job waits", "job ends meanwhile"])
@pytest.mark.in_turn
def test_a_worker_that_was_stopped_too_long_cannot_write_any_more(
    portal: Portal,
    engine: Engine,
    counter: Counter,
    start_worker: StartWorker,
    monkeypatch: pytest.MonkeyPatch,
    goes_on: bool,
):
    monkeypatch.setattr("worker.reconciler.BEAT_SECONDS_OF_LIVING", 0.2)
    # As if it lived on a machine whose processes nobody here can see, or kill.
    monkeypatch.setattr("worker.reconciler.this_host", lambda: "another machine")
    result = portal.submit("Counts", raw=counter.raw(makes="New", waits_for=str(counter.go)))
    worker = start_worker()
    pid = counter.begun()
    os.kill(worker.pid, signal.SIGSTOP)
    if goes_on:
        # It now asks its worker whether it may save, and gets no answer.
        counter.go.touch()
        until(lambda: counter.said == "SE", "the job came to its end")
    until(lambda: engine.reconcile().ended, "its run was given up")
    # On SQLite the job still holds the only write turn, so nobody can prove it; nor could this happen there, where all
    # processes are on the machine of the file.
    said = UNKNOWN if portal.platform.engine.dialect.name == "sqlite" else NOT_SAVED
    before = assert_ended_once(portal, result, "errored", "died while it ran", said)
    os.kill(worker.pid, signal.SIGCONT)
    until(lambda: start_time(pid) is None, "its process was killed")
    other = portal.submit("Passes")
    until(lambda: portal.result(other).finished, "the worker goes on with other runs")
    after = assert_ended_once(portal, result, "errored")
    assert (after.cause, after.finished_at, after.last_seq) == (
        before.cause,
        before.finished_at,
        before.last_seq,
    )
    assert is_saved(portal, "New") is False
