"""Data files: text files that the portal keeps, for many runs to read."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from store.columns import now
from store.models.base import Base, CreatedAt, Name, RandomKey


class DataFile(Base):
    """One of them, with its content: every worker reads it, on whatever machine. It lies in a folder, too."""

    __tablename__ = "data_files"

    id: Mapped[RandomKey]
    name: Mapped[str] = mapped_column(String(100), unique=True)
    #: Few and small (see ERRAND_DATA_FILE_MB): with its row it changes in one transaction, and goes with it.
    content: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    size_bytes: Mapped[int]
    #: SHA-256 of the content, which says which version it is.
    digest: Mapped[str] = mapped_column(String(64))
    #: Lines that are neither blank nor comments.
    entries: Mapped[int]
    #: The first line, where that is a comment.
    description: Mapped[Name] = mapped_column(default="")
    #: Who uploaded it last; None: that user is gone, or it was found in the folder.
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    #: The user's name, kept when that user is gone; empty: it was found in the folder.
    username: Mapped[str] = mapped_column(String(150), default="")
    #: The folder it lies in (see store.data_files).
    folder: Mapped[str] = mapped_column(String(64))
    #: When it was written there, in nanoseconds, as the file system has it.
    written_ns: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[datetime] = mapped_column(default=now)
