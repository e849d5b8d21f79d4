"""What the search across all runs needs of the PLATFORM database (see store.entry_search)."""

import uuid
from typing import Any

from sqlalchemy import BigInteger, Index, Integer, Text
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column

from store.models.base import Base, Key


class EntryWords(Base):
    """The words of a log entry. On PostgreSQL alone: SQLite has them in a file of their own, and this stays empty."""

    __tablename__ = "entry_words"
    __table_args__ = (Index("ix_entry_words_words", "words", postgresql_using="gin"),)

    # No foreign key: to look after it would lock the rows that runs are writing.
    entry_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    result_id: Mapped[uuid.UUID] = mapped_column(index=True)
    words: Mapped[Any] = mapped_column(TSVECTOR().with_variant(Text(), "sqlite"))


class SearchPlace(Base):
    """The one row that says up to which entry the index goes, on PostgreSQL."""

    __tablename__ = "search_places"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    last_entry_id: Mapped[int] = mapped_column(BigInteger)


class SearchRemoval(Base):
    """A result that was removed, and whose words are still in the index."""

    __tablename__ = "search_removals"

    id: Mapped[Key]
    result_id: Mapped[uuid.UUID]
    #: The newest entry that was left: what is written later may get the numbers that were set free.
    last_entry_id: Mapped[int] = mapped_column(BigInteger)
