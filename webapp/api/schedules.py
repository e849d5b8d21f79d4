"""Schedules: what runs when, and what people do with that."""

import uuid
from typing import Any

from flask import current_app, url_for
from pydantic import Field
from sqlalchemy import or_, select
from sqlalchemy.orm import joinedload
from werkzeug.exceptions import Conflict, NotFound

from store.models import JobRecord, MissedSlots, Schedule, User
from store.permissions import NotVisible, allowed, require
from store.settings import Settings
from webapp.api.calls import Body, Query, call
from webapp.api.errors import InvalidRequest
from webapp.api.given import Flag, Text
from webapp.api.jobs import MADE, shown
from webapp.api.listing import Order, Sorted, part
from webapp.api.paging import page
from webapp.api.results import of_job
from webapp.api.schedule_bodies import (
    ChangedSchedule,
    NewSchedule,
    Times,
    errors_of_inputs,
    form_of_change,
    form_of_new,
    fresh_job,
    inputs_of_change,
    refused,
    timetable_of,
)
from webapp.api.shapes import Page
from webapp.api.shapes import schedules as shapes
from webapp.api.tokens import user
from webapp.database import db, reading
from webapp.schedule_facts import coming_of, find_schedule, job_of, lines_of, missed_of, that_fit
from webapp.schedule_form import preview as previewed
from worker import schedules as acts

ORDER = Order({"created_at": Schedule.created_at, "name": Schedule.name}, Schedule.id, "-created_at")
ORDER_OF_MISSED = Order({"id": MissedSlots.id}, MissedSlots.id, "-id")


class Schedules(Sorted):
    job: Text = Field("", description="The id or class path of their job.")
    user: list[Text] = Field([], description="As whom they run.")
    queue: list[Text] = []
    enabled: Flag | None = None
    problem: Flag | None = Field(
        None, description="Whether they make no runs at present. Parts may be short then: follow `next`."
    )
    q: Text = Field("", description="Words in their names, class paths or users.")


class Versioned(Body):
    version: int | None = Field(None, description="Do nothing (409) where it is another one by now.")


@call(query=Schedules, answers={200: Page[shapes.ScheduleLine]}, tag="schedules")
def schedules(query: Schedules) -> Any:
    """List schedules, the latest first."""
    require(user(), "view", Schedule)
    wanted = that_fit(select(Schedule), query.q)
    if query.job:
        wanted = wanted.where(of_job(Schedule, query.job))
    if query.user:
        wanted = wanted.where(Schedule.username.in_(query.user))
    if query.queue:
        wanted = wanted.where(Schedule.queue.in_(query.queue))
    if query.enabled is not None:
        wanted = wanted.where(Schedule.enabled.is_(query.enabled))
    if query.problem:
        wanted = _may_have_problem(wanted)
    rows, more = part(
        db.session(), wanted.options(joinedload(Schedule.job), joinedload(Schedule.user)), query, ORDER
    )
    # What a problem is, only code can tell: some of these may have none.
    lines = [line for line in lines_of(rows) if query.problem in (None, bool(line.problem))]
    return page([shapes.schedule_line(line) for line in lines], more)


@call(answers={200: shapes.ScheduleShape}, tag="schedules")
def schedule(query: Query, schedule_id: uuid.UUID) -> Any:
    """Show a schedule, with its next times and what it missed last."""
    return _shape(find_schedule(schedule_id))


@call(query=Sorted, answers={200: Page[shapes.MissedShape]}, tag="schedules")
def missed(query: Sorted, schedule_id: uuid.UUID) -> Any:
    """List the slots of a schedule that made no runs, the latest first."""
    own = select(MissedSlots).where(MissedSlots.schedule_id == find_schedule(schedule_id).id)
    rows, more = part(db.session(), own, query, ORDER_OF_MISSED)
    return page([shapes.missed(row) for row in rows], more)


@call(body=Times, answers={200: shapes.PreviewShape}, tag="schedules")
def preview_schedule(query: Query, body: Times) -> Any:
    """Say in words when something would run, and the next times."""
    require(user(), "view", Schedule)
    form = form_of_new(body)
    found = previewed(form)
    if found is None:
        raise refused(form)
    return shapes.preview(found["words"], found["next"])


@call(body=NewSchedule, answers={201: shapes.ScheduleShape | shapes.ScheduleReferenceShape}, tag="schedules")
def create_schedule(query: Query, body: NewSchedule) -> Any:
    """Have a job run at set times; it runs as whoever asks for that."""
    try:
        job = fresh_job(body.job)
    except NotFound as error:
        raise InvalidRequest({"job": [str(error.description)]}) from None
    require(user(), "run", job)
    timetable = timetable_of(form_of_new(body, body.name or job.name))
    with errors_of_inputs():
        made = acts.create(
            db.session(),
            _settings(),
            job=job,
            raw=body.data,
            user=user(),
            timetable=timetable,
            commit=body.commit,
            queue=body.queue,
        )
    there = {"Location": url_for("api.schedule", schedule_id=made.id)}
    if not allowed(user(), "view", made):
        return shapes.schedule_reference(made), 201, there
    return _shape(find_schedule(made.id)), 201, there


