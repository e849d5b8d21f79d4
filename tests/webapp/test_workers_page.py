"""The workers page: what it shows, to whom, and what a superuser may do there."""

import dataclasses
import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from store.models import Queue, WorkerProcess, now
from store.platform import Platform
from worker.host import this_process
from worker.pausing import set_paused
from worker.presence import Presence, RollCall, set_drain

from .conftest import text

DEAD = dataclasses.replace(this_process(), started="long ago")


@pytest.fixture
def be(platform: Platform) -> Callable[..., Presence]:
    def be(name="w-1", *, kind="worker", queues=("default",), process=None) -> Presence:
        made = Presence(platform, kind=kind, name=name, queues=queues, process=process or this_process())
        made.enter()
        return made

    return be


@pytest.fixture
def scheduler(be) -> Presence:
    made = be("scheduler-1", kind="scheduler", queues=())
    made.reconciled()
    made.beat("idle", memory_bytes=61_000_000)
    return made


def words(page: str) -> str:
    """The page as it reads, without its markup."""
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def line(page: str, name: str) -> str:
    """The row of the table that begins with this name, as it reads."""
    (row,) = [row for row in re.findall(r"<tr><td.*?</tr>", page, re.DOTALL) if f">{name}</span>" in row]
    return words(row)


def row_of(db, name: str) -> WorkerProcess:
    with db.begin():
        return db.scalars(
            select(WorkerProcess).where(WorkerProcess.name == name).execution_options(populate_existing=True)
        ).one()


def age(db, name: str, **values) -> None:
    db.execute(update(WorkerProcess).where(WorkerProcess.name == name).values(**values))
    db.commit()


# --- What it shows --------------------------------------------------------------------------------------------


def test_the_rail_leads_to_the_page(alice):
    assert 'href="/workers/"' in text(alice.get("/jobs/"))
    assert '<a href="/workers/" aria-current="page"' in text(alice.get("/workers/"))


def test_without_a_worker_it_says_how_to_start_one(alice):
    page = text(alice.get("/workers/"))
    assert "No worker is listening" in page
    assert "<code>./errand worker</code>" in page


def test_a_worker_shows_where_it_is_and_what_it_does(alice, be, make_job, make_result, db):
    run = make_result(make_job("Ping sweep"), "running", created_at=now() - timedelta(seconds=30))
    be(queues=["bulk", "default"]).beat("busy", run.id, memory_bytes=148_000_000, done=1198, failed=4)
    page = text(alice.get("/workers/"))
    row = row_of(db, "w-1")
    shown = line(page, "w-1")
    for part in (row.host, f"pid {row.pid}", row.version, "Busy", "bulk, default", "148 MB", "Ping sweep"):
        assert part in shown
    assert "1 198 / 4 failed" in shown
    assert f'href="/results/{run.id}"' in page
    assert "No worker is listening" not in page


def test_a_worker_shows_how_far_its_run_is(alice, be, make_job, make_result):
    run = make_result(make_job("Ping sweep"), "running", progress={"done": 31, "total": 50})
    be().beat("busy", run.id)
    assert "62%, " in line(text(alice.get("/workers/")), "w-1")
    assert 'value="62" aria-label="Ping sweep, 62 percent"' in text(alice.get("/workers/"))


def test_an_idle_worker_shows_no_run(alice, be):
    be().beat("idle")
    assert "Idle default –" in line(text(alice.get("/workers/")), "w-1")


def test_a_queue_shows_what_waits_there(alice, be, make_job, make_result):
    be(queues=["bulk"])
    job = make_job(queues=["bulk"])
    for seconds in (190, 20):
        make_result(job, "pending", queue="bulk", created_at=now() - timedelta(seconds=seconds))
    make_result(job, "pending", queue="bulk", not_before=now() + timedelta(hours=1))
    make_result(job, "running", queue="bulk", created_at=now())
    shown = line(text(alice.get("/workers/")), "bulk")
    assert re.fullmatch(
        r"bulk Slow 2 \+ 1 later waiting 1 running oldest 3m 1\ds 0\.1 a minute 0 done in an hour 1 worker",
        shown,
    )


