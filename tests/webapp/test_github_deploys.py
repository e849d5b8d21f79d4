"""Webhooks of GitHub as bennettbot takes them: a merged pull request deploys its project."""

import hashlib
import hmac
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

from store.models import AuditRecord, JobRecord, JobResult, Namespace, SlackRequest, Suppression, User, now
from store.slack_settings import SlackSettings

from .conftest import Browser, described, text

SECRET = "of-a-test"
MERGED = {"action": "closed", "number": 7, "pull_request": {"merged": True}}

Sign = Callable[[bytes], dict[str, str]]


def sha1(body: bytes, secret: str = SECRET) -> dict[str, str]:
    return {"X-Hub-Signature": f"sha1={hmac.new(secret.encode(), body, hashlib.sha1).hexdigest()}"}


def sha256(body: bytes, secret: str = SECRET) -> dict[str, str]:
    return {"X-Hub-Signature-256": f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}"}


@pytest.fixture
def deploy(db: Any, make_job: Any) -> JobRecord:
    """The job of a namespace with a channel, as a file of bennettbot's gives it."""
    job: JobRecord = make_job(
        "op_deploy", module="job_configs", dedupe=True, concurrency_limit=1, dialect="bennettbot"
    )
    db.add(Namespace(source=job.source, module="job_configs", name="op", default_channel="#deploys"))
    db.commit()
    return job


@pytest.fixture
def said(platform: Any) -> Callable[[], list[tuple[str, str]]]:
    """What Slack is told besides the ends of runs."""

    def read() -> list[tuple[str, str]]:
        with platform.reading() as reading:
            plain = select(SlackRequest).where(SlackRequest.result_id.is_(None))
            return [(each.channel, each.text) for each in reading.scalars(plain)]

    return read


@pytest.fixture
def send(app: Flask, deploy: JobRecord) -> Callable[..., TestResponse]:
    settings = app.extensions["errand"].settings
    app.extensions["errand"] = replace(
        app.extensions["errand"], settings=replace(settings, slack=SlackSettings(github_secret=SECRET))
    )

    def post(payload: Any, project: str = "op", sign: Sign = sha1, **more: str) -> TestResponse:
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        return app.test_client().post(
            f"/bennettbot/github/{project}/", data=body, headers={**sign(body), **more}
        )

    return post


@pytest.fixture
def runs(platform: Any) -> Callable[[], Sequence[JobResult]]:
    def read() -> Sequence[JobResult]:
        with platform.reading() as reading:
            return reading.scalars(select(JobResult).order_by(JobResult.created_at)).all()

    return read


def test_it_says_that_it_is_there(stranger: Browser):
    answer = stranger.get("/bennettbot/check/")
    assert (answer.status_code, answer.text) == (200, "ok")


@pytest.mark.parametrize("sign", [sha1, sha256])
def test_a_merged_pull_request_deploys_its_project_a_minute_later(send, runs, root: Browser, db, sign: Sign):
    answer = send(MERGED, sign=sign)
    assert (answer.status_code, answer.data) == (200, b"")
    (run,) = runs()
    assert (run.name, run.username, run.data, run.origin_name) == (
        "op_deploy",
        "bennettbot",
        {},
        "GitHub: op",
    )
    assert (run.not_before - run.created_at).total_seconds() == 60
    with db.begin():
        asked = db.scalars(select(SlackRequest)).one()
        assert (asked.result_id, asked.channel, asked.thread_ts, asked.message_ts, asked.slack_user) == (
            run.id,
            "#deploys",
            None,
            None,
            "",
        )
        account = db.scalars(select(User).where(User.username == "bennettbot")).one()
        assert (account.password_hash, account.superuser) == (None, False)
        acts = db.scalars(select(AuditRecord.action).where(AuditRecord.actor == "bennettbot")).all()
        assert list(acts) == ["user.create", "run.submit"]
    assert "By webhook GitHub: op" in text(root.get(f"/results/{run.id}"))


