"""What runs ask for of other jobs: how many runs, with which data, and what is done when all of them have ended."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from store.models.base import Base, CreatedAt, Key, LongText, RandomKey


class Gathering(Base):
    """A run that has asked for others, its children."""

    __tablename__ = "gatherings"

    result_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("job_results.id", ondelete="CASCADE"), primary_key=True
    )
    #: What is called with the outcomes; empty: they alone say how the run ends.
    method: Mapped[str] = mapped_column(String(200))
    #: How many it has asked for itself, and how many are counted as its own.
    size: Mapped[int]
    total: Mapped[int]
    #: What its first part left behind, for the second: {"return_value", "output", "results", "report"}.
    first: Mapped[dict[str, Any]] = mapped_column(default=dict)
    #: The run whose completed children count as its own: it runs only the others again.
    again_of: Mapped[uuid.UUID | None]
    created_at: Mapped[CreatedAt]


class FanOut(Base):
    """One call of `map`: runs of one job. They have its id as their `origin_id`."""

    __tablename__ = "fan_outs"

    id: Mapped[RandomKey]
    result_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("job_results.id", ondelete="CASCADE"), index=True)
    class_path: Mapped[str] = mapped_column(String(400))
    #: The queue of its runs; "": that of their job.
    queue: Mapped[str] = mapped_column(String(100), default="")
    #: How many of its runs may run beside each other; 0: any number.
    at_once: Mapped[int] = mapped_column(default=0)
    #: After how many that did not complete the others are canceled; 0: after none.
    stop_after: Mapped[int] = mapped_column(default=0)
    #: Why its waiting runs were canceled; empty: they were not.
    stop_cause: Mapped[LongText] = mapped_column(default="")


class FanOutPart(Base):
    """Runs that have not been made yet. The row goes in the transaction that makes them."""

    __tablename__ = "fan_out_parts"

    id: Mapped[Key]
    fan_out_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("fan_outs.id", ondelete="CASCADE"), index=True)
    result_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("job_results.id", ondelete="CASCADE"), index=True)
    #: The number of the first of them.
    first_number: Mapped[int]
    #: What each is to be run with, locked (see store.lockbox): it may be secret.
    content: Mapped[bytes] = mapped_column(LargeBinary)
    #: Whoever is at it is gone if it is there still.
    free_at: Mapped[datetime]
