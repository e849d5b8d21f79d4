"""Runs, and schedules, that somebody else has to approve before they start."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from store.models.base import Base, CreatedAt, Key, LongText
from store.models.result import JobResult
from store.models.schedule import Schedule

OPEN = text("decision IS NULL")

UNTOLD = text("told = 0 OR (told = 1 AND decided_at IS NOT NULL)")


class Approval(Base):
    """One request, and what was decided.

    It is about a run or about a schedule, of which the newest one counts. Of a run that an approved schedule made, it
    is a copy of the schedule's.
    """

    __tablename__ = "approvals"
    __table_args__ = (
        # What waits: few, among all that was ever asked for.
        Index("ix_approvals_open", "id", sqlite_where=OPEN, postgresql_where=OPEN),
        Index("ix_approvals_untold", "id", sqlite_where=UNTOLD, postgresql_where=UNTOLD),
    )

    id: Mapped[Key]
    result_id: Mapped[uuid.UUID | None] = mapped_column(
        ForeignKey("job_results.id", ondelete="CASCADE"), unique=True
    )
    schedule_id: Mapped[uuid.UUID | None] = mapped_column(
        ForeignKey("schedules.id", ondelete="CASCADE"), index=True
    )
    created_at: Mapped[CreatedAt]
    #: Who set up the chain, hook or webhook that asked for a run, or for the one that led to it; of a schedule see there.
    asked_by_id: Mapped[int | None]
    #: When it is over if nobody has decided; None: never.
    expires_at: Mapped[datetime | None] = mapped_column(index=True)
    #: What exactly is to be approved: {part: SHA-256} (see worker.approvals).
    asked: Mapped[dict[str, Any]] = mapped_column(default=dict)
    #: "approved", "denied", "expired", "withdrawn" by who asked or, of a schedule that was edited, "void"; None: not yet.
    decision: Mapped[str | None] = mapped_column(String(10))
    decided_at: Mapped[datetime | None] = mapped_column(index=True)
    #: Whose decision it was; kept when that person is gone.
    decided_by: Mapped[str | None] = mapped_column(String(150))
    comment: Mapped[LongText] = mapped_column(default="")
    #: The run that made the plan which is to be approved; None: the job makes none, or it could not be asked.
    planned_by: Mapped[uuid.UUID | None]
    #: Why it could not, in a sentence.
    why_no_plan: Mapped[LongText] = mapped_column(default="")
    #: How many changes may be others when it starts; None: all of them.
    drift: Mapped[int | None]
    #: How much of it the messages are on their way for: 0 nothing, 1 the request, 2 the decision, too.
    told: Mapped[int] = mapped_column(default=0)

    result: Mapped[JobResult | None] = relationship(lazy="raise")
    schedule: Mapped[Schedule | None] = relationship(lazy="raise")
