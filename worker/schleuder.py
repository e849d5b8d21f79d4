"""The registry of jobschleuder: imported, scheduled, and asked to run something now."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import case, delete, select
from sqlalchemy.orm import Session, joinedload

from jobs.dialects import SCHLEUDER
from jobs.schleuder.registry import Registry
from store.audit import note
from store.models import JobRecord, JobResult, RegistryEntry, RegistryJob, Schedule, User, now
from store.settings import Settings
from store.timing.cron import parse
from store.timing.fields import BadCron
from store.timing.recurrence import Recurrence
from worker import schedules
from worker.asked import NotRunnable
from worker.refusals import REFUSALS, sentence
from worker.schedules import LONGEST_NAME, Timetable, checked_name
from worker.submit import submit

#: Whose cron expressions they are (see store.timing.dialects).
CRON = "jobschleuder"


@dataclass(slots=True)
class Initialised:
    """What became of the entries of a registry."""

    scheduled: int = 0
    #: Those that have no schedule, and why.
    left_out: list[tuple[RegistryEntry, str]] = field(default_factory=list)


def why_no_cron(text: str) -> str:
    """Return why a cron expression cannot be read, as a sentence; "" for one that can."""
    try:
        parse(text, CRON)
    except BadCron as error:
        return str(error)
    return ""


def import_registry(db: Session, registry: Registry) -> None:
    """Put what was read in the place of all that there is: jobs, entries and their schedules. Commits `db`."""
    before = len(entries(db))
    _remove_schedules(db)
    db.execute(delete(RegistryEntry))
    db.execute(delete(RegistryJob))
    for read in registry.entries:
        job = RegistryJob(
            job=read.job,
            description=read.description,
            preprocessing=read.preprocessing,
            postprocessing=read.postprocessing,
            arguments=read.arguments,
            label=read.label[:LONGEST_NAME],
        )
        db.add(job)
        db.flush()
        db.add(RegistryEntry(job_id=job.id, schedule=read.schedule, cron=read.cron))
    after = [read.job for read in registry.entries]
    note(db, "registry.import", "jobschleuder", before={"jobs": before}, after={"jobs": after})
    db.commit()


def initialise(db: Session, settings: Settings, user: User, zone: str) -> Initialised:
    """Give each entry a schedule that runs its job as `user` from now on; those of before are gone. Commits `db`."""
    _remove_schedules(db)
    done = Initialised()
    for entry in entries(db):
        try:
            made = _schedule(db, settings, entry, user, zone)
        except REFUSALS as refusal:
            done.left_out.append((entry, sentence(refusal, user.username)))
            continue
        entry.schedule_id = made.id
        done.scheduled += 1
    note(db, "registry.init", "jobschleuder", after={"schedules": done.scheduled})
    db.commit()
    return done


def run_now(db: Session, settings: Settings, row: RegistryJob, user: User) -> JobResult:
    """Run a job of the registry at once. Commits `db`; raises as `worker.submit` does."""
    return submit(db, settings, job=record_of(db, row.job), raw=inputs(row), user=user)


def record_of(db: Session, name: str) -> JobRecord:
    """Return the job that plugins register under a name. Raises NotRunnable."""
    query = select(JobRecord).where(JobRecord.dialect == SCHLEUDER, JobRecord.class_name == name)
    order = (
        JobRecord.installed.desc(),
        JobRecord.enabled.desc(),
        case((JobRecord.source == "local", 0), else_=1),
        JobRecord.class_path,
    )
    found = db.scalars(query.order_by(*order).limit(1)).first()
    if found is None:
        raise NotRunnable(f"There is no plugin that registers {name}.")
    return found


def inputs(row: RegistryJob) -> dict[str, Any]:
    """Return what the job of a row is run with."""
    return {
        "arguments": row.arguments,
        "preprocessing": row.preprocessing,
        "postprocessing": row.postprocessing,
    }


def jobs(db: Session) -> Sequence[RegistryJob]:
    return db.scalars(select(RegistryJob).order_by(RegistryJob.id)).all()


def entries(db: Session) -> Sequence[RegistryEntry]:
    """Return all entries with their jobs and schedules."""
    options = (joinedload(RegistryEntry.job), joinedload(RegistryEntry.made))
    return db.scalars(select(RegistryEntry).options(*options).order_by(RegistryEntry.id)).all()


def scheduled(db: Session, *, due: bool) -> Iterator[tuple[RegistryEntry, Schedule]]:
    """Yield the entries whose next run is known. due: those alone whose time has come."""
    moment = now()
    for entry in entries(db):
        made = entry.made
        if made is not None and made.next_slot_at is not None and (not due or made.next_slot_at <= moment):
            yield entry, made


def _remove_schedules(db: Session) -> None:
    for entry in entries(db):
        if entry.made is not None:
            before = schedules.said_of(entry.made)
            note(db, "schedule.delete", str(entry.made.id), before=before)
            db.delete(entry.made)
    db.flush()
    db.expire_all()


def _schedule(db: Session, settings: Settings, entry: RegistryEntry, user: User, zone: str) -> Schedule:
    times = Recurrence("custom", now(), zone, cron=entry.cron, dialect=CRON)
    name = checked_name(entry.job.label or entry.job.job)
    return schedules.add(
        db,
        settings,
        job=record_of(db, entry.job.job),
        raw=inputs(entry.job),
        user=user,
        # As there: what was missed is made up for once, and a run does not wait for an earlier one.
        timetable=Timetable(name, times, missed="once", overlap="allow"),
    )
