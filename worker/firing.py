"""Schedules fire: each slot makes exactly one run, or is counted as missed, once, with the reason.

A slot is claimed by moving its schedule's cursor over it, in the transaction that stores the run: any number of
schedulers may try at once, and be killed anywhere, and one of them has done all of it or none.
"""

import logging
import random
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Update, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, joinedload, undefer

from jobs.errors import InvalidData
from store.audit import Actor, acting
from store.models import Approval, JobRecord, JobResult, Schedule, Status, now
from store.platform import Platform
from store.sealing import Box
from store.settings import Settings
from store.timing.recurrence import Recurrence
from store.timing.saved import cursor, recurrence_of
from worker import awaited_jobs, rules
from worker.asked import NotRunnable, require_runnable
from worker.attempts import ended
from worker.failpoints import reach
from worker.missed_slots import note_passed
from worker.origins import Origin, Taken
from worker.passes import keep_looking
from worker.refusals import REFUSALS, broke, sentence
from worker.schedule_approvals import approval_of, why_not
from worker.submit import Reused, still_fits, submit

#: Of one pass; the next one goes on.
MOST_SCHEDULES = 200

#: Between two looks at what is due, unless something is due sooner.
LOOK_SECONDS = 1.0
SHORTEST_SECONDS = 0.05

#: When a schedule is tried again at which the portal failed.
AFTER_A_BREAK = timedelta(minutes=1)

#: None was running, or all were more than a minute behind: nobody can tell afterwards.
DOWN = "No scheduler came to it in time."
STANDS_FOR = "No scheduler came to it in time; one later run stands for it."

logger = logging.getLogger("errand.firing")


@dataclass(slots=True)
class Fired:
    """What one pass did."""

    runs: list[UUID] = field(default_factory=list)
    #: {schedule: why its slots made no runs}
    missed: dict[UUID, str] = field(default_factory=dict)


def keep_firing(settings: Settings, platform: Platform, stop: threading.Event) -> None:
    """Make passes until `stop` is set, each as soon as something is due."""

    def look() -> float:
        fire_due(platform, settings)
        return _until_next(platform)

    keep_looking(look, stop, pause=LOOK_SECONDS)


def fire_due(platform: Platform, settings: Settings) -> Fired:
    """Deal with all slots that are due. Safe to run at any time, by any number of processes."""
    fired = Fired()
    with platform.reading() as db:
        if not db.scalar(select(rules.SCHEMA_FITS)):
            return fired  # This code does not know what the rows mean by now.
        waking = (Schedule.enabled, Schedule.wakes_at.is_not(None), Schedule.wakes_at <= now())
        query = select(Schedule.id).where(*waking).order_by(Schedule.wakes_at).limit(MOST_SCHEDULES)
        due = list(db.scalars(query))
    # Each scheduler goes through them in an order of its own: in the same one, all would be at the same slot all the time.
    random.shuffle(due)
    for schedule_id in due:
        with acting(Actor("", "schedule")):
            try:
                _fire(platform, settings, schedule_id, fired)
            except SQLAlchemyError:
                raise
            except Exception as error:
                # One that cannot be dealt with must not keep all others from being.
                logger.exception("The schedule %s could not be dealt with.", schedule_id)
                _put_off(platform, schedule_id, broke(error))
    return fired


def _until_next(platform: Platform) -> float:
    """Return the seconds until a schedule is to be looked at, or until somebody may have changed one."""
    with platform.reading() as db:
        query = select(Schedule.wakes_at).where(Schedule.enabled, Schedule.wakes_at.is_not(None))
        wakes_at = db.scalar(query.order_by(Schedule.wakes_at).limit(1))
    if wakes_at is None:
        return LOOK_SECONDS
    return min(LOOK_SECONDS, max(SHORTEST_SECONDS, (wakes_at - now()).total_seconds()))


def _fire(platform: Platform, settings: Settings, schedule_id: UUID, fired: Fired) -> None:
    with platform.reading() as db:
        schedule = read(db, schedule_id)
        approval = approval_of(db, schedule_id)
    at = now()
    if schedule is None or not schedule.enabled or schedule.wakes_at is None or schedule.wakes_at > at:
        return  # Somebody else has dealt with it meanwhile.
    reach("firing.read")
    try:
        recurrence = recurrence_of(schedule)
    except ValueError as error:
        _stop(platform, schedule, f"Its times cannot be read: {error}", fired)
        return
    ready = recurrence.ready(schedule.last_slot_at, at, str(schedule_id))
    turn = _Turn(platform, settings, schedule, recurrence, approval, fired)
    if ready and (problem := why_not_now(schedule, approval)):
        turn.miss(ready[-1][0], problem)
        return
    due = recurrence.due(schedule.last_slot_at, at, schedule.missed, str(schedule_id))  # type: ignore[arg-type]
    for slot in due:
        if not turn.run(slot):
            return
    last = due[-1] if due else schedule.last_slot_at
    if ready and (last is None or ready[-1][0] > last):
        turn.miss(ready[-1][0], DOWN)
    elif not ready:
        turn.look_again()


