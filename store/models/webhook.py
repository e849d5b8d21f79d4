"""What runs a job when another program asks for it with a signed request, and what came of each request."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from store.columns import now
from store.models.base import Base, CreatedAt, Key, LongText, RandomKey
from store.models.job import JobRecord
from store.models.user import User


class Webhook(Base):
    """Which requests run a job, as whom, and with which inputs. Its runs have its id as their `origin_id`."""

    __tablename__ = "webhooks"

    #: It stands in the address too: nobody finds one by trying.
    id: Mapped[RandomKey]
    name: Mapped[str] = mapped_column(String(100), unique=True)
    #: None once the record was deleted.
    job_id: Mapped[uuid.UUID | None] = mapped_column(
        ForeignKey("job_records.id", ondelete="SET NULL"), index=True
    )
    #: As whom it runs, with the rights of that moment. None once that user is gone: then it runs nothing.
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
    #: The user's name, kept when that user is gone.
    username: Mapped[str] = mapped_column(String(150))
    #: How requests are signed: "github" or "generic" (see worker.signatures).
    form: Mapped[str] = mapped_column(String(20), default="generic")
    #: {"secret", "before"}, encrypted (see store.lockbox).
    box: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    #: Until when the secret before this one is right too; None: there was none.
    before_until: Mapped[datetime | None]
    #: What has to hold of a request: [{"path", "operator", "value"}, ...] (see worker.matching).
    rules: Mapped[list[Any]] = mapped_column(default=list)
    #: {variable of the job: a value, or a text with references to the request}
    data: Mapped[dict[str, Any]] = mapped_column(default=dict)
    #: None stands for the job's own default.
    commit: Mapped[bool | None] = mapped_column("commit_changes")
    #: Empty: the first of the job's own.
    queue: Mapped[str] = mapped_column(String(100), default="")
    enabled: Mapped[bool] = mapped_column(default=True)
    #: How many requests without a right signature ever came, and when the last did: not each has a row.
    unsigned_count: Mapped[int] = mapped_column(default=0)
    unsigned_at: Mapped[datetime | None]
    #: Who has said so last, and must not be the one to approve what comes of it.
    set_up_by_id: Mapped[int | None]
    created_at: Mapped[CreatedAt]

    job: Mapped[JobRecord | None] = relationship(lazy="raise")
    user: Mapped[User | None] = relationship(lazy="raise")

    @property
    def knows_before(self) -> bool:
        """Whether the secret before this one is still right."""
        return self.before_until is not None and self.before_until > now()


class WebhookDelivery(Base):
    """One request that came, and why it ran something or nothing."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        # What the sender calls its request is asked for once: whoever comes second finds out here.
        Index("uq_webhook_deliveries_claim", "webhook_id", "claim", unique=True),
        Index("ix_webhook_deliveries_webhook_id_id", "webhook_id", "id"),
        Index("ix_webhook_deliveries_webhook_id_outcome_id", "webhook_id", "outcome", "id"),
        Index("ix_webhook_deliveries_created_at", "created_at"),
    )

    id: Mapped[Key]
    webhook_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("webhooks.id", ondelete="CASCADE"))
    created_at: Mapped[datetime] = mapped_column(default=now)
    address: Mapped[str] = mapped_column(String(64), default="")
    #: What the sender calls it; empty: nothing.
    name: Mapped[str] = mapped_column(String(200), default="")
    #: The same of one that was accepted, of which there is one.
    claim: Mapped[str | None] = mapped_column(String(200))
    #: SHA-256 of what was signed; empty without a right signature.
    digest: Mapped[str] = mapped_column(String(64), default="")
    #: {name: value}, without any that may hold a secret (see worker.payloads).
    headers: Mapped[dict[str, Any]] = mapped_column(default=dict)
    #: None: it was too large, wrongly signed, or may hold what nobody may read; or it is too long ago.
    body: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)
    body_bytes: Mapped[int] = mapped_column(default=0)
    #: "accepted", "unmatched", "refused", "repeated" or "unsigned".
    outcome: Mapped[str] = mapped_column(String(20))
    #: What was answered: the status of HTTP, and why, in a sentence.
    status: Mapped[int]
    reason: Mapped[LongText] = mapped_column(default="")
    result_id: Mapped[uuid.UUID | None]
    #: Who had it done once more, by a button; empty: it came from outside.
    sent_by: Mapped[str] = mapped_column(String(150), default="")