def test_queues_tell_their_state(alice, be, make_job, make_result, db):
    be(queues=["open"])
    job = make_job(queues=["open", "paused", "unwatched", "empty"])
    make_result(job, "pending", queue="unwatched", created_at=now())
    set_paused(db, "paused", paused=True, by="root")
    page = text(alice.get("/workers/"))
    assert "Open" in line(page, "open")
    assert "Paused by root" in line(page, "paused")
    assert "No worker" in line(page, "unwatched")
    assert "is-warn" in re.search(r">unwatched</span>.*?class=\"st ([\w-]+)", page)[1]
    assert "is-wait" in re.search(r">empty</span>.*?class=\"st ([\w-]+)", page)[1]
    assert words(page).count("No worker listens on") == 1
    assert "<code>./errand worker --queues unwatched</code>" in page


def test_a_lost_worker_is_a_problem_with_the_run_it_had(
    alice, be, scheduler, platform, make_job, make_result
):
    run = make_result(make_job("Ping sweep"), "errored")
    be("w-2", process=DEAD).beat("busy", run.id)
    be("w-1")
    RollCall(platform).run_once()
    page = text(alice.get("/workers/"))
    assert "w-2 has not been heard from for" in page
    assert f'It was running <a href="/results/{run.id}">Ping sweep</a> (now errored)' in page
    assert "Lost" in line(page, "w-2")
    # This instance's Redis is not running: that is the other one.
    assert "2 problems" in page
    # Every page says so at its side, and its polls do.
    for page in (text(alice.get("/jobs/")), text(alice.fragment("/now"))):
        assert re.search(r'<span class="n is-bad" id="n-lost"[^>]* aria-label="1 lost">1</span>', page)


def test_those_who_are_gone_are_shown_for_a_while(alice, be, platform, db):
    be("stopped").leave()
    be("long stopped").leave()
    age(db, "long stopped", ended_at=now() - timedelta(minutes=6))
    for name in ("lost", "long lost"):
        be(name, process=DEAD)
    RollCall(platform).run_once()
    age(db, "lost", ended_at=now() - timedelta(minutes=30), seen_at=now() - timedelta(minutes=30))
    age(db, "long lost", ended_at=now() - timedelta(hours=2))
    page = text(alice.get("/workers/"))
    assert "Stopped" in line(page, "stopped")
    assert "Lost" in line(page, "lost")
    assert "long" not in words(page)
    # A loss of half an hour ago is no news any more.
    assert "lost has not been heard from" not in page
    assert re.search(r'<span class="n is-bad" id="n-lost" hidden>', page)


def test_a_worker_without_a_beat_is_silent_before_anybody_finds_it_lost(alice, be, db):
    be()
    age(db, "w-1", seen_at=now() - timedelta(seconds=20))
    page = text(alice.get("/workers/"))
    assert "Silent" in line(page, "w-1")
    # A busy machine may take a second or two for the page.
    assert re.search(r"w-1 has not been heard from for 2[0-5]s", page)


def test_the_health_of_the_scheduler_and_the_reconcilers_is_told(alice, scheduler, db):
    shown = words(text(alice.get("/workers/")))
    assert re.search(r"Scheduler, beat \ds ago Reconciler, pass \ds ago Database, [\d.]+ ms", shown)
    assert "No scheduler" not in shown
    moment = now() - timedelta(seconds=75)
    age(db, "scheduler-1", seen_at=moment, reconciled_at=moment)
    page = text(alice.get("/workers/"))
    assert "No scheduler: the last beat was 1m 15s ago" in page
    assert "<code>./errand scheduler</code>" in page


def test_without_a_scheduler_it_says_so(alice, be):
    be()
    assert "No scheduler: none has been heard from yet" in text(alice.get("/workers/"))


def test_a_redis_that_is_gone_is_told(alice):
    page = text(alice.get("/workers/"))
    assert page.count("Redis does not answer") == 2
    assert "Runs are kept, and start when it is back." in page


def test_different_versions_are_told(alice, be, db):
    be()
    shown = words(text(alice.get("/workers/")))
    assert f"Version {row_of(db, 'w-1').version} everywhere" in shown
    age(db, "w-1", version="0.0.9")
    assert "Versions 0.0.9 and " in words(text(alice.get("/workers/")))


def test_names_are_text(alice, be, make_job):
    be("<b>w</b>", queues=["<i>q</i>"])
    page = text(alice.get("/workers/"))
    assert "<b>w" not in page
    assert "<i>q" not in page
    assert "&lt;b&gt;w" in page


# --- Live, and without JavaScript -----------------------------------------------------------------------------


def test_the_live_part_asks_for_itself_again(alice, be):
    be()
    page = text(alice.get("/workers/"))
    assert re.search(
        r'id="now".* data-poll hx-get="/now\?of=workers&amp;shown=\w+" hx-trigger="every 3000ms', page
    )
    part = text(alice.fragment("/now?of=workers"))
    assert "<html" not in part
    assert ">w-1</span>" in part
    assert '<div class="head" id="health" hx-swap-oob="true">' in part
    assert '<div id="live" hx-swap-oob="true">' in part


