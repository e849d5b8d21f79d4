"""Real worker processes on a real Redis: they work, they die, they are told to stop."""

import contextlib
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from redis import Redis as Client
from redis.exceptions import ConnectionError as RedisConnectionError
from rq import Queue
from rq import Worker as RQWorker
from sqlalchemy import select

from store.models import JobResult, WorkerProcess
from store.platform import Platform
from store.settings import PROJECT_ROOT, Settings, environment, load_settings
from tests import servers
from tests.conftest import _bare_environment
from tests.waiting import until
from tests.worker.conftest import Portal, StartWorker
from worker.host import Process, start_time
from worker.keyring import ensure, private_keys
from worker.ownership import beat, claim
from worker.presence import set_drain
from worker.queues import connect_blocking
from worker.reconciler import Reconciler
from worker.rq_worker import Worker

pytestmark = pytest.mark.in_turn


def pid_of(folder: Path) -> int:
    """Wait until the job has begun, and return the pid of its process."""
    [marker] = until(lambda: list(folder.glob("pid-*")), "the job began")
    return int(marker.name.removeprefix("pid-"))


def test_a_worker_takes_runs_from_its_queue(portal: Portal, start_worker: StartWorker):
    results = [portal.submit("Passes") for _ in range(3)]
    assert start_worker("--burst").wait(60) == 0
    assert [portal.status(result) for result in results] == ["completed"] * 3
    assert portal.result(results[0]).worker


def test_entries_can_be_read_while_the_job_runs(portal: Portal, start_worker: StartWorker, tmp_path: Path):
    result = portal.submit("WaitsForFile", raw={"folder": str(tmp_path)})
    start_worker()
    until(lambda: portal.entries(result), "an entry is there")
    assert portal.status(result) == "running"
    (tmp_path / "go").touch()
    until(lambda: portal.result(result).finished, "the run ended")
    assert portal.status(result) == "completed"


