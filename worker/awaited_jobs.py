"""Schedules for a job that is not there (yet): who comes from ndscheduler may name a class before its file is.

Such a schedule has no job, and the class as it was named, "shell.ShellCommand", in place of a class path. Its slots are
counted as missed. As soon as a refresh finds such a job, or somebody enables it, it has that.
"""

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from sqlalchemy import Select, case, select
from sqlalchemy.orm import Session

from store.audit import note
from store.models import JobRecord, Schedule, User, now
from store.permissions import Forbidden, allowed, asker_of, may_of_kind
from store.positional import to_data
from store.timing.dialects import BOTS
from worker.schedule_approvals import ask_for

#: What the inputs of such a schedule are: one list, as nobody knows the variables.
ARGUMENTS = "pub_args"

LONGEST_CLASS = 200

#: How the classes of all folders may be named, too.
PREFIX = "jobs."


def find_class(query: Select[Any], named: str) -> Select[Any]:
    """Narrow a query of job records to those of a class, the most likely first: `<module>.<Class>`, or a class path."""
    if "/" in named:
        return query.where(JobRecord.class_path == named)
    module, _, class_name = named.rpartition(".")
    modules = {module, module.removeprefix(PREFIX)}
    # A folder may be called so, too, but it is not meant by most.
    order = (
        JobRecord.installed.desc(),
        JobRecord.enabled.desc(),
        case((JobRecord.source == "local", 0), else_=1),
        JobRecord.source,
    )
    return query.where(JobRecord.class_name == class_name, JobRecord.module.in_(modules)).order_by(*order)


def problem_of(class_path: str) -> str:
    """Say why a schedule without a job makes no runs."""
    return f"There is no job {class_path}." if "/" not in class_path else "Its job was removed."


def new_schedule(db: Session, user: User, named: str, pub_args: Sequence[Any]) -> Schedule:
    """Return a schedule for a class that is not there, still without times. Raises Forbidden."""
    schedule = Schedule(id=uuid4(), total_run_count=0, version=0, enabled=True, problem="", created_at=now())
    have_await(schedule, user, named, pub_args)
    db.add(schedule)
    return schedule


def have_await(schedule: Schedule, user: User, named: str, pub_args: Sequence[Any]) -> None:
    """Have a schedule be for a class that is not there, as `user`. Raises Forbidden."""
    asker = asker_of(user)
    if asker is not None and asker.limits is not None and asker.limits.class_paths:
        raise Forbidden(f"The token {asker.limits.name} is for jobs that are there.")
    if not may_of_kind(user, "run", "job"):
        raise Forbidden("You may run no job, so you may make no schedule for one.")
    schedule.job_id, schedule.class_path = None, named
    schedule.user_id, schedule.username = user.id, user.username
    schedule.data, schedule.queue, schedule.commit = {ARGUMENTS: list(pub_args)}, "default", True
    schedule.kept_box, schedule.sealed_facts, schedule.concurrency_key = None, None, None


def adopt(db: Session) -> int:
    """Give the schedules that wait for a job the one that they wait for; return how many. The caller commits."""
    waiting = select(Schedule).where(Schedule.job_id.is_(None), Schedule.dialect == BOTS)
    adopted = 0
    for schedule in db.scalars(waiting.where(Schedule.class_path.not_like("%/%"))).all():
        found = find_class(select(JobRecord).where(JobRecord.installed), schedule.class_path)
        job = db.scalars(found.limit(1)).first()
        owner = db.get(User, schedule.user_id) if schedule.user_id is not None else None
        # Whoever may not run it is not told what it takes.
        if job is None or not allowed(owner, "run", job):
            continue
        schedule.data = to_data(job.variables, schedule.data.get(ARGUMENTS) or [])
        schedule.job_id, schedule.class_path, schedule.queue = job.id, job.class_path, job.allowed_queues[0]
        schedule.commit = not job.read_only and job.commit_default
        schedule.problem, schedule.version = "", schedule.version + 1
        ask_for(db, schedule, job, owner)
        note(db, "schedule.edit", str(schedule.id), after={"job": job.class_path}, actor="")
        adopted += 1
    return adopted
