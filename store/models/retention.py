"""How long results are kept, and how far removing the others has come."""

import uuid
from datetime import datetime

from sqlalchemy import BigInteger, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from store.models.base import Base


class Retention(Base):
    """The one row of it. What people say stands in the first part; the second is the scheduler's (see worker.retention)."""

    __tablename__ = "retention"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    #: Days, in place of what the environment says; 0: for good. None: nobody has said anything here.
    keep_days: Mapped[int | None]
    #: The same for runs that failed or errored.
    keep_failed_days: Mapped[int | None]
    set_by: Mapped[str | None] = mapped_column(String(150))
    set_at: Mapped[datetime | None]
    #: The walk over all ended runs, from the oldest end on: how far it is; None: it begins anew.
    walked_at: Mapped[datetime | None]
    walked_id: Mapped[uuid.UUID | None]
    #: When a walk last came to its end.
    round_at: Mapped[datetime | None]
    #: What was removed, ever.
    results: Mapped[int] = mapped_column(BigInteger, default=0)
    entries: Mapped[int] = mapped_column(BigInteger, default=0)
