"""What the queues held, minute by minute."""

from datetime import UTC, datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from store.models.base import Base


class QueueSample(Base):
    """One queue in one minute; there is none for a minute in which no scheduler ran (see worker.samples)."""

    __tablename__ = "queue_samples"

    #: Minutes since 1970: both databases group by a number.
    minute: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    queue: Mapped[str] = mapped_column(String(100), primary_key=True)
    #: Runs that could have started.
    waiting: Mapped[int]
    running: Mapped[int]
    #: How many workers took runs from it, and how many of those had one in hand, from whatever queue.
    workers: Mapped[int]
    busy: Mapped[int]


def minute_of(moment: datetime) -> int:
    return int(moment.timestamp() // 60)


def moment_of(minute: int) -> datetime:
    return datetime.fromtimestamp(minute * 60, UTC)
