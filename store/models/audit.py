"""Who did what: records that are only ever added."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from store.models.base import Base, CreatedAt, Key


class AuditRecord(Base):
    """One thing that somebody did, or tried (see store.audit)."""

    __tablename__ = "audit_records"
    __table_args__ = (Index("ix_audit_records_unsealed", "position", "id"),)

    id: Mapped[Key]
    created_at: Mapped[CreatedAt] = mapped_column(index=True)
    #: Who: a username, "" for nobody that is known. Kept though the account goes.
    actor: Mapped[str] = mapped_column(String(150), default="", index=True)
    #: By which way: "page", "api" or "command".
    via: Mapped[str] = mapped_column(String(20), default="")
    address: Mapped[str] = mapped_column(String(64), default="")
    #: "permission.change", "run.submit", ...
    action: Mapped[str] = mapped_column(String(50), index=True)
    #: To what: a class path, a name, the id of a result.
    subject: Mapped[str] = mapped_column(String(400), default="", index=True)
    #: What was so before and is so afterwards, where that can be said.
    before: Mapped[dict[str, Any] | None]
    after: Mapped[dict[str, Any] | None]
    #: Its place in the chain, from 1, and the digest over it and all before it; None: it waits for the next batch.
    position: Mapped[int | None] = mapped_column(unique=True)
    digest: Mapped[str | None] = mapped_column(String(64))
    sealed_at: Mapped[datetime | None]
