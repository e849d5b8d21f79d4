"""What comes twice at once runs once, and what rules mean."""

import hashlib
import hmac
import time
from typing import Any

import pytest
from sqlalchemy import select, update

from store.lockbox import lock
from store.models import JobResult, Webhook, WebhookDelivery
from tests.worker.conftest import Portal
from tests.worker.engine import at_once
from worker.matching import BadRule, read_rule
from worker.payloads import Headers, facts_of_delivery
from worker.webhook_log import Answer, Request
from worker.webhooks import find, receive

BODY = b'{"ref": "refs/heads/main", "n": 3, "on": true, "labels": ["urgent", 7], "none": null}'


def made(portal: Portal, **values: Any) -> Webhook:
    with portal.platform.session() as db:
        webhook = Webhook(
            name="In",
            job_id=portal.jobs["Passes"].id,
            user_id=portal.cast["alice"].id,
            username="alice",
            form="generic",
            box=lock(portal.settings.secret_key, {"secret": "s"}),
            **values,
        )
        db.add(webhook)
        db.commit()
        return webhook


def sent(body: bytes, name: str, seconds: int = 0) -> Request:
    at = str(int(time.time()) + seconds)
    signature = hmac.new(b"s", f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    headers = {"X-Errand-Timestamp": at, "X-Errand-Signature": f"sha256={signature}"}
    return Request(Headers({**headers, "X-Errand-Delivery": name}), body)


def test_what_comes_many_times_at_once_runs_once(portal: Portal):
    webhook = made(portal)

    def come(request: Request) -> Answer:
        with portal.platform.reading() as db:
            found = find(db, webhook.id)
        assert found is not None
        with portal.platform.session() as db:
            return receive(db, portal.settings, found, request)

    # The same signature under names of its own, and one name with signatures of its own.
    for requests in (
        [sent(b"{}", f"d-{number}") for number in range(4)],
        [sent(b"{}", "same", seconds=number + 10) for number in range(4)],
    ):
        answers = at_once(*[lambda request=request: come(request) for request in requests])
        assert sorted(answer.outcome for answer in answers) == ["accepted", *["repeated"] * 3]
        assert len({answer.result_id for answer in answers}) == 1
    with portal.platform.session() as db:
        assert len(db.scalars(select(JobResult.id)).all()) == 2
        assert len(db.scalars(select(WebhookDelivery.id)).all()) == 8
        # One that was deleted meanwhile.
        db.execute(update(Webhook).values(enabled=True))
        db.delete(db.get_one(Webhook, webhook.id))
        db.commit()
        assert (
            receive(db, portal.settings, portal_webhook(webhook, portal), sent(b"[]", "late")).status == 404
        )
        assert len(db.scalars(select(JobResult.id)).all()) == 2


def portal_webhook(webhook: Webhook, portal: Portal) -> Webhook:
    webhook.job, webhook.user = portal.jobs["Passes"], portal.cast["alice"]
    return webhook


@pytest.mark.parametrize(
    ("line", "why_not"),
    [
        ("payload.ref equals refs/heads/main", ""),
        ("payload.ref EQUALS refs/heads/other", "payload.ref is refs/heads/main."),
        ("payload.ref not equals refs/heads/main", "payload.ref is refs/heads/main."),
        ("payload.nowhere not equals x", ""),
        ("payload.nowhere equals x", "There is no payload.nowhere."),
        ("payload.ref starts with refs/heads/", ""),
        ("payload.ref contains main", ""),
        ("payload.labels contains urgent", ""),
        ("payload.labels contains 7", ""),
        ("payload.labels contains urg", 'payload.labels is ["urgent", 7].'),
        ("payload.labels.0 equals urgent", ""),
        ("payload.labels.2 exists", "There is no payload.labels.2."),
        ("payload.n equals 3", ""),
        ("payload.on equals true", ""),
        ("payload.none exists", ""),
        ("payload.none equals null", ""),
        ("payload.ref matches ^refs/(heads|tags)/m", ""),
        ("payload.ref matches ^m", "payload.ref is refs/heads/main."),
        ("payload.long matches ^(a|aa)+$", "payload.long could not be held against the pattern in time."),
        ("headers.x-github-event equals push", ""),
        ("payload exists", ""),
    ],
)
def test_a_rule_holds_or_says_why_not(line: str, why_not: str):
    body = BODY[:-1] + b', "long": "' + b"a" * 5_000 + b'b"}'
    facts = facts_of_delivery(Headers({"X-GitHub-Event": "push"}), body)
    assert read_rule(line).why_not(facts) == why_not
    assert str(read_rule(line)).lower() == line.lower()


def test_a_rule_that_means_nothing_is_refused():
    for line in (
        "payload.x",
        "payload.x is 3",
        "equals 3",
        "secret.x equals 3",
        "headers.Authorization exists",
    ):
        with pytest.raises(BadRule):
            read_rule(line)