def test_without_javascript_it_refreshes_itself(alice):
    assert '<noscript><meta http-equiv="refresh" content="15"></noscript>' in text(alice.get("/workers/"))


def test_buttons_keep_their_focus_over_a_refresh(root, be):
    be()
    for page in (text(root.get("/workers/")), text(root.fragment("/now?of=workers"))):
        ids = re.findall(r'<button class="btn s" id="([^" ]+)"', page)
        assert sorted(ids) == ["queue-default", "worker-w-1"]


# --- Acts -----------------------------------------------------------------------------------------------------


def test_superusers_pause_and_resume(root, be, db):
    be(queues=["bulk/a b"])
    page = text(root.get("/workers/"))
    address = re.search(r'action="(/workers/queues/[^"]+/pause)"', page)[1]
    answer = root.post(address)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/workers/")
    page = text(root.get("/workers/"))
    assert "Queue bulk/a b is paused" in page
    assert "Paused by root" in line(page, "bulk/a b")
    with db.begin():
        assert db.scalars(select(Queue.name).where(Queue.paused)).all() == ["bulk/a b"]
    assert root.post(address.replace("/pause", "/resume")).status_code == 303
    assert "Open" in line(text(root.get("/workers/")), "bulk/a b")


def test_superusers_drain_and_take_it_back(root, be, db):
    be()
    assert root.post("/workers/w-1/drain").status_code == 303
    page = text(root.get("/workers/"))
    assert "Draining" in line(page, "w-1")
    assert row_of(db, "w-1").drain
    assert 'action="/workers/w-1/resume"' in page
    assert root.post("/workers/w-1/resume").status_code == 303
    assert not row_of(db, "w-1").drain


def test_draining_one_who_has_just_ended_is_no_error(root, be):
    be().leave()
    assert root.post("/workers/w-1/drain").status_code == 303
    assert "That worker has already ended." in text(root.get("/workers/"))


def test_a_queue_that_nothing_speaks_of_cannot_be_paused(root, db):
    assert root.post("/workers/queues/nothing/pause").status_code == 404
    assert root.post("/workers/queues/nothing/resume").status_code == 404
    with db.begin():
        assert db.scalars(select(Queue)).all() == []


ACTS = [
    "/workers/queues/default/pause",
    "/workers/queues/default/resume",
    "/workers/w-1/drain",
    "/workers/w-1/resume",
]


@pytest.mark.parametrize("path", ACTS)
def test_only_superusers_act(alice, be, db, path):
    be()
    set_drain(db, "w-1", "resume" in path)
    set_paused(db, "default", paused="resume" in path, by="root")
    page = text(alice.get("/workers/"))
    assert "/pause" not in page
    assert "/drain" not in page
    assert "/resume" not in page
    assert alice.post(path).status_code == 403
    assert row_of(db, "w-1").drain is ("resume" in path)
    with db.begin():
        assert bool(db.scalars(select(Queue).where(Queue.paused)).all()) is ("resume" in path)


@pytest.mark.parametrize("path", ACTS)
def test_acts_want_a_token_and_the_right_method(root, be, path):
    be()
    assert root.get(path).status_code == 405
    assert root.client.post(path).status_code == 400


@pytest.mark.parametrize("path", ["/workers/", "/now?of=workers"])
def test_pages_refuse_the_wrong_method_and_strangers(root, stranger, path):
    assert root.post(path).status_code == 405
    assert stranger.get(path).status_code == 303


def test_watching_does_not_keep_a_session_alive(app):
    assert app.view_functions["home.now_running"].is_polled


def test_a_queue_says_what_ended_within_the_hour(alice, be, make_job, make_result):
    be("w-1", queues=("default", "bulk"))
    job = make_job()
    for status, minutes in (("completed", 5), ("failed", 50), ("completed", 70), ("running", 2)):
        make_result(job, status, queue="bulk", created_at=now() - timedelta(minutes=minutes))
    page = text(alice.get("/workers/"))
    assert " 2 done in an hour" in line(page, "bulk")
    assert " 0 done in an hour" in line(page, "default")
    (row,) = [row for row in re.findall(r"<tr><td.*?</tr>", page, re.DOTALL) if ">bulk</span>" in row]
    assert 'aria-label="Last 2 runs: 1 failed, 1 completed"' in row
