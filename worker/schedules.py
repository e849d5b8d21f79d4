"""What people do with schedules: make, edit, pause, resume, run now, take over, remove. They fire in worker.firing."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy.orm import Session

from jobs.errors import InvalidData
from jobs.kinds import file_names
from store.audit import note
from store.models import JobRecord, JobResult, Schedule, User, now
from store.permissions import require
from store.sealing import Box
from store.settings import Settings
from store.text import clean_text
from store.timing.recurrence import INTERVALS, Recurrence
from store.timing.saved import cursor, keep_times, recurrence_of
from worker import rules
from worker.asked import (
    NotRunnable,
    check_commit,
    check_inputs,
    chosen_queue,
    readable,
    require_runnable,
    seal_inputs,
)
from worker.firing import runs_as, submit_for
from worker.origins import Origin
from worker.overrides import UNSEALED
from worker.questions import Questions
from worker.refusals import REFUSALS, sentence
from worker.rights import require_inputs
from worker.room import require_room_for_schedule
from worker.schedule_approvals import approval_of, ask_for, why_not

MISSED = {
    "once": "Run once, as soon as possible",
    "skip": "Leave them out",
    "all": "Run each of them",
}
OVERLAPS = {
    "skip": "Leave the new run out",
    "wait": "Have the new run wait",
    "replace": "Cancel the earlier run",
    "allow": "Run both",
}

LONGEST_NAME = 255

SENSITIVE = "Unable to schedule job: Job may have sensitive input variables."
FILES = "A schedule cannot keep files, and this job takes some."


@dataclass(frozen=True, slots=True)
class Timetable:
    """When runs are wanted, and under what name: checked."""

    name: str
    times: Recurrence
    missed: str = "once"
    overlap: str = "skip"


def checked_name(name: str) -> str:
    """Return a schedule's name, cleaned. Raises InvalidData."""
    name = " ".join(clean_text(name).split())
    if not name:
        raise InvalidData({"name": ["Please provide a name for the job schedule."]})
    if len(name) > LONGEST_NAME:
        raise InvalidData({"name": [f"Use at most {LONGEST_NAME} characters."]})
    return name


@dataclass(frozen=True, slots=True)
class _Inputs:
    data: dict[str, Any]
    queue: str
    commit: bool
    box: Box | None
    concurrency_key: str | None


def create(
    db: Session,
    settings: Settings,
    *,
    job: JobRecord,
    raw: Mapping[str, Any],
    user: User,
    timetable: Timetable,
    commit: bool | None = None,
    queue: str | None = None,
    form: bool = False,
    questions: Questions | None = None,
    may_store: Callable[[Session, str], object] | None = None,
) -> Schedule:
    """Store a schedule that runs `job` as `user`; where the job needs an approval, it waits for one. Commits `db`.

    raw, form, commit, queue, questions: as for `worker.submit`.
    may_store: called with the queue of its runs when all is well; what it raises goes to the caller.
    Raises InvalidData, NotRunnable or Forbidden, before anything is stored.
    """
    schedule = add(
        db,
        settings,
        job=job,
        raw=raw,
        user=user,
        timetable=timetable,
        commit=commit,
        queue=queue,
        form=form,
        questions=questions,
        may_store=may_store,
    )
    db.commit()
    return schedule


def add(
    db: Session,
    settings: Settings,
    *,
    job: JobRecord,
    raw: Mapping[str, Any],
    user: User,
    timetable: Timetable,
    commit: bool | None = None,
    queue: str | None = None,
    form: bool = False,
    questions: Questions | None = None,
    may_store: Callable[[Session, str], object] | None = None,
) -> Schedule:
    """Do the same, but let the caller commit: where the job's code has to be asked, what was done so far is committed."""
    if timetable.times.interval == "immediately":
        raise ValueError("What is to run now is submitted.")
    inputs = _checked(
        db, settings, job, raw, user, commit=commit, queue=queue, form=form, questions=questions
    )
    if may_store is not None:
        may_store(db, inputs.queue)
    require_room_for_schedule(db, settings, user)
    schedule = Schedule(id=uuid4(), total_run_count=0, version=0, enabled=True, problem="", created_at=now())
    keep_timetable(schedule, timetable)
    _keep_inputs(schedule, inputs, job, user)
    db.add(schedule)
    db.flush()
    ask_for(db, schedule, job, user)
    note(db, "schedule.create", str(schedule.id), actor=user.username, after=said_of(schedule))
    return schedule