def test_the_next_run_uses_what_is_on_disk(
    live: Settings,
    live_platform: Platform,
    start_worker: StartWorker,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    folder = tmp_path / "edited"
    folder.mkdir()
    monkeypatch.setenv("JOBS_ROOT", str(folder))
    source = "from jobs import Job\nclass Edited(Job):\n    def run(self):\n        return {value}\n"
    (folder / "edited.py").write_text(source.format(value=1))
    portal = Portal(load_settings(), live_platform)
    start_worker()
    seen = []
    for value in (1, 2):
        # The same length, and within the same second: no cached bytecode may stand in for it.
        (folder / "edited.py").write_text(source.format(value=value))
        result = portal.submit("Edited")
        until(lambda result=result: portal.result(result).finished, "the run ended")
        ended = portal.result(result)
        seen.append((ended.return_value, ended.code_digest))
    assert [value for value, _ in seen] == [1, 2]
    assert seen[0][1] != seen[1][1], "and the result says which code it ran"


def test_rqs_own_command_works_with_our_worker(portal: Portal):
    result = portal.submit("Passes")
    run_rq(portal.settings, {})
    assert portal.status(result) == "completed"


def test_a_run_goes_on_while_redis_is_gone(
    portal: Portal, start_worker: StartWorker, redis_gone: servers.Redis, tmp_path: Path
):
    result = portal.submit("WaitsForFile", raw={"folder": str(tmp_path)})
    start_worker()
    pid = pid_of(tmp_path)
    redis_gone.stop()
    beat = portal.result(result).beat
    until(lambda: portal.result(result).beat > beat + 1, "the worker watches on")
    assert (portal.status(result), start_time(pid) is None) == ("running", False)
    redis_gone.start()
    (tmp_path / "go").touch()
    until(lambda: portal.result(result).finished, "the run ended")
    assert portal.status(result) == "completed"


def in_process(settings: Settings) -> Worker:
    connection = connect_blocking(settings)
    return Worker(["default"], connection=connection, settings=settings, name=f"test-{uuid4().hex}")


def test_a_beat_that_redis_does_not_hear_does_not_end_the_worker(live: Settings, redis_gone: servers.Redis):
    """RQ says it after each run."""
    worker = in_process(live)
    redis_gone.stop()
    worker.heartbeat()


def test_a_worker_that_is_told_to_stop_while_redis_is_gone_lets_its_run_end(
    portal: Portal, start_worker: StartWorker, redis_gone: servers.Redis, tmp_path: Path
):
    result = portal.submit("WaitsForFile", raw={"folder": str(tmp_path)})
    worker = start_worker()
    pid_of(tmp_path)
    redis_gone.stop()
    worker.terminate()
    beat = portal.result(result).beat
    until(lambda: portal.result(result).finished or portal.result(result).beat > beat + 1, "it watches on")
    (tmp_path / "go").touch()
    assert worker.wait(60) == 0
    assert portal.status(result) == "completed"


def test_a_worker_that_loses_redis_while_it_starts_waits_for_it(
    live: Settings, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("worker.rq_worker.RETRY_SECONDS", 0.01)
    worker = in_process(live)
    answers = iter([RedisConnectionError("gone"), None])

    def subscribe(self: object) -> None:
        if (answer := next(answers)) is not None:
            raise answer

    # After its birth, so that Redis knows its name already when it tries again.
    monkeypatch.setattr(RQWorker, "subscribe", subscribe)
    worker._join_others("WARNING")
    assert next(answers, "all asked") == "all asked"
    assert worker.connection.exists(worker.key)


def test_a_signal_to_the_whole_service_lets_the_run_end(
    portal: Portal, start_worker: StartWorker, tmp_path: Path
):
    result = portal.submit("WaitsForFile", raw={"folder": str(tmp_path)})
    worker = start_worker()
    os.kill(pid_of(tmp_path), signal.SIGTERM)
    worker.terminate()
    (tmp_path / "go").touch()
    assert worker.wait(60) == 0
    assert portal.status(result) == "completed"


def test_a_job_does_not_find_the_portals_keys_in_its_environment(portal: Portal, start_worker: StartWorker):
    result = portal.submit("ShowsItsEnvironment")
    assert start_worker("--burst").wait(60) == 0
    names = portal.result(result).return_value
    assert "PATH" in names
    assert not {"DATABASE_URL", "REDIS_URL", "SECRET_KEY"} & set(names)


def test_the_process_of_a_job_holds_nothing_that_opens_the_portal(
    portal: Portal, start_worker: StartWorker, live: Settings, tmp_path: Path
):
    """Looked for from outside, where a job may be: its environment, its arguments, its open files, all of its memory."""
    secrets = {
        "the secret key": live.secret_key.encode(),
        "the URL of the platform database": live.database_url.encode(),
        "the URL of Redis": live.redis_url.encode(),
    }
    if live.data_database_url.startswith(live.database_url):
        # Without DATA_DATABASE_URL objects are in a schema of the same database, and jobs are told its URL.
        del secrets["the URL of the platform database"]
    with portal.platform.session() as db:
        ensure(db, live)
    [secrets["the key of workers"]] = private_keys(live)
    portal.submit("WaitsForFile", raw={"folder": str(tmp_path)})
    start_worker()
    process = Path("/proc", str(pid_of(tmp_path)))
    try:
        open_files = [os.readlink(each) for each in (process / "fd").iterdir()]
        told = (process / "environ").read_bytes() + (process / "cmdline").read_bytes()
        memory = list(regions(process))
    finally:
        (tmp_path / "go").touch()
    assert sum(map(len, memory)) > 10_000_000, "it was read"
    assert any(b"WaitsForFile" in region for region in memory), "what is there is found"
    found = [name for name, value in secrets.items() if any(value in each for each in [told, *memory])]
    assert found == []
    # One line to its worker; nothing of the portal's is open.
    assert len([each for each in open_files if each.startswith("socket:")]) == 1, open_files
    assert not [each for each in open_files if each.startswith(str(live.instance))], open_files


def regions(process: Path) -> Iterator[bytes]:
    """Read what a process may write in its memory."""
    with open(process / "mem", "rb", buffering=0) as memory:
        for line in (process / "maps").read_text().splitlines():
            place, rights, *_ = line.split()
            if rights.startswith("rw") and "[v" not in line:
                begin, end = (int(each, 16) for each in place.split("-"))
                memory.seek(begin)
                with contextlib.suppress(OSError):
                    yield memory.read(end - begin)


def test_a_worker_elsewhere_is_lost_when_its_beat_stands_still(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
):
    result = portal.submit("Passes")
    elsewhere = Process(host="another-machine", pid=1, started="1")
    assert claim(portal.platform, result.id, worker="w-9", process=elsewhere)
    clock = [1000.0]
    monkeypatch.setattr("worker.reconciler.time.monotonic", lambda: clock[0])
    reconciler = Reconciler(portal.settings, portal.platform)
    assert reconciler.run_once().ended == []
    clock[0] += 11
    with portal.platform.engine.begin() as connection:
        assert beat(connection, result.id, worker="w-9")
    assert reconciler.run_once().ended == []
    assert not reconciler.suspects
    clock[0] += 11
    assert reconciler.run_once().ended == [], "it has beaten since"
    assert reconciler.suspects, "it is worth looking again soon"
    clock[0] += 2
    assert reconciler.run_once().ended == [result.id]
    assert "w-9" in portal.result(result).cause


def test_a_child_that_is_killed_ends_its_run_with_the_signal(
    portal: Portal, start_worker: StartWorker, tmp_path: Path
):
    result = portal.submit("WaitsForFile", raw={"folder": str(tmp_path)})
    start_worker()
    until(lambda: portal.entries(result), "an entry is there")
    os.kill(pid_of(tmp_path), signal.SIGKILL)
    until(lambda: portal.result(result).finished, "the run ended")
    ended = portal.result(result)
    assert (ended.status, "signal 9" in ended.cause) == ("errored", True)
    assert portal.entries(result), "what was logged before is kept"


def test_a_child_that_exits_without_a_result_is_errored(portal: Portal, start_worker: StartWorker):
    result = portal.submit("ExitsHard")
    assert start_worker("--burst").wait(60) == 0
    ended = portal.result(result)
    assert (ended.status, "status 7" in ended.cause) == ("errored", True)


def test_a_worker_survives_what_its_jobs_do(portal: Portal, start_worker: StartWorker):
    names = ["KillsItself", "Exits", "Raises", "ExitsHard", "Passes"]
    results = [portal.submit(name) for name in names]
    assert start_worker("--burst").wait(60) == 0
    assert [portal.status(result) for result in results] == ["errored"] * 4 + ["completed"]


def test_kill_9_of_a_worker_ends_its_child_and_its_run_truthfully(
    portal: Portal, start_worker: StartWorker, tmp_path: Path
):
    result = portal.submit("WaitsForFile", raw={"folder": str(tmp_path)})
    worker = start_worker()
    pid = pid_of(tmp_path)
    worker.kill()
    worker.wait()
    until(lambda: start_time(pid) is None, "the child died with its worker")
    report = Reconciler(portal.settings, portal.platform).run_once()
    assert report.ended == [result.id]
    ended = portal.result(result)
    assert (ended.status, "died" in ended.cause) == ("errored", True)
    assert Reconciler(portal.settings, portal.platform).run_once().ended == []


def test_a_reconciler_leaves_living_workers_alone(portal: Portal, start_worker: StartWorker, tmp_path: Path):
    result = portal.submit("WaitsForFile", raw={"folder": str(tmp_path)})
    start_worker()
    pid_of(tmp_path)
    assert Reconciler(portal.settings, portal.platform).run_once().ended == []
    assert portal.status(result) == "running"


def test_a_running_run_is_canceled_by_its_worker(portal: Portal, start_worker: StartWorker, tmp_path: Path):
    result = portal.submit("WaitsForFile", raw={"folder": str(tmp_path)})
    start_worker()
    pid = pid_of(tmp_path)
    assert portal.cancel(result) is False
    until(lambda: portal.result(result).finished, "the run ended")
    ended = portal.result(result)
    assert (ended.status, "alice" in ended.cause) == ("canceled", True)
    until(lambda: start_time(pid) is None, "its process is gone")


def test_a_worker_told_to_stop_lets_its_run_end(portal: Portal, start_worker: StartWorker, tmp_path: Path):
    result = portal.submit("WaitsForFile", raw={"folder": str(tmp_path)})
    worker = start_worker()
    pid_of(tmp_path)
    worker.terminate()
    (tmp_path / "go").touch()
    assert worker.wait(60) == 0
    assert portal.status(result) == "completed"


def test_a_worker_told_twice_to_stop_ends_its_run_with_a_cause(
    portal: Portal, start_worker: StartWorker, tmp_path: Path
):
    result = portal.submit("WaitsForFile", raw={"folder": str(tmp_path)})
    worker = start_worker()
    pid_of(tmp_path)

    def ended_when_told_again() -> bool:
        worker.terminate()  # RQ ignores a second signal within a second of the first.
        return worker.poll() is not None

    until(ended_when_told_again, "the worker stopped")
    ended = portal.result(result)
    assert (ended.status, "was stopped" in ended.cause) == ("errored", True)


def test_a_rolling_restart_loses_no_run_and_doubles_none(portal: Portal, start_worker: StartWorker):
    """One is drained, one gets SIGTERM, one ends by itself, while runs are asked for all the time."""
    stop, asked = threading.Event(), []

    def ask() -> None:
        while not stop.is_set():
            asked.append(portal.submit("Passes").id)
            stop.wait(0.5)

    def has_worked(name: str) -> bool:
        with portal.platform.reading() as db:
            found = db.scalar(
                select(JobResult.id).where(
                    JobResult.worker.startswith(name), JobResult.finished_at.is_not(None)
                )
            )
        return found is not None

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        # At once: each takes seconds to start.
        old = start_worker("--name", "old"), start_worker("--name", "older", "--exit-after", "3")
        new, newest = start_worker("--name", "new"), start_worker("--name", "newest")
        until(lambda: has_worked("old-") and has_worked("new-"), "two work", seconds=60)
        with portal.platform.session() as db:
            [name] = db.scalars(select(WorkerProcess.name).where(WorkerProcess.name.startswith("old-")))
            assert set_drain(db, name, True)
        assert [worker.wait(60) for worker in old] == [0, 0]
        until(lambda: has_worked("newest-"), "the last works", seconds=60)
        new.terminate()
        assert new.wait(60) == 0
    finally:
        stop.set()
        asking.join()

    def ended() -> list[JobResult]:
        with portal.platform.reading() as db:
            waits = select(JobResult.id).where(JobResult.finished_at.is_(None)).limit(1)
            return [] if db.scalar(waits) else list(db.scalars(select(JobResult)))

    results = until(ended, "all have ended", seconds=60)
    assert {each.id for each in results} == set(asked)
    assert {(each.status, each.attempt, each.losses) for each in results} == {("completed", 1, 0)}
    newest.terminate()
    assert newest.wait(60) == 0


@pytest.mark.parametrize("command", ["ours", "rq"])
def test_nothing_planted_in_the_queue_is_ever_called(
    portal: Portal, start_worker: StartWorker, redis: servers.Redis, tmp_path: Path, command: str
):
    trace = tmp_path / "trace"
    with Client.from_url(redis.url) as client:
        queue = Queue("default", connection=client)  # RQ's default: pickle.
        queue.enqueue("os.mkdir", str(trace), job_id=str(uuid4()))
        queue.enqueue("pathlib.Path.touch", job_id="no-uuid")
        evil = queue.enqueue("os.getpid", job_id=str(uuid4()))
        client.hset(evil.key, "data", pickle.dumps(_Evil(trace)))
        client.hset(evil.key, "success_callback_name", "os.getcwd")
        # An abandoned run, whose callback RQ's own clean-up would call.
        abandoned = queue.enqueue("os.getpid", job_id=str(uuid4()))
        client.hset(abandoned.key, "failure_callback_name", "tests.worker.planted.touch")
        client.hset(abandoned.key, "created_at", "no date")
        client.zadd("rq:wip:default", {f"{abandoned.id}:x": 1})
        # Another one, with nothing wrong in it: as RQ has it of a worker that died.
        started = queue.enqueue("os.getpid", job_id=str(uuid4()))
        client.lrem("rq:queue:default", 1, started.id)
        client.hset(started.key, "failure_callback_name", "tests.worker.planted.touch")
        client.hset(started.key, "status", "started")
        client.zadd("rq:wip:default", {f"{started.id}:x": 1})
        client.rpush("rq:queue:default", b"\xff\xfe")
    result = portal.submit("Passes")
    run_burst(portal, start_worker, command, {"PLANTED_TRACE": str(trace)})
    # Whatever the garbage did to that worker: the next one finds the run.
    run_burst(portal, start_worker, command, {})
    assert not trace.exists()
    assert portal.status(result) == "completed"
    assert Reconciler(portal.settings, portal.platform).run_once().ended == []


def run_burst(portal: Portal, start_worker: StartWorker, command: str, extra: dict[str, str]) -> None:
    if command == "ours":
        start_worker("--burst").wait(60)
    else:
        run_rq(portal.settings, extra)


def run_rq(settings: Settings, extra: dict[str, str]) -> None:
    command = [sys.executable, "-m", "rq.cli", "worker", "--url", settings.redis_url, "--burst"]
    subprocess.run(
        [*command, "--worker-class", "worker.rq_worker.Worker", "default"],
        env={**_bare_environment(), **environment(settings), **extra},
        check=False,
        timeout=60,
        cwd=PROJECT_ROOT,
        capture_output=True,
    )


class _Evil:
    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self):
        return (os.mkdir, (str(self.trace),))
