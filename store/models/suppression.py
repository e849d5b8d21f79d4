"""Times in which no run of a job begins."""

import uuid
from datetime import datetime

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from store.models.base import Base, CreatedAt, Key
from store.models.job import JobRecord


class Suppression(Base):
    """One such time. Runs that wait go on waiting, and those that have begun go on."""

    __tablename__ = "suppressions"
    __table_args__ = (Index("ix_suppressions_job_id_ends_at", "job_id", "ends_at"),)

    id: Mapped[Key]
    job_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("job_records.id", ondelete="CASCADE"))
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    #: Who said so.
    username: Mapped[str] = mapped_column(String(150), default="")
    created_at: Mapped[CreatedAt]

    job: Mapped[JobRecord] = relationship(lazy="raise")
