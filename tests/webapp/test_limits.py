"""How much of the portal one person, or one program, may take: then it says so, and when to come again."""

from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from store.limit_settings import PER_MINUTE, LimitSettings, limit_settings
from store.lockbox import lock
from store.models import JobResult, Schedule, Webhook, WebhookDelivery
from store.settings import Settings, SettingsError
from tests.multipart import multipart
from webapp.limits import COUNTED

from .conftest import Browser, described, text
from .test_files_and_secrets import table
from .test_matrix import token_of
from .test_webhooks import SITE, generic

URL, API_URL = "/jobs/local/greetings/Greet/", "/api/v1/jobs/local/greetings/Greet/run"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    rates = {"submit": 2, "search": 2, "download": 2, "webhook": 2}
    return replace(
        settings, limits=LimitSettings(rates=rates, queue_depth=3, kept_files=3, kept_bytes=1024, schedules=2)
    )


@pytest.fixture
def job(make_job: Any) -> Any:
    return make_job(variables=[described("FileVar", "table", required=False)])


def runs(db: Any) -> int:
    with db.begin():
        count: int = db.scalar(select(func.count()).select_from(JobResult))
    return count


def is_told_to_wait(answer: Any, *words: str) -> None:
    assert answer.status_code == 429
    assert 0 < int(answer.headers["Retry-After"]) <= 60
    for word in words:
        assert word in text(answer)


def test_what_costs_has_a_limit_for_each_person(
    app: Flask, db: Any, cast: Any, browser: Any, job: Any, make_result: Any
):
    result = f"/results/{make_result(job).id}"
    token = token_of(db, cast["alice"])
    alice, bob = browser("alice"), browser("bob")
    for paths, word in (
        (("/jump?q=a", "/results/search?q=a", "/api/v1/entries?q=a"), "2 searches"),
        ((f"{result}/log.txt", "/results/results.csv", f"/api/v1{result}/export"), "2 downloads"),
    ):
        for path in paths[:2]:
            assert alice.get(path, buffered=True).status_code == 200
        for path in paths[:2]:
            is_told_to_wait(alice.get(path), word, "Wait")
        over = app.test_client().get(paths[2], headers=token)
        is_told_to_wait(over, word)
        assert over.is_json, "her tokens give her no more"
        assert bob.get(paths[0], buffered=True).status_code == 200
    assert alice.get(result).status_code == 200, "pages are not counted"


def test_runs_have_a_limit_for_each_person(app: Flask, db: Any, cast: Any, browser: Any, job: Any):
    alice, token = browser("alice"), token_of(db, cast["alice"])
    for _ in range(3):
        assert alice.get(URL).status_code == 200
    assert alice.post(URL).status_code == 303
    assert app.test_client().post(API_URL, json={}, headers=token).status_code == 201
    is_told_to_wait(alice.post(URL), "2 runs")
    is_told_to_wait(app.test_client().post(API_URL, json={}, headers=token), "2 runs")
    assert runs(db) == 2
    assert browser("bob").post(URL).status_code == 303


def test_no_run_is_taken_while_too_many_wait(
    app: Flask, db: Any, cast: Any, browser: Any, job: Any, make_result: Any, settings: Settings
):
    for _ in range(3):
        make_result(job, "pending")
    with db.begin():
        box = lock(settings.secret_key, {"secret": "whsec_of_a_test"})
        webhook = Webhook(
            name="In", job_id=job.id, user_id=cast["alice"].id, username="alice", box=box, enabled=True
        )
        db.add(webhook)
        db.flush()
        way_in = f"/hooks/in/{webhook.id}"
    token = token_of(db, cast["alice"])
    app.extensions["errand_limits"].clear()
    client = app.test_client()
    is_told_to_wait(browser("alice").post(URL), "3 runs wait for workers already")
    for path in (API_URL, API_URL.replace("v1", "extras") + "/"):
        answer = client.post(path, json={"data": {}}, headers=token)
        is_told_to_wait(answer, "3 runs wait")
        assert answer.is_json
    is_told_to_wait(client.post(way_in, data=SITE, headers=generic(SITE)), "3 runs wait")
    assert runs(db) == 3
    with db.begin():
        db.scalars(select(JobResult)).first().status = "canceled"
    assert browser("bob").post(URL).status_code == 303


