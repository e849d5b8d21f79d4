"""Files: those that runs were given and have made, and the pieces of their content where the database keeps it."""

import uuid

from sqlalchemy import BigInteger, ForeignKey, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from store.models.base import Base, CreatedAt, Key, Name


class RunFile(Base):
    """A file that a run was given, or has made. One that belongs to no run (any more) is removed."""

    __tablename__ = "run_files"

    id: Mapped[Key]
    #: Of its content (see store.files).
    key: Mapped[str] = mapped_column(String(64), unique=True)
    #: None: it is on its way in, or its run was deleted.
    result_id: Mapped[uuid.UUID | None] = mapped_column(
        ForeignKey("job_results.id", ondelete="SET NULL"), index=True
    )
    #: The input it was given for; None: the run has made it.
    variable: Mapped[str | None] = mapped_column(String(100))
    #: As its maker called it; it never reaches a file system.
    name: Mapped[Name]
    content_type: Mapped[str] = mapped_column(String(100), default="")
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[CreatedAt]


class FileChunk(Base):
    """A piece of a file: pieces, so that no database and no process ever holds a large file whole."""

    __tablename__ = "file_chunks"

    #: Of the file (see store.files).
    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    #: From 0.
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    content: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[CreatedAt]
