"""The form of a job asks for a schedule: a new one, or other inputs for one that there is."""

from typing import Any
from uuid import UUID

from flask import current_app, request
from sqlalchemy import select
from sqlalchemy.orm import joinedload, undefer

from jobs.errors import InvalidData
from store.models import JobRecord, Schedule
from store.permissions import NotVisible, visible
from webapp import run_form
from webapp.auth import current_user, require, signed_in_user
from webapp.database import db
from webapp.job_key import as_id
from webapp.schedule_form import ScheduleForm, read_timetable
from worker import schedules
from worker.asked import NotRunnable
from worker.questions import Questions

UNABLE = "Unable to run or schedule job: "


def schedule_named(text: str | None, job: JobRecord) -> Schedule | None:
    """Return the schedule of the job whose inputs a request is about; None where it is about none."""
    if not text:
        return None
    schedule_id: UUID | None = as_id(text)
    query = visible(select(Schedule), current_user(), Schedule).where(Schedule.id == schedule_id)
    query = query.options(joinedload(Schedule.user), undefer(Schedule.kept_box))
    schedule: Schedule | None = db.session.scalars(query).one_or_none() if schedule_id else None
    if schedule is None or schedule.class_path != job.class_path:
        raise NotVisible
    require("change", schedule)
    return schedule


def make_schedule(job: JobRecord, raw: dict[str, Any], when: ScheduleForm, questions: Questions) -> Schedule:
    """Store the schedule that the form asks for. Raises InvalidData, with what is wrong in the times in `when`, too."""
    timetable = read_timetable(when)
    if timetable is None:
        raise InvalidData({})
    try:
        return schedules.create(db.session(), **_asked(job, raw, questions), timetable=timetable)
    except NotRunnable as refusal:
        raise InvalidData([_unable(refusal)]) from refusal


def change_inputs(schedule: Schedule, job: JobRecord, raw: dict[str, Any], questions: Questions) -> None:
    """Have a schedule run with what the form holds. Raises InvalidData."""
    try:
        schedules.edit_inputs(db.session(), schedule=schedule, **_asked(job, raw, questions))
    except NotRunnable as refusal:
        raise InvalidData([_unable(refusal)]) from refusal


def _asked(job: JobRecord, raw: dict[str, Any], questions: Questions) -> dict[str, Any]:
    return {
        "settings": current_app.extensions["errand"].settings,
        "job": job,
        "raw": raw,
        "user": signed_in_user(),
        "commit": run_form.commit_asked(request.form),
        "queue": request.form.get("_queue"),
        "form": True,
        "questions": questions,
    }


def _unable(refusal: NotRunnable) -> str:
    text = str(refusal)
    return text if text.startswith("Unable to") else f"{UNABLE}{text}"
