"""The list of results: its filters, what they offer, and the last 24 hours."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.orm import joinedload, load_only
from werkzeug.datastructures import MultiDict

from store.models import LEVELS, JobRecord, JobResult, Status, User, now
from store.permissions import visible
from store.text import clean_text
from webapp.auth import current_user
from webapp.database import db
from webapp.history import newest_runs, usual_seconds
from webapp.job_key import as_id
from webapp.looks import LOOKS, Length, Look, length

#: All that a list says of a result: reading the rest, too, would take longer than showing it.
LISTED = (
    load_only(
        JobResult.job_id,
        JobResult.class_path,
        JobResult.name,
        JobResult.username,
        JobResult.status,
        JobResult.cause,
        JobResult.commit,
        JobResult.created_at,
        JobResult.started_at,
        JobResult.finished_at,
        *(getattr(JobResult, f"count_{level}") for level in LEVELS),
    ),
    joinedload(JobResult.user).load_only(User.username, User.display_name),
    joinedload(JobResult.job).load_only(JobRecord.read_only),
)

STARTED = {"day": timedelta(days=1), "week": timedelta(days=7), "month": timedelta(days=30)}
STARTED_WORDS = {"day": "Last 24 hours", "week": "Last 7 days", "month": "Last 30 days"}
ENDED_WORDS = {"day": "Ended: 24 hours", "week": "Ended: 7 days", "month": "Ended: 30 days"}
WARNINGS = "warnings"
STATUS_WORDS = [
    *((status.value, LOOKS[status].word) for status in Status),
    (WARNINGS, "Warnings"),
    ("bad", "Failed or errored"),
]
WITH_WARNINGS = (JobResult.status == Status.COMPLETED, JobResult.count_warning > 0)
MOST_CHOICES = 300
MOST_CHOICES_INLINE = 40
LONGEST_SEARCH = 100
LONGEST_VALUE = 400


@dataclass(frozen=True, slots=True)
class Wanted:
    """The filters of the list, as far as they make sense."""

    status: str = ""
    job: str = ""
    person: str = ""
    started: str = ""
    ended: str = ""
    q: str = ""
    #: The id of what asked for the runs, such as a schedule.
    origin: str = ""
    #: The id of the run that led to them.
    parent: str = ""

    @property
    def any(self) -> bool:
        return any(getattr(self, name) for name in self.__slots__)

    def arguments(self, **changes: str) -> dict[str, str]:
        values = {name: getattr(self, name) for name in self.__slots__} | changes
        return {name: value for name, value in values.items() if value}


def read_wanted(arguments: MultiDict[str, str]) -> Wanted:
    """Read the filters of a request; what makes no sense is left out."""
    given = {name: clean_text(arguments.get(name, "")).strip()[:LONGEST_VALUE] for name in Wanted.__slots__}
    known_status = given["status"] in dict(STATUS_WORDS)
    return Wanted(
        status=given["status"] if known_status else "",
        job=given["job"],
        person=given["person"],
        started=given["started"] if given["started"] in STARTED else "",
        ended=given["ended"] if given["ended"] in STARTED else "",
        q=given["q"][:LONGEST_SEARCH].strip(),
        origin=given["origin"] if as_id(given["origin"]) else "",
        parent=given["parent"] if as_id(given["parent"]) else "",
    )


def filtered(query: Select[JobResult], wanted: Wanted) -> Select[JobResult]:
    if wanted.status == WARNINGS:
        query = query.where(*WITH_WARNINGS)
    elif wanted.status == "bad":
        query = query.where(JobResult.status.in_((Status.FAILED, Status.ERRORED)))
    elif wanted.status:
        query = query.where(JobResult.status == wanted.status)
    if wanted.job:
        query = query.where(_of_job(wanted.job))
    if wanted.person:
        query = query.where(JobResult.username == wanted.person)
    if wanted.started:
        query = query.where(JobResult.created_at >= now() - STARTED[wanted.started])
    if wanted.ended:
        query = query.where(JobResult.finished_at >= now() - STARTED[wanted.ended])
    if wanted.origin:
        query = query.where(JobResult.origin_id == as_id(wanted.origin))
    if wanted.parent:
        query = query.where(JobResult.parent_id == as_id(wanted.parent))
    return query.where(_mentions(wanted.q)) if wanted.q else query


def origin_name(wanted: Wanted) -> str:
    """Return what the origin that is filtered by was called last; its id where it has no run that may be seen."""
    names: Select[Any] = select(JobResult.origin_name)
    query = visible(names, current_user(), JobResult).where(JobResult.origin_id == as_id(wanted.origin))
    return db.session.scalar(query.order_by(JobResult.created_at.desc()).limit(1)) or wanted.origin[:6]


def parent_name(wanted: Wanted) -> str:
    """Return what the run that is filtered by is called; its id alone where it may not be seen, or is gone."""
    names: Select[Any] = select(JobResult.name)
    query = visible(names, current_user(), JobResult).where(JobResult.id == as_id(wanted.parent))
    short_id = wanted.parent.replace("-", "")[:6]
    return f"{db.session.scalar(query) or ''} #{short_id}".strip()


def results_that_fit(wanted: Wanted) -> Select[JobResult]:
    return filtered(visible(select(JobResult), current_user(), JobResult), wanted)


def _of_job(class_path: str) -> ColumnElement[bool]:
    job_id = db.session.scalar(select(JobRecord.id).where(JobRecord.class_path == class_path))
    # By the record there is an index; what outlived its record still knows its path.
    return JobResult.class_path == class_path if job_id is None else JobResult.job_id == job_id


def _mentions(text: str) -> Any:
    """Return the condition for a search: in the job's or person's name, or at the beginning of the id."""
    conditions = [
        JobResult.name.icontains(text, autoescape=True),
        JobResult.username.icontains(text, autoescape=True),
    ]
    digits = text.lower().removeprefix("#").replace("-", "")
    if digits and len(digits) <= 32 and all(digit in "0123456789abcdef" for digit in digits):
        conditions.append(JobResult.id.between(UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))))
    return or_(*conditions)


def lengths(results: Sequence[JobResult]) -> dict[UUID, Length | None]:
    """Return how long each run took beside what is usual for its job, by the run's id."""
    runs = newest_runs({result.job_id for result in results if result.job_id})
    usual = {job_id: usual_seconds(of_job) for job_id, of_job in runs.items()}
    return {
        result.id: length(result.duration_seconds, usual.get(result.job_id) if result.job_id else None)
        for result in results
    }


