"""Choosing the job of a form: from a list, or, where there are many, by its class path, with suggestions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, func, or_, select

from jobs.kinds import file_names
from store.models import JobRecord
from store.permissions import visible
from webapp.auth import allowed, current_user
from webapp.database import db
from webapp.job_key import as_id

#: A list of more is no help to anybody.
MOST_LISTED = 200
MOST_SUGGESTED = 20


@dataclass(frozen=True, slots=True)
class Offer:
    """The jobs there are to choose. options: {id: (name, class path)}; of many only those that are chosen already."""

    options: Mapping[str, tuple[str, str]]
    many: bool

    def written(self, text: str) -> str:
        """Return what stands in a field where the form has `text`: an id, or what was typed."""
        return self.options[text][1] if text in self.options else text


def offer(*chosen: JobRecord | None) -> Offer:
    """Return the jobs that the reader may see, with those that are chosen whatever became of them."""
    rows = db.session.execute(_about(JobRecord.id).order_by(JobRecord.name).limit(MOST_LISTED + 1)).all()
    many = len(rows) > MOST_LISTED
    there = {} if many else {str(job_id): (name, path) for job_id, name, path in rows}
    kept = {str(job.id): (job.name, job.class_path) for job in chosen if job is not None}
    return Offer({**kept, **there}, many)


def chosen_job(text: str) -> JobRecord | None:
    """Return the job of this id or class path, if it is one to choose."""
    job_id = as_id(text)
    by = JobRecord.class_path == text if job_id is None else JobRecord.id == job_id
    found: JobRecord | None = db.session.scalars(_to_choose(select(JobRecord)).where(by)).one_or_none()
    return found


def to_schedule(text: str) -> tuple[Sequence[JobRecord], bool]:
    """Return jobs that the reader may have run at set times, and whether more than these have `text` in a name."""
    query = _to_choose(select(JobRecord)).where(_has(text), JobRecord.installed, JobRecord.enabled)
    query = query.order_by(func.lower(JobRecord.name), JobRecord.class_path).limit(MOST_LISTED + 1)
    found = db.session.scalars(query).all()
    # A file is given to one run.
    may = (job for job in found[:MOST_LISTED] if allowed("run", job) and not file_names(job.variables))
    return list(may), len(found) > MOST_LISTED


def suggested(text: str) -> Sequence[tuple[str, str]]:
    """Return name and class path of the first jobs that have `text` in one of them."""
    query = _about().where(_has(text)).order_by(JobRecord.name).limit(MOST_SUGGESTED)
    return [(name, path) for name, path in db.session.execute(query)]


def class_paths_to_choose(most: int) -> list[str]:
    query = _about().order_by(JobRecord.class_path).limit(most)
    return [path for _, path in db.session.execute(query)]


def _has(text: str) -> ColumnElement[bool]:
    return or_(*(each.icontains(text, autoescape=True) for each in (JobRecord.name, JobRecord.class_path)))


def _about(*more: Any) -> Select[Any]:
    query: Select[Any] = select(*more, JobRecord.name, JobRecord.class_path)
    return _to_choose(query)


def _to_choose(query: Select[Any]) -> Select[Any]:
    # A receiver runs by what it hears, and by nothing else.
    return visible(query, current_user(), JobRecord).where(JobRecord.receives == "")
