"""What a poll needs of a result: most polls find that nothing has changed, and need no more."""

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.orm import load_only

from store.models import LEVELS, EntryGroup, JobResult
from store.permissions import NotVisible, visible
from webapp.auth import current_user, require
from webapp.database import db

#: More polls of one result than this within so many seconds are a crowd's,
CROWD = 8
COUNT_SECONDS = 0.25
#: and share a look for so many.
SHARED_SECONDS = 0.2
MOST_SHARED = 200


class Glance(NamedTuple):
    #: Of no session, with the columns below: whatever else is asked of it fails.
    result: JobResult
    #: When it last logged something.
    last_at: datetime | None


#: Made once: nothing is asked so often.
_QUERY: Select[Any] = select(  # type: ignore[assignment]
    JobResult,
    select(EntryGroup.last_at)
    .where(EntryGroup.result_id == JobResult.id)
    .correlate(JobResult)
    .order_by(EntryGroup.first_seq.desc())
    .limit(1)
    .scalar_subquery(),
).options(
    load_only(
        JobResult.status,
        JobResult.cause,
        JobResult.attempt,
        JobResult.created_at,
        JobResult.pushed_at,
        JobResult.started_at,
        JobResult.finished_at,
        JobResult.cancel_requested_at,
        JobResult.last_seq,
        JobResult.progress,
        JobResult.job_id,
        *(getattr(JobResult, f"count_{level}") for level in LEVELS),
    )
)


class Shared(NamedTuple):
    glance: Glance
    taken_at: float
    #: How many have asked since `counted_from`.
    asked: int
    counted_from: float


class Glances:
    """Looks at results. Where many watch one run, they share a look that was taken a moment ago."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: dict[UUID, Shared] = {}

    def take(self, result_id: UUID) -> Glance:
        """Return how the result stands now or, in a crowd, stood a moment ago. Raises NotVisible."""
        # The time before the look: what it finds may be older than its end.
        moment = self._clock()
        known = self._known.get(result_id)
        asked, counted_from = (known.asked + 1, known.counted_from) if known else (1, moment)
        if moment - counted_from > COUNT_SECONDS:
            # A crowd is still one when the counting begins anew: one look, however many they are.
            asked, counted_from = (CROWD + 1 if asked > CROWD else 1), moment
        if known is None or asked <= CROWD or moment - known.taken_at > SHARED_SECONDS:
            known = Shared(_look(result_id), moment, asked, counted_from)
        if len(self._known) >= MOST_SHARED:
            self._known.clear()
        # Threads may lose one another's counts: few of many.
        self._known[result_id] = known._replace(asked=asked, counted_from=counted_from)
        # Shared or not: everybody who is told about it is asked for.
        require("view", known.glance.result)
        return known.glance


def _look(result_id: UUID) -> Glance:
    query = visible(_QUERY, current_user(), JobResult).where(JobResult.id == result_id)
    row = db.session.execute(query).one_or_none()
    if row is None:
        raise NotVisible
    db.session.expunge(row[0])
    return Glance(*row)
