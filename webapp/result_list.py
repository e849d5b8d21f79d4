"""The list of results: its filters, what they offer, and the last 24 hours."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, func, literal_column, or_, select, true
from sqlalchemy.orm import joinedload, load_only
from werkzeug.datastructures import MultiDict

from store.models import LEVELS, Gathering, JobRecord, JobResult, Status, User, minute_of, now
from store.permissions import visible
from store.text import clean_text
from webapp.auth import current_user
from webapp.database import db
from webapp.frame import percent_of
from webapp.history import newest_runs, usual_seconds
from webapp.job_key import as_id
from webapp.looks import LOOKS, Length, Look, length
from webapp.paging import Page, edge_of, page_of_few, page_of_results, place
from webapp.periods import DAY, WORDS, in_address, period
from webapp.queue_history import HOURS as QUEUE_HOURS
from webapp.queue_history import queues_of
from webapp.reader_clock import reader_zone
from webapp.result_inputs import conditions, read_terms
from webapp.result_times import read_moments

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
        JobResult.gathers,
        JobResult.progress,
        *(getattr(JobResult, f"count_{level}") for level in LEVELS),
    ),
    joinedload(JobResult.user).load_only(User.username, User.display_name),
    joinedload(JobResult.job).load_only(JobRecord.read_only),
)

#: Of `webapp.periods.WORDS`, as they are said of the end.
ENDED_WORDS = {
    "hour": "Ended: last hour",
    "today": "Ended: today",
    "yesterday": "Ended: yesterday",
    "day": "Ended: 24 hours",
    "week": "Ended: 7 days",
    "month": "Ended: 30 days",
}
WARNINGS = "warnings"
STATUS_WORDS = [
    *((status.value, LOOKS[status].word) for status in Status),
    (WARNINGS, "Warnings"),
    ("bad", "Failed or errored"),
]
#: To the letter what the index of these holds (see store.models.result): no database sees that in a parameter.
WITH_WARNINGS = (
    JobResult.status == literal_column("'completed'"),
    JobResult.count_warning > literal_column("0"),
)
ENDED_BADLY = func.lower(JobResult.status).in_([literal_column("'failed'"), literal_column("'errored'")])
ALL = "all"
MOST_CHOICES = 300
MOST_CHOICES_INLINE = 40
LONGEST_SEARCH = 100
#: So many results are sorted in no time, whatever else there is.
FEW = 2_000
LONGEST_VALUE = 400
#: Results that are looked at for what no index finds, before a page asks whether to look further back.
MOST_LOOKED_THROUGH = 20_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """The filters of the list, as far as they make sense."""

    status: str = ""
    job: str = ""
    person: str = ""
    started: str = ""
    #: Asked for from this moment on, and before that one: in UTC, so that a link says the same to everybody.
    since: str = ""
    until: str = ""
    ended: str = ""
    q: str = ""
    #: The id of what asked for the runs, such as a schedule.
    origin: str = ""
    #: The id of the run that led to them.
    parent: str = ""
    #: A day in UTC on which they were asked for, such as "2026-11-28".
    day: str = ""
    #: ALL: also what other runs have asked for.
    children: str = ""
    queue: str = ""
    #: What is asked of the inputs (see store.input_terms).
    input: tuple[str, ...] = ()

    @property
    def any(self) -> bool:
        return any(getattr(self, name) for name in self.__slots__)

    @property
    def folds(self) -> bool:
        """Whether the children of runs stay out: a fan-out of thousands would be all that a reader sees.

        Whoever looks for runs by what they are, and not only by whose or when, gets them all.
        """
        about = (self.status, self.job, self.q, self.origin, self.parent, self.queue, self.input)
        return not (self.children or any(about))

    @property
    def indexed(self) -> "Wanted":
        """The filters that an index helps to find; with the others each result is looked at."""
        return replace(self, input=(), queue="")

    def arguments(self, **changes: Any) -> dict[str, Any]:
        """Return the filters as an address has them: texts, and lists of texts."""
        values = {name: getattr(self, name) for name in self.__slots__} | changes
        values["input"] = list(values["input"])
        return {name: value for name, value in values.items() if value}

    @property
    def fields(self) -> list[tuple[str, str]]:
        """The filters as a form sends them."""
        return list(MultiDict(self.arguments()).items(multi=True))

    def without_input(self, term: str) -> dict[str, Any]:
        return self.arguments(input=[each for each in self.input if each != term])


def read_wanted(arguments: MultiDict[str, str]) -> Wanted:
    """Read the filters of a request; what makes no sense is left out."""
    given = {name: _cleaned(arguments.get(name, "")) for name in Wanted.__slots__}
    moments, _ = read_moments(arguments)
    known_status = given["status"] in dict(STATUS_WORDS)
    return Wanted(
        status=given["status"] if known_status else "",
        job=given["job"],
        person=given["person"],
        started=given["started"] if given["started"] in WORDS else "",
        **{name: in_address(moment) for name, moment in moments.items()},
        ended=given["ended"] if given["ended"] in WORDS else "",
        q=given["q"][:LONGEST_SEARCH].strip(),
        origin=given["origin"] if as_id(given["origin"]) else "",
        parent=given["parent"] if as_id(given["parent"]) else "",
        day=given["day"] if _day(given["day"]) else "",
        children=ALL if given["children"] == ALL else "",
        queue=given["queue"],
        input=read_terms(map(_cleaned, arguments.getlist("input"))),
    )


def _cleaned(text: str) -> str:
    return clean_text(text).strip()[:LONGEST_VALUE]


def _day(text: str) -> datetime | None:
    """Return the beginning of a day in UTC; None for what is none."""
    try:
        day = date.fromisoformat(text) if len(text) == len("2026-11-28") else None
    except ValueError:
        return None
    # The very last day has no end.
    return datetime.combine(day, time(), UTC) if day and day < date.max else None


def filtered(query: Select[JobResult], wanted: Wanted) -> Select[JobResult]:
    if wanted.status == WARNINGS:
        query = query.where(*WITH_WARNINGS)
    elif wanted.status == "bad":
        query = query.where(ENDED_BADLY)
    elif wanted.status:
        query = query.where(JobResult.status == wanted.status)
    if wanted.job:
        query = query.where(of_job(wanted.job))
    if wanted.person:
        query = query.where(_of_person(wanted.person))
    if wanted.started:
        query = query.where(within(JobResult.created_at, wanted.started))
    moments, _ = read_moments(MultiDict({"since": wanted.since, "until": wanted.until}))
    if "since" in moments:
        query = query.where(JobResult.created_at >= moments["since"])
    if "until" in moments:
        query = query.where(JobResult.created_at < moments["until"])
    if wanted.ended:
        query = query.where(_ended(wanted.ended))
    if wanted.origin:
        query = query.where(JobResult.origin_id == as_id(wanted.origin))
    if wanted.parent:
        query = query.where(JobResult.parent_id == as_id(wanted.parent))
    if day := _day(wanted.day):
        query = query.where(JobResult.created_at >= day, JobResult.created_at < day + DAY)
    if wanted.folds:
        query = query.where(JobResult.map_number.is_(None))
    if wanted.queue:
        query = query.where(JobResult.queue == wanted.queue)
    if wanted.input:
        query = query.where(*conditions(db.session(), wanted.input, chosen_job(wanted)))
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


def page_that_fits(wanted: Wanted, arguments: MultiDict[str, str]) -> Page:
    """Return the page of the list that the arguments name."""
    query = results_that_fit(wanted).options(*LISTED)
    if wanted.indexed == wanted:
        return page_of_results(query, arguments)
    return page_of_few(query, results_that_fit(wanted.indexed), arguments, MOST_LOOKED_THROUGH)


def count_of(wanted: Wanted, most: int) -> int:
    """Return how many fit, counted no further than `most`."""
    some = results_that_fit(wanted).with_only_columns(JobResult.id).limit(most).subquery()
    return db.session.scalar(select(func.count()).select_from(some)) or 0


def newest_that_fit(wanted: Wanted) -> tuple[Select[JobResult], bool]:
    """Return those that fit of as many of the newest as are looked through at once, and whether there are more to look at."""
    query = results_that_fit(wanted)
    edge = None
    if wanted.indexed != wanted:
        edge = edge_of(results_that_fit(wanted.indexed), MOST_LOOKED_THROUGH)
    return (query, False) if edge is None else (query.where(place >= edge), True)


def all_that_fit(wanted: Wanted) -> Iterator[Select[JobResult]]:
    """Yield queries for all that fit, the newest first, none of which looks through more than it can in a moment."""
    query, among = results_that_fit(wanted), results_that_fit(wanted.indexed)
    while wanted.indexed != wanted and (edge := edge_of(among, MOST_LOOKED_THROUGH)):
        yield query.where(place >= edge)
        query, among = query.where(place < edge), among.where(place < edge)
    yield query


def chosen_job(wanted: Wanted) -> JobRecord | None:
    """Return the job whose results are listed, if there is one that the reader may see."""
    if not wanted.job:
        return None
    records = visible(select(JobRecord), current_user(), JobRecord)
    found: JobRecord | None = db.session.scalars(
        records.where(JobRecord.class_path == wanted.job).limit(1)
    ).one_or_none()
    return found


def of_job(class_path: str) -> ColumnElement[bool]:
    job_id = db.session.scalar(select(JobRecord.id).where(JobRecord.class_path == class_path))
    # By the record there is an index; what outlived its record still knows its path.
    return JobResult.class_path == class_path if job_id is None else JobResult.job_id == job_id


def _of_person(username: str) -> ColumnElement[bool]:
    user_id = db.session.scalar(select(User.id).where(User.username == username))
    # By the account there is an index, as of those that outlived it; they still know its name.
    if user_id is not None:
        return JobResult.user_id == user_id
    return and_(JobResult.user_id.is_(None), JobResult.username == username)


def _mentions(words: str) -> ColumnElement[bool]:
    """Return the condition for a search: in the job's or person's name, or at the beginning of the id.

    Jobs and people are looked for first, who are few, and indexes lead from them to their results: to hold each
    result there ever was against the words would take longer with every day.
    """
    in_name, in_username = _has(JobResult.name, words), _has(JobResult.username, words)
    keys = [
        *_keys_of(select(JobRecord.id).where(_has(JobRecord.name, words)), JobResult.job_id, in_name),
        *_keys_of(select(User.id).where(_has(User.username, words)), JobResult.user_id, in_username),
    ]
    conditions: list[ColumnElement[bool]] = [in_name, in_username]
    if _are_few(keys):
        # What outlived its job or its account still knows their names.
        gone = [and_(JobResult.job_id.is_(None), in_name), and_(JobResult.user_id.is_(None), in_username)]
        conditions = [*gone, *keys]
    digits = words.lower().removeprefix("#").replace("-", "")
    if digits and len(digits) <= 32 and all(digit in "0123456789abcdef" for digit in digits):
        conditions.append(JobResult.id.between(UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))))
    return or_(*conditions)


def facts_of(page: Page) -> list[Any]:
    """Return all that the list shows of a page of results, as far as it changes."""
    facts: list[Any] = [page.newer, page.older]
    for row in page.rows:
        by = row.user.shown_name if row.user else row.username
        moments = (row.created_at, row.started_at, row.finished_at)
        read_only = row.job is not None and row.job.read_only
        counts = tuple(row.families.values())
        facts.append(
            (
                row.id,
                row.name,
                row.status,
                row.cause,
                *moments,
                row.commit,
                read_only,
                by,
                counts,
                percent_of(row),
            )
        )
    return facts


def _has(column: Any, words: str) -> ColumnElement[bool]:
    found: ColumnElement[bool] = column.icontains(words, autoescape=True)
    return found


def _keys_of(ids: Any, column: Any, by_name: ColumnElement[bool]) -> list[ColumnElement[bool]]:
    """Return what holds for the results of these jobs, or people: by their keys, unless there are too many."""
    found = db.session.scalars(ids.limit(FEW + 1)).all()
    if len(found) > FEW:
        return [by_name]
    return [column.in_(found)] if found else []


def _are_few(keys: Sequence[ColumnElement[bool]]) -> bool:
    """Tell whether so few results have these keys that to sort them is quick; many are soon met by time."""
    if not keys:
        return True
    some = select(JobResult.id).where(or_(*keys)).limit(FEW + 1).subquery()
    return (db.session.scalar(select(func.count()).select_from(some)) or 0) <= FEW


def within(column: Any, word: str) -> ColumnElement[bool]:
    """Return what holds for what was at a time that one of `webapp.periods.WORDS` names, on the reader's clock."""
    since, until = period(word, reader_zone(), now())
    return and_(column >= since, column < until if until else true())


