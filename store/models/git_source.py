"""Git repositories that jobs come from, and what became of each look at them."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, LargeBinary, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from store.columns import now
from store.models.base import Base, CreatedAt, Key, LongText, RandomKey

#: The names of these sources begin so: a repository `network` is the source `git.network`.
GIT = "git."

RUNNING_ONLY = text("state = 'running'")


class GitSource(Base):
    """A repository. What it has given so far stands in the JobSource of its name."""

    __tablename__ = "git_sources"

    id: Mapped[Key]
    slug: Mapped[str] = mapped_column(String(50), unique=True)
    url: Mapped[LongText]
    #: A branch or a tag; empty: what the repository itself takes for its main branch.
    ref: Mapped[str] = mapped_column(String(200), default="")
    #: The folder of job files in it; empty: its top.
    path: Mapped[str] = mapped_column(String(200), default="jobs")
    #: Of the login at an https address. What goes with it is in `secrets`.
    username: Mapped[str] = mapped_column(String(200), default="")
    #: {"token", "private_key", "webhook_secret"}, encrypted (see store.lockbox); None: there is none.
    secrets: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)
    #: Which of them there are.
    secret_names: Mapped[list[Any]] = mapped_column(default=list)
    #: The lines of a known_hosts file that an ssh server has to fit; empty: those it shows first are kept.
    host_keys: Mapped[LongText] = mapped_column(default="")
    #: False: it stays at the commit it has.
    enabled: Mapped[bool] = mapped_column(default=True)
    #: Minutes between two looks at it; 0: only when somebody asks, or the calendar does.
    interval_minutes: Mapped[int] = mapped_column(default=0)
    #: When it is looked at, as a cron expression in a time zone; empty: it has no calendar.
    cron: Mapped[str] = mapped_column(String(500), default="")
    zone: Mapped[str] = mapped_column(String(64), default="UTC")
    #: When the calendar asks next.
    next_sync_at: Mapped[datetime | None]
    #: When somebody last looked, and the ref that was found then: "refs/heads/main".
    checked_at: Mapped[datetime | None]
    found_ref: Mapped[str] = mapped_column(String(250), default="")
    #: The commit that was refused last: nothing comes of looking at it again by itself.
    refused_commit: Mapped[str] = mapped_column(String(64), default="")
    created_at: Mapped[CreatedAt]

    @property
    def name(self) -> str:
        """The source's name, as class paths begin."""
        return GIT + self.slug


class SourceSync(Base):
    """One look at a repository that somebody asked for, and its outcome; or a try whether it can be reached at all."""

    __tablename__ = "source_syncs"
    __table_args__ = (
        # One after the other: the second to begin finds out here.
        Index(
            "uq_source_syncs_running",
            "source_id",
            unique=True,
            sqlite_where=RUNNING_ONLY,
            postgresql_where=RUNNING_ONLY,
        ),
        Index("ix_source_syncs_source_id_created_at", "source_id", "created_at"),
        Index("ix_source_syncs_state", "state"),
    )

    id: Mapped[RandomKey]
    source_id: Mapped[int] = mapped_column(ForeignKey("git_sources.id", ondelete="CASCADE"))
    #: Who asked: a username, or empty.
    asked_by: Mapped[str] = mapped_column(String(150), default="")
    #: How: "page", "command", "webhook" or "interval".
    asked_via: Mapped[str] = mapped_column(String(20))
    #: Only the server is asked: nothing is fetched, and nothing changes.
    test: Mapped[bool] = mapped_column(default=False)
    #: The commit that is to be used although files of it cannot be loaded any more; empty: none is.
    anyway: Mapped[str] = mapped_column(String(64), default="")
    #: "pending", "running", and then "changed", "unchanged" or "failed"; of a test "reached" or "failed".
    state: Mapped[str] = mapped_column(String(20), default="pending")
    #: The process that does it, as worker.host.Process has it.
    host: Mapped[str] = mapped_column(String(255), default="")
    pid: Mapped[int] = mapped_column(default=0)
    process_started: Mapped[str] = mapped_column(String(40), default="")
    created_at: Mapped[CreatedAt]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    from_commit: Mapped[str] = mapped_column(String(64), default="")
    to_commit: Mapped[str] = mapped_column(String(64), default="")
    #: What came of it, in a sentence, and the input of the form that has to do with it, where one has.
    outcome: Mapped[LongText] = mapped_column(default="")
    field: Mapped[str] = mapped_column(String(20), default="")
    #: [{"module", "path", "message", "traceback"}, ...]
    errors: Mapped[list[Any]] = mapped_column(default=list)
    #: {"added", "changed", "removed": [class path, ...]}
    jobs: Mapped[dict[str, Any]] = mapped_column(default=dict)

    @property
    def finished(self) -> bool:
        return self.finished_at is not None

    @property
    def can_be_forced(self) -> bool:
        """Whether its commit was refused only because some of its files cannot be loaded."""
        return self.state == "failed" and self.field == "jobs" and bool(self.to_commit)

    @property
    def duration_seconds(self) -> float:
        return ((self.finished_at or now()) - (self.started_at or now())).total_seconds()


class SourceDelivery(Base):
    """A webhook that came: the same one a second time does nothing."""

    __tablename__ = "source_deliveries"
    __table_args__ = (UniqueConstraint("source_id", "digest"),)

    id: Mapped[Key]
    source_id: Mapped[int] = mapped_column(ForeignKey("git_sources.id", ondelete="CASCADE"))
    #: SHA-256 of what was signed.
    digest: Mapped[str] = mapped_column(String(64))
    sync_id: Mapped[uuid.UUID | None]
    created_at: Mapped[CreatedAt]
