"""What makes runs at set times."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, LargeBinary, String, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from store.columns import now
from store.models.base import Base, CreatedAt, Key, LongText, Name, RandomKey
from store.models.job import JobRecord
from store.models.user import User

ON = text("enabled AND wakes_at IS NOT NULL")
UNTOLD_PROBLEM = text("problem <> told_problem")
UNTOLD_MISSED = text("NOT told")


class Schedule(Base):
    """When a job runs, as whom, and with which inputs. Its runs have its id as their `origin_id`."""

    __tablename__ = "schedules"
    __table_args__ = (
        Index("ix_schedules_waking", "wakes_at", sqlite_where=ON, postgresql_where=ON),
        Index("ix_schedules_untold", "id", sqlite_where=UNTOLD_PROBLEM, postgresql_where=UNTOLD_PROBLEM),
    )

    id: Mapped[RandomKey]
    name: Mapped[Name]
    #: None once the record was deleted.
    job_id: Mapped[uuid.UUID | None] = mapped_column(
        ForeignKey("job_records.id", ondelete="SET NULL"), index=True
    )
    class_path: Mapped[str] = mapped_column(String(400))
    #: As whom it runs. None once that user is gone: then it waits until somebody takes it over.
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
    #: The user's name, kept when that user is gone.
    username: Mapped[str] = mapped_column(String(150))
    #: Who last asked for it to be approved: its owner, or whoever edited it, who must not be the one to approve it.
    asked_by_id: Mapped[int | None]
    #: When it fires (see store.timing.recurrence).
    interval: Mapped[str] = mapped_column(String(20))
    start_at: Mapped[datetime]
    end_at: Mapped[datetime | None]
    zone: Mapped[str] = mapped_column(String(64), default="UTC")
    cron: Mapped[str] = mapped_column(String(200), default="")
    dialect: Mapped[str] = mapped_column(String(20), default="nautobot")
    #: [{"weekdays": [0 is Monday, ...], "begins": "22:00", "ends": "06:00"}, ...]
    blackouts: Mapped[list[Any]] = mapped_column(default=list)
    jitter_seconds: Mapped[int] = mapped_column(default=0)
    #: What becomes of slots that passed while nobody looked: "skip", "once" or "all".
    missed: Mapped[str] = mapped_column(String(10), default="once")
    #: What becomes of a slot while the run of an earlier one has not ended: "allow", "skip", "wait" or "replace".
    overlap: Mapped[str] = mapped_column(String(10), default="skip")
    #: What each run gets, as a result has it.
    data: Mapped[dict[str, Any]] = mapped_column(default=dict)
    commit: Mapped[bool] = mapped_column(default=True)
    queue: Mapped[str] = mapped_column(String(100), default="default")
    #: The inputs that nobody may read, in a box (see store.sealing), and what may be told of them.
    kept_box: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)
    sealed_facts: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    #: What the runs share with those they may not run beside, where sealed inputs are part of that.
    concurrency_key: Mapped[str | None] = mapped_column(String(500))
    #: False: paused.
    enabled: Mapped[bool] = mapped_column(default=True)
    #: Who paused it, or took it up again.
    switched_by: Mapped[str | None] = mapped_column(String(150))
    switched_at: Mapped[datetime | None]
    #: Why its slots make no runs, in a sentence; empty: they do.
    problem: Mapped[LongText] = mapped_column(default="")
    #: The problem that the messages are on their way for.
    told_problem: Mapped[LongText] = mapped_column(default="")
    #: The last slot that was dealt with: nothing up to here is ever looked at again.
    last_slot_at: Mapped[datetime | None]
    #: The first slot after that one; None: there is none.
    next_slot_at: Mapped[datetime | None]
    #: When it is to be dealt with: the slot, and its jitter.
    wakes_at: Mapped[datetime | None]
    last_run_at: Mapped[datetime | None]
    total_run_count: Mapped[int] = mapped_column(default=0)
    #: Counts what people changed: whoever fires an older one finds that out.
    version: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[datetime] = mapped_column(default=now)

    job: Mapped[JobRecord | None] = relationship(lazy="raise")
    user: Mapped[User | None] = relationship(lazy="raise")

    @property
    def owner_gone(self) -> bool:
        return self.user is None or not self.user.active

    @property
    def over(self) -> bool:
        """Whether nothing is to come any more."""
        return self.next_slot_at is None


class MissedSlots(Base):
    """Slots, one after the other, that should have made runs and did not, all for one reason."""

    __tablename__ = "missed_slots"
    __table_args__ = (
        Index("ix_missed_slots_untold", "id", sqlite_where=UNTOLD_MISSED, postgresql_where=UNTOLD_MISSED),
    )

    id: Mapped[Key]
    schedule_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("schedules.id", ondelete="CASCADE"), index=True)
    first_at: Mapped[datetime]
    last_at: Mapped[datetime]
    count: Mapped[int]
    #: In a sentence.
    cause: Mapped[LongText]
    noticed_at: Mapped[datetime]
    #: Whether the messages about them are on their way.
    told: Mapped[bool] = mapped_column(default=False)
