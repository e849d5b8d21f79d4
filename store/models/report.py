"""What runs report beside their logs."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from store.columns import now
from store.models.base import Base


class RunReport(Base):
    """The report of a run, as data. A table of its own: nobody who reads results reads megabytes by the way."""

    __tablename__ = "reports"

    result_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("job_results.id", ondelete="CASCADE"), primary_key=True
    )
    #: See jobs.report.shape.
    data: Mapped[dict[str, Any]] = mapped_column(JSON(), nullable=False)
    #: How many there are, not counting those within others.
    pieces: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(default=now)
