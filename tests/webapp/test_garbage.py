"""A web process looks through all its objects for garbage while nobody waits for a page."""

import gc
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.workers.gthread import ThreadWorker

from webapp import patient_worker
from webapp.patient_worker import IDLE_SECONDS, LOOKS, PatientWorker


@pytest.fixture
def worker() -> Iterator[PatientWorker]:
    made = PatientWorker(1, 1, [], None, 30, Config(), None)
    yield made
    made.tmp.close()


def test_garbage_is_looked_for_between_requests(worker: PatientWorker, monkeypatch: pytest.MonkeyPatch):
    clock = [1000.0]
    looks, collected = [LOOKS], []
    watched = SimpleNamespace(get_count=lambda: (0, 0, looks[0]), collect=lambda: collected.append(clock[0]))
    monkeypatch.setattr(patient_worker, "gc", watched)
    monkeypatch.setattr(patient_worker, "time", SimpleNamespace(monotonic=lambda: clock[0]))

    def answer(_worker: Any, _request: Any, _conn: Any) -> bool:
        worker.tidy()
        return True

    monkeypatch.setattr(ThreadWorker, "handle_request", answer)
    conn = type("Connection", (), {"sock": SimpleNamespace(settimeout=lambda _seconds: None)})()
    assert worker.handle_request(None, conn)
    worker.tidy()
    # Neither in the midst of a request, nor right after it, when the next one may come.
    assert collected == []
    clock[0] += IDLE_SECONDS
    worker.tidy()
    assert collected == [clock[0]]
    looks[0] = LOOKS - 1
    worker.tidy()
    assert collected == [clock[0]]


def test_web_processes_seldom_look_in_the_midst_of_a_request(
    worker: PatientWorker, monkeypatch: pytest.MonkeyPatch
):
    before = gc.get_threshold()
    monkeypatch.setattr(ThreadWorker, "init_process", lambda _worker: None)
    try:
        worker.init_process()
        assert gc.get_threshold() == patient_worker.THRESHOLDS
    finally:
        gc.set_threshold(*before)