def read(db: Session, schedule_id: UUID) -> Schedule | None:
    """Return a schedule with its job, its user and its sealed inputs."""
    options = (joinedload(Schedule.job), joinedload(Schedule.user), undefer(Schedule.kept_box))
    return db.scalars(select(Schedule).where(Schedule.id == schedule_id).options(*options)).one_or_none()


def why_not_now(schedule: Schedule, approval: Approval | None) -> str:
    """Return why a schedule (with its job and user) makes no runs at present, as a sentence; "" where it does."""
    if schedule.owner_gone:
        gone = "has no account any more" if schedule.user is None else "may not sign in any more"
        return f"{runs_as(schedule)} {gone}. Somebody has to take it over."
    if schedule.job is None:
        return awaited_jobs.problem_of(schedule.class_path)
    try:
        require_runnable(schedule.job)
    except NotRunnable as refusal:
        return str(refusal)
    return why_not(approval, schedule, schedule.job)


def _sealed_inputs(settings: Settings, schedule: Schedule, job: JobRecord) -> Reused | None:
    """Return the inputs of a schedule that nobody may read. Raises InvalidData where they do not fit its job any more."""
    if schedule.kept_box is None:
        return None
    box = Box(schedule.kept_box, schedule.sealed_facts or {})
    until = now() + timedelta(days=settings.sealed_days)
    reused = Reused(schedule.id, box, until, schedule.concurrency_key)
    if not still_fits(reused, schedule.data, job):
        raise InvalidData(["What the job takes has changed. Give the schedule its inputs again."])
    return reused


def submit_for(
    db: Session, settings: Settings, schedule: Schedule, job: JobRecord, origin: Origin
) -> JobResult:
    """Ask for a run as a schedule wants it. Raises as `worker.submit` does."""
    return submit(
        db,
        settings,
        job=job,
        raw=schedule.data,
        user=schedule.user,
        commit=schedule.commit,
        queue=schedule.queue,
        sealed=_sealed_inputs(settings, schedule, job),
        origin=origin,
    )


