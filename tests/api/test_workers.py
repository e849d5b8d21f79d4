"""`/workers` and `/queues`: who works on what, what waits, and what superusers may do about it."""

import uuid
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import select

from store.models import Queue, WorkerProcess, now
from store.platform import Platform
from tests.api.conftest import follow
from worker.host import this_process
from worker.pausing import set_paused
from worker.presence import Presence, set_drain


@pytest.fixture
def be(platform: Platform) -> Callable[..., Presence]:
    def be(name="w-1", *, kind="worker", queues=("default",)) -> Presence:
        made = Presence(
            platform, kind=kind, name=name, queues=queues, process=this_process(), labels=["site=paris"]
        )
        made.enter()
        return made

    return be


def drains(db) -> dict[str, bool]:
    with db.begin():
        return dict(db.execute(select(WorkerProcess.name, WorkerProcess.drain)).all())


def paused(db) -> list[str]:
    with db.begin():
        return list(db.scalars(select(Queue.name).where(Queue.paused)))


def test_workers_tell_all_that_is_known_of_them(call, be, make_result, db):
    run = make_result(status="running")
    worker = be(queues=["bulk", "default"])
    worker.reconciled()
    worker.beat("busy", run.id, memory_bytes=148_000_000, done=7, failed=2)
    (told,) = call("GET", "/workers").json["results"]
    row = db.scalars(select(WorkerProcess)).one()
    times = {name: told.pop(name) for name in ("started_at", "seen_at", "reconciled_at")}
    assert all(value.endswith("Z") for value in times.values())
    assert told == {
        "name": "w-1",
        "kind": "worker",
        "host": row.host,
        "pid": row.pid,
        "version": row.version,
        "queues": ["bulk", "default"],
        "labels": ["site=paris"],
        "state": "busy",
        "silent": False,
        "drain": False,
        "result": str(run.id),
        "memory_bytes": 148_000_000,
        "done": 7,
        "failed": 2,
        "ended_at": None,
    }


def test_a_run_that_is_not_there_is_not_told(call, be):
    be().beat("busy", uuid.uuid4())
    assert call("GET", "/workers").json["results"][0]["result"] is None


def test_workers_come_in_pages_also_those_who_are_gone(call, be):
    for name in ("c", "a", "b"):
        be(name)
    be("b").leave()
    be("d", kind="scheduler", queues=())
    pages = follow(call, "/workers?limit=3")
    assert [[(row["name"], row["state"]) for row in page] for page in pages] == [
        [("a", "idle"), ("b", "stopped"), ("c", "idle")],
        [("d", "idle")],
    ]


def test_queues_tell_what_waits(call, be, make_result, db):
    be(queues=["bulk"])
    make_result(queue="bulk", created_at=now() - timedelta(seconds=60))
    make_result(queue="bulk", not_before=now() + timedelta(hours=1))
    make_result(queue="bulk", status="running", started_at=now())
    set_paused(db, "bulk", paused=True, by="root")
    told = {row["name"]: row for row in call("GET", "/queues").json["results"]}
    assert set(told) == {"bulk", "default"}
    bulk = told["bulk"]
    assert bulk.pop("paused_at").endswith("Z")
    assert 60 <= bulk.pop("oldest_wait_seconds") < 90
    assert bulk == {
        "name": "bulk",
        "paused": True,
        "paused_by": "root",
        "waiting": 1,
        "later": 1,
        "running": 1,
        "started_per_minute": 0.1,
        "workers": 1,
        # This instance's Redis is not running.
        "queued": None,
    }


def test_queues_come_in_pages(call, be):
    be(queues=["c", "a", "b"])
    pages = follow(call, "/queues?limit=2")
    assert [[row["name"] for row in page] for page in pages] == [["a", "b"], ["c"]]


def test_superusers_pause_and_resume(call_as_root, be, db):
    be(queues=["bulk/a b"])
    told = call_as_root("POST", "/queues/bulk/a%20b/pause")
    assert told.status_code == 200
    assert (told.json["paused"], told.json["paused_by"], told.json["workers"]) == (True, "root", 1)
    assert paused(db) == ["bulk/a b"]
    assert call_as_root("POST", "/queues/bulk/a%20b/resume").json["paused"] is False
    assert paused(db) == []


def test_a_queue_that_only_its_pause_spoke_of_can_be_resumed(call_as_root, db):
    set_paused(db, "old", paused=True, by="root")
    told = call_as_root("POST", "/queues/old/resume")
    assert (told.status_code, told.json["name"], told.json["paused"]) == (200, "old", False)
    assert call_as_root("GET", "/queues").json["results"] == []


def test_superusers_drain_and_take_it_back(call_as_root, be, db):
    be()
    told = call_as_root("POST", "/workers/w-1/drain")
    assert (told.status_code, told.json["state"], told.json["drain"]) == (200, "draining", True)
    assert drains(db) == {"w-1": True}
    assert call_as_root("POST", "/workers/w-1/resume").json["state"] == "idle"
    assert drains(db) == {"w-1": False}


@pytest.mark.parametrize("name", ["gone", "scheduler", "never-there", "a%00b"])
@pytest.mark.parametrize("act", ["drain", "resume"])
def test_who_is_not_a_worker_or_not_here_is_not_found(call_as_root, be, db, name, act):
    be("gone").leave()
    be("scheduler", kind="scheduler")
    assert call_as_root("POST", f"/workers/{name}/{act}").status_code == 404
    assert not any(drains(db).values())


@pytest.mark.parametrize("act", ["pause", "resume"])
@pytest.mark.parametrize("name", ["nothing", "a%00b"])
def test_a_queue_that_nothing_speaks_of_is_not_found(call_as_root, db, name, act):
    assert call_as_root("POST", f"/queues/{name}/{act}").status_code == 404
    assert paused(db) == []


ACTS = ["/workers/w-1/drain", "/workers/w-1/resume", "/queues/default/pause", "/queues/default/resume"]


@pytest.mark.parametrize("path", ACTS)
def test_only_superusers_act(call, be, db, path):
    be()
    back = path.endswith("resume")
    set_drain(db, "w-1", back)
    set_paused(db, "default", paused=back, by="root")
    assert call("POST", path).status_code == 403
    assert drains(db) == {"w-1": back}
    assert paused(db) == (["default"] if back else [])


@pytest.mark.parametrize("path", ACTS)
def test_acts_refuse_the_wrong_method_and_unknown_parameters(call_as_root, be, db, path):
    be()
    assert call_as_root("GET", path).status_code == 405
    assert call_as_root("POST", f"{path}?force=1").status_code == 422
    assert drains(db) == {"w-1": False}
    assert paused(db) == []


@pytest.mark.parametrize("path", ["/workers", "/queues"])
def test_lists_refuse_strangers_the_wrong_method_and_unknown_parameters(app, call, path):
    assert app.test_client().get(f"/api/v1{path}").status_code == 401
    assert call("POST", path).status_code == 405
    assert call("GET", f"{path}?state=idle").status_code == 422
