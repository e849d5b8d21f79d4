"""Jobs of ndscheduler: schedules whose times are in its words."""

from collections.abc import Mapping
from typing import Any

from flask import jsonify
from sqlalchemy import Select, select
from sqlalchemy.orm import joinedload, undefer

from store.audit import note
from store.models import JobRecord, Schedule, now
from store.permissions import require, visible
from store.positional import to_data
from store.timing.checks import checked
from store.timing.dialects import BOTS, bots_given
from store.timing.recurrence import Recurrence
from store.timing.saved import recurrence_of
from webapp.api.tokens import user
from webapp.database import db, reading
from webapp.fresh import fresh
from webapp.ndscheduler import shapes
from webapp.ndscheduler.errors import Refused
from webapp.ndscheduler.requests import MOST_ROWS, AskedJob, asked_job, id_of, settings
from worker import awaited_jobs
from worker import schedules as acts
from worker.room import require_room_for_schedule
from worker.schedules import Timetable, checked_name

#: Its jobs are those of ours whose times have its fields.
OF_BOTS = (Schedule.interval == "custom", Schedule.dialect == BOTS)


def shown(query: Any) -> Select[Any]:
    """Narrow a query to the schedules that are jobs here, and that the caller may see."""
    return visible(query, user(), Schedule).where(*OF_BOTS)


def find(job_id: str) -> Schedule:
    """Raises Refused."""
    key = id_of(job_id)
    options = (joinedload(Schedule.job), joinedload(Schedule.user), undefer(Schedule.kept_box))
    query = shown(select(Schedule)).where(Schedule.id == key).options(*options)
    schedule: Schedule | None = db.session.scalars(query).one_or_none() if key is not None else None
    if schedule is None:
        raise Refused(f"Job not found: {job_id}")
    require(user(), "view", schedule)
    return schedule


def list_jobs() -> Any:
    query = shown(select(Schedule)).options(joinedload(Schedule.job)).order_by(Schedule.name, Schedule.id)
    return jsonify({"jobs": [shapes.job(row) for row in db.session.scalars(query.limit(MOST_ROWS))]})


def show_job(job_id: str) -> Any:
    return jsonify(shapes.job(find(job_id)))


def add_job() -> Any:
    asked = asked_job()
    if asked.name is None or asked.class_string is None or not asked.fields:
        raise Refused(
            "Give name, job_class_string and at least one of minute, hour, day, month and day_of_week."
        )
    timetable = _timetable(checked_name(asked.name), asked.fields)
    job = _class(asked.class_string)
    if job is not None:
        schedule = acts.create(
            db.session(),
            settings(),
            job=job,
            raw=to_data(job.variables, asked.pub_args or []),
            user=user(),
            timetable=timetable,
        )
    else:
        schedule = _await(asked, timetable)
    return jsonify({"job_id": schedule.id.hex}), 201


def modify_job(job_id: str) -> Any:
    """Change what is given. A paused job stays paused."""
    asked = asked_job()
    # Before anything is asked on the request's own session (see webapp.api.schedules).
    named = asked.class_string or _class_path(job_id)
    job = _class(named) if named and (asked.class_string or asked.pub_args is not None) else None
    schedule = find(job_id)
    require(user(), "change", schedule)
    timetable = _changed_timetable(schedule, asked)
    if job is not None:
        # Arguments for the class before it may not fit this one: they are then refused, with a sentence.
        given = asked.pub_args if asked.pub_args is not None else shapes.arguments(schedule)
        acts.edit_inputs(
            db.session(),
            settings(),
            schedule,
            job=job,
            raw=to_data(job.variables, given),
            user=user(),
            timetable=timetable,
        )
    elif asked.class_string or asked.pub_args is not None:
        _await(asked, timetable or _kept_timetable(schedule), schedule)
    elif timetable is not None:
        acts.edit_timetable(db.session(), schedule, schedule.job, timetable, user())
    return jsonify({"job_id": schedule.id.hex})


