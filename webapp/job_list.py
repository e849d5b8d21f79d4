"""The list of jobs: of all of them what filters and headings say, of those in sight the rest."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, Select, String, True_, case, cast, func, literal, select
from sqlalchemy.orm import aliased

from store.content import ContentOf
from store.models import FINAL, Favourite, JobRecord, JobResult, Schedule, Status
from store.permissions import may_view, visible
from store.text import clean_text
from webapp.auth import current_user, signed_in_user
from webapp.database import db
from webapp.favourites import favourite_paths
from webapp.history import Run, as_runs, runs_of_job
from webapp.job_filters import FLAGS, OF_TIME, SHOWS, Filters, Show
from webapp.looks import FAILING, Pulse, pulse

#: A page opens with so many jobs; those of the groups further down come when the reader gets there.
SHOWN = 16
#: A group is not cut for the sake of so few.
SPARE = 3
LONGEST_SEARCH = 400

#: What holds for a schedule that runs its job again.
_FIRES = (Schedule.enabled, Schedule.wakes_at.is_not(None), Schedule.problem == "")


#: What filters ask of a job, each a bit of its `kind`: of ten thousand jobs there are but a few kinds.
_BITS = {name: 1 << place for place, name in enumerate((*FLAGS, *OF_TIME))}
_RECEIVERS = {"is_job_hook_receiver": "hook", "is_job_button_receiver": "button"}


class Known(NamedTuple):
    """A job as far as filters and headings need it: every page asks this of all jobs."""

    class_path: str
    grouping: str
    #: All that filters ask of it, words apart.
    kind: int

    def is_(self, mark: str) -> bool:
        return self.kind & _BITS[mark] > 0


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
        return self._count("running")

    @property
    def failing(self) -> int:
        return self._count("failing")

    @property
    def last(self) -> str | None:
        """The job after which the rest follows; None: the rest is all there is."""
        return self.lines[-1].job.class_path if self.lines else None

    def _count(self, mark: str) -> int:
        bit = _BITS[mark]
        return len([job for job in self.jobs if job.kind & bit])


def known_jobs(*, withdrawn: bool = False) -> list[Known]:
    """Return all jobs the reader may view, in the order of the list (see `store.visibility.condition`)."""
    columns: list[Any] = [JobRecord.class_path, JobRecord.grouping, _flags()]
    query = visible(select(*columns), current_user(), JobRecord, withdrawn=withdrawn)
    rows = db.session.execute(query.order_by(JobRecord.grouping, JobRecord.name, JobRecord.class_path))
    marks: dict[str, int] = defaultdict(int)
    for name, paths in _marked().items():
        for path in paths:
            marks[path] |= _BITS[name]
    return [Known(path, grouping, flags | marks.get(path, 0)) for path, grouping, flags in rows]


def that_match(filters: Filters, search: str) -> list[Known]:
    """Return the jobs that fit the filters and have all words of the search, in the order of the list."""
    return narrowed(looked_at(filters), filters, search)


def narrowed(jobs: Sequence[Known], filters: Filters, search: str) -> list[Known]:
    """Return those of `jobs` that fit the filters and have all words of the search."""
    taken = {kind for kind in {job.kind for job in jobs} if filters.take(_marks(kind))}
    words = search.lower().split()
    found = [job for job in jobs if job.kind in taken]
    if not words:
        return found
    texts = _texts()
    return [job for job in found if all(word in texts.get(job.class_path, "") for word in words)]


def numbers(jobs: Sequence[Known], filters: Filters) -> dict[Show, int]:
    """Return how many of `jobs` there are under each chip."""
    counts = Counter(job.kind for job in jobs)
    return {
        show: sum(count for kind, count in counts.items() if Filters(show, filters.flags).take(_marks(kind)))
        for show in SHOWS
    }


@lru_cache(maxsize=1000)
def _marks(kind: int) -> frozenset[str]:
    return frozenset(name for name, bit in _BITS.items() if kind & bit)


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
    words = (JobRecord.class_path, JobRecord.name, JobRecord.grouping, JobRecord.description)
    jobs: Select[Any] = select(ContentOf(*words, cast(_flags(), String)))
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


def _flags() -> ColumnElement[int]:
    """What the record says of itself, as the bits of one number: so it is read, sorted and compared fastest."""
    bits = [
        (
            JobRecord.receives == _RECEIVERS[name] if name in _RECEIVERS else getattr(JobRecord, name),
            _BITS[name],
        )
        for name in FLAGS
    ]
    return sum((case((holds, bit), else_=0) for holds, bit in bits), literal(0))


def _marked() -> dict[str, Iterable[str]]:
    """Return the class paths of the jobs that have a mark of which their records say nothing."""
    return {
        "failing": _failing(),
        "running": _running(),
        "favourites": favourite_paths(),
        "scheduled": _scheduled(),
    }


def _failing() -> Sequence[str]:
    """Return the class paths of the jobs whose latest run that has ended failed, if the reader may see that run."""
    # One step into the index of each job, however long its history is, and however little of it the reader may see: of a
    # job whose latest end is hidden from them this says nothing.
    ended = aliased(JobResult)
    # By what it is not: PostgreSQL would look up each of the others in the index of each job.
    goes_on = sorted(set(Status) - FINAL)
    latest = select(ended.status).where(ended.job_id == JobRecord.id, ended.status.not_in(goes_on))
    latest = latest.order_by(ended.created_at.desc()).limit(1).correlate(JobRecord)
    failing: Select[Any] = select(JobRecord.class_path).where(latest.scalar_subquery().in_(sorted(FAILING)))
    seen = may_view(current_user(), JobResult)
    if not isinstance(seen, True_):
        # Asked of those that failed alone: a condition of many rules takes its time.
        this_one = latest.with_only_columns(ended.id).scalar_subquery()
        failing = failing.where(
            select(JobResult.id).where(JobResult.id == this_one, seen).correlate(JobRecord).exists()
        )
    # In the order in which the index of results has the jobs, too: SQLite needs half the time.
    failing = failing.order_by(JobRecord.id)
    return db.session.scalars(visible(failing, current_user(), JobRecord, withdrawn=True)).all()


def _running() -> Sequence[str]:
    """Return the class paths of the jobs of which a run goes on that the reader may see."""
    query = select(JobResult.class_path).where(JobResult.status == Status.RUNNING).distinct()
    return db.session.scalars(visible(query, current_user(), JobResult)).all()


def _texts() -> dict[str, str]:
    """Return what a search looks at, by class path."""
    columns: list[Any] = [JobRecord.class_path, JobRecord.name, JobRecord.grouping, JobRecord.description]
    query = select(*columns)
    rows = db.session.execute(visible(query, current_user(), JobRecord, withdrawn=True))
    return {
        path: " ".join((name, grouping, path, description.strip().split("\n", 1)[0])).lower()
        for path, name, grouping, description in rows
    }


def _lines(jobs: Sequence[Known]) -> dict[str, Listed]:
    if not jobs:
        return {}
    starred = {job.class_path: job.is_("favourites") for job in jobs}
    query = select(JobRecord, runs_of_job()).where(JobRecord.class_path.in_(starred))
    rows = db.session.execute(query).all()
    coming = _next_runs([job.id for job, _ in rows])
    return {
        job.class_path: Listed(job, as_runs(runs), starred[job.class_path], coming.get(job.id))
        for job, runs in rows
    }


def _scheduled() -> Sequence[str]:
    """Return the class paths of the jobs that a schedule runs again which the reader may see."""
    paths: Select[Any] = select(Schedule.class_path).where(*_FIRES).distinct()
    return db.session.scalars(visible(paths, current_user(), Schedule)).all()


def _next_runs(job_ids: Sequence[UUID]) -> dict[UUID, datetime]:
    """Return when each job runs next by a schedule that the reader may see; those that do not are left out."""
    columns: list[Any] = [Schedule.job_id, func.min(Schedule.next_slot_at)]
    query = visible(select(*columns).where(Schedule.job_id.in_(job_ids)), current_user(), Schedule)
    return {row[0]: row[1] for row in db.session.execute(query.where(*_FIRES).group_by(Schedule.job_id))}


@lru_cache(maxsize=300)
def _pulse(runs: tuple[Run, ...]) -> Pulse:
    # It tells of runs that have ended only, and so stays the same from page to page.
    return pulse(runs)
