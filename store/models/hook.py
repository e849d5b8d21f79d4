"""What runs a job when an object changes."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from store.columns import now
from store.models.base import Base, CreatedAt, LongText, RandomKey
from store.models.job import JobRecord


class Hook(Base):
    """Which changes run which receiver. Its runs have its id as their `origin_id`."""

    __tablename__ = "hooks"

    id: Mapped[RandomKey]
    name: Mapped[str] = mapped_column(String(100), unique=True)
    #: None once the record was deleted.
    job_id: Mapped[uuid.UUID | None] = mapped_column(
        ForeignKey("job_records.id", ondelete="SET NULL"), index=True
    )
    #: ["inventory.site", ...]
    object_types: Mapped[list[Any]] = mapped_column(default=list)
    on_create: Mapped[bool] = mapped_column(default=False)
    on_update: Mapped[bool] = mapped_column(default=False)
    on_delete: Mapped[bool] = mapped_column(default=False)
    enabled: Mapped[bool] = mapped_column(default=True)
    #: Changes made before do not count: it was not there, or off, or about something else.
    since: Mapped[datetime] = mapped_column(default=now)
    #: Why a change ran nothing, the last time that it did not; empty: it never happened.
    last_error: Mapped[LongText] = mapped_column(default="")
    last_error_at: Mapped[datetime | None]
    #: Who has said so last, and must not be the one to approve what comes of it.
    set_up_by_id: Mapped[int | None]
    created_at: Mapped[CreatedAt]

    job: Mapped[JobRecord | None] = relationship()

    @property
    def actions(self) -> list[str]:
        """What has to be done to an object: "create", "update", "delete"."""
        switches = {"create": self.on_create, "update": self.on_update, "delete": self.on_delete}
        return [action for action, on in switches.items() if on]
