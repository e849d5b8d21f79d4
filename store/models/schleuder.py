"""The registry of jobschleuder: its jobs, and when each runs. The next runs are those of schedules."""

import uuid
from typing import Any

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from store.models.base import Base, Key, Name
from store.models.schedule import Schedule


class RegistryJob(Base):
    """What is run, with which arguments, and what comes before and after."""

    __tablename__ = "schleuder_jobs"

    id: Mapped[Key]
    #: The name under which a plugin registers it.
    job: Mapped[str] = mapped_column(String(50))
    description: Mapped[str] = mapped_column(String(100), default="")
    preprocessing: Mapped[str] = mapped_column(String(50), default="")
    postprocessing: Mapped[str] = mapped_column(String(50), default="")
    arguments: Mapped[dict[str, Any]] = mapped_column(default=dict)
    #: What the imported file calls it: the name of its schedule.
    label: Mapped[Name] = mapped_column(default="")


class RegistryEntry(Base):
    """When such a job runs."""

    __tablename__ = "schleuder_registry"

    id: Mapped[Key]
    job_id: Mapped[int] = mapped_column(ForeignKey("schleuder_jobs.id", ondelete="CASCADE"), index=True)
    #: As the imported file says it, and as the cron expression that stands for it.
    schedule: Mapped[str] = mapped_column(String(100))
    cron: Mapped[str] = mapped_column(String(100))
    #: What makes its runs; None: the scheduler was not initialised since it was imported.
    schedule_id: Mapped[uuid.UUID | None] = mapped_column(
        ForeignKey("schedules.id", ondelete="SET NULL"), index=True
    )

    job: Mapped[RegistryJob] = relationship(lazy="raise")
    made: Mapped[Schedule | None] = relationship(lazy="raise")