@dataclass(frozen=True, slots=True)
class Choices:
    """What a filter offers: (value, word). A page does not carry a long list, but fetches it."""

    options: list[tuple[str, str]]
    chosen: str
    fetched: bool = False


def offered(kind: str, chosen: str, *, whole: bool) -> Choices:
    options = _jobs() if kind == "job" else _people()
    known = dict(options)
    if chosen and chosen not in known:
        options.append((chosen, chosen))
    if whole or len(options) <= MOST_CHOICES_INLINE:
        return Choices(options, chosen)
    return Choices([(chosen, known.get(chosen, chosen))] if chosen else [], chosen, fetched=True)


def _jobs() -> list[tuple[str, str]]:
    named: Select[Any] = select(JobRecord.class_path, JobRecord.name)  # type: ignore[assignment]
    query = visible(named, current_user(), JobRecord).order_by(JobRecord.name).limit(MOST_CHOICES)
    return [(row[0], row[1]) for row in db.session.execute(query)]


def _people() -> list[tuple[str, str]]:
    """Return those who asked for a run that the reader may see."""
    # By the id: of somebody who asked for many that is quick, and a name says who may be looked for.
    runs: Select[Any] = select(JobResult.id).where(JobResult.user_id == User.id).correlate(User)
    seen = visible(runs, current_user(), JobResult).exists()
    query = select(User.username, User.display_name).where(seen).order_by(User.username).limit(MOST_CHOICES)
    return [(username, display_name or username) for username, display_name in db.session.execute(query)]


@dataclass(frozen=True, slots=True)
class Share:
    """A state's part of the last 24 hours, for the bar: `x` and `width` in percent."""

    look: Look
    count: int
    x: float
    width: float


def last_day() -> list[Share]:
    counts = _counts_by_look(now() - STARTED["day"])
    total = sum(count for _, count in counts) or 1
    shares: list[Share] = []
    x = 0.0
    for shown, count in counts:
        width = 100 * count / total
        # A thin gap keeps neighbours apart, so that it is not their colour alone that does.
        shares.append(Share(shown, count, round(x, 2), round(max(width - 0.3, 0.3), 2)))
        x += width
    return shares


def _counts_by_look(since: datetime) -> list[tuple[Look, int]]:
    """Count what was asked for since then, by the states that pages know."""
    recent = JobResult.created_at >= since
    counted: Select[Any] = select(JobResult.status, func.count())  # type: ignore[assignment]
    by_status = visible(counted.where(JobResult.status.in_(list(Status)), recent), current_user(), JobResult)
    counts = {row[0]: row[1] for row in db.session.execute(by_status.group_by(JobResult.status))}
    warned = 0
    if Status.COMPLETED in counts:
        with_warnings = select(func.count()).select_from(JobResult).where(*WITH_WARNINGS, recent)
        warned = db.session.scalar(visible(with_warnings, current_user(), JobResult)) or 0
        counts[Status.COMPLETED] -= warned
    looks = {status: (LOOKS[status], counts.get(status, 0)) for status in Status}
    bad = [looks.pop(Status.FAILED), looks.pop(Status.ERRORED)]
    order = [
        looks.pop(Status.COMPLETED),
        (Look("is-warn", "warn", "Warnings"), warned),
        *bad,
        *looks.values(),
    ]
    return [(shown, count) for shown, count in order if count]