def test_what_is_merged_while_it_waits_is_deployed_along(send, runs, said):
    send(MERGED)
    assert send({**MERGED, "number": 8}).status_code == 200
    (run,) = runs()
    assert run.turn_at is not None
    assert run.turn_at - run.created_at > timedelta(seconds=60)
    # What came before changes nothing, whatever GitHub calls it now.
    assert send(MERGED, **{"X-GitHub-Delivery": "again"}).status_code == 200
    assert [each.turn_at for each in runs()] == [run.turn_at]
    assert said() == []


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"zen": "Keep it logically awesome."},
        {**MERGED, "action": "opened"},
        {**MERGED, "pull_request": {"merged": False}},
        {**MERGED, "pull_request": {"merged": "yes"}},
        {**MERGED, "pull_request": None},
        [],
    ],
)
def test_all_else_is_left_alone(send, runs, payload: Any):
    answer = send(payload, project="nothing")
    assert (answer.status_code, answer.data, runs()) == (200, b"", [])


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Hub-Signature": ""},
        {"X-Hub-Signature": "sha1="},
        {"X-Hub-Signature": "sha1=" + 40 * "0"},
        {"X-Hub-Signature": "sha1=" + 40 * "ü"},
        {"X-Hub-Signature": "md5=" + 40 * "0"},
        {"X-Hub-Signature-256": "sha256=" + 64 * "0"},
        # A wrong one is not made good by the other.
        {**sha1(json.dumps(MERGED).encode()), "X-Hub-Signature-256": "nonsense"},
        sha1(json.dumps(MERGED).encode(), secret="another"),
        sha1(b"another body"),
    ],
)
def test_what_github_has_not_signed_is_refused(send, runs, headers: dict[str, str]):
    assert send(MERGED, sign=lambda _: headers).status_code == 403
    assert runs() == []


def test_without_a_secret_nothing_is_signed(app: Flask, deploy: JobRecord, runs):
    body = json.dumps(MERGED).encode()
    for secret in ("", "\0"):
        for sign in (sha1, sha256):
            answer = app.test_client().post(
                "/bennettbot/github/op/", data=body, headers=sign(body, secret=secret)
            )
            assert answer.status_code == 403
    assert runs() == []


def test_what_cannot_be_deployed_is_said(send, runs, db, deploy: JobRecord):
    answer = send(MERGED, project="other")
    assert (answer.status_code, answer.text) == (400, "Unknown project: other")
    assert send(b"no JSON").text == "The body is not JSON."
    assert send(b" " * (1024 * 1024 + 1)).status_code == 413
    with db.begin():
        deploy.enabled = False
    answer = send(MERGED)
    assert (answer.status_code, answer.text) == (409, "op_deploy is not enabled to be run.")
    with db.begin():
        deploy.enabled, deploy.variables = True, [described("StringVar", "branch")]
    assert send(MERGED).status_code == 409
    assert runs() == []


def test_restricted_projects_are_deployed_too(send, runs, db, deploy: JobRecord):
    with db.begin():
        deploy.restricted = True
    assert send(MERGED).status_code == 200
    # Unless an administrator has taken that from the account.
    with db.begin():
        db.scalars(select(User).where(User.username == "bennettbot")).one().active = False
    assert send({**MERGED, "number": 8}).status_code == 403
    assert len(runs()) == 1


def test_a_person_who_is_called_so_deploys_nothing(send, runs, db, deploy: JobRecord):
    with db.begin():
        person = User(username="bennettbot", password_hash="x")
        db.add(person)
    answer = send(MERGED)
    assert (answer.status_code, "is a person's" in answer.text, runs()) == (409, True, [])
    with db.begin():
        person.password_hash = None
    assert send(MERGED).status_code == 200


def test_a_suppression_is_told_where_the_project_is_at_home(send, runs, said, db, deploy: JobRecord):
    at = now()
    with db.begin():
        db.add(Suppression(job_id=deploy.id, starts_at=at, ends_at=at + timedelta(days=2), username="ann"))
    send(MERGED)
    until = f"{at + timedelta(days=2):%Y-%m-%d %H:%M} UTC"
    assert said() == [("#deploys", f"PR merged, not deploying because deploys suppressed until {until}")]
    assert [run.status for run in runs()] == ["pending"]
