"""Which runs were about an object, by their entries or their inputs, and which jobs can be run on it.

However long history is, only so much of it is looked through: the newest entries that name the object, and the newest
runs of each job that has an input for objects of its kind.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import urlencode
from uuid import UUID

from flask import url_for
from sqlalchemy import (
    ColumnElement,
    Select,
    Text,
    bindparam,
    case,
    cast,
    false,
    func,
    literal,
    or_,
    select,
    union_all,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import load_only

from store.models import FAMILIES, FAMILY_OF, FINAL, JobRecord, JobResult, LogEntry, now
from store.objects import ModelInfo, ObjectModel
from store.permissions import visible
from webapp.auth import allowed, current_user
from webapp.database import db
from webapp.looks import Pulse, pulse

ENTRIES_LOOKED_AT = 2_000
#: Of all jobs that take such an object together; each has as many.
RUNS_LOOKED_AT = 5_000
#: More jobs than these are not looked at; they are taken by name.
MOST_JOBS = 50
JOBS_SHOWN = 8


class Run(NamedTuple):
    """A run that was about the object, as lists and pulses show it."""

    id: UUID
    job_id: UUID | None
    class_path: str
    name: str
    status: str
    count_warning: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    username: str

    @property
    def finished(self) -> bool:
        return self.status in FINAL

    @property
    def duration_seconds(self) -> float | None:
        if self.started_at is None:
            return None
        return max(0.0, ((self.finished_at or now()) - self.started_at).total_seconds())


class OfJob(NamedTuple):
    """What a job has done about the object."""

    newest: Run
    runs: int
    pulse: Pulse


class Taker(NamedTuple):
    """A job that can be run on the object, by one of its inputs."""

    text: str
    url: str


@dataclass(frozen=True, slots=True)
class RunsAbout:
    #: The newest first.
    runs: list[Run]
    #: {id of a run: how many of the entries that were looked at name the object}.
    entries: Mapping[UUID, int]
    #: The runs that it was chosen for.
    chosen: frozenset[UUID]
    #: {family of levels: how many of these entries}.
    families: Mapping[str, int]
    #: There are older entries, or runs, that were not looked at.
    older_entries: bool
    older_runs: bool

    @property
    def entry_count(self) -> int:
        return sum(self.families.values())

    @property
    def by_job(self) -> list[OfJob]:
        """What each job did, that of the newest run first."""
        found: dict[str, list[Run]] = {}
        for run in self.runs:
            found.setdefault(run.class_path, []).append(run)
        return [OfJob(runs[0], len(runs), pulse(runs)) for runs in found.values()][:JOBS_SHOWN]


def runs_about(info: ModelInfo, instance: ObjectModel) -> RunsAbout:
    """Return what the reader may see of the runs that named the object in their log, or were given it."""
    named, older_entries = _named(instance.get_absolute_url())
    jobs = _jobs_with_inputs(info)
    each = max(1, RUNS_LOOKED_AT // len(jobs)) if jobs else 0
    chosen = _chosen(jobs, instance.pk, each)
    runs = _runs({*named, *chosen})
    seen = {run.id for run in runs}
    named = {result_id: levels for result_id, levels in named.items() if result_id in seen}
    return RunsAbout(
        runs,
        {result_id: sum(levels.values()) for result_id, levels in named.items()},
        frozenset(chosen & seen),
        _families(named.values()),
        older_entries,
        len(jobs) == MOST_JOBS or _are_more(jobs, each),
    )


def takers_of(info: ModelInfo, instance: ObjectModel) -> list[Taker]:
    """Return the forms of the jobs that the reader may run on the object, with it filled in."""
    query = visible(select(JobRecord), current_user(), JobRecord).where(
        _takes(info), JobRecord.installed, JobRecord.enabled, ~JobRecord.hidden, JobRecord.receives == ""
    )
    found: list[Taker] = []
    for job in db.session.scalars(query.order_by(JobRecord.name).limit(MOST_JOBS)):
        if not allowed("run", job):
            continue
        inputs = _inputs_for(job.variables, info)
        for variable in inputs:
            text = job.name if len(inputs) == 1 else f"{job.name}: {variable['label']}"
            filled_in = urlencode({variable["name"]: instance.pk})
            found.append(Taker(text, f"{url_for('jobs.show', key=job.class_path)}?{filled_in}"))
    return found


def _named(url: str) -> tuple[dict[UUID, dict[str, int]], bool]:
    """Return {id of a run: {level: how many of its entries name the object}}, and whether there are older ones."""
    newest = (
        select(LogEntry.result_id, LogEntry.level)
        .where(LogEntry.object_url == url)
        .order_by(LogEntry.id.desc())
        .limit(ENTRIES_LOOKED_AT)
        .subquery()
    )
    counted = select(newest.c.result_id, newest.c.level, func.count())
    found: dict[UUID, dict[str, int]] = {}
    for result_id, level, count in db.session.execute(counted.group_by(newest.c.result_id, newest.c.level)):
        found.setdefault(result_id, {})[level] = count
    total = sum(count for levels in found.values() for count in levels.values())
    return found, total == ENTRIES_LOOKED_AT


def _families(found: Iterable[Mapping[str, int]]) -> dict[str, int]:
    families = dict.fromkeys(FAMILIES, 0)
    for levels in found:
        for level, count in levels.items():
            families[FAMILY_OF[level]] += count
    return families


def _takes(info: ModelInfo) -> ColumnElement[bool]:
    """Return what holds for the jobs with an input for objects of a kind, and perhaps for a few others."""
    return cast(JobRecord.variables, Text).contains(f'"{info.name}"', autoescape=True)


def _inputs_for(variables: Iterable[Mapping[str, Any]], info: ModelInfo) -> list[Mapping[str, Any]]:
    return [variable for variable in variables if variable.get("model") == info.name]


def _jobs_with_inputs(info: ModelInfo) -> dict[UUID, list[str]]:
    """Return {id of a job: its inputs for objects of a kind}, whoever may see that job: its results count."""
    query = select(JobRecord).where(_takes(info)).options(load_only(JobRecord.variables))
    jobs = db.session.scalars(query.order_by(JobRecord.name).limit(MOST_JOBS))
    inputs = {job.id: [each["name"] for each in _inputs_for(job.variables, info)] for job in jobs}
    return {job_id: names for job_id, names in inputs.items() if names}


def _chosen(jobs: Mapping[UUID, Sequence[str]], key: Any, each: int) -> set[UUID]:
    """Return which of the newest runs of these jobs were given the object."""
    found = []
    for job_id, names in jobs.items():
        newest = _newest(job_id, JobResult.id, JobResult.data).limit(each).subquery()
        found.append(select(newest.c.id).where(or_(*(_holds(newest.c.data, name, key) for name in names))))
    return set(db.session.scalars(union_all(*found))) if found else set()


def _are_more(jobs: Iterable[UUID], each: int) -> bool:
    """Tell whether one of the jobs has had more runs than were looked at."""
    older = [select(_newest(job_id, JobResult.id).offset(each).limit(1).subquery().c.id) for job_id in jobs]
    return bool(older) and db.session.scalar(union_all(*older).limit(1)) is not None


def _newest(job_id: UUID, *columns: Any) -> Select[Any]:
    query: Select[Any] = select(*columns)
    return query.where(JobResult.job_id == job_id).order_by(JobResult.created_at.desc())


def _holds(data: Any, name: str, key: Any) -> ColumnElement[bool]:
    """Return what holds where an input is this object, or one of several."""
    if db.engine.dialect.name == "sqlite":
        values = func.json_each(data, f'$."{name}"').table_valued("value")
        return select(literal(1)).select_from(values).where(values.c.value == key).exists()
    # A text with a NUL, which another input may hold, cannot be taken apart there at all.
    unreadable = cast(data, Text).contains("\\u0000", autoescape=True)
    found = cast(data[name], JSONB).op("@>")(bindparam(None, key, JSONB, unique=True))
    return case((unreadable, false()), else_=found)


def _runs(ids: Iterable[UUID]) -> list[Run]:
    columns: list[Any] = [getattr(JobResult, name) for name in Run._fields]
    # Sorted here: a database that sorts might walk all results there are, in their order, to find these.
    query = visible(select(*columns), current_user(), JobResult).where(JobResult.id.in_(list(ids)))
    found = [Run(*row) for row in db.session.execute(query)]
    return sorted(found, key=lambda run: (run.created_at, run.id), reverse=True)
