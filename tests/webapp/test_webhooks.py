"""Signed requests of other programs run jobs: the door, its log, and the pages about both."""

import hashlib
import hmac
import json
import re
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from sqlalchemy import delete, select, update
from sqlalchemy.orm import undefer
from werkzeug.serving import make_server
from werkzeug.test import TestResponse

from store.lockbox import lock
from store.models import (
    Approval,
    AuditRecord,
    JobRecord,
    JobResult,
    Permission,
    User,
    Webhook,
    WebhookDelivery,
    now,
)
from store.settings import PROJECT_ROOT
from worker.webhook_log import KEPT_BODIES, KEPT_ROWS, forget_old_deliveries

from .conftest import Browser, described, text

SECRET = "whsec_of_a_test"
SITE = b'{"site": "bern"}'


def generic(body: bytes, secret: str = SECRET, at: float | None = None, **more: str) -> dict[str, str]:
    seconds = f"{time.time() if at is None else at:.0f}"
    signature = hmac.new(secret.encode(), seconds.encode() + b"." + body, hashlib.sha256).hexdigest()
    return {"X-Errand-Timestamp": seconds, "X-Errand-Signature": f"sha256={signature}", **more}


def github(body: bytes, secret: str = SECRET, **more: str) -> dict[str, str]:
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {"X-Hub-Signature-256": f"sha256={signature}", "X-GitHub-Event": "push", **more}


@pytest.fixture
def job(make_job: Any) -> JobRecord:
    count = described("IntegerVar", "count", required=False, min_value=1, max_value=9)
    anything = described("JSONVar", "anything", required=False)
    record: JobRecord = make_job("Deploy", variables=[described("StringVar", "site"), count, anything])
    return record


class Sender:
    """A webhook of the job that runs as alice, and who sends to it."""

    def __init__(self, app: Flask, db: Any, platform: Any, webhook: Webhook) -> None:
        self._client, self._db, self._platform = app.test_client(), db, platform
        self.id, self.page, self.path = webhook.id, f"/admin/webhooks/{webhook.id}", f"/hooks/in/{webhook.id}"

    def __call__(self, body: bytes, headers: dict[str, str] | None = None) -> TestResponse:
        return self._client.post(self.path, data=body, headers=generic(body) if headers is None else headers)

    def change(self, **values: Any) -> None:
        self._db.execute(update(Webhook).where(Webhook.id == self.id).values(**values))
        self._db.commit()

    def all(self, query: Any) -> Sequence[Any]:
        with self._platform.reading() as reading:
            rows: Sequence[Any] = reading.scalars(query).all()
        return rows

    def log(self) -> Sequence[WebhookDelivery]:
        query = select(WebhookDelivery).order_by(WebhookDelivery.id)
        return self.all(query.options(undefer(WebhookDelivery.body)))

    def runs(self) -> Sequence[JobResult]:
        return self.all(select(JobResult).order_by(JobResult.created_at))


@pytest.fixture
def send(app: Flask, db: Any, platform: Any, settings: Any, cast: dict[str, User], job: JobRecord) -> Sender:
    made = Webhook(
        name="Pushes",
        job_id=job.id,
        user_id=cast["alice"].id,
        username="alice",
        form="generic",
        box=lock(settings.secret_key, {"secret": SECRET}),
        data={"site": "{{ payload.site }}"},
    )
    db.add(made)
    db.commit()
    sender = Sender(app, db, platform, made)
    db.commit()
    return sender


