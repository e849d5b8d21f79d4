"""What an admin may enable: the record of each job class, and what went wrong loading the others."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from store.models.base import Base, CreatedAt, Key, LongText, Name, RandomKey

#: For jobs that name no limit of their own.
DEFAULT_TIME_LIMIT_SECONDS = 600.0


class JobRecord(Base):
    """One job class that was found, as discovery described it."""

    __tablename__ = "job_records"
    __table_args__ = (Index("ix_job_records_listing", "grouping", "name"),)

    id: Mapped[RandomKey]
    #: `<source>/<module>/<Class>`.
    class_path: Mapped[str] = mapped_column(String(400), unique=True)
    source: Mapped[str] = mapped_column(String(100))
    module: Mapped[str] = mapped_column(String(100))
    class_name: Mapped[str] = mapped_column(String(100))
    name: Mapped[str] = mapped_column(String(100))
    grouping: Mapped[Name]
    #: Markdown, as the author wrote it.
    description: Mapped[LongText] = mapped_column(default="")
    #: False: the class was not there at the last refresh.
    installed: Mapped[bool] = mapped_column(default=True)
    enabled: Mapped[bool] = mapped_column(default=False)
    hidden: Mapped[bool] = mapped_column(default=False)
    read_only: Mapped[bool] = mapped_column(default=False)
    commit_default: Mapped[bool] = mapped_column(default=True)
    approval_required: Mapped[bool] = mapped_column(default=False)
    has_sensitive_variables: Mapped[bool] = mapped_column(default=False)
    #: Seconds; 0: the system's default.
    soft_time_limit: Mapped[float] = mapped_column(default=0.0)
    time_limit: Mapped[float] = mapped_column(default=0.0)
    #: Names of the queues a run may ask for; the first is the default. Empty: `default` only.
    queues: Mapped[list[Any]] = mapped_column(default=list)
    #: Descriptions of the variables, in the order of the form (see jobs.variables).
    variables: Mapped[list[Any]] = mapped_column(default=list)
    #: SHA-256 of the module's source.
    code_digest: Mapped[str] = mapped_column(String(64), default="")
    created_at: Mapped[CreatedAt]
    refreshed_at: Mapped[datetime]

    @property
    def summary(self) -> str:
        """The first line of the description, for lists."""
        return self.description.strip().split("\n", 1)[0]

    @property
    def runnable(self) -> bool:
        return self.installed and self.enabled

    @property
    def effective_time_limit(self) -> float:
        """Seconds after which a run is ended."""
        return self.time_limit or DEFAULT_TIME_LIMIT_SECONDS

    @property
    def allowed_queues(self) -> list[str]:
        return [str(name) for name in self.queues] or ["default"]


class JobSource(Base):
    """A place jobs come from."""

    __tablename__ = "job_sources"

    id: Mapped[Key]
    name: Mapped[str] = mapped_column(String(100), unique=True)
    #: "folder" or "plugin".
    kind: Mapped[str] = mapped_column(String(20))
    location: Mapped[LongText]
    refreshed_at: Mapped[datetime]


class LoadError(Base):
    """A job file that could not be loaded, or a class in it that cannot be a job."""

    __tablename__ = "load_errors"

    id: Mapped[Key]
    source: Mapped[str] = mapped_column(String(100))
    module: Mapped[Name]
    path: Mapped[LongText]
    #: One sentence.
    message: Mapped[LongText]
    traceback: Mapped[LongText] = mapped_column(default="")
    seen_at: Mapped[datetime]
