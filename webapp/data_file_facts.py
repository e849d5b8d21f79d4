"""Data files as pages and calls find them, and what uses them."""

from collections.abc import Sequence
from dataclasses import dataclass

from flask import current_app, request
from sqlalchemy import String, cast, select
from sqlalchemy.orm import undefer

from jobs.data_files import data_file_names, problem_of_name
from store import data_files
from store.models import DataFile, JobRecord, Schedule, User
from store.permissions import NotVisible, visible
from store.settings import Settings
from webapp.auth import current_user, require
from webapp.database import SAFE_METHODS, db
from worker.data_files import choices

#: So many jobs and schedules are named.
MOST_SHOWN = 50


@dataclass(frozen=True, slots=True)
class Uses:
    """What uses a data file, as far as the reader may see it."""

    #: Jobs that could be given it.
    jobs: Sequence[JobRecord]
    #: Schedules whose runs are.
    schedules: Sequence[Schedule]


def settings() -> Settings:
    found: Settings = current_app.extensions["errand"].settings
    return found


def sync() -> None:
    """Take over what has changed in the folder, before anybody looks."""
    data_files.sync(settings(), db.engine)


def data_file_choices(user: User) -> Sequence[str]:
    # Any other request may have SQLite's write turn already.
    if request.method in SAFE_METHODS:
        sync()
    return choices(db.engine, user)


def find_data_file(name: str, *, with_content: bool = False) -> DataFile:
    """Raises NotVisible."""
    if problem_of_name(name):
        # Nor could every database be asked for it.
        raise NotVisible
    query = visible(select(DataFile), current_user(), DataFile).where(DataFile.name == name)
    if with_content:
        query = query.options(undefer(DataFile.content))
    row: DataFile | None = db.session.scalars(query).one_or_none()
    if row is None:
        raise NotVisible
    require("view", row)
    return row


def require_add(name: str) -> None:
    """Raise Forbidden where the user of this request may not upload a file that is called so."""
    user = current_user()
    owner = {"user_id": user.id, "username": user.username} if user is not None else {}
    require("add", DataFile(name=name, **owner))


def uses_of(row: DataFile) -> Uses:
    takes = cast(JobRecord.variables, String).contains('"DataFileVar"')
    query = visible(select(JobRecord), current_user(), JobRecord).where(takes, JobRecord.installed)
    jobs = db.session.scalars(query.order_by(JobRecord.name).limit(MOST_SHOWN)).all()
    names = {job.id: data_file_names(job.variables) for job in jobs}
    query = visible(select(Schedule), current_user(), Schedule).where(Schedule.job_id.in_(names))
    schedules = [
        schedule
        for schedule in db.session.scalars(query.order_by(Schedule.name))
        if any((schedule.data or {}).get(name) == row.name for name in names[schedule.job_id])
    ]
    return Uses(jobs, schedules[:MOST_SHOWN])
