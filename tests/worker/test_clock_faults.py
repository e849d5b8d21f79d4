"""Somebody sets the clock by an hour, there or back, while runs go on: none dies of it, and none tells a wrong duration."""

import os
import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from redis import Redis as Client

from store.models import WorkerProcess, now
from store.settings import PROJECT_ROOT
from tests import servers
from tests.waiting import until
from tests.worker.conftest import Portal, StartWorker, on_sqlite
from tests.worker.engine import Engine
from worker.queue_facts import present_workers

LIBRARY = next(
    (
        str(path)
        for folder in ("/usr/lib", "/usr/local/lib", "/usr/lib64")
        for path in sorted(Path(folder).glob("**/libfaketime.so.1"))
    ),
    None,
)

pytestmark = pytest.mark.skipif(
    LIBRARY is None, reason="NO FAKETIME, clocks are not set in the tests: install Debian's package faketime."
)


#: The library shifts the moment until which `time.sleep` sleeps (0.9.10), although that is on the monotonic clock.
SLEEP = """
import threading, time
time.sleep = lambda seconds: threading.Event().wait(seconds)
"""


class WallClock:
    """The clock on the wall of one process: how far it is off. What it counts by itself goes on as ever."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock"
        self._site = folder / "site"
        self._site.mkdir()
        (self._site / "sitecustomize.py").write_text(SLEEP)
        self.set("+0")

    def set(self, off: str) -> None:
        # Replaced in one step: it is read all the time.
        fresh = self._file.with_suffix(".new")
        fresh.write_text(f"{off}\n")
        fresh.rename(self._file)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "LD_PRELOAD": str(LIBRARY),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
            "PYTHONPATH": f"{self._site}{os.pathsep}{PROJECT_ROOT}",
        }


def the_worker(portal: Portal) -> WorkerProcess:
    with portal.platform.reading() as db:
        [row] = present_workers(db)
    return row


@on_sqlite
@pytest.mark.parametrize("off", ["-1h", "+1h"])
def test_a_clock_that_is_set_ends_no_run_and_changes_no_duration(
    portal: Portal, start_worker: StartWorker, redis: servers.Redis, tmp_path: Path, off: str
):
    clock = WallClock(tmp_path)
    # Its time limit is ten minutes.
    result = portal.submit("WaitsForFile", raw={"folder": str(tmp_path)})
    start_worker(**clock.environment)
    until(lambda: portal.result(result).began_at, "it began")
    clock.set(off)
    before = the_worker(portal)
    until(lambda: the_worker(portal).beat > before.beat + 1, "the worker looks on, and reconciles")
    after = the_worker(portal)
    moved = (after.seen_at - before.seen_at).total_seconds()
    assert abs(moved) > 3000, "its clock was set indeed"
    running = portal.result(result)
    assert (running.status, running.attempt) == ("running", 1), running.cause
    (tmp_path / "go").touch()
    until(lambda: portal.result(result).finished, "it ended")
    ended = portal.result(result)
    assert (ended.status, the_worker(portal).here) == ("completed", True)
    assert 0 < ended.duration_seconds < 60

    # And the worker goes on.
    other = portal.submit("Passes")
    until(lambda: portal.result(other).finished, "the next run ended")
    assert portal.status(other) == "completed"
    assert 0 < portal.result(other).duration_seconds < 60


@on_sqlite
def test_a_worker_whose_clock_was_set_back_goes_on_telling_redis_that_it_lives(
    portal: Portal, start_worker: StartWorker, redis: servers.Redis, tmp_path: Path
):
    clock = WallClock(tmp_path)
    start_worker(**clock.environment)
    with Client.from_url(redis.url) as client:
        [key] = until(lambda: client.keys("rq:worker:*"), "RQ knows it")
        clock.set("-1h")
        client.persist(key)
        client.rpush("errand:wake:default", "1")
        until(lambda: client.ttl(key) > 0, "it says so again")


@on_sqlite
def test_what_redis_forgets_after_the_clock_was_set_back_is_pushed_all_the_same(
    portal: Portal, engine: Engine, redis: servers.Redis, monkeypatch: pytest.MonkeyPatch
):
    result = portal.submit("Passes")
    redis.say("FLUSHALL")
    an_hour_ago = now() - timedelta(hours=1)
    monkeypatch.setattr("worker.reconciler.now", lambda: an_hour_ago)
    assert engine.reconcile().pushed == [result.id]


def test_the_library_is_where_faketime_has_it():
    found = shutil.which("faketime")
    assert found is None or LIBRARY
