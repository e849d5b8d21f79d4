"""`/metrics`: who may read it, and that what it says is true, whatever is away."""

import re
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import update

from store.models import JobResult, WorkerProcess, now
from store.models.tally import OTHER
from store.platform import Platform
from store.settings import PROJECT_ROOT
from tests.webapp.test_matrix import token_of
from worker import metrics, tally

TOKEN = "metrics-" + "x" * 20


def numbers(answer: Any) -> dict[tuple[str, ...], float]:
    """Return {(name, value of a label, ...): number}, the labels by their names."""
    assert answer.status_code == 200, answer.text
    families = text_string_to_metric_families(answer.get_data(as_text=True))
    samples = [sample for family in families for sample in family.samples]
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for sample in samples
    }


@pytest.fixture
def scrape(make_app, monkeypatch) -> Any:
    monkeypatch.setattr("webapp.metrics.KEPT_SECONDS", -1.0)
    client = make_app("https://id.example.org", ERRAND_METRICS_TOKEN=TOKEN).test_client()
    return lambda: numbers(client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}))


def test_strangers_get_nothing(stranger, alice, root, app, db, cast):
    answer = stranger.client.get("/metrics")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].lower().startswith("bearer")
    assert "errand_runs" not in answer.get_data(as_text=True)
    # Without a token in the settings an empty one is none.
    assert stranger.client.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 401
    # It is for programs: no session opens it.
    assert alice.get("/metrics").status_code == 401
    assert root.get("/metrics").status_code == 401
    token = token_of(db, cast["root"], read_only=True)
    # What may only look may not do what this asks for.
    assert stranger.client.get("/metrics", headers=token).status_code == 403
    db.rollback()
    whole = token_of(db, cast["root"])
    db.rollback()
    answer = stranger.client.get("/metrics", headers=whole)
    assert numbers(answer)["errand_up", "database"] == 1
    assert answer.headers["Cache-Control"] == "no-store"


def test_it_counts_what_waits_and_what_has_ended(scrape, db, platform: Platform, make_job, make_result):
    assert scrape()["errand_runs_ended_total", "completed"] == 0
    tally.tally(platform)
    greet, ping = make_job("Greet"), make_job("Ping")
    for state in ("pending", "pending", "running"):
        make_result(greet, state, queue="bulk")
    for job, state in ((greet, "completed"), (greet, "completed"), (ping, "errored")):
        made = make_result(job, state)
        db.execute(update(JobResult).where(JobResult.id == made.id).values(finished_at=now()))
    seen = {"kind": "worker", "host": "h", "pid": 1, "queues": ["bulk"], "seen_at": now()}
    db.add(WorkerProcess(name="w-1", state="busy", **seen))
    db.commit()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tally, "SETTLED", -tally.SETTLED)
        assert tally.tally(platform) == 3
    got = scrape()
    assert got["errand_runs", greet.class_path, "pending"] == 2
    assert got["errand_runs", greet.class_path, "running"] == 1
    assert got["errand_runs", OTHER, "pending"] == 0
    assert got["errand_runs_ended_total", "completed"] == 2
    assert got["errand_job_runs_ended_total", ping.class_path, "errored"] == 1
    assert got["errand_run_duration_seconds_count", ping.class_path] == 1
    assert got["errand_queue_waiting_runs", "bulk"] == 2
    assert got["errand_queue_oldest_wait_seconds", "bulk"] > 0
    assert got["errand_queue_workers", "bulk"] == 1
    assert got["errand_workers", "worker", "busy"] == 1
    # No Redis runs for this instance.
    assert (got["errand_up", "redis"], got["errand_up", "data_database"]) == (0, 1)
    assert any(name == "errand_request_seconds_count" and "page" in rest for name, *rest in got)


def test_however_many_jobs_there_are_the_numbers_are_few(scrape, make_job, make_result, monkeypatch):
    monkeypatch.setattr(metrics, "MOST_JOBS", 2)
    for number in range(5):
        job = make_job(f"J{number}")
        for _ in range(number + 1):
            make_result(job, "pending")
    got = {
        key[1]: value for key, value in scrape().items() if key[0] == "errand_runs" and key[2] == "pending"
    }
    assert got == {"local/greetings/J4": 5, "local/greetings/J3": 4, OTHER: 6}


def test_a_database_that_is_away_is_a_number(make_app, monkeypatch):
    app = make_app("https://id.example.org", ERRAND_METRICS_TOKEN=TOKEN)
    (app.extensions["errand"].settings.instance / "errand.db").write_bytes(b"no database" * 100)
    got = numbers(app.test_client().get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}))
    assert got["errand_up", "database"] == 0
    assert any(key[0] == "errand_build_info" for key in got)


def test_the_docs_name_every_number(scrape, make_job):
    make_job()
    scrape()
    text = "".join(
        (PROJECT_ROOT / "docs" / page).read_text("utf-8") for page in ("metrics.md", "operations.md")
    )
    named = {re.sub(r"_bucket$", "", name) for name in re.findall(r"errand_[a-z_]+", text)}
    there = {re.sub(r"_(count|sum|created)$", "", key[0]) for key in scrape()}
    # Of what has not ended, and of a Redis that is not there, there is nothing to show.
    missing = {f"errand_{name}" for name in ("job_runs_ended_total", "run_duration_seconds")}
    missing |= {f"errand_redis_{name}" for name in ("answer_seconds", "memory_bytes")}
    assert named - there == missing
    assert there - named == set()


def test_each_request_is_a_line_that_names_it(make_app, caplog):
    app = make_app("https://id.example.org", ERRAND_LOG="json")
    caplog.set_level("INFO", "errand.requests")
    answer = app.test_client().get("/login/sEcReT-token", headers={"X-Request-ID": "proxy-12345678"})
    assert answer.headers["X-Request-ID"] == "proxy-12345678"
    [line] = [each.getMessage() for each in caplog.records if each.name == "errand.requests"]
    assert line.startswith("GET /login/<token>: 404")
    forged = app.test_client().get("/healthz", headers={"X-Request-ID": "a\tb"})
    assert re.fullmatch("[0-9a-f]{32}", forged.headers["X-Request-ID"])