def test_programs_have_a_limit_by_way_in_and_address(app: Flask, db: Any, settings: Settings, job: Any):
    with db.begin():
        boxes = [lock(settings.secret_key, {"secret": "x"}) for _ in range(2)]
        hooks = [
            Webhook(name=f"In {n}", job_id=job.id, username="alice", box=box) for n, box in enumerate(boxes)
        ]
        db.add_all(hooks)
        db.flush()
        first, second = (f"/hooks/in/{hook.id}" for hook in hooks)
    client = app.test_client()
    for _ in range(2):
        assert client.post(first, data=SITE).status_code == 401
    over = client.post(first, data=SITE, headers=generic(SITE, "x"))
    is_told_to_wait(over, "2 requests")
    assert over.is_json
    with db.begin():
        assert db.scalar(select(func.count()).select_from(WebhookDelivery)) == 2, "nothing is written for it"
    assert client.post(second, data=SITE).status_code == 401
    elsewhere = {"REMOTE_ADDR": "192.0.2.7"}
    assert client.post(first, data=SITE, environ_base=elsewhere).status_code == 401


def test_one_persons_runs_keep_so_many_files(db: Any, browser: Any, job: Any, settings: Settings, app: Flask):
    alice: Browser = browser("alice")
    app.extensions["errand_limits"].clear()

    def send(who: Browser, content: bytes) -> Any:
        return who.client.post(URL, **multipart(csrf_token=who.token(), **{"v-table": table(content)}))

    assert send(alice, b"a" * 1000).status_code == 303
    over = send(alice, b"a" * 25)
    assert (over.status_code, "and they may keep 1 KB" in text(over)) == (422, True)
    for _ in range(2):
        assert send(alice, b"a").status_code == 303
    with db.begin():
        db.query(JobResult).update({"status": "completed"})
    over = send(alice, b"a")
    assert (over.status_code, "keep 3 files already" in text(over)) == (422, True)
    assert runs(db) == 3
    assert alice.post(URL).status_code == 303, "a run without a file is none of it"
    assert send(browser("bob"), b"a").status_code == 303


def test_one_person_has_so_many_schedules(app: Flask, db: Any, cast: Any, make_job: Any, make_schedule: Any):
    """Each may ask for a run every minute, long after whoever made it has gone."""
    token, bobs = token_of(db, cast["alice"]), token_of(db, cast["bob"])
    job = make_job()
    over = make_schedule(job)
    with db.begin():
        db.get_one(Schedule, over.id).wakes_at = None
    body = {"job": str(job.id), "name": "x", "interval": "cron", "cron": "* * * * *"}

    def ask(who: dict[str, str]) -> Any:
        return app.test_client().post("/api/v1/schedules", json=body, headers=who)

    assert [ask(token).status_code for _ in range(3)] == [201, 201, 422]
    assert "You have 2 schedules already, and may have 2." in ask(token).json["detail"]
    asked = {"job_class_string": "not.there.Yet", "name": "x", "pub_args": [], "minute": "1"}
    refused = app.test_client().post("/ndscheduler/api/v1/jobs", json=asked, headers=token)
    assert "You have 2 schedules already" in text(refused)
    assert ask(bobs).status_code == 201
    with db.begin():
        assert db.scalar(select(func.count()).select_from(Schedule)) == 4


def test_what_is_packed_is_not_taken(app: Flask, db: Any, cast: Any, browser: Any, job: Any):
    packed = {"Content-Encoding": "gzip"}
    page = browser("alice").post(URL, headers=packed)
    assert (page.status_code, "what is packed is not taken" in text(page)) == (415, True)
    answer = app.test_client().post(
        API_URL, data=b"\x1f\x8b", headers={**token_of(db, cast["alice"]), **packed}
    )
    assert (answer.status_code, answer.json["detail"][:4]) == (415, "Send")
    assert runs(db) == 0


def test_what_is_counted_is_there(app: Flask):
    counted = {endpoint for endpoints in COUNTED.values() for endpoint in endpoints}
    assert counted - set(app.view_functions) == set()


@pytest.mark.parametrize(
    "wrong", [{"ERRAND_RATES": "submit"}, {"ERRAND_RATES": "x=1"}, {"ERRAND_KEPT_MB": "-1"}]
)
def test_limits_are_numbers(wrong: dict[str, str]):
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        limit_settings(wrong)


def test_limits_are_read_from_the_environment():
    given = {
        "ERRAND_RATES": "search=0, submit=7",
        "ERRAND_QUEUE_DEPTH": "0",
        "ERRAND_KEPT_MB": "2",
        "ERRAND_SCHEDULES": "9",
    }
    read = limit_settings(given)
    assert read.rates == {**PER_MINUTE, "search": 0, "submit": 7}
    assert (read.queue_depth, read.kept_files, read.kept_bytes) == (0, 20_000, 2 << 20)
    assert read.schedules == 9
