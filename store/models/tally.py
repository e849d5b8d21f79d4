"""How many runs have ended, counted once and for all: the numbers stay when results are removed."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from store.models.base import Base

#: Rows of these names are no job's: of all runs together, and of the jobs that have no rows of their own.
ALL, OTHER = "", "other"

#: Seconds up to which the runs of a bucket took; the last bucket has all that took longer.
BUCKET_SECONDS = (0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14400.0)


class RunTally(Base):
    """The ended runs of one job in one state (see worker.tally)."""

    __tablename__ = "run_tallies"

    #: Its class path; or ALL, or OTHER.
    job: Mapped[str] = mapped_column(String(400), primary_key=True)
    status: Mapped[str] = mapped_column(String(20), primary_key=True)
    runs: Mapped[int] = mapped_column(BigInteger)
    #: Of those that had started: from then to the end, and how many of them there are in each bucket.
    seconds: Mapped[float]
    buckets: Mapped[list[Any]]
    last_at: Mapped[datetime]


class TallyPlace(Base):
    """The one row that says up to which end of a run, and to which entry, was counted."""

    __tablename__ = "tally_places"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    finished_at: Mapped[datetime]
    result_id: Mapped[uuid.UUID]
    #: How many entries were logged; the number of the newest when that was counted.
    entries: Mapped[int] = mapped_column(BigInteger)
    last_entry_id: Mapped[int] = mapped_column(BigInteger)
