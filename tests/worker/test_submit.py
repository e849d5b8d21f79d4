"""The one door: who may pass, what is stored, and what happens without Redis."""

from datetime import timedelta

import pytest
from redis import Redis as Client

from jobs.errors import InvalidData
from store.models import JobRecord, JobResult, User
from store.permissions import Forbidden, NotVisible
from tests import servers
from tests.waiting import until
from tests.worker.conftest import Portal, StartWorker
from worker.cancel import AlreadyFinished, cancel
from worker.queues import waiting_ids
from worker.reconciler import Reconciler
from worker.submit import NotRunnable, submit

pytestmark = pytest.mark.in_turn


def results(portal: Portal) -> list[JobResult]:
    with portal.platform.reading() as db:
        return db.query(JobResult).all()


def test_submit_stores_a_row_and_queues_its_id(portal: Portal):
    result = portal.submit("Stations", raw={"text": " x "}, commit=False)
    assert (result.status, result.data, result.commit) == ("pending", {"text": "x", "flag": False}, False)
    assert (result.username, result.queue, result.class_path) == (
        "alice",
        "default",
        "local/stations/Stations",
    )
    assert result.pushed_at is not None
    assert waiting_ids(portal.settings, "default") == {result.id}


def test_submit_refuses_data_that_does_not_fit_and_stores_nothing(portal: Portal):
    with pytest.raises(InvalidData) as refusal:
        portal.submit("Stations", raw={"text": 1, "flag": "perhaps", "nonsense": 1})
    assert set(refusal.value.errors) == {"flag", "nonsense"}
    assert results(portal) == []


def test_submit_refuses_a_queue_the_job_does_not_have(portal: Portal):
    with pytest.raises(InvalidData) as refusal:
        portal.submit("Passes", queue="nowhere")
    assert "_queue" in refusal.value.errors
    assert results(portal) == []


@pytest.mark.parametrize(
    ("user", "values", "refusal"),
    [
        ("alice", {"enabled": False}, NotVisible),
        ("root", {"enabled": False}, NotRunnable),
        ("alice", {"installed": False}, NotRunnable),
    ],
)
def test_submit_refuses_what_cannot_be_run(
    portal: Portal, user: str, values: dict[str, bool], refusal: type[Exception]
):
    with portal.platform.session() as db:
        record = db.get_one(JobRecord, portal.jobs["Passes"].id)
        for name, value in values.items():
            setattr(record, name, value)
        db.commit()
    with pytest.raises(refusal):
        portal.submit("Passes", user=user)
    assert results(portal) == []


def test_submit_refuses_an_inactive_user(portal: Portal):
    with portal.platform.session() as db:
        db.get_one(User, portal.cast["alice"].id).active = False
        db.commit()
    with pytest.raises(NotVisible):
        portal.submit("Passes")


def test_redis_down_at_submit_loses_nothing_and_the_run_happens_later(
    portal: Portal, redis_gone: servers.Redis, start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch
):
    redis_gone.stop()
    result = portal.submit("Passes")
    assert (result.status, result.pushed_at) == ("pending", None)
    redis_gone.start()
    monkeypatch.setattr("worker.reconciler.PUSH_GRACE", timedelta(0))
    reconciler = Reconciler(portal.settings, portal.platform)
    pushed = until(lambda: reconciler.run_once().pushed, "the reconciler pushed it")
    assert pushed == [result.id]
    assert start_worker("--burst").wait(60) == 0
    assert portal.status(result) == "completed"


def test_an_id_that_redis_lost_is_pushed_again_once(
    portal: Portal, redis: servers.Redis, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("worker.reconciler.PUSH_GRACE", timedelta(0))
    result = portal.submit("Passes")
    reconciler = Reconciler(portal.settings, portal.platform)
    assert reconciler.run_once().pushed == []
    with Client.from_url(redis.url) as client:
        client.flushall()
    assert reconciler.run_once().pushed == [result.id]
    assert reconciler.run_once().pushed == []


def test_a_waiting_run_is_canceled_at_once_and_never_runs(portal: Portal):
    result = portal.submit("Passes")
    assert portal.cancel(result) is True
    canceled = portal.execute(result)
    assert (canceled.status, canceled.attempt, canceled.canceled_by) == ("canceled", 0, "alice")
    assert waiting_ids(portal.settings, "default") == set()


def test_strangers_may_not_cancel(portal: Portal):
    result = portal.submit("Passes")
    with pytest.raises(Forbidden):
        portal.cancel(result, "carol")
    assert portal.status(result) == "pending"


def test_cancel_of_an_ended_run_says_so(portal: Portal):
    result = portal.run("Passes")
    with pytest.raises(AlreadyFinished):
        portal.cancel(result)
    assert portal.status(result) == "completed"


def test_nobody_in_particular_may_ask_only_where_the_caller_permits_it(portal: Portal):
    with portal.platform.session() as db:
        job = db.get_one(JobRecord, portal.jobs["Passes"].id)
        with pytest.raises(NotVisible):
            submit(db, portal.settings, job=job, raw={}, user=None)
        assert results(portal) == []
        result = submit(db, portal.settings, job=job, raw={}, user=None, permitted=True)
        assert (result.user_id, result.username) == (None, "")
        with pytest.raises(NotVisible):
            cancel(db, portal.settings, result, None)
    assert portal.execute(result).status == "completed"


def test_what_a_user_asked_for_who_was_deleted_since_does_not_run(portal: Portal):
    result = portal.submit("Passes")
    with portal.platform.session() as db:
        db.delete(db.get_one(User, portal.cast["alice"].id))
        db.commit()
    ended = portal.execute(result)
    assert (ended.status, ended.cause) == ("errored", "alice may not run Passes any more.")


def test_what_is_not_pushed_is_nobody_elses_to_execute(portal: Portal):
    result = portal.submit("Passes", push=False)
    assert waiting_ids(portal.settings, "default") == set()
    Reconciler(portal.settings, portal.platform).run_once()
    assert waiting_ids(portal.settings, "default") == set(), "it was stored a moment ago"
    assert portal.execute(result).status == "completed"
