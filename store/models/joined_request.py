"""Requests that were answered with a run which waited already, and will not be answered with another one."""

import uuid

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from store.models.base import Base, CreatedAt, Key


class JoinedRequest(Base):
    """Of one such request what it called itself, as the run has its own key (see JobResult.idempotency_key)."""

    __tablename__ = "joined_requests"
    __table_args__ = (UniqueConstraint("user_id", "idempotency_key"),)

    id: Mapped[Key]
    result_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("job_results.id", ondelete="CASCADE"), index=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    idempotency_key: Mapped[str] = mapped_column(String(200))
    idempotency_digest: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[CreatedAt]
