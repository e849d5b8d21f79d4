"""Schedules by the thousand, put straight into the table."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple
from uuid import UUID, uuid4

from sqlalchemy import select

from benchmarks.history import settle
from benchmarks.site import USERNAME, Site
from store.models import JobRecord, Schedule, User
from store.timing.saved import cursor, keep_times
from worker.schedules import Timetable


class Wanted(NamedTuple):
    """One schedule: the class of its job, and its timetable."""

    job: str
    timetable: Timetable


def add_schedules(site: Site, wanted: Iterable[Wanted], *, queue: str = "default") -> Sequence[UUID]:
    """Add schedules of which no slot was dealt with so far; return their ids, in the order in which they were given."""
    with site.platform.session() as db:
        jobs = {job.class_name: job for job in db.scalars(select(JobRecord))}
        user = db.scalars(select(User).where(User.username == USERNAME)).one()
        rows = [_row(jobs[job], user, timetable, queue) for job, timetable in wanted]
        db.add_all(rows)
        db.commit()
    settle(site)
    return [row.id for row in rows]


def _row(job: JobRecord, user: User, timetable: Timetable, queue: str) -> Schedule:
    row = Schedule(
        id=uuid4(),
        name=timetable.name,
        job_id=job.id,
        class_path=job.class_path,
        user_id=user.id,
        username=user.username,
        missed=timetable.missed,
        overlap=timetable.overlap,
        queue=queue,
    )
    keep_times(row, timetable.times)
    for column, value in cursor(row, timetable.times, None).items():
        setattr(row, column, value)
    return row