def _ended(word: str) -> ColumnElement[bool]:
    ended = within(JobResult.finished_at, word)
    # Few may have ended though many were asked for: then the index of ends leads to them, not that of times.
    return JobResult.id.in_(select(JobResult.id).where(ended)) if _are_few([ended]) else ended


def lengths(results: Sequence[JobResult]) -> dict[UUID, Length | None]:
    """Return how long each run took beside what is usual for its job, by the run's id."""
    runs = newest_runs({result.job_id for result in results if result.job_id})
    usual = {job_id: usual_seconds(of_job) for job_id, of_job in runs.items()}
    return {
        result.id: length(result.duration_seconds, usual.get(result.job_id) if result.job_id else None)
        for result in results
    }


def sizes(results: Sequence[JobResult]) -> dict[UUID, int]:
    """Return of how many runs each has asked, by the id of those that have asked for any."""
    parents = [result.id for result in results if result.gathers]
    if not parents:
        return {}
    query = select(Gathering.result_id, Gathering.size).where(Gathering.result_id.in_(parents))
    return {row[0]: row[1] for row in db.session.execute(query)}


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
    # The latest of each: with EXISTS PostgreSQL reads all runs there are, instead of one step into an index for each person.
    runs: Select[Any] = select(JobResult.id).where(JobResult.user_id == User.id).correlate(User)
    latest = visible(runs, current_user(), JobResult).order_by(JobResult.created_at.desc()).limit(1)
    seen = latest.scalar_subquery().is_not(None)
    query = select(User.username, User.display_name).where(seen).order_by(User.username).limit(MOST_CHOICES)
    return [(username, display_name or username) for username, display_name in db.session.execute(query)]


def queues_offered(wanted: Wanted) -> list[tuple[str, str]]:
    """Return the queues that had anything to do lately, to choose from; none where there is but one."""
    until = minute_of(now()) + 1
    lately = queues_of(until - 60 * QUEUE_HOURS, until)
    names = sorted({*lately, *([wanted.queue] if wanted.queue else [])})
    return [(name, name) for name in names] if len(names) > 1 or wanted.queue else []


@dataclass(frozen=True, slots=True)
class Share:
    """A state's part of the last 24 hours, for the bar: `x` and `width` in percent."""

    look: Look
    count: int
    x: float
    width: float


def last_day() -> list[Share]:
    counts = _counts_by_look(now() - DAY)
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
