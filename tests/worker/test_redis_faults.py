"""Redis forgets, fills up, hangs or may throw things away: no run is lost, none runs twice, nobody waits for it."""

import re
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
from redis.connection import AbstractConnection

from tests import servers
from tests.waiting import until
from tests.worker.conftest import Portal, StartWorker, Web, on_sqlite
from tests.worker.engine import Engine
from worker import queues
from worker.host import start_time

pytestmark = pytest.mark.in_turn

T = TypeVar("T")

#: No request may wait longer, whatever Redis does.
MOST_SECONDS = 2.0


def quickly(act: Callable[[], T]) -> T:
    """Do this without waiting long for Redis. Only that counts: how quick all else is depends on the machine."""
    waited = 0.0
    read = AbstractConnection.read_response

    def timed(connection: AbstractConnection, *args: Any, **options: Any) -> Any:
        nonlocal waited
        began_at = time.monotonic()
        try:
            return read(connection, *args, **options)
        finally:
            waited += time.monotonic() - began_at

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(AbstractConnection, "read_response", timed)
        answer = act()
    assert waited < MOST_SECONDS
    return answer


def words(page: str) -> str:
    return " ".join(re.sub("<[^>]+>", " ", page).split())


# --- It forgets ---------------------------------------------------------------------------------------------------


def flush(redis: servers.Redis) -> None:
    redis.say("FLUSHALL")


@pytest.mark.parametrize("lose", [flush, servers.Redis.forget], ids=["flushed", "restarted empty"])
def test_what_redis_forgets_runs_once_and_what_runs_goes_on(
    portal: Portal,
    engine: Engine,
    redis_gone: servers.Redis,
    start_worker: StartWorker,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    lose: Callable[[servers.Redis], None],
):
    monkeypatch.setattr("worker.reconciler.PUSH_GRACE", timedelta(0))
    said = tmp_path / "said"
    running = portal.submit("WaitsForFile", raw={"folder": str(tmp_path)})
    start_worker()
    [marker] = until(lambda: list(tmp_path.glob("pid-*")), "the job began")
    pid = int(marker.name.removeprefix("pid-"))
    waiting = [portal.submit("Counts", raw={"file": str(said)}) for _ in range(3)]
    lose(redis_gone)
    assert engine.waiting() == []
    assert sorted(engine.reconcile().pushed) == sorted(result.id for result in waiting)
    untouched = portal.result(running)
    assert (untouched.status, untouched.attempt, start_time(pid) is None) == ("running", 1, False)
    portal.cancel(running)
    until(lambda: all(portal.result(result).finished for result in [running, *waiting]), "all have ended")
    assert portal.status(running) == "canceled"
    assert [portal.status(result) for result in waiting] == ["completed"] * 3
    assert [line.split()[0] for line in said.read_text().splitlines()] == ["S", "E"] * 3


@on_sqlite
def test_a_worker_that_redis_has_forgotten_still_listens(
    portal: Portal, web: Web, redis_gone: servers.Redis, start_worker: StartWorker
):
    start_worker()
    until(lambda: "A worker is listening" in web.page("/welcome").text, "the worker is there")
    flush(redis_gone)
    assert "A worker is listening" in web.page("/welcome").text


# --- It is full ---------------------------------------------------------------------------------------------------


@on_sqlite
def test_a_full_redis_is_told_and_what_was_asked_for_meanwhile_runs_by_itself(
    portal: Portal,
    web: Web,
    redis_gone: servers.Redis,
    start_worker: StartWorker,
    monkeypatch: pytest.MonkeyPatch,
):
    start_worker()
    first = portal.submit("Passes")
    until(lambda: portal.result(first).finished, "the worker works")
    assert "Redis is full" not in web.page("/workers/").text
    told: list[str] = []
    # Not by pytest's own handler: what other tests of this process have set up may keep lines from it.
    monkeypatch.setattr(queues.logger, "warning", lambda text, *about: told.append(text % about))
    redis_gone.say("CONFIG", "SET", "maxmemory", 1)
    result = quickly(lambda: web.submitted("Passes"))
    assert (result.status, result.unreached) == ("pending", True)
    assert "not allowed when used memory" in "".join(told)
    assert "Redis is full" in web.page("/workers/").text
    redis_gone.say("CONFIG", "SET", "maxmemory", 0)
    until(lambda: portal.result(result).finished, "it ran by itself")
    assert portal.status(result) == "completed"
    assert "Redis is full" not in web.page("/workers/").text


@on_sqlite
def test_a_worker_that_begins_while_redis_is_full_says_so_and_waits(
    portal: Portal,
    redis_gone: servers.Redis,
    start_worker: StartWorker,
    capfd: pytest.CaptureFixture[str],
):
    redis_gone.say("CONFIG", "SET", "maxmemory", 1)
    result = portal.submit("Passes")
    capfd.readouterr()
    start_worker()
    until(lambda: "cannot be used: command not allowed" in capfd.readouterr().err, "it says why it waits")
    redis_gone.say("CONFIG", "SET", "maxmemory", 0)
    until(lambda: portal.result(result).finished, "it ran by itself")
    assert portal.status(result) == "completed"


# --- It hangs -----------------------------------------------------------------------------------------------------


@on_sqlite
def test_nobody_waits_for_a_redis_that_hangs(
    portal: Portal, web: Web, redis_gone: servers.Redis, start_worker: StartWorker
):
    start_worker()
    first = portal.submit("Passes")
    until(lambda: portal.result(first).finished, "the worker works")
    redis_gone.hang()
    try:
        result = quickly(lambda: web.submitted("Passes"))
        assert result.status == "pending"
        job = portal.jobs["Passes"].class_path
        for path in ("/jobs/", f"/jobs/{job}/", f"/results/{result.id}", "/welcome"):
            assert quickly(lambda path=path: web.page(path)).status_code == 200
        assert quickly(lambda: web.page("/readyz")).status_code == 503
        assert "Redis does not answer" in quickly(lambda: web.page("/workers/")).text
        other = portal.submit("Passes")
        assert quickly(lambda: portal.cancel(other))
    finally:
        redis_gone.go_on()
    until(lambda: portal.result(result).finished, "it ran by itself")
    assert portal.status(result) == "completed"


# --- It may throw things away -------------------------------------------------------------------------------------


@on_sqlite
@pytest.mark.parametrize("policy", ["noeviction", "allkeys-lru", "volatile-ttl"])
def test_a_worker_warns_of_a_redis_that_may_throw_things_away(
    portal: Portal,
    web: Web,
    redis_gone: servers.Redis,
    start_worker: StartWorker,
    capfd: pytest.CaptureFixture[str],
    policy: str,
):
    redis_gone.say("CONFIG", "SET", "maxmemory-policy", policy)
    assert start_worker("--burst").wait(60) == 0
    told = capfd.readouterr().err
    page = words(web.page("/workers/").text)
    if policy == "noeviction":
        assert "maxmemory-policy" not in told + page
        return
    for text in (told, page):
        assert f"maxmemory-policy {policy}" in text
        assert "No run is lost" in text
        assert "maxmemory-policy noeviction" in text
