"""`./errand workers` and `./errand queues`."""

import json
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, update

from store.models import Queue, WorkerProcess, now
from worker.host import this_process
from worker.presence import Presence


@pytest.fixture
def worker(platform):
    made = Presence(platform, kind="worker", name="w-1", queues=["bulk", "default"], process=this_process())
    made.enter()
    return made


def test_workers_are_listed_one_a_line(errand, worker):
    *told, beat = errand("workers", "list").stdout.split("\t")
    assert told == ["w-1", "idle", "bulk,default"]
    assert now() - datetime.fromisoformat(beat.strip()) < timedelta(minutes=5)
    (told,) = json.loads(errand("workers", "list", "--json").stdout)
    assert (told["name"], told["state"], told["silent"]) == ("w-1", "idle", False)


def test_a_worker_that_is_not_heard_from_is_silent(errand, worker, db):
    days_ago = now() - timedelta(days=2)
    db.execute(update(WorkerProcess).values(seen_at=days_ago))
    db.commit()
    line = f"w-1\tsilent\tbulk,default\t{days_ago:%Y-%m-%dT%H:%M:%S}Z\n"
    assert errand("workers", "list").stdout == line
    (told,) = json.loads(errand("workers", "list", "--json").stdout)
    assert (told["state"], told["silent"]) == ("idle", True)


def test_a_worker_is_drained_and_kept(errand, worker, db):
    assert errand("workers", "drain", "w-1").exit_code == 0
    assert worker.beat("busy") is True
    assert errand("workers", "list").stdout.startswith("w-1\tdraining\tbulk,default\t")
    assert errand("workers", "resume", "w-1").exit_code == 0
    assert worker.beat("busy") is False


def test_all_workers_are_drained_and_waited_for(errand, worker, db):
    assert errand("workers", "drain").exit_code == 2
    outcome = errand("workers", "drain", "--all", "--wait", "0")
    assert (outcome.exit_code, "w-1 did not end within 0 seconds" in outcome.stderr) == (1, True)
    assert worker.beat("busy") is True
    worker.leave()
    assert errand("workers", "drain", "--all", "--wait", "0").exit_code == 0


def test_one_by_one_nobody_goes_before_another_has_come(errand, worker, db, platform):
    of = {"kind": "worker", "queues": ["default"], "process": this_process()}
    Presence(platform, name="w-2", **of).enter()
    outcome = errand("workers", "drain", "--all", "--one-by-one", "--wait", "0")
    assert outcome.exit_code == 1
    states = db.execute(select(WorkerProcess.name, WorkerProcess.drain).order_by(WorkerProcess.name)).all()
    assert [tuple(row) for row in states] == [("w-1", True), ("w-2", False)]


def test_a_worker_that_is_not_here_is_an_error(errand, worker, db):
    outcome = errand("workers", "drain", "w-2")
    assert outcome.exit_code == 1
    assert "Did you mean w-1?" in outcome.stderr
    assert db.scalars(select(WorkerProcess.drain)).all() == [False]


def test_queues_are_listed_one_a_line(errand, worker):
    assert errand("queues", "list").stdout == "bulk\topen\t0\t0\t1\ndefault\topen\t0\t0\t1\n"
    told = json.loads(errand("queues", "list", "--json").stdout)
    assert [(row["name"], row["paused"]) for row in told] == [("bulk", False), ("default", False)]


def test_a_queue_is_paused_and_resumed(errand, worker, db):
    assert errand("queues", "pause", "bulk").exit_code == 0
    assert errand("queues", "list").stdout.startswith("bulk\tpaused\t")
    assert errand("queues", "resume", "bulk").exit_code == 0
    assert errand("queues", "list").stdout.startswith("bulk\topen\t")


def test_a_queue_that_nothing_speaks_of_is_an_error(errand, worker, db):
    outcome = errand("queues", "pause", "bulky")
    assert outcome.exit_code == 1
    assert "Did you mean bulk?" in outcome.stderr
    assert db.scalars(select(Queue)).all() == []