def edit_timetable(
    db: Session, schedule: Schedule, job: JobRecord | None, timetable: Timetable, user: User
) -> None:
    """Have a schedule fire at other times. Commits `db`; raises Forbidden."""
    require(user, "change", schedule)
    before = said_of(schedule)
    keep_timetable(schedule, timetable, last_slot=now())
    _edited(db, schedule, job, user)
    note(db, "schedule.edit", str(schedule.id), actor=user.username, before=before, after=said_of(schedule))
    db.commit()


def edit_inputs(
    db: Session,
    settings: Settings,
    schedule: Schedule,
    *,
    job: JobRecord,
    raw: Mapping[str, Any],
    user: User,
    commit: bool | None = None,
    queue: str | None = None,
    form: bool = False,
    questions: Questions | None = None,
    timetable: Timetable | None = None,
) -> None:
    """Have a schedule run with other inputs, and from now on as `user`: whoever gives the inputs answers for them.

    timetable: when it is to fire, if that changes, too.
    Commits `db`; raises as `create` does.
    """
    require(user, "change", schedule)
    inputs = _checked(
        db, settings, job, raw, user, commit=commit, queue=queue, form=form, questions=questions
    )
    before = said_of(schedule)
    _keep_inputs(schedule, inputs, job, user)
    if timetable is not None:
        keep_timetable(schedule, timetable, last_slot=now())
    _keep_awake(schedule)
    _edited(db, schedule, job, user)
    note(db, "schedule.edit", str(schedule.id), actor=user.username, before=before, after=said_of(schedule))
    db.commit()


def take_over(db: Session, schedule: Schedule, job: JobRecord, user: User) -> None:
    """Have a schedule run as `user`. Its sealed inputs stay with whom they were typed by. Commits `db`.

    Raises Forbidden, or InvalidData where the inputs have to be given anew.
    """
    require(user, "change", schedule)
    require(user, "run", job)
    if schedule.sealed_facts:
        raise InvalidData(["Some of its inputs nobody may read but its job. Give the inputs anew."])
    require_inputs(user, job, schedule.data, schedule.queue)
    before = {"owner": schedule.username}
    schedule.user_id, schedule.username = user.id, user.username
    _keep_awake(schedule)
    _edited(db, schedule, job, user)
    note(
        db,
        "schedule.take-over",
        str(schedule.id),
        actor=user.username,
        before=before,
        after={"owner": user.username},
    )
    db.commit()


def pause(db: Session, schedule: Schedule, user: User) -> None:
    """Have a schedule make no runs until somebody resumes it. Commits `db`; raises Forbidden."""
    _switch(db, schedule, user, enabled=False)


def resume(db: Session, schedule: Schedule, user: User) -> None:
    """Have a paused schedule go on with what is to come: what passed meanwhile was not missed. Commits `db`."""
    _switch(db, schedule, user, enabled=True)


def run_now(db: Session, settings: Settings, schedule: Schedule, job: JobRecord, user: User) -> JobResult:
    """Have a schedule make one more run at once, as it would by itself. Commits `db`.

    Raises Forbidden; and NotRunnable, also where its inputs do not fit the job any more, or its owner may not run it.
    """
    require(user, "change", schedule)
    if schedule.owner_gone:
        raise NotRunnable(f"{schedule.username}, as whom this runs, is gone. Take the schedule over first.")
    approval = approval_of(db, schedule.id)
    if problem := why_not(approval, schedule, job):
        raise NotRunnable(problem)
    note_run(db, schedule, user)
    db.commit()
    origin = Origin(
        "schedule", schedule.id, schedule.name, approval=approval if job.approval_required else None
    )
    try:
        return submit_for(db, settings, schedule, job, origin)
    except REFUSALS as refusal:
        raise NotRunnable(sentence(refusal, runs_as(schedule))) from refusal


def note_run(db: Session, schedule: Schedule, user: User) -> None:
    """Write down that somebody has a schedule make one more run. The caller commits."""
    note(db, "schedule.run", str(schedule.id), actor=user.username)


def ask_again(db: Session, schedule: Schedule, job: JobRecord, user: User) -> None:
    """Ask for another approval of a schedule as it is now. Commits `db`; raises Forbidden."""
    require(user, "change", schedule)
    require_runnable(job)
    _keep_awake(schedule)
    _edited(db, schedule, job, user)
    note(db, "schedule.ask", str(schedule.id), actor=user.username)
    db.commit()