def test_a_signed_request_runs_the_job_once(send: Sender, db: Any, root: Browser):
    send.change(data={"site": "{{ payload.site }}", "count": "{{ payload.count }}"})
    body = b'{"site": "bern", "count": 3}'
    headers = generic(
        body, **{"X-Errand-Delivery": "d-1", "Authorization": "Basic x", "X-Api-Token": "t0ken"}
    )
    answer = send(body, headers)
    [run] = send.runs()
    assert (answer.status_code, answer.json) == (
        202,
        {"result": str(run.id), "reason": "It runs Deploy as alice."},
    )
    assert (run.data["site"], run.data["count"], run.username) == ("bern", 3, "alice")
    assert (run.origin, run.origin_id, run.origin_name) == ("webhook", send.id, "Pushes")
    [row] = send.log()
    assert (row.outcome, row.result_id, row.name, row.body) == ("accepted", run.id, "d-1", body)
    assert ("t0ken" in str(row.headers), "Basic" in str(row.headers)) == (False, False)
    # The very same again; the same under another name, which nobody has signed; another body of the same name.
    for again, more in (
        (body, headers),
        (body, {**headers, "X-Errand-Delivery": "d-2"}),
        (b"{}", generic(b"{}", **{"X-Errand-Delivery": "d-1"})),
    ):
        repeated = send(again, more)
        assert (repeated.status_code, repeated.json["result"]) == (200, str(run.id))
    assert len(send.runs()) == 1
    assert [row.outcome for row in send.log()] == ["accepted", *["repeated"] * 3]
    [noted] = send.all(select(AuditRecord).where(AuditRecord.action == "run.submit"))
    assert (noted.actor, noted.via) == ("alice", "webhook")
    page = text(root.get(f"/results/{run.id}"))
    assert ("By webhook" in page, f'href="{send.page}">Pushes</a>' in page) == (True, True)
    # Nor once its run is gone: that nobody remembers the run makes nothing new of the request.
    db.execute(delete(JobResult))
    db.commit()
    again = send(body, {**headers, "X-Errand-Delivery": "d-3"})
    assert (again.status_code, again.json["result"], send.runs()) == (200, str(run.id), [])


