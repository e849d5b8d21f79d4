"""What a person keeps at hand: jobs with a star, and filters of lists."""

import uuid
from typing import Any

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from store.models.base import Base, CreatedAt, Key


class Favourite(Base):
    """A job that a person has given a star."""

    __tablename__ = "favourites"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    job_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("job_records.id", ondelete="CASCADE"), primary_key=True
    )
    created_at: Mapped[CreatedAt]


class SavedFilter(Base):
    """A filter of a list under a name of its person's."""

    __tablename__ = "saved_filters"
    __table_args__ = (UniqueConstraint("user_id", "list_name", "name"),)

    id: Mapped[Key]
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    #: "results" or "jobs".
    list_name: Mapped[str] = mapped_column(String(20), default="results", server_default="results")
    name: Mapped[str] = mapped_column(String(40))
    #: {filter: value}, as in the address of the list.
    arguments: Mapped[dict[str, Any]]
    created_at: Mapped[CreatedAt]


class DefaultFilter(Base):
    """What a list shows a person who comes to it without asking for anything."""

    __tablename__ = "default_filters"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    #: As of a saved filter, and so are the arguments.
    list_name: Mapped[str] = mapped_column(String(20), primary_key=True)
    arguments: Mapped[dict[str, Any]]
