"""What fell between two processes is mended, by as many as like."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from redis import Redis as Client

from tests import servers
from tests.worker.conftest import Portal
from tests.worker.engine import Engine, at_once
from worker.queues import listed_ids
from worker.reconciler import Reconciler, Report


@pytest.mark.parametrize("head", [1000, 2])
def test_many_reconcilers_push_what_is_missing_once(
    portal: Portal, engine: Engine, redis: servers.Redis, monkeypatch: pytest.MonkeyPatch, head: int
):
    monkeypatch.setattr("worker.reconciler.LIST_HEAD", head)
    monkeypatch.setattr("worker.reconciler.MOST_ROWS", 3)
    results = [portal.submit("Passes") for _ in range(7)]
    for result in results:
        engine.write(result, pushed_at=result.created_at - timedelta(minutes=1))
    lost = [results[0].id, results[1].id]
    with Client.from_url(redis.url) as client:
        for result_id in lost:
            client.lrem("rq:queue:default", 1, str(result_id))
    reconcilers = [Reconciler(portal.settings, portal.platform) for _ in range(3)]
    pushed: list[UUID] = []
    for _ in range(4):
        for report in at_once(*[reconciler.run_once for reconciler in reconcilers]):
            pushed += report.pushed
    assert sorted(pushed, key=str) == sorted(lost, key=str)
    assert sorted(map(str, listed_ids(portal.settings, "default", "normal"))) == sorted(
        str(result.id) for result in results
    )


def test_a_pass_reads_no_list_when_nothing_waits(portal: Portal, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("worker.reconciler.PUSH_GRACE", timedelta(0))
    portal.run("Passes")
    asked: Sequence[Any] = []
    monkeypatch.setattr("worker.reconciler.listed_ids", lambda *args: asked.append(args) or [])
    assert Reconciler(portal.settings, portal.platform).run_once() == Report()
    assert asked == []


def test_rows_that_wait_elsewhere_hide_none_that_was_lost(
    portal: Portal, engine: Engine, redis: servers.Redis, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("worker.reconciler.PUSH_GRACE", timedelta(0))
    monkeypatch.setattr("worker.reconciler.MOST_ROWS", 2)
    engine.rule("Passes", queues=["default", "unserved"])
    for _ in range(5):
        portal.submit("Passes", queue="unserved")
    lost = portal.submit("Passes")
    with Client.from_url(redis.url) as client:
        client.delete("rq:queue:default")
    pushed = [result_id for _ in range(3) for result_id in engine.reconcile().pushed]
    assert pushed == [lost.id]