def delete_job(job_id: str) -> Any:
    schedule = find(job_id)
    acts.remove(db.session(), schedule, user())
    return jsonify({"job_id": job_id})


def pause_job(job_id: str) -> Any:
    acts.pause(db.session(), find(job_id), user())
    return jsonify({"job_id": job_id})


def resume_job(job_id: str) -> Any:
    acts.resume(db.session(), find(job_id), user())
    return jsonify({"job_id": job_id})


# --- Classes --------------------------------------------------------------------------------------------------


def _class(named: str) -> JobRecord | None:
    """Return the job of a class, as its file has it now; None for one that is not there. Raises Refused."""
    if len(named) > awaited_jobs.LONGEST_CLASS:
        raise Refused(f"job_class_string has at most {awaited_jobs.LONGEST_CLASS} characters.")

    # On a session that only reads: to catch up with a file, and to ask its code, takes its time.
    with reading() as session:

        def look() -> JobRecord | None:
            query = visible(select(JobRecord), user(), JobRecord).where(JobRecord.installed)
            found: JobRecord | None = session.scalars(awaited_jobs.find_class(query, named).limit(1)).first()
            return found

        job = fresh(look)
    if job is None and "/" in named:
        # It can only be meant for this portal, so it is a mistake.
        raise Refused(f"There is no job {named}.")
    return job


def _class_path(job_id: str) -> str | None:
    """Return what a schedule says of its job, be that there or not; None where the caller may not see the schedule."""
    key = id_of(job_id)
    with reading() as session:
        return session.scalar(shown(select(Schedule.class_path)).where(Schedule.id == key)) if key else None


def _await(asked: AskedJob, timetable: Timetable, schedule: Schedule | None = None) -> Schedule:
    """Have a schedule, a new one or this, be for a class that is not there."""
    session = db.session()
    before = acts.said_of(schedule) if schedule is not None else None
    if schedule is None:
        named = asked.class_string or ""
        require_room_for_schedule(session, settings(), user())
        schedule = awaited_jobs.new_schedule(session, user(), named, asked.pub_args or [])
        acts.keep_timetable(schedule, timetable)
    else:
        given = asked.pub_args if asked.pub_args is not None else shapes.arguments(schedule)
        named = asked.class_string or schedule.class_path
        awaited_jobs.have_await(schedule, user(), named, given)
        schedule.version, schedule.updated_at, schedule.problem = schedule.version + 1, now(), ""
        acts.keep_timetable(schedule, timetable, last_slot=now())
    act = "edit" if before is not None else "create"
    note(session, f"schedule.{act}", str(schedule.id), before=before, after=acts.said_of(schedule))
    session.commit()
    return schedule


# --- Times ----------------------------------------------------------------------------------------------------


def _timetable(name: str, fields: Mapping[str, str]) -> Timetable:
    """Raises InvalidData."""
    ours = settings().ndscheduler
    return Timetable(name, _recurrence(fields, ours.time_zone), ours.missed, ours.overlap)


def _changed_timetable(schedule: Schedule, asked: AskedJob) -> Timetable | None:
    """Return when a schedule fires from now on; None: as before."""
    if asked.name is None and not asked.fields:
        return None
    times = recurrence_of(schedule)
    if asked.fields:
        times = _recurrence({**bots_given(schedule.cron), **asked.fields}, schedule.zone)
    return Timetable(checked_name(asked.name or schedule.name), times, schedule.missed, schedule.overlap)


def _kept_timetable(schedule: Schedule) -> Timetable:
    return Timetable(schedule.name, recurrence_of(schedule), schedule.missed, schedule.overlap)


def _recurrence(fields: Mapping[str, str], zone: str) -> Recurrence:
    cron = "; ".join(f"{name}={value}" for name, value in fields.items())
    return checked(interval="custom", now=now(), zone=zone, cron=cron, dialect=BOTS)