@call(body=ChangedSchedule, answers={200: shapes.ScheduleShape}, tag="schedules")
def change_schedule(query: Query, schedule_id: uuid.UUID, body: ChangedSchedule) -> Any:
    """Change when a schedule runs, or with what: with other inputs it runs as whoever gives them."""
    # Before anything is asked on the request's own session (see there).
    job = fresh_job(_class_path_of(schedule_id)) if body.changes_inputs else None
    row = _to_change(schedule_id, body.version)
    timetable = timetable_of(form_of_change(body, row), row) if body.changes_times else None
    if job is not None:
        given = inputs_of_change(body, row, job)
        with errors_of_inputs():
            acts.edit_inputs(
                db.session(), _settings(), row, job=job, user=user(), timetable=timetable, **given
            )
    elif timetable is not None:
        acts.edit_timetable(db.session(), row, row.job, timetable, user())
    return _shape(find_schedule(schedule_id))


@call(answers={204: None}, tag="schedules")
def delete_schedule(query: Query, schedule_id: uuid.UUID) -> Any:
    """Delete a schedule; its results stay."""
    acts.remove(db.session(), find_schedule(schedule_id), user())
    return None, 204


@call(body=Versioned, answers={200: shapes.ScheduleShape}, tag="schedules")
def pause_schedule(query: Query, schedule_id: uuid.UUID, body: Versioned) -> Any:
    """Have a schedule make no runs until somebody resumes it."""
    acts.pause(db.session(), _to_change(schedule_id, body.version), user())
    return _shape(find_schedule(schedule_id))


@call(body=Versioned, answers={200: shapes.ScheduleShape}, tag="schedules")
def resume_schedule(query: Query, schedule_id: uuid.UUID, body: Versioned) -> Any:
    """Have a paused schedule go on with what is to come."""
    acts.resume(db.session(), _to_change(schedule_id, body.version), user())
    return _shape(find_schedule(schedule_id))


@call(answers={201: MADE}, tag="schedules")
def run_schedule(query: Query, schedule_id: uuid.UUID) -> Any:
    """Have a schedule make one more run now, as it would by itself."""
    row = find_schedule(schedule_id)
    require(user(), "change", row)
    made = acts.run_now(db.session(), _settings(), row, job_of(row), user())
    return shown(made), 201, {"Location": url_for("api.result", result_id=made.id)}


@call(answers={200: shapes.ScheduleShape}, tag="schedules")
def take_over_schedule(query: Query, schedule_id: uuid.UUID) -> Any:
    """Have a schedule run as whoever asks for that."""
    row = find_schedule(schedule_id)
    require(user(), "change", row)
    acts.take_over(db.session(), row, job_of(row), user())
    return _shape(find_schedule(schedule_id))


@call(answers={200: shapes.ScheduleShape}, tag="schedules")
def ask_for_schedule(query: Query, schedule_id: uuid.UUID) -> Any:
    """Ask for an approval of a schedule as it is now."""
    row = find_schedule(schedule_id)
    require(user(), "change", row)
    acts.ask_again(db.session(), row, job_of(row), user())
    return _shape(find_schedule(schedule_id))


def _may_have_problem(query: Any) -> Any:
    """Narrow a query to what may have a problem (see webapp.schedule_facts): few are to be looked at in vain."""
    unable = or_(
        JobRecord.installed.is_(False), JobRecord.enabled.is_(False), JobRecord.approval_required.is_(True)
    )
    odd = (
        Schedule.problem != "",
        Schedule.user_id.is_(None),
        Schedule.user.has(User.active.is_(False)),
        Schedule.job_id.is_(None),
        Schedule.job.has(unable),
    )
    return query.where(Schedule.next_slot_at.is_not(None), or_(*odd))


def _class_path_of(schedule_id: uuid.UUID) -> str:
    with reading() as session:
        found = session.scalar(select(Schedule.class_path).where(Schedule.id == schedule_id))
    if found is None:
        raise NotVisible
    return found


def _shape(row: Schedule) -> shapes.ScheduleShape:
    [line] = lines_of([row])
    try:
        coming = coming_of(row)
    except ValueError:
        coming = []  # Its times cannot be read any more, which is what `words` says.
    return shapes.schedule(line, coming, missed_of(row))


def _to_change(schedule_id: uuid.UUID, version: int | None) -> Schedule:
    row = find_schedule(schedule_id, to_change=True)
    require(user(), "change", row)
    if version is not None and version != row.version:
        raise Conflict(f"It is version {row.version} by now: somebody changed it meanwhile.")
    return row


def _settings() -> Settings:
    settings: Settings = current_app.extensions["errand"].settings
    return settings
