"""The latest runs of many jobs at once."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Select, select, union_all
from sqlalchemy.orm import joinedload, load_only

from store.models import JobResult
from store.permissions import visible
from webapp.auth import current_user
from webapp.database import db
from webapp.looks import PULSE_RUNS

#: SQLite takes at most 500 parts in one statement; fewer keep the statement small.
JOBS_A_QUERY = 50

SHOWN = (
    JobResult.job_id,
    JobResult.status,
    JobResult.name,
    JobResult.username,
    JobResult.user_id,
    JobResult.count_warning,
    JobResult.created_at,
    JobResult.started_at,
    JobResult.finished_at,
)


def newest_runs(job_ids: Sequence[UUID], most: int = PULSE_RUNS) -> dict[UUID, list[JobResult]]:
    """Return up to `most` runs of each job, newest first.

    Each job's part of the query walks its index from the end, so the length of history does not count.
    """
    found: dict[UUID, list[JobResult]] = {}
    for start in range(0, len(job_ids), JOBS_A_QUERY):
        some = job_ids[start : start + JOBS_A_QUERY]
        parts = [select(_newest(job_id, most).subquery().c.id) for job_id in some]
        query = select(JobResult).where(JobResult.id.in_(union_all(*parts)))
        for result in db.session.scalars(query.options(load_only(*SHOWN), joinedload(JobResult.user))):
            if result.job_id is not None:
                found.setdefault(result.job_id, []).append(result)
    for runs in found.values():
        runs.sort(key=lambda run: (run.created_at, run.id), reverse=True)
    return found


def _newest(job_id: UUID, most: int) -> Select[Any]:
    query = visible(select(JobResult.id), current_user(), JobResult).where(JobResult.job_id == job_id)
    return query.order_by(JobResult.created_at.desc()).limit(most)
