"""The list of jobs: of all of them what filters and headings say, of those in sight the rest."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import ScalarSelect, func, select

from store.models import FINAL, JobRecord, JobResult, Status
from store.permissions import visible
from webapp.auth import current_user
from webapp.database import db
from webapp.favourites import favourite_paths
from webapp.history import Run, as_runs, runs_of_job
from webapp.looks import FAILING, Pulse, pulse

#: A page opens with so many jobs; those of the groups further down come when the reader gets there.
SHOWN = 16
#: A group is not cut for the sake of so few.
SPARE = 3


class Known(NamedTuple):
    """A job as far as filters and headings need it: every page asks this of all jobs."""

    class_path: str
    #: How many of its runs run now.
    running: int
    #: The latest of its runs that has ended failed.
    failing: bool
    #: The reader has given it a star.
    favourite: bool
    name: str
    grouping: str
    description: str
    installed: bool
    enabled: bool
    hidden: bool
    read_only: bool
    approval_required: bool
    commit_default: bool
    has_sensitive_variables: bool
    receives: str
    withdrawn: bool

    @property
    def is_job_hook_receiver(self) -> bool:
        return self.receives == "hook"

    @property
    def is_job_button_receiver(self) -> bool:
        return self.receives == "button"

    def matches(self, words: Sequence[str]) -> bool:
        if not words:
            return True
        summary = self.description.strip().split("\n", 1)[0]
        text = " ".join((self.name, self.grouping, self.class_path, summary)).lower()
        return all(word in text for word in words)


@dataclass(frozen=True, slots=True)
class Listed:
    """A job as a line of the list."""

    job: JobRecord
    runs: tuple[Run, ...]
    starred: bool

    @property
    def latest(self) -> Run | None:
        return self.runs[0] if self.runs else None

    @property
    def pulse(self) -> Pulse:
        return _pulse(self.runs)


@dataclass(slots=True)
class Group:
    name: str
    jobs: list[Known]
    #: Its lines as far as they are in this answer, and how many follow.
    lines: list[Listed] = field(default_factory=list)
    rest: int = 0

    @property
    def running(self) -> int:
        return sum(1 for job in self.jobs if job.running)

    @property
    def failing(self) -> int:
        return sum(1 for job in self.jobs if job.failing)

    @property
    def last(self) -> str | None:
        """The job after which the rest follows; None: the rest is all there is."""
        return self.lines[-1].job.class_path if self.lines else None


def known_jobs(*, withdrawn: bool = False) -> list[Known]:
    """Return all jobs the reader may view, in the order of the list (see `store.visibility.condition`)."""
    columns: list[Any] = [
        JobRecord.class_path,
        _latest_end(),
        JobRecord.name,
        JobRecord.grouping,
        JobRecord.description,
        JobRecord.installed,
        JobRecord.enabled,
        JobRecord.hidden,
        JobRecord.read_only,
        JobRecord.approval_required,
        JobRecord.commit_default,
        JobRecord.has_sensitive_variables,
        JobRecord.receives,
        JobRecord.withdrawn,
    ]
    query = visible(select(*columns), current_user(), JobRecord, withdrawn=withdrawn)
    rows = db.session.execute(query.order_by(JobRecord.grouping, JobRecord.name, JobRecord.class_path))
    running, favourites = _running(), favourite_paths()
    return [
        Known(path, running.get(path, 0), ended in FAILING, path in favourites, *about)
        for path, ended, *about in rows
    ]


def grouped(jobs: Iterable[Known]) -> list[Group]:
    groups: dict[str, Group] = {}
    for job in jobs:
        groups.setdefault(job.grouping, Group(job.grouping, [])).jobs.append(job)
    return list(groups.values())


def fill(groups: Iterable[Group], most: int = SHOWN, after: str | None = None) -> None:
    """Give the groups up to `most` lines together, beginning after the job whose class path is `after`."""
    wanted: list[tuple[Group, list[Known]]] = []
    for group in groups:
        paths = [job.class_path for job in group.jobs]
        start = paths.index(after) + 1 if after in paths else 0
        left = group.jobs[start:]
        part = left if most and len(left) <= most + SPARE else left[:most]
        most = max(0, most - len(part))
        group.rest = len(left) - len(part)
        wanted.append((group, part))
    lines = _lines([job for _, part in wanted for job in part])
    for group, part in wanted:
        group.lines = [lines[job.class_path] for job in part if job.class_path in lines]


def _latest_end() -> ScalarSelect[Any]:
    # One step into the index of each job, however long its history is.
    query = visible(select(JobResult.status), current_user(), JobResult).correlate(JobRecord)
    query = query.where(JobResult.job_id == JobRecord.id, JobResult.status.in_(sorted(FINAL)))
    return query.order_by(JobResult.created_at.desc()).limit(1).scalar_subquery()


def _running() -> dict[str, int]:
    """Return how many runs of each job run now, of those the reader may see, by class path."""
    columns: list[Any] = [JobResult.class_path, func.count()]
    query = visible(select(*columns).where(JobResult.status == Status.RUNNING), current_user(), JobResult)
    return {row[0]: row[1] for row in db.session.execute(query.group_by(JobResult.class_path))}


def _lines(jobs: Sequence[Known]) -> dict[str, Listed]:
    if not jobs:
        return {}
    starred = {job.class_path: job.favourite for job in jobs}
    query = select(JobRecord, runs_of_job()).where(JobRecord.class_path.in_(starred))
    return {
        job.class_path: Listed(job, as_runs(rows), starred[job.class_path])
        for job, rows in db.session.execute(query)
    }


@lru_cache(maxsize=300)
def _pulse(runs: tuple[Run, ...]) -> Pulse:
    # It tells of runs that have ended only, and so stays the same from page to page.
    return pulse(runs)
