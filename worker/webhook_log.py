"""What came to webhooks, and what became of it.

What is accepted has its row in the transaction of its run. Of everything else only the newest rows are kept: whoever sends
without end, signed or not, fills nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from jobs.kinds import secret_names
from store.models import Webhook, WebhookDelivery, now
from store.platform import Platform
from store.text import clean_text
from worker.payloads import Headers, kept_headers

Outcome = Literal["accepted", "unmatched", "refused", "repeated", "unsigned"]

#: So much of a body is kept, and of so many deliveries that ran something.
KEPT_BYTES = 64 * 1024
KEPT_BODIES = 200
#: Rows of each other outcome.
KEPT_ROWS: Mapping[Outcome, int] = {"unmatched": 200, "refused": 200, "repeated": 200, "unsigned": 50}
KEPT = timedelta(days=30)

_NAMES = {"github": "X-GitHub-Delivery", "generic": "X-Errand-Delivery"}
LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class Request:
    """What came."""

    headers: Headers
    #: None: it is too large to be read.
    body: bytes | None
    address: str = ""
    #: SHA-256 of what was signed; empty while that is not known.
    digest: str = ""
    #: Who has it done once more; empty: it came from outside.
    sent_by: str = ""

    def name(self, form: str) -> str:
        """What the sender calls it."""
        return clean_text(self.headers.get(_NAMES[form], ""))[:LONGEST_NAME]


@dataclass(frozen=True, slots=True)
class Answer:
    outcome: Outcome
    #: The status of HTTP.
    status: int
    #: Why, in a sentence.
    reason: str
    result_id: UUID | None = None
    errors: Mapping[str, Any] | Sequence[str] | None = None


def row_of(webhook: Webhook, came: Request, answer: Answer) -> WebhookDelivery:
    body = came.body or b""
    row = WebhookDelivery(
        webhook_id=webhook.id,
        address=clean_text(came.address)[:64],
        name=came.name(webhook.form),
        digest=came.digest,
        headers=kept_headers(came.headers),
        body_bytes=len(body),
        outcome=answer.outcome,
        status=answer.status,
        reason=answer.reason,
        result_id=answer.result_id,
        sent_by=came.sent_by,
    )
    if came.digest and not keeps_secrets(webhook):
        row.body = body[:KEPT_BYTES]
    return row


def keeps_secrets(webhook: Webhook) -> bool:
    """Tell whether a request may hold what nobody may read: then its body is not kept."""
    job = webhook.job
    return job is not None and (
        job.has_sensitive_variables or bool(webhook.data.keys() & set(secret_names(job.variables)))
    )


def logged(db: Session, webhook: Webhook, came: Request, answer: Answer) -> Answer:
    """Write down what ran nothing, and forget the oldest of its kind."""
    of_kind = (WebhookDelivery.webhook_id == webhook.id, WebhookDelivery.outcome == answer.outcome)
    db.add(row_of(webhook, came, answer))
    if answer.outcome == "unsigned":
        counted = {"unsigned_count": Webhook.unsigned_count + 1, "unsigned_at": now()}
        db.execute(update(Webhook).where(Webhook.id == webhook.id).values(**counted))
    newest = select(WebhookDelivery.id).where(*of_kind).order_by(WebhookDelivery.id.desc())
    oldest = newest.offset(KEPT_ROWS[answer.outcome]).limit(1).scalar_subquery()
    try:
        db.execute(
            delete(WebhookDelivery).where(*of_kind, WebhookDelivery.id <= oldest),
            execution_options={"synchronize_session": False},
        )
        db.commit()
    except IntegrityError:
        db.rollback()  # The webhook was deleted meanwhile.
    return answer


def forget_old_deliveries(platform: Platform) -> None:
    """Remove rows of long ago, and bodies that are not among the newest."""
    with platform.session() as db:
        db.execute(delete(WebhookDelivery).where(WebhookDelivery.created_at < now() - KEPT))
        for webhook_id in db.scalars(select(Webhook.id)).all():
            of_webhook = WebhookDelivery.webhook_id == webhook_id
            newest = select(WebhookDelivery.id).where(of_webhook).order_by(WebhookDelivery.id.desc())
            oldest = db.scalar(newest.offset(KEPT_BODIES).limit(1))
            if oldest is not None:
                old = (of_webhook, WebhookDelivery.id <= oldest, WebhookDelivery.body.is_not(None))
                db.execute(update(WebhookDelivery).where(*old).values(body=None))
        db.commit()
