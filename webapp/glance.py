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

#: Seconds that many readers of one result share a look at it.
SHARED_SECONDS = 0.03
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
        *(getattr(JobResult, f"count_{level}") for level in LEVELS),
    )
)


class Glances:
    """Looks at results, one for all who ask within a moment."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: dict[UUID, tuple[float, Glance]] = {}

    def take(self, result_id: UUID, *, shared: bool) -> Glance:
        """Return how the result stands now; with `shared`, or a moment ago. Raises NotVisible."""
        taken_at, glance = self._known.get(result_id, (0.0, None))
        if glance is None or not shared or self._clock() - taken_at > SHARED_SECONDS:
            # The time before the look: what it found may be older than its end.
            taken_at = self._clock()
            glance = _look(result_id)
            if len(self._known) >= MOST_SHARED:
                self._known.clear()
            self._known[result_id] = (taken_at, glance)
        # Shared or not: everybody who is told about it is asked for.
        require("view", glance.result)
        return glance


def _look(result_id: UUID) -> Glance:
    query = visible(_QUERY, current_user(), JobResult).where(JobResult.id == result_id)
    row = db.session.execute(query).one_or_none()
    if row is None:
        raise NotVisible
    db.session.expunge(row[0])
    return Glance(*row)
