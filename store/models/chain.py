"""What runs a job when a run of another one has ended."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from store.columns import now
from store.models.base import Base, CreatedAt, LongText, RandomKey
from store.models.job import JobRecord
from store.models.states import FINAL, Status

#: {when: the states of the first run}
ENDS = {
    "completed": (Status.COMPLETED,),
    "failed": (Status.FAILED, Status.ERRORED),
    "ended": tuple(FINAL),
}

REFUSED = text("refused <> ''")


class Chain(Base):
    """Which end of a run of one job runs which other one. Its runs have its id as their `origin_id`."""

    __tablename__ = "chains"

    id: Mapped[RandomKey]
    name: Mapped[str] = mapped_column(String(100), unique=True)
    #: After which job; None once the record was deleted.
    job_id: Mapped[uuid.UUID | None] = mapped_column(
        ForeignKey("job_records.id", ondelete="SET NULL"), index=True
    )
    #: "completed", "failed" or "ended".
    on: Mapped[str] = mapped_column("on_end", String(20), default="completed")
    next_job_id: Mapped[uuid.UUID | None] = mapped_column(
        ForeignKey("job_records.id", ondelete="SET NULL"), index=True
    )
    #: {variable of the next job: a value, or a text with references to the first run}
    data: Mapped[dict[str, Any]] = mapped_column(default=dict)
    enabled: Mapped[bool] = mapped_column(default=True)
    #: Who has said so last, and must not be the one to approve what comes of it.
    set_up_by_id: Mapped[int | None]
    #: Why an end ran nothing, the last time that it did not; empty: it never happened.
    last_error: Mapped[LongText] = mapped_column(default="")
    last_error_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]

    job: Mapped[JobRecord | None] = relationship(foreign_keys=[job_id], lazy="raise")
    next_job: Mapped[JobRecord | None] = relationship(foreign_keys=[next_job_id], lazy="raise")


class ChainLink(Base):
    """A run that a chain has dealt with: it led to another one, was refused, or had ended before the chain was so."""

    __tablename__ = "chain_links"
    __table_args__ = (
        Index(
            "ix_chain_links_refused", "chain_id", "dealt_at", sqlite_where=REFUSED, postgresql_where=REFUSED
        ),
    )

    chain_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("chains.id", ondelete="CASCADE"), primary_key=True)
    result_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("job_results.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    dealt_at: Mapped[datetime] = mapped_column(default=now)
    #: Why it ran nothing; empty: it ran something, or had nothing to do.
    refused: Mapped[LongText] = mapped_column(default="")
