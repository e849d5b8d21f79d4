"""What a run logged."""

import uuid
from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from store.models.base import Base, LongText
from store.models.result import LevelCounts

#: SQLite numbers rows by itself only where the column's type is INTEGER to the letter.
BigKey = BigInteger().with_variant(Integer(), "sqlite")


#: The levels of the family "failure". Written out: an index of some rows is only taken where a query says the same. And not
#: by IN: for that SQLite builds a table of the three with each entry that is written, which takes as long as writing it.
IS_FAILURE = text("level = 'failure' OR level = 'error' OR level = 'critical'")


class LogEntry(Base):
    __tablename__ = "log_entries"
    __table_args__ = (
        UniqueConstraint("result_id", "seq"),
        # What failed: mostly few entries, or none.
        Index(
            "ix_log_entries_failures",
            "result_id",
            "seq",
            sqlite_where=IS_FAILURE,
            postgresql_where=IS_FAILURE,
        ),
        # What was said about an object; most entries are about none.
        Index(
            "ix_log_entries_object_url_id",
            "object_url",
            "id",
            sqlite_where=text("object_url IS NOT NULL"),
            postgresql_where=text("object_url IS NOT NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    result_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("job_results.id", ondelete="CASCADE"))
    #: 1..n within the result, without gaps, over all its attempts.
    seq: Mapped[int]
    attempt: Mapped[int]
    created_at: Mapped[datetime]
    level: Mapped[str] = mapped_column(String(10))
    grouping: Mapped[str] = mapped_column(String(100))
    #: As logged, control characters replaced.
    message: Mapped[LongText]
    #: Rendered and sanitized, when it was written.
    html: Mapped[LongText]
    object_text: Mapped[str | None] = mapped_column(String(200))
    object_url: Mapped[str | None] = mapped_column(String(255))


class EntryGroup(LevelCounts, Base):
    """A stretch of entries with the same grouping: one heading in the log."""

    __tablename__ = "entry_groups"

    result_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("job_results.id", ondelete="CASCADE"), primary_key=True
    )
    first_seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(String(100))
    started_at: Mapped[datetime]
    last_at: Mapped[datetime]
