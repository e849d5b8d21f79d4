"""The latest runs of many jobs at once."""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, ScalarSelect, Select, Text, and_, cast, func, select
from sqlalchemy.orm import joinedload

from store.models import FINAL, JobRecord, JobResult, Schedule, Status, User, now
from store.models.result import COMMAND_LINE
from store.permissions import visible
from webapp.auth import current_user
from webapp.database import db
from webapp.looks import PULSE_RUNS

#: Of a hook, a button or a chain, on its page.
MOST_RESULTS = 10

#: What makes one JSON value of rows: all rows as a list, and one row as a list.
JSON_LISTS = {
    "sqlite": (func.json_group_array, func.json_array),
    "postgresql": (func.json_agg, func.json_build_array),
}


class Run(NamedTuple):
    """What lists and pulses show of a result. A list of jobs has hundreds of them, so nothing is converted unasked."""

    key: str
    status: str
    count_warning: int
    created: str
    started: str | None
    finished_on: str | None
    username: str
    display_name: str | None

    @property
    def id(self) -> UUID:
        return UUID(self.key)

    @property
    def created_at(self) -> datetime:
        return _moment(self.created)

    @property
    def started_at(self) -> datetime | None:
        return _moment(self.started) if self.started else None

    @property
    def finished(self) -> bool:
        return self.status in FINAL

    @property
    def duration_seconds(self) -> float | None:
        if self.started is None:
            return None
        if self.finished_on is None:
            return max(0.0, (now() - _moment(self.started)).total_seconds())
        lasted = datetime.fromisoformat(self.finished_on) - datetime.fromisoformat(self.started)
        return max(0.0, lasted.total_seconds())

    @property
    def shown_name(self) -> str:
        return self.display_name or self.username or COMMAND_LINE


def newest_runs(job_ids: Iterable[UUID], most: int = PULSE_RUNS) -> dict[UUID, tuple[Run, ...]]:
    """Return up to `most` runs of each job, newest first."""
    query = select(JobRecord.id, runs_of_job(most)).where(JobRecord.id.in_(list(job_ids)))
    return {job_id: as_runs(text) for job_id, text in db.session.execute(query)}


@lru_cache(maxsize=300)
def as_runs(text: str | None) -> tuple[Run, ...]:
    """Return what the column `runs_of_job` holds. Most of it is what it was when the last page was made."""
    return tuple(Run(*row) for row in json.loads(text or "[]"))


@lru_cache(maxsize=300)
def usual_seconds(runs: tuple[Run, ...]) -> float | None:
    """Return how long the job usually takes: the middle of its completed runs; None before there is one."""
    seconds = sorted(
        run.duration_seconds for run in runs if run.status == Status.COMPLETED and run.duration_seconds
    )
    return seconds[len(seconds) // 2] if seconds else None


def runs_of_job(most: int = PULSE_RUNS) -> ScalarSelect[Any]:
    """Return a column for queries of JobRecord: up to `most` runs of the job, newest first (see `as_runs`).

    For each job the database walks an index from its end, so the length of history does not count; and it gives
    the job's runs as one value, for making objects of single rows and columns would take most of the time.
    """
    return _newest(JobResult.job_id == JobRecord.id, JobRecord, most)


def runs_of_schedules(ids: Iterable[UUID], most: int = PULSE_RUNS) -> dict[UUID, tuple[Run, ...]]:
    """Return up to `most` runs of each schedule, newest first."""
    own = _newest(and_(JobResult.origin_id == Schedule.id, JobResult.origin == "schedule"), Schedule, most)
    query = select(Schedule.id, own).where(Schedule.id.in_(list(ids)))
    return {schedule_id: as_runs(text) for schedule_id, text in db.session.execute(query)}


def results_by(origin_id: UUID) -> Sequence[JobResult]:
    """Return the newest results that something other than a person asked for, with whom they ran as."""
    query = visible(select(JobResult), current_user(), JobResult).where(JobResult.origin_id == origin_id)
    newest = query.order_by(JobResult.created_at.desc()).limit(MOST_RESULTS)
    return db.session.scalars(newest.options(joinedload(JobResult.user))).all()


def _newest(own: ColumnElement[bool], of: type[Any], most: int) -> ScalarSelect[Any]:
    columns = (
        JobResult.id,
        JobResult.status,
        JobResult.count_warning,
        JobResult.created_at,
        JobResult.started_at,
        JobResult.finished_at,
        JobResult.username,
        User.display_name,
    )
    chosen: Select[Any] = select(*columns).outerjoin(User, JobResult.user_id == User.id)  # type: ignore[assignment]
    query = visible(chosen, current_user(), JobResult)
    query = query.where(own).correlate(of)
    newest = query.order_by(JobResult.created_at.desc()).limit(most).subquery()
    # Both databases add rows to the list in the order of the query below them.
    all_rows, one_row = JSON_LISTS[db.engine.dialect.name]
    return select(cast(all_rows(one_row(*newest.c)), Text)).scalar_subquery()


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    # SQLite, which knows no zones, keeps UTC.
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
