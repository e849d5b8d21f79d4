"""`/webhooks`: made, changed, tried and looked at by token; a secret goes out once."""

import hashlib
import hmac
import time

import pytest
from sqlalchemy import select

from store.models import AuditRecord, JobResult, Permission, Webhook
from tests.api.conftest import described, follow

BODY = b'{"site": "bern", "ref": "main"}'


@pytest.fixture
def deploy(make_job):
    return make_job("local/net/Deploy", variables=[described("StringVar", "site")])


@pytest.fixture
def given(deploy):
    return {
        "name": "In",
        "job": str(deploy.id),
        "rules": ["payload.ref equals main"],
        "data": {"site": "{{ payload.site }}"},
    }


def signed(secret, body=BODY):
    seconds = f"{time.time():.0f}"
    signature = hmac.new(secret.encode(), seconds.encode() + b"." + body, hashlib.sha256).hexdigest()
    return {"X-Errand-Timestamp": seconds, "X-Errand-Signature": f"sha256={signature}"}


def made(answer, status=201):
    assert answer.status_code == status, answer.text
    return answer.json


def test_webhooks_are_made_and_changed(call, call_as_root, calls_of, carol, alice, given, db):
    for wrong, errors in (
        ({"job": "x"}, {"job": ["Choose from: local/net/Deploy."]}),
        ({"form": "x"}, {"form": ["Give one of 'generic' or 'github'."]}),
        ({"user": "zoe"}, {"user": ["There is nobody called zoe who may sign in."]}),
        ({"rules": ["a\nb"]}, {"rules": ["Write each rule in one line."]}),
        ({"queue": "bulk"}, {"queue": ['"bulk" is not a valid choice. Choose from: default.']}),
        ({"data": {"no": 1}}, {"data.no": ["Deploy has no variable no; it has: site."]}),
    ):
        refused = call_as_root("POST", "/webhooks", json={**given, **wrong})
        assert (refused.status_code, refused.json.get("errors")) == (422, errors)
    shown = made(call_as_root("POST", "/webhooks", json=given))
    secret, url = shown.pop("secret"), f"/webhooks/{shown['id']}"
    assert (secret.startswith("whsec_"), shown["user"], shown["commit"]) == (True, "root", None)
    assert {key: shown[key] for key in ("job", "rules", "data")} == {
        key: given[key] for key in ("job", "rules", "data")
    }
    for path in (url, "/webhooks?q=in"):
        assert secret not in call_as_root("GET", path).text
    assert call_as_root("GET", url).json == shown
    assert call_as_root("GET", "/webhooks").json["results"] == [shown]
    quiet = made(call_as_root("PATCH", url, json={"commit": False, "user": "alice"}), 200)
    assert quiet == {**shown, "commit": False, "user": "alice"}
    assert made(call_as_root("PATCH", url, json={"commit": None}), 200)["commit"] is None
    # Who may change webhooks still has them run as nobody else.
    db.add(Permission(name="Hooks", kind="webhook", actions=["view", "change"], users=[carol]))
    db.commit()
    other = calls_of(carol)
    refused = other("PATCH", url, json={"data": {"site": "x"}}).json["errors"]
    assert refused["user"][0].startswith("Only a superuser may have it run as somebody else.")
    assert other("POST", f"{url}/secret").status_code == 403
    assert other("DELETE", url).status_code == 403
    assert call("GET", url).status_code == 404
    typo = call_as_root("POST", f"{url}/secret?fields=secrets")
    assert (typo.status_code, call_as_root("GET", url).json["before_until"]) == (422, None), (
        "nothing was done"
    )
    renewed = made(call_as_root("POST", f"{url}/secret"), 200)
    assert renewed["secret"] not in ("", secret)
    assert renewed["before_until"] is not None
    assert call_as_root("DELETE", url).status_code == 204
    assert db.scalars(select(Webhook)).all() == []
    actions = db.scalars(select(AuditRecord.action).order_by(AuditRecord.id)).all()
    assert [action for action in actions if action.startswith("webhook.")] == [
        f"webhook.{act}" for act in ("create", "change", "change", "secret", "delete")
    ]
    told = db.scalars(select(AuditRecord.after)).all()
    assert not any(each in str(told) for each in (secret, renewed["secret"]))


def test_what_came_can_be_looked_at_and_sent_again(app, call_as_root, given, db):
    shown = made(call_as_root("POST", "/webhooks", json=given))
    url = f"/webhooks/{shown['id']}"
    tried = made(
        call_as_root("POST", f"{url}/test", json={"body": BODY.decode(), "headers": {"X-Y": "z"}}), 200
    )
    assert (tried["fits"], tried["steps"][2]["inputs"]) == (True, {"site": "bern"})
    other = made(call_as_root("POST", f"{url}/test", json={"body": "{}"}), 200)
    assert (other["fits"], other["steps"][1]["found"]) == (False, "There is no payload.ref.")
    assert db.scalars(select(JobResult)).all() == []
    db.commit()
    path = shown["address"].partition("localhost")[2]
    client = app.test_client()
    assert client.post(path, data=BODY, headers=signed(shown["secret"])).status_code == 202
    assert client.post(path, data=BODY, headers=signed("wrong")).status_code == 401
    pages = follow(call_as_root, f"{url}/deliveries?limit=1")
    unsigned, accepted = [row for page in pages for row in page]
    assert (unsigned["outcome"], accepted["outcome"], accepted["sent_by"]) == ("unsigned", "accepted", None)
    [only] = call_as_root("GET", f"{url}/deliveries?outcome=accepted").json["results"]
    assert only == accepted
    whole = made(call_as_root("GET", f"{url}/deliveries/{accepted['id']}"), 200)
    assert (whole["body"], whole["why_not_again"]) == (BODY.decode(), None)
    again = made(call_as_root("POST", f"{url}/deliveries/{accepted['id']}/again"), 200)
    assert (again["outcome"], again["result"] != accepted["result"]) == ("accepted", True)
    assert len(db.scalars(select(JobResult)).all()) == 2
    db.commit()
    late = call_as_root("POST", f"{url}/deliveries/{unsigned['id']}/again")
    assert (late.status_code, late.json["detail"]) == (
        409,
        "Nobody signed it, so nobody knows who wrote it.",
    )
    assert call_as_root("GET", f"{url}/deliveries/999").status_code == 404
