"""What runs a job from the page of an object."""

import uuid
from typing import Any

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from store.models.base import Base, CreatedAt, LongText, RandomKey
from store.models.job import JobRecord


class Button(Base):
    """On which pages a receiver can be run, and how that looks. Its runs have its id as their `origin_id`."""

    __tablename__ = "buttons"

    id: Mapped[RandomKey]
    name: Mapped[str] = mapped_column(String(100), unique=True)
    #: ["inventory.site", ...]
    object_types: Mapped[list[Any]] = mapped_column(default=list)
    #: None once the record was deleted.
    job_id: Mapped[uuid.UUID | None] = mapped_column(
        ForeignKey("job_records.id", ondelete="SET NULL"), index=True
    )
    #: What stands on it: a template (see webapp.button_texts).
    text: Mapped[LongText] = mapped_column(default="")
    #: The lighter ones come first.
    weight: Mapped[int] = mapped_column(default=100)
    #: Buttons of one group are in one menu, which is called that; empty: it stands alone.
    group_name: Mapped[str] = mapped_column(String(100), default="")
    #: "plain", "go" or "bad".
    style: Mapped[str] = mapped_column(String(10), default="plain")
    #: Whoever presses it is asked once more.
    confirm: Mapped[bool] = mapped_column(default=True)
    enabled: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[CreatedAt]

    job: Mapped[JobRecord | None] = relationship()