def test_who_does_not_sign_is_counted_and_fills_nothing(
    send: Sender, app: Flask, settings: Any, root: Browser, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(KEPT_ROWS, "unsigned", 3)  # type: ignore[arg-type]
    right = generic(SITE)
    wrong = [
        {},
        generic(SITE, secret="another"),
        generic(SITE, secret=""),
        generic(b"x"),
        generic(SITE, at=time.time() - 400),
        generic(SITE, at=time.time() + 400),
        github(SITE),
        {**right, "X-Errand-Timestamp": "²"},
        {**right, "X-Errand-Signature": right["X-Errand-Signature"].upper()},
        {**right, "X-Errand-Signature": "sha256=é"},
    ]
    for headers in wrong:
        assert (send(SITE, headers).status_code, send.runs()) == (401, [])
    assert send(b"x" * (1024 * 1024 + 1)).status_code == 413
    rows = send.log()
    assert [(row.outcome, row.status, row.body) for row in rows] == [
        ("unsigned", 401, None),
        ("unsigned", 401, None),
        ("unsigned", 413, None),
    ]
    assert send.all(select(Webhook.unsigned_count)) == [len(wrong) + 1]
    assert f"{len(wrong) + 1} requests without a right signature" in text(root.get(send.page))
    # One that is off is as one that is not there.
    send.change(enabled=False)
    off = send(SITE)
    assert (off.status_code, send.log()[-1].reason) == (404, "The webhook is off.")
    nowhere = app.test_client().post(f"/hooks/in/{uuid4()}", data=SITE, headers=generic(SITE))
    assert (nowhere.status_code, nowhere.json) == (404, off.json)
    # Nobody signs with nothing.
    send.change(enabled=True, box=lock(settings.secret_key, {}))
    assert send(SITE, generic(SITE, secret="")).status_code == 401


def test_github_sends_pings_forms_and_pushes(send: Sender):
    send.change(
        form="github",
        rules=[{"path": "payload.ref", "operator": "equals", "value": "refs/heads/main"}],
        data={"site": "{{ headers.x-github-event }} by {{ payload.by.0 }}"},
    )
    body = b'{"ref": "refs/heads/main", "by": ["ann"]}'
    assert send(body, github(body, **{"X-GitHub-Event": "ping"})).json["result"] is None
    other = b'{"ref": "refs/heads/other"}'
    unmatched = send(other, github(other))
    assert (unmatched.status_code, unmatched.json["reason"]) == (
        200,
        "It does not fit the rule payload.ref equals refs/heads/main: payload.ref is refs/heads/other.",
    )
    form = b"payload=%7B%22ref%22%3A+%22refs%2Fheads%2Fmain%22%2C+%22by%22%3A+%5B%22b%C3%B6%22%5D%7D"
    sent = github(form, **{"Content-Type": "application/x-www-form-urlencoded"})
    assert send(form, sent).status_code == 202
    first = send(body, github(body, **{"X-GitHub-Delivery": "a"}))
    assert send(body, github(body, **{"X-GitHub-Delivery": "b"})).json["result"] == first.json["result"]
    assert [run.data["site"] for run in send.runs()] == ["push by bö", "push by ann"]
    assert [row.outcome for row in send.log()] == [
        "unmatched",
        "unmatched",
        "accepted",
        "accepted",
        "repeated",
    ]


HOSTILE = [
    b"",
    b"no json",
    b"\xff\xfe",
    b"\x00",
    b"[" * 100_000,
    b'{"a":' * 60 + b"1" + b"}" * 60,
    b'{"site": NaN}',
    b'{"site": 1e999}',
    b'{"site": ' + b"9" * 10_000 + b"}",
    b'{"site": -' + b"9" * 19 + b"}",
    b'{"site": "\\ud800\\u0000"}',
    b'{"site": "' + b"x" * 200_000 + b'"}',
    b'{"site": {"a": [1]}}',
    b'{"site": null}',
    b'{"site": "a", "site": "b"}',
    b'{"\\u0000": 1, "site": "c"}',
    b'"text"',
    b"[1, 2]",
    b"\xef\xbb\xbf{}",
    "{}".encode("utf-16"),
    b"payload=%ff",
    b"payload=" + b"&" * 1000,
]


def test_no_body_breaks_it(send: Sender):
    send.change(
        rules=[{"path": "payload.none", "operator": "not equals", "value": "x"}],
        data={"site": "{{ payload.site }}", "anything": "{{ payload }}"},
    )
    answers: dict[int, int] = {}
    for body in HOSTILE:
        for kind in ("application/json", "application/x-www-form-urlencoded", "text/\xff"):
            answer = send(
                body,
                generic(
                    body,
                    **{"Content-Type": kind, "X-Errand-Delivery": f"\xff{len(body)} {kind} {hash(body)}"},
                ),
            )
            assert answer.status_code in (200, 202, 400, 422), (body[:50], answer.json)
            assert answer.json is not None
            answers[answer.status_code] = answers.get(answer.status_code, 0) + 1
    assert set(answers) == {200, 202, 400, 422}
    assert {run.data["site"] for run in send.runs()} >= {"1e999", "b", "c", "-" + "9" * 19}


def test_what_is_refused_says_why(send: Sender, db: Any, cast: dict[str, User], job: JobRecord):
    alice, job_id = cast["alice"].id, job.id
    db.commit()

    def refused(body: bytes = SITE) -> tuple[int, str]:
        before = len(send.log())
        answer = send(body)
        row = send.log()[before]
        assert (row.outcome, row.status, answer.json["detail"]) == ("refused", answer.status_code, row.reason)
        assert send.runs() == []
        return answer.status_code, row.reason

    def set_to(model: Any, key: Any, **values: Any) -> None:
        db.execute(update(model).where(model.id == key).values(**values))
        db.commit()

    assert refused(b'{"place": 1}') == (422, "site: payload.site leads nowhere: there is no site.")
    send.change(data={"site": "{{ payload.site }}", "count": 99})
    status, reason = refused()
    assert (status, "count: Ensure this value is less than or equal to 9." in reason) == (422, True)
    assert send(SITE).json["errors"] == {"count": ["Ensure this value is less than or equal to 9."]}
    send.change(data={"site": "x"}, queue="nowhere")
    assert refused()[0] == 422
    send.change(queue="")
    set_to(JobRecord, job_id, enabled=False)
    assert refused() == (403, "Deploy is not enabled to be run.")
    set_to(JobRecord, job_id, enabled=True)
    # Rights are those of the moment.
    set_to(User, alice, active=False)
    assert refused() == (403, "alice, as whom it runs, may not do anything any more.")
    set_to(User, alice, active=True)
    db.execute(update(Permission).where(Permission.kind == "job").values(actions=["view"]))
    db.commit()
    assert refused()[0] == 403
    send.change(user_id=None)
    assert refused() == (403, "alice, as whom it runs, is gone.")
    send.change(job_id=None)
    assert refused() == (403, "The job that it was to run is gone.")


def test_an_approval_is_needed_by_webhook_too(send: Sender, db: Any, job: JobRecord):
    db.execute(update(JobRecord).where(JobRecord.id == job.id).values(approval_required=True))
    db.commit()
    answer = send(SITE)
    assert answer.json["reason"] == "It runs Deploy as alice, once somebody has approved it."
    [run] = send.runs()
    assert (run.status, len(send.all(select(Approval)))) == ("awaiting_approval", 1)


def test_what_nobody_may_read_is_not_kept(send: Sender, db: Any, job: JobRecord, root: Browser):
    variables = [*job.variables, described("SecretVar", "password", type="SecretVar")]
    db.execute(update(JobRecord).where(JobRecord.id == job.id).values(variables=variables))
    send.change(data={"site": "x", "password": "{{ payload.password }}"})
    body = b'{"password": "hunter2-hunter2"}'
    assert send(body).status_code in (202, 403, 422)
    [row] = send.log()
    assert (row.body, row.body_bytes) == (None, len(body))
    shown = text(root.get(f"{send.page}/deliveries/{row.id}"))
    assert "inputs of the job may be sensitive" in shown
    tried = text(root.post(f"{send.page}/test", {"body": body.decode(), "headers": ""}))
    assert "password =" not in tried


def form_of(job: JobRecord, **values: str) -> dict[str, str]:
    return {
        "name": "From GitHub",
        "job": str(job.id),
        "username": "root",
        "form": "github",
        "rules": "payload.ref equals refs/heads/main\n\nheaders.X-GitHub-Event EQUALS push",
        "data": "site = {{ payload.repository.name }}\ncount = 3",
        "commit": "",
        "queue": "",
        "enabled": "true",
        **values,
    }


def test_a_webhook_is_made_changed_and_deleted(root: Browser, app: Flask, db: Any, job: JobRecord):
    given = form_of(job)
    db.commit()
    for wrong, sentence in (
        ({"name": ""}, "This field is required."),
        ({"job": "x"}, "Choose one of these jobs."),
        ({"username": "nobody"}, "There is nobody called nobody who may sign in."),
        ({"form": "none"}, "Choose one of these."),
        ({"commit": "perhaps"}, "Choose one of these."),
        ({"queue": "nowhere"}, "is not a valid choice."),
        ({"rules": "\npayload.ref is x"}, "Line 2: Write where, how and what: one of equals,"),
        ({"rules": "body.ref equals x"}, "There is no body.ref: it has to begin with payload or headers."),
        ({"rules": "headers.X-Gitlab-Token equals x"}, "X-Gitlab-Token may hold a secret"),
        ({"rules": "payload.x matches ("}, "This is not a regular expression"),
        ({"rules": "payload.x equals"}, "Say what follows equals."),
        ({"rules": "payload.x equals\npayload.x exists y"}, "equals. Line 2: Nothing follows exists."),
        ({"rules": "payload.x exists y"}, "Nothing follows exists."),
        ({"rules": "payload.x exists\n" * 21}, "Write at most 20 rules."),
        ({"data": "place = x"}, "Line 1: Deploy has no variable place; it has: anything, count, site."),
        (
            {"data": "site = {{ result.id }}"},
            "There is no result.id: it has to begin with payload or headers.",
        ),
        ({"data": "site = {{ headers.Cookie }}"}, "Cookie may hold a secret"),
        ({"data": "site = {{ 1 + 1 }}"}, "Write references as {{ payload.name }}."),
    ):
        refused = root.post("/admin/webhooks/new", {**given, **wrong})
        assert (refused.status_code, sentence in text(refused)) == (422, True), sentence
        assert 'value="root"' in text(refused) or "username" in wrong
    made = root.post("/admin/webhooks/new", given)
    secret = re.search(r"whsec_[\w-]{43}", text(made))
    assert secret is not None
    webhook = db.scalars(select(Webhook)).one()
    page, path = f"/admin/webhooks/{webhook.id}", f"/hooks/in/{webhook.id}"
    assert webhook.data == {"site": "{{ payload.repository.name }}", "count": 3}
    db.commit()
    assert root.post("/admin/webhooks/new", given).status_code == 422
    shown = text(root.get(page))
    assert ("whsec_" in shown, path in shown, "payload.ref equals refs/heads/main" in shown) == (
        False,
        True,
        True,
    )
    assert "headers.X-GitHub-Event equals push" in text(root.get(f"{page}/edit"))
    # After a rotation both secrets are right for a while; then only the new one.
    second = re.search(r"whsec_[\w-]{43}", text(root.post(f"{page}/secret")))
    assert second is not None
    client, body = app.test_client(), b'{"ref": "x"}'

    def answers() -> list[int]:
        return [
            client.post(path, data=body, headers=github(body, secret=each)).status_code
            for each in (secret[0], second[0])
        ]

    assert answers() == [200, 200]
    db.execute(update(Webhook).values(before_until=now() - timedelta(seconds=1)))
    db.commit()
    assert answers() == [401, 200]
    assert root.post(f"{page}/edit", {**given, "name": "Renamed", "enabled": ""}).status_code == 303
    assert "Off" in text(root.get("/admin/webhooks/"))
    assert root.post(f"{page}/delete").status_code == 303
    assert db.scalars(select(WebhookDelivery)).all() == []
    acts = db.execute(
        select(AuditRecord.action, AuditRecord.after)
        .where(AuditRecord.action.like("webhook.%"))
        .order_by(AuditRecord.id)
    ).all()
    assert [act for act, _ in acts] == [f"webhook.{act}" for act in ("create", "secret", "change", "delete")]
    assert (acts[2][1], "whsec_" in str(acts)) == ({"enabled": False, "name": "Renamed"}, False)


def test_nobody_borrows_the_rights_of_another(
    send: Sender, browser: Callable[[str], Browser], db: Any, cast: dict[str, User], job: JobRecord
):
    db.add(Permission(name="Webhooks", kind="webhook", actions=["view", "change"], users=[cast["bob"]]))
    db.commit()
    given = form_of(job, form="generic", rules="")
    db.commit()
    send(SITE)
    number = send.log()[0].id
    bob = browser("bob")
    for name, sentence in (("alice", "Only a superuser may have it run as somebody else."), ("bob", "")):
        answer = bob.post("/admin/webhooks/new", {**given, "username": name})
        assert (answer.status_code, sentence in text(answer)) == (422 if sentence else 200, True)
    page = text(bob.get(send.page))
    assert ("New secret" in page, "Change" in page, "Delete" in page) == (False, True, False)
    assert bob.post(f"{send.page}/secret").status_code == 403
    assert bob.post(f"{send.page}/deliveries/{number}/again").status_code == 403
    # It tells what alice may do.
    assert bob.post(f"{send.page}/test", {"headers": "", "body": "{}"}).status_code == 403
    assert bob.post(f"{send.page}/delete").status_code == 403
    # Taking it over makes it one's own.
    assert bob.post(f"{send.page}/edit", {**given, "name": "Bob's", "username": "bob"}).status_code == 303
    assert bob.post(f"{send.page}/secret").status_code == 200
    send.change(user_id=cast["alice"].id, username="alice")
    assert browser("carol").get(send.page).status_code == 404
    assert len(send.runs()) == 1


def test_a_test_says_each_step_and_runs_nothing(send: Sender, root: Browser, db: Any, job: JobRecord):
    send.change(
        rules=[{"path": "payload.ref", "operator": "starts with", "value": "refs/"}],
        data={"site": "{{ payload.site }}", "count": "{{ headers.X-Count }}"},
    )

    def tried(body: str, headers: str = "X-Count: 3") -> str:
        answer = root.post(f"{send.page}/test", {"body": body, "headers": headers})
        assert answer.status_code == 200
        return text(answer)

    page = tried('{"ref": "refs/x", "site": "<b>bern</b>"}')
    for sentence in (
        "Rule payload.ref starts with refs/",
        "site = &lt;b&gt;bern&lt;/b&gt;",
        "Deploy accepts these inputs.",
        "It needs none.",
        "It would run Deploy as alice",
    ):
        assert sentence in page
    page = tried('{"ref": "x", "site": "bern"}', "X-Count: 99")
    assert ("payload.ref is x." in page, "less than or equal to 9" in page) == (True, True)
    assert "It would run nothing" in page
    assert "The body is not JSON." in tried("{")
    wrong = root.post(f"{send.page}/test", {"body": "{}", "headers": "nonsense"})
    assert (wrong.status_code, "Line 1: write Name: value." in text(wrong)) == (422, True)
    send(b'{"ref": "refs/x", "site": "zug"}')
    number = send.log()[0].id
    page = text(root.get(f"{send.page}/test?delivery={number}"))
    assert "&#34;zug&#34;" in page
    db.execute(update(JobRecord).where(JobRecord.id == job.id).values(enabled=False))
    db.commit()
    assert "Deploy is not enabled to be run." in tried('{"ref": "refs/x", "site": "bern"}')
    assert send.runs() == []


def test_a_delivery_is_sent_again(send: Sender, root: Browser):
    send.change(rules=[{"path": "payload.go", "operator": "exists", "value": ""}])
    send(SITE)
    send(SITE, {})
    [refused, unsigned] = send.log()
    again = f"{send.page}/deliveries/{refused.id}/again"
    assert root.post(again).headers["Location"] == send.page
    send.change(rules=[])
    for _ in range(2):
        assert "/results/" in root.post(again).headers["Location"]
    assert [run.origin for run in send.runs()] == ["webhook"] * 2
    assert [(row.outcome, row.sent_by) for row in send.log()[2:]] == [
        ("unmatched", "root"),
        ("accepted", "root"),
        ("accepted", "root"),
    ]
    root.post(f"{send.page}/deliveries/{unsigned.id}/again")
    assert len(send.runs()) == 2
    page = text(root.get(f"{send.page}/deliveries/{unsigned.id}"))
    assert ("Nobody signed it" in page, "Send again</button>" in page) == (True, False)
    assert len(send.all(select(AuditRecord).where(AuditRecord.action == "webhook.again"))) == 4
    listed = text(root.get(f"{send.page}/deliveries?outcome=accepted"))
    assert (listed.count("sent again"), "Not matched</span>" in listed) == (2, False)
    assert root.get(f"{send.page}/deliveries/99999").status_code == 404


def test_old_deliveries_are_forgotten(send: Sender, db: Any, platform: Any):
    send.change(rules=[{"path": "payload.go", "operator": "exists", "value": ""}])
    send(SITE)
    rows = [
        {
            "webhook_id": send.id,
            "outcome": "accepted",
            "status": 202,
            "reason": "",
            "body": b"x",
            "headers": {},
            "created_at": now() - timedelta(days=31 if number < 2 else 1),
        }
        for number in range(KEPT_BODIES + 5)
    ]
    db.execute(WebhookDelivery.__table__.insert(), rows)
    db.commit()
    forget_old_deliveries(platform)
    log = send.log()
    assert (len(log), sum(row.body is not None for row in log)) == (KEPT_BODIES + 4, KEPT_BODIES)


def test_the_example_of_the_documentation_works(send: Sender, app: Flask):
    """Every line as it stands in docs/webhooks.md, but for the address and the secret."""
    example = re.search(
        r"```sh\n(.+?)```", (PROJECT_ROOT / "docs" / "webhooks.md").read_text("utf-8"), re.DOTALL
    )
    assert example is not None
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_port}{send.path}"
        script = re.sub(r"^URL=.+$", f"URL='{url}'", example[1], flags=re.MULTILINE)
        script = re.sub(r"^SECRET=.+$", f"SECRET='{SECRET}'", script, flags=re.MULTILINE)
        done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, timeout=30, check=True)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    [run] = send.runs()
    assert json.loads(done.stdout) == {"result": str(run.id), "reason": "It runs Deploy as alice."}
    assert run.data["site"] == "bern"
