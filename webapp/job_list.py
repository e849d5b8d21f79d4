"""The list of jobs: of all of them what filters and headings say, of those in sight the rest."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ScalarSelect, Select, String, True_, cast, func, select
from sqlalchemy.orm import aliased

from store.content import ContentOf
from store.models import FINAL, Favourite, JobRecord, JobResult, Schedule, Status
from store.permissions import may_view, visible
from store.text import clean_text
from webapp.auth import current_user, signed_in_user
from webapp.database import db
from webapp.favourites import favourite_paths
from webapp.history import Run, as_runs, runs_of_job
from webapp.job_filters import SHOWS, Filters, Show
from webapp.looks import FAILING, Pulse, pulse

#: A page opens with so many jobs; those of the groups further down come when the reader gets there.
SHOWN = 16
#: A group is not cut for the sake of so few.
SPARE = 3
LONGEST_SEARCH = 400

#: What holds for a schedule that runs its job again.
_FIRES = (Schedule.enabled, Schedule.wakes_at.is_not(None), Schedule.problem == "")


class Known(NamedTuple):
    """A job as far as filters and headings need it: every page asks this of all jobs."""

    class_path: str
    #: All that filters ask of it, words apart: of ten thousand jobs there are but a few kinds.
    kind: tuple[Any, ...]
    #: How many of its runs run now.
    running: int
    #: The latest of its runs that has ended failed.
    failing: bool
    #: The reader has given it a star.
    favourite: bool
    #: A schedule runs it again.
    scheduled: bool
    name: str
    grouping: str
    description: str
    installed: bool
    enabled: bool
    hidden: bool
    read_only: bool
    approval_required: bool
    restricted: bool
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
    #: When a schedule runs it next.
    next_at: datetime | None

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
        JobRecord.restricted,
        JobRecord.commit_default,
        JobRecord.has_sensitive_variables,
        JobRecord.receives,
        JobRecord.withdrawn,
    ]
    query = visible(select(*columns), current_user(), JobRecord, withdrawn=withdrawn)
    rows = db.session.execute(query.order_by(JobRecord.grouping, JobRecord.name, JobRecord.class_path))
    running, favourites, scheduled = _running(), favourite_paths(), _scheduled()
    jobs = []
    for path, ended, name, grouping, description, *flags in rows:
        going = running.get(path, 0)
        marks = (ended in FAILING, path in favourites, path in scheduled)
        kind = (going > 0, *marks, *flags)
        jobs.append(Known(path, kind, going, *marks, name, grouping, description, *flags))
    return jobs


def that_match(filters: Filters, search: str) -> list[Known]:
    """Return the jobs that fit the filters and have all words of the search, in the order of the list."""
    return narrowed(looked_at(filters), filters, search)


def narrowed(jobs: Sequence[Known], filters: Filters, search: str) -> list[Known]:
    """Return those of `jobs` that fit the filters and have all words of the search."""
    taken = {kind for kind, job in _one_of_each(jobs).items() if filters.take(job)}
    words = search.lower().split()
    return [job for job in jobs if job.kind in taken and job.matches(words)]


def numbers(jobs: Sequence[Known], filters: Filters) -> dict[Show, int]:
    """Return how many of `jobs` there are under each chip."""
    counts = Counter(job.kind for job in jobs)
    one_of_each = _one_of_each(jobs).values()
    return {
        show: sum(counts[job.kind] for job in one_of_each if Filters(show, filters.flags).take(job))
        for show in SHOWS
    }


def _one_of_each(jobs: Sequence[Known]) -> dict[tuple[Any, ...], Known]:
    return {job.kind: job for job in jobs}


def looked_at(filters: Filters) -> list[Known]:
    """Return the jobs among which these filters are meant."""
    return known_jobs(withdrawn=filters.flags.get("withdrawn", False) is not False)


def read_search(arguments: Mapping[str, str]) -> str:
    return clean_text(arguments.get("q", "")).strip()[:LONGEST_SEARCH]


def facts_of_list() -> Any:
    """Return, in one statement, what changes whenever the list of jobs does: more would be as dear as the list.

    Of runs the newest that was asked for, that began and that ended; of jobs, of the schedules that run them and of the
    reader's stars all that is shown.
    """
    runs, mine = _of_runs(), Favourite.user_id == signed_in_user().id
    active = runs(func.count()).where(JobResult.status == Status.RUNNING)
    moments = [
        runs(column).where(column.is_not(None)).order_by(column.desc()).limit(1)
        for column in (JobResult.created_at, JobResult.started_at, JobResult.finished_at)
    ]
    texts = (
        JobRecord.class_path,
        JobRecord.name,
        JobRecord.grouping,
        JobRecord.description,
        JobRecord.receives,
        *(
            cast(flag, String)
            for flag in (
                JobRecord.installed,
                JobRecord.enabled,
                JobRecord.hidden,
                JobRecord.read_only,
                JobRecord.approval_required,
                JobRecord.restricted,
                JobRecord.commit_default,
                JobRecord.has_sensitive_variables,
                JobRecord.withdrawn,
            )
        ),
    )
    jobs: Select[Any] = select(ContentOf(*texts))
    starred = select(ContentOf(cast(Favourite.job_id, String))).where(mine)
    slots = (Schedule.class_path, func.coalesce(cast(Schedule.next_slot_at, String), ""))
    firing: Select[Any] = select(ContentOf(*slots)).where(*_FIRES)
    scheduled = visible(firing, current_user(), Schedule)
    columns = [query.scalar_subquery() for query in (active, *moments, starred, scheduled)]
    query = visible(jobs.add_columns(*columns), current_user(), JobRecord, withdrawn=True)
    return tuple(db.session.execute(query).one())


def _of_runs() -> Callable[[Any], Select[Any]]:
    """Return what makes a query for a column of the runs that the reader may see."""
    return lambda column: visible(select(column).select_from(JobResult), current_user(), JobResult)


def grouped(jobs: Iterable[Known]) -> list[Group]:
    groups: dict[str, list[Known]] = {}
    for job in jobs:
        groups.setdefault(job.grouping, []).append(job)
    return [Group(name, of_group) for name, of_group in groups.items()]


def fill(groups: Iterable[Group], most: int = SHOWN, after: str | None = None) -> None:
    """Give the groups up to `most` lines together, beginning after the job whose class path is `after`."""
    wanted: list[tuple[Group, list[Known]]] = []
    for group in groups:
        paths = [job.class_path for job in group.jobs] if after else []
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
    # One step into the index of each job, however long its history is, and however little of it the reader may see: of a
    # job whose latest end is hidden from them this says nothing.
    ended = aliased(JobResult)
    # By what it is not: PostgreSQL would look up each of the others in the index of each job.
    goes_on = sorted(set(Status) - FINAL)
    latest = select(ended.status).where(ended.job_id == JobRecord.id, ended.status.not_in(goes_on))
    latest = latest.order_by(ended.created_at.desc()).limit(1).correlate(JobRecord)
    seen = may_view(current_user(), JobResult)
    if isinstance(seen, True_):
        return latest.scalar_subquery()
    this_one = latest.with_only_columns(ended.id).scalar_subquery()
    return (
        select(JobResult.status).where(JobResult.id == this_one, seen).correlate(JobRecord).scalar_subquery()
    )


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
    rows = db.session.execute(query).all()
    coming = _next_runs([job.id for job, _ in rows])
    return {
        job.class_path: Listed(job, as_runs(runs), starred[job.class_path], coming.get(job.id))
        for job, runs in rows
    }


def _scheduled() -> set[str]:
    """Return the class paths of the jobs that a schedule runs again which the reader may see."""
    paths: Select[Any] = select(Schedule.class_path).where(*_FIRES).distinct()
    return set(db.session.scalars(visible(paths, current_user(), Schedule)))


def _next_runs(job_ids: Sequence[UUID]) -> dict[UUID, datetime]:
    """Return when each job runs next by a schedule that the reader may see; those that do not are left out."""
    columns: list[Any] = [Schedule.job_id, func.min(Schedule.next_slot_at)]
    query = visible(select(*columns).where(Schedule.job_id.in_(job_ids)), current_user(), Schedule)
    return {row[0]: row[1] for row in db.session.execute(query.where(*_FIRES).group_by(Schedule.job_id))}


@lru_cache(maxsize=300)
def _pulse(runs: tuple[Run, ...]) -> Pulse:
    # It tells of runs that have ended only, and so stays the same from page to page.
    return pulse(runs)
