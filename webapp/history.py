"""The latest runs of many jobs at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, select, union_all

from store.models import FINAL, JobResult, User, now
from store.permissions import visible
from webapp.auth import current_user
from webapp.database import db
from webapp.looks import PULSE_RUNS

#: SQLite takes at most 500 parts in one statement; fewer keep the statement small.
JOBS_A_QUERY = 50


@dataclass(frozen=True, slots=True)
class Run:
    """What lists and pulses show of a result: a list of jobs has thousands of them."""

    id: UUID
    job_id: UUID
    status: str
    count_warning: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    username: str
    display_name: str | None

    @property
    def finished(self) -> bool:
        return self.status in FINAL

    @property
    def duration_seconds(self) -> float | None:
        if self.started_at is None:
            return None
        return max(0.0, ((self.finished_at or now()) - self.started_at).total_seconds())

    @property
    def shown_name(self) -> str:
        return self.display_name or self.username


def newest_runs(job_ids: Sequence[UUID], most: int = PULSE_RUNS) -> dict[UUID, list[Run]]:
    """Return up to `most` runs of each job, newest first.

    Each job's part of the query walks its index from the end, so the length of history does not count.
    """
    found: dict[UUID, list[Run]] = {}
    for start in range(0, len(job_ids), JOBS_A_QUERY):
        parts = [
            select(_newest(job_id, most).subquery().c.id) for job_id in job_ids[start : start + JOBS_A_QUERY]
        ]
        for row in db.session.execute(_shown().where(JobResult.id.in_(union_all(*parts)))):
            run = Run(*row)
            found.setdefault(run.job_id, []).append(run)
    for runs in found.values():
        runs.sort(key=lambda run: (run.created_at, run.id), reverse=True)
    return found


def _shown() -> Select[Any]:
    query: Select[Any] = select(  # type: ignore[assignment]
        JobResult.id,
        JobResult.job_id,
        JobResult.status,
        JobResult.count_warning,
        JobResult.created_at,
        JobResult.started_at,
        JobResult.finished_at,
        JobResult.username,
        User.display_name,
    ).outerjoin(User, JobResult.user_id == User.id)
    return query


def _newest(job_id: UUID, most: int) -> Select[Any]:
    query = visible(select(JobResult.id), current_user(), JobResult).where(JobResult.job_id == job_id)
    return query.order_by(JobResult.created_at.desc()).limit(most)
