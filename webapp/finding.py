"""What the jump-to palette finds: jobs, their runs, schedules, objects and pages, as far as one may see them.

It is asked with each letter, so whatever is in the history, indexes alone lead to it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from flask import current_app, url_for
from sqlalchemy import ColumnElement, Select, and_, case, select, true, union_all
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import load_only

from store import objects
from store.models import Favourite, JobRecord, JobResult, Schedule
from store.permissions import visible
from webapp.auth import allowed, current_user, signed_in_user
from webapp.database import db
from webapp.frame import frame
from webapp.here import here
from webapp.looks import look
from webapp.places import all_places, rail_places
from webapp.schedule_facts import that_fit

#: Of each kind.
MOST_FOUND = 6
#: A job whose name is looked for shows so many of its runs, if it is one of the first so many.
RUNS_OF_JOB, JOBS_WITH_RUNS = 3, 3
#: Among so many of the newest runs of a job are those that the reader may see.
RUNS_LOOKED_AT = 20
#: A shorter beginning of an id would fit too many.
FEWEST_DIGITS = 3
#: Jobs among so many of the reader's newest runs were run recently.
LATELY = 100
#: Jobs that are known to be somebody's own.
MOST_OWN = 20
#: One letter is in the name of nearly every object.
FEWEST_LETTERS = 2

#: How well a name fits: it begins so, a word of it does, or it is somewhere in it.
BEGINS, HAS_WORD, HAS = range(3)

#: What is usual in the list of jobs (see webapp.job_filters).
_LISTED = (JobRecord.installed, ~JobRecord.hidden, JobRecord.receives == "")


@dataclass(frozen=True, slots=True)
class Found:
    text: str
    url: str
    icon: str
    note: str = ""
    css: str = ""
    fits: int = HAS


@dataclass(frozen=True, slots=True)
class Group:
    title: str
    found: Sequence[Found]

    @property
    def fits(self) -> int:
        return min(each.fits for each in self.found)


def at_hand() -> list[Group]:
    """Return what is offered before anything is typed."""
    recent = _recent_jobs()
    starred = _favourites()
    running = [_run(result) for result in frame().running]
    jobs = [job for job in _jobs(JobRecord.id.in_(recent), recent, starred) if job[0] not in starred]
    favourites = _jobs(JobRecord.id.in_(starred), recent, starred)
    pages = [Found(place.word, place.url, place.icon) for place in rail_places()]
    groups = [
        Group("Running now", running),
        Group("Favourites", [_job(row, "") for row in favourites]),
        Group("Run lately", [_job(row, "") for row in jobs]),
        Group("Pages", pages),
    ]
    return [group for group in groups if group.found]


def find(text: str) -> list[Group]:
    """Return what fits, the kind first whose names fit best."""
    words = text.split()
    recent = _recent_jobs()
    jobs = _jobs(_mention(words), recent, _favourites(), text)
    groups = [
        Group("Jobs", [_job(row, text) for row in jobs]),
        Group("Results", [*_by_id(text), *_runs_of(jobs, text)]),
        Group("Schedules", _schedules(text)),
        Group("Objects", _objects(text)),
        Group("Pages", _pages(words)),
    ]
    return sorted((group for group in groups if group.found), key=lambda group: group.fits)


def fit_of(name: str, text: str) -> int:
    name, text = name.lower(), text.lower()
    if name.startswith(text):
        return BEGINS
    return HAS_WORD if f" {text}" in name else HAS


# --- Jobs ---


def _recent_jobs() -> list[UUID]:
    """Return the jobs that the reader ran last, the latest first."""
    mine: Select[Any] = select(JobResult.job_id, JobResult.created_at)  # type: ignore[assignment]
    mine = mine.where(JobResult.user_id == signed_in_user().id)
    newest = mine.order_by(JobResult.created_at.desc()).limit(LATELY)
    return [key for key in dict.fromkeys(row[0] for row in db.session.execute(newest)) if key][:MOST_OWN]


def _favourites() -> set[UUID]:
    mine = select(Favourite.job_id).where(Favourite.user_id == signed_in_user().id)
    return set(db.session.scalars(mine.limit(MOST_OWN)))


def _mention(words: Iterable[str]) -> ColumnElement[bool]:
    """Return what holds for the jobs that have each word in their name, group or class path."""
    text = JobRecord.name + " " + JobRecord.grouping + " " + JobRecord.class_path
    return and_(true(), *(text.icontains(word, autoescape=True) for word in words))


def _jobs(
    condition: ColumnElement[bool], recent: Sequence[UUID], starred: Iterable[UUID], text: str = ""
) -> Sequence[Any]:
    """Return (id, name, class path, grouping, enabled) of the first jobs."""
    named: Select[Any] = select(
        JobRecord.id, JobRecord.name, JobRecord.class_path, JobRecord.grouping, JobRecord.enabled
    )  # type: ignore[assignment]
    query = visible(named, current_user(), JobRecord).where(condition, *_LISTED)
    own = {**{key: place for place, key in enumerate(recent, 1)}, **dict.fromkeys(starred, 0)}
    ranked = [case(own, value=JobRecord.id, else_=len(own) + 1)] if own else []
    query = query.order_by(
        *_best_first(JobRecord.name, text), *ranked, JobRecord.enabled.desc(), JobRecord.name
    )
    return db.session.execute(query.limit(MOST_FOUND)).all()


def _best_first(name: Any, text: str) -> list[ColumnElement[int]]:
    """Return an order in which the best fits come first: the same as `fit_of`."""
    if not text:
        return []
    begins, has_word = (
        name.istartswith(text, autoescape=True),
        name.icontains(f" {text}", autoescape=True),
    )
    return [case((begins, BEGINS), (has_word, HAS_WORD), else_=HAS)]


def _job(row: Any, text: str) -> Found:
    note = row.grouping if row.enabled else f"{row.grouping}, disabled"
    return Found(
        row.name, url_for("jobs.show", key=row.class_path), "jobs", note, fits=fit_of(row.name, text)
    )


# --- Results ---


def _by_id(text: str) -> list[Found]:
    digits = text.lower().removeprefix("#").replace("-", "")
    if not FEWEST_DIGITS <= len(digits) <= 32 or any(digit not in "0123456789abcdef" for digit in digits):
        return []
    between = JobResult.id.between(UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f")))
    return [_run(result, BEGINS) for result in _results(between, JobResult.id)]


def _runs_of(jobs: Sequence[Any], text: str) -> list[Found]:
    """Return the newest runs of the first jobs, what runs now first."""
    if not jobs:
        return []
    fits = {row.id: fit_of(row.name, text) for row in jobs[:JOBS_WITH_RUNS]}
    # Whoever may see few of a job's runs has only the newest looked through, not all there ever were.
    newest = [
        select(
            select(JobResult.id)
            .where(JobResult.job_id == job_id)
            .order_by(JobResult.created_at.desc())
            .limit(RUNS_LOOKED_AT)
            .subquery()
            .c.id
        )
        for job_id in fits
    ]
    results = _results(JobResult.id.in_(union_all(*newest)), JobResult.created_at.desc(), most=None)
    shown: dict[Any, list[JobResult]] = {}
    for result in sorted(results, key=lambda result: result.finished):
        if len(of_job := shown.setdefault(result.job_id, [])) < RUNS_OF_JOB:
            of_job.append(result)
    runs = [result for job_id in fits for result in shown.get(job_id, ())]
    runs.sort(key=lambda result: (result.finished, fits.get(result.job_id, HAS)))
    return [_run(result, fits.get(result.job_id, HAS) + 1) for result in runs[:MOST_FOUND]]


def _results(
    condition: ColumnElement[bool], order: Any, most: int | None = MOST_FOUND
) -> Sequence[JobResult]:
    query = visible(select(JobResult), current_user(), JobResult).where(condition)
    shown = load_only(
        JobResult.job_id, JobResult.name, JobResult.status, JobResult.count_warning, JobResult.created_at
    )
    return db.session.scalars(query.options(shown).order_by(order).limit(most)).all()


def _run(result: JobResult, fits: int = HAS) -> Found:
    shown = look(result)
    page = url_for("results.show", result_id=result.id)
    return Found(result.name, page, shown.icon, f"{shown.word} #{result.short_id}", shown.css, fits)


# --- Schedules, objects, pages ---


def _schedules(text: str) -> list[Found]:
    query = that_fit(select(Schedule.id, Schedule.name, Schedule.enabled), text)
    query = query.order_by(*_best_first(Schedule.name, text), Schedule.name).limit(MOST_FOUND)
    return [
        Found(
            row.name,
            url_for("schedules.show", schedule_id=row.id),
            "calendar",
            "Schedule" if row.enabled else "Schedule, paused",
            fits=fit_of(row.name, text),
        )
        for row in db.session.execute(query)
    ]


def _objects(text: str) -> list[Found]:
    if len(text) < FEWEST_LETTERS:
        return []
    try:
        with current_app.extensions["errand"].data.session() as data:
            found = [
                Found(
                    str(each),
                    here(each.get_absolute_url()),
                    "object",
                    info.label,
                    fits=fit_of(str(each), text),
                )
                for info in objects.models().values()
                if allowed("view", info.model)
                for each in objects.search(data, info.name, text, limit=MOST_FOUND, counted=False).objects
            ]
    except DBAPIError as error:
        # They are in a database of their own: without it, all else can still be found.
        current_app.logger.error("Objects cannot be searched: %s", error.orig)
        return []
    return sorted(found, key=lambda each: each.fits)[:MOST_FOUND]


def _pages(words: Sequence[str]) -> list[Found]:
    text = " ".join(words)
    return sorted(
        (
            Found(place.word, place.url, place.icon, "Page", fits=fit_of(place.word, text))
            for place in all_places()
            if all(word.lower() in f"{place.word} {place.also}".lower() for word in words)
        ),
        key=lambda each: each.fits,
    )[:MOST_FOUND]