class _Turn:
    """What one scheduler does about one schedule, slot by slot, as long as nobody else does."""

    def __init__(
        self,
        platform: Platform,
        settings: Settings,
        schedule: Schedule,
        recurrence: Recurrence,
        approval: Approval | None,
        fired: Fired,
    ) -> None:
        self._platform, self._settings, self._fired = platform, settings, fired
        self._schedule, self._recurrence, self._approval = schedule, recurrence, approval

    def run(self, slot: datetime) -> bool:
        """Have a slot make its run; False where it is somebody else's, and so are all that follow."""
        schedule, job = self._schedule, self._schedule.job
        assert job is not None  # noqa: S101 - see why_not_now
        approved = self._approval if job.approval_required else None
        origin = Origin(
            "schedule",
            schedule.id,
            schedule.name,
            key=_key(slot),
            slot_at=slot,
            approval=approved,
            claim=lambda db, result: self._claim(db, result, slot),
        )
        try:
            with self._platform.session() as db:
                result = submit_for(db, self._settings, schedule, job, origin)
                self._fired.runs.append(result.id)
        except Taken:
            return self._pass_over(slot)
        except REFUSALS as refusal:
            return self.miss(slot, sentence(refusal, runs_as(schedule)))
        self._moved(slot)
        return True

    def miss(self, slot: datetime, cause: str) -> bool:
        """Count all slots up to this one as missed, for this reason; False where somebody else has dealt with them."""
        with self._platform.session() as db:
            problem = "" if cause == DOWN else cause
            if not self._move(db, slot, problem=problem):
                return False
            note_passed(db, self._schedule, self._recurrence, until=slot, cause=cause)
            reach("firing.missed")
            db.commit()
        logger.warning("%s missed a run: %s", self._schedule.name, cause)
        self._fired.missed[self._schedule.id] = cause
        self._moved(slot)
        return True

    def look_again(self) -> None:
        """Find out anew when the next slot is: a jitter, or a clock, was not what the row says."""
        with self._platform.session() as db:
            last = self._schedule.last_slot_at
            db.execute(self._mine().values(**cursor(self._schedule, self._recurrence, last)))
            db.commit()

    def _pass_over(self, slot: datetime) -> bool:
        """Leave behind a slot that has its run, such as one that comes again after a clock was set back."""
        with self._platform.session() as db:
            of_slot = (JobResult.origin_id == self._schedule.id, JobResult.origin_key == _key(slot))
            if db.scalar(select(JobResult.id).where(*of_slot)) is None or not self._move(db, slot):
                return False
            db.commit()
        self._moved(slot)
        return True

    def _claim(self, db: Session, result: JobResult, slot: datetime) -> Sequence[JobResult]:
        """Move the cursor, or find out that somebody else has, in the transaction that stores the run."""
        schedule = self._schedule
        counted = {"last_run_at": now(), "total_run_count": Schedule.total_run_count + 1}
        if not self._move(db, slot, problem="", **counted):
            raise Taken
        cause = STANDS_FOR if schedule.missed == "once" else DOWN
        note_passed(db, schedule, self._recurrence, until=slot - timedelta(microseconds=1), cause=cause)
        return overlap(db, schedule, result)

    def _move(self, db: Session, slot: datetime, **values: object) -> bool:
        moved = db.execute(self._mine().values(**cursor(self._schedule, self._recurrence, slot), **values))
        return bool(moved.rowcount)  # type: ignore[attr-defined]

    def _mine(self) -> Update:
        """Return an UPDATE of the schedule, if it is as it was read."""
        schedule = self._schedule
        return (
            update(Schedule)
            .where(
                Schedule.id == schedule.id,
                Schedule.enabled,
                Schedule.version == schedule.version,
                Schedule.last_slot_at.is_not_distinct_from(schedule.last_slot_at),
            )
            .execution_options(synchronize_session=False)
        )

    def _moved(self, slot: datetime) -> None:
        self._schedule.last_slot_at = slot


def _key(slot: datetime) -> str:
    return f"slot {slot.isoformat()}"


def overlap(db: Session, schedule: Schedule, result: JobResult) -> Sequence[JobResult]:
    """Have a new run start, wait, or end at once, as its schedule says where an earlier one has not ended."""
    earlier = _unfinished(db, schedule.id) if schedule.overlap != "allow" else []
    if not earlier:
        return []
    last = earlier[-1]
    if schedule.overlap == "replace":
        return [each for each in earlier if rules.replace(db, each, schedule.username)]
    state = "running" if last.status == Status.RUNNING else "waiting"
    if schedule.overlap == "skip":
        values = {
            "pushed_at": None,
            **ended(Status.CANCELED, f"Skipped: run {last.short_id} of this schedule was still {state}."),
        }
    else:
        values = {
            "pushed_at": None,
            "after_id": last.id,
            "cause": f"It waits until run {last.short_id} of this schedule has ended.",
        }
    for name, value in values.items():
        setattr(result, name, value)
    return []


def _unfinished(db: Session, schedule_id: UUID) -> Sequence[JobResult]:
    query = select(JobResult).where(
        JobResult.origin_id == schedule_id,
        JobResult.origin == "schedule",
        JobResult.status.in_((Status.PENDING, Status.RUNNING)),
        JobResult.cancel_requested_at.is_(None),
    )
    with db.no_autoflush:
        return db.scalars(query.order_by(JobResult.created_at, JobResult.id)).all()


def runs_as(schedule: Schedule) -> str:
    """Return whom a sentence about a refusal is about."""
    return f"{schedule.username}, as whom it runs,"


def _stop(platform: Platform, schedule: Schedule, problem: str, fired: Fired) -> None:
    """Have a schedule sleep until somebody has looked after it."""
    with platform.session() as db:
        mine = (Schedule.id == schedule.id, Schedule.version == schedule.version)
        db.execute(update(Schedule).where(*mine).values(problem=problem, wakes_at=None))
        db.commit()
    fired.missed[schedule.id] = problem


def _put_off(platform: Platform, schedule_id: UUID, problem: str) -> None:
    """Have a schedule be tried again soon: its slot is still to come."""
    with platform.session() as db:
        later = {"wakes_at": now() + AFTER_A_BREAK, "problem": problem}
        db.execute(update(Schedule).where(Schedule.id == schedule_id).values(**later))
        db.commit()
