"""Uploads and created files, where the database keeps them."""

from sqlalchemy import LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from store.models.base import Base, CreatedAt


class FileChunk(Base):
    """A piece of a file: pieces, so that no database and no process ever holds a large file whole."""

    __tablename__ = "file_chunks"

    #: Of the file (see store.files).
    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    #: From 0.
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    content: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[CreatedAt]