def remove(db: Session, schedule: Schedule, user: User) -> None:
    """Delete a schedule; its results stay. Commits `db`; raises Forbidden."""
    require(user, "delete", schedule)
    note(db, "schedule.delete", str(schedule.id), actor=user.username, before=said_of(schedule))
    db.delete(schedule)
    db.commit()


# --- what is stored ----------------------------------------------------------------------------------------------


def _checked(
    db: Session,
    settings: Settings,
    job: JobRecord,
    raw: Mapping[str, Any],
    user: User,
    *,
    commit: bool | None,
    queue: str | None,
    form: bool,
    questions: Questions | None,
) -> _Inputs:
    require(user, "run", job)
    require_runnable(job)
    if file_names(job.variables):
        raise NotRunnable(FILES)
    check_commit(job, commit)
    chosen = chosen_queue(job, queue)
    questions = questions or Questions(settings, job, username=user.username)
    data = check_inputs(db, settings, job, raw, form=form, questions=questions, sealed=(), user=user)
    in_the_open = readable(job, data)
    require_inputs(user, job, in_the_open, chosen)
    box = seal_inputs(db, settings, job, data)
    if box is not None and not box.lasting:
        raise NotRunnable(f"{SENSITIVE} {UNSEALED}")
    key = rules.concurrency_key(job, data, settings.secret_key) if box else None
    saves = not job.read_only and (job.commit_default if commit is None else commit)
    return _Inputs(in_the_open, chosen, saves, box, key)


def _keep_inputs(schedule: Schedule, inputs: _Inputs, job: JobRecord, user: User) -> None:
    schedule.job_id, schedule.class_path = job.id, job.class_path
    schedule.user_id, schedule.username = user.id, user.username
    schedule.data, schedule.queue, schedule.commit = inputs.data, inputs.queue, inputs.commit
    schedule.kept_box = inputs.box.content if inputs.box else None
    schedule.sealed_facts = inputs.box.facts if inputs.box else None
    schedule.concurrency_key = inputs.concurrency_key


def keep_timetable(schedule: Schedule, timetable: Timetable, last_slot: datetime | None = None) -> None:
    if (
        timetable.times.interval not in INTERVALS
        or timetable.missed not in MISSED
        or timetable.overlap not in OVERLAPS
    ):
        raise ValueError("A timetable is checked before it is kept.")
    schedule.name, schedule.missed, schedule.overlap = timetable.name, timetable.missed, timetable.overlap
    keep_times(schedule, timetable.times)
    for name, value in cursor(schedule, timetable.times, last_slot).items():
        setattr(schedule, name, value)


def _keep_awake(schedule: Schedule) -> None:
    """Have it fire again if it slept."""
    times = recurrence_of(schedule)
    if schedule.wakes_at is None:
        for name, value in cursor(schedule, times, _from_now(schedule, times)).items():
            setattr(schedule, name, value)
    schedule.problem = ""


def _from_now(schedule: Schedule, times: Recurrence) -> datetime | None:
    """Return the last slot for a schedule that is to fire what is to come, and what runs once be it late."""
    if times.interval == "future" and schedule.last_slot_at is None:
        return None
    return max(filter(None, (schedule.last_slot_at, now())))


def _edited(db: Session, schedule: Schedule, job: JobRecord | None, user: User) -> None:
    schedule.version += 1
    schedule.updated_at, schedule.problem = now(), ""
    if job is not None:
        ask_for(db, schedule, job, user)


def _switch(db: Session, schedule: Schedule, user: User, *, enabled: bool) -> None:
    require(user, "change", schedule)
    if schedule.enabled == enabled:
        db.rollback()
        return
    schedule.enabled = enabled
    schedule.switched_by, schedule.switched_at = user.username, now()
    schedule.version += 1
    if enabled and schedule.wakes_at is not None:
        times = recurrence_of(schedule)
        for name, value in cursor(schedule, times, _from_now(schedule, times)).items():
            setattr(schedule, name, value)
    act = "resume" if enabled else "pause"
    note(db, f"schedule.{act}", str(schedule.id), actor=user.username)
    db.commit()


def said_of(schedule: Schedule) -> dict[str, Any]:
    return {
        "name": schedule.name,
        "job": schedule.class_path,
        "owner": schedule.username,
        "when": recurrence_of(schedule).in_words(),
        "missed": schedule.missed,
        "overlap": schedule.overlap,
        "queue": schedule.queue,
        "commit": schedule.commit,
        "inputs": schedule.data,
    }
