"""The same request again is the same run."""

import threading
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select

from jobs.errors import InvalidData
from store.models import JobResult
from tests.waiting import PATIENCE_SECONDS
from tests.worker.conftest import Portal
from tests.worker.engine import Engine, at_once
from worker import submit as door
from worker.run_options import RunOptions
from worker.submit import KeyReused

pytestmark = pytest.mark.in_turn


def rows(portal: Portal) -> int:
    with portal.platform.reading() as db:
        return db.scalar(select(func.count()).select_from(JobResult)) or 0


def test_the_same_key_returns_the_same_run_and_pushes_it_once(portal: Portal, engine: Engine):
    first = portal.submit("Stations", raw={"text": "x"}, idempotency_key="k-1")
    again = portal.submit("Stations", raw={"text": "x"}, idempotency_key="k-1")
    assert (again.id, again.repeated, first.repeated) == (first.id, True, False)
    assert rows(portal) == 1
    assert engine.waiting() == [first.id]


def test_the_same_key_still_returns_the_run_when_it_has_ended(portal: Portal):
    first = portal.run("Sensitive", raw={"password": "open sesame"}, idempotency_key="k-1")
    again = portal.submit("Sensitive", raw={"password": "open sesame"}, idempotency_key="k-1")
    assert (again.id, again.status) == (first.id, "completed")
    with pytest.raises(KeyReused):
        portal.submit("Sensitive", raw={"password": "another"}, idempotency_key="k-1")


@pytest.mark.parametrize(
    ("job", "options"),
    [
        ("Passes", {}),
        ("Stations", {"raw": {"text": "y"}}),
        ("Stations", {"commit": False}),
        ("Stations", {"options": RunOptions(profile=True), "permitted": True}),
        ("Single", {"options": RunOptions(ignore_singleton_lock=True)}),
    ],
)
def test_the_same_key_for_something_else_is_refused(portal: Portal, job: str, options: dict[str, Any]):
    portal.submit("Single" if job == "Single" else "Stations", raw={}, idempotency_key="k-1")
    with pytest.raises(KeyReused) as refusal:
        portal.submit(job, idempotency_key="k-1", **options)
    assert list(refusal.value.errors) == ["_idempotency_key"]
    assert rows(portal) == 1


def test_a_key_belongs_to_its_user(portal: Portal):
    mine = portal.submit("Passes", idempotency_key="k-1")
    theirs = portal.submit("Passes", user="bob", idempotency_key="k-1")
    assert mine.id != theirs.id


def test_requests_with_one_key_that_race_make_one_run(
    portal: Portal, engine: Engine, monkeypatch: pytest.MonkeyPatch
):
    # Each looks for the key before any has stored it.
    barrier = threading.Barrier(4, timeout=PATIENCE_SECONDS)
    known = door._is_known
    met = threading.local()

    def look(*args: Any) -> bool:
        answer = known(*args)
        if not hasattr(met, "once"):
            met.once = barrier.wait()
        return answer

    monkeypatch.setattr(door, "_is_known", look)
    job, alice = portal.jobs["Passes"], portal.cast["alice"]

    def ask() -> tuple[UUID, bool]:
        with portal.platform.session() as db:
            result = door.submit(db, portal.settings, job=job, raw={}, user=alice, idempotency_key="k-1")
            return result.id, result.repeated

    answers = at_once(ask, ask, ask, ask)
    assert len({result_id for result_id, _ in answers}) == 1
    assert sorted(repeated for _, repeated in answers) == [False, True, True, True]
    assert (rows(portal), len(engine.waiting())) == (1, 1)


@pytest.mark.parametrize("key", ["", "x" * 201, "a\x00b"])
def test_a_key_that_cannot_be_kept_is_refused(portal: Portal, key: str):
    with pytest.raises(InvalidData):
        portal.submit("Passes", idempotency_key=key)
    assert rows(portal) == 0
