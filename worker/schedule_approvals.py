"""Approvals of schedules: one decision for all runs, as long as nobody edits the schedule and its job stays as it is."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from jobs.errors import InvalidData
from store.audit import note
from store.models import Approval, JobRecord, Schedule, User, now
from store.platform import Platform
from store.timing.recurrence import ONCE
from store.timing.saved import cursor, recurrence_of
from worker.approvals import (
    AlreadyDecided,
    Decision,
    checked_comment,
    digests,
    require_approver,
    require_unchanged,
    waits_for,
    what_differs,
    write_decision,
)
from worker.missed_slots import note_passed
from worker.plans import require_plan

WAITS = "It waits for somebody to approve it."
UNAPPROVED = "Nobody had approved the schedule yet."
EXPIRED = "Nobody approved it in time. Ask again."
LATE = "It was to run before now, so it would run at once. Approve it all the same?"


def ask_for(db: Session, schedule: Schedule, job: JobRecord, user: User | None) -> None:
    """Have a schedule that is new, or that `user` edited, wait for an approval if its job needs one. The caller commits."""
    _void(db, schedule)
    schedule.asked_by_id = user.id if user is not None else None
    if not job.approval_required:
        return
    moment = now()
    db.add(
        Approval(
            schedule_id=schedule.id,
            created_at=moment,
            expires_at=moment + waits_for(job),
            asked=digests(schedule, job),
        )
    )
    # It sleeps until then.
    schedule.problem, schedule.wakes_at = WAITS, None


def approval_of(db: Session, schedule_id: UUID) -> Approval | None:
    """Return the request of a schedule that counts: the newest one."""
    query = select(Approval).where(Approval.schedule_id == schedule_id, Approval.result_id.is_(None))
    return db.scalars(query.order_by(Approval.id.desc()).limit(1)).first()


def why_not(approval: Approval | None, schedule: Schedule, job: JobRecord) -> str:
    """Return why a schedule may not make runs, as a sentence; "" where it may.

    Where nobody was ever asked, it may: then each of its runs asks.
    """
    if approval is None or not job.approval_required:
        return ""
    if approval.decision == "denied":
        return f"Denied by {approval.decided_by}: {approval.comment}"
    if approval.decision != "approved":
        return EXPIRED if approval.decision else WAITS
    if problem := what_differs(approval.asked, schedule, job):
        return f"It was approved by {approval.decided_by}, but not like this: {problem}"
    return ""


def decide(
    db: Session,
    schedule: Schedule,
    decision: Decision,
    *,
    user: User,
    comment: str = "",
    late: bool = False,
    plan: UUID | None = None,
    drift: int | None = 0,
) -> None:
    """Approve a schedule or deny it. Commits `db`.

    late: approve one that was to run once, and before now.
    plan, drift: as of a run (see worker.approvals.decide); they hold for each of its runs.
    Raises Forbidden, InvalidData ({"comment": ...}, {"late": ...}), AlreadyDecided.
    """
    job = db.get(JobRecord, schedule.job_id) if schedule.job_id else None
    approval = approval_of(db, schedule.id)
    if job is None or approval is None:
        raise AlreadyDecided("There is nothing to decide on any more.")
    require_approver(db, user, schedule, job)
    comment = checked_comment(decision, comment)
    if decision == "approved":
        require_unchanged(approval.asked, schedule, job)
        require_plan(db, approval, job, plan)
        if is_late(schedule) and not late:
            raise InvalidData({"late": [LATE]})
    write_decision(db, approval, decision, user.username, comment, drift=drift)
    if decision == "denied":
        schedule.problem = f"Denied by {user.username}: {comment}"
    else:
        wake(db, schedule)
    schedule.version += 1
    note(db, f"schedule.{decision}", str(schedule.id), actor=user.username, after={"comment": comment})
    db.commit()


def is_late(schedule: Schedule) -> bool:
    """Tell whether it was to run once, and before now."""
    return schedule.interval in ONCE and schedule.start_at < now()


def wake(db: Session, schedule: Schedule) -> None:
    """Have a schedule that waited fire from now on; one that fires once does so, be it late."""
    recurrence, moment = recurrence_of(schedule), now()
    last = schedule.last_slot_at
    if schedule.interval not in ONCE:
        note_passed(db, schedule, recurrence, until=moment, cause=UNAPPROVED)
        last = moment
    for name, value in cursor(schedule, recurrence, last).items():
        setattr(schedule, name, value)
    schedule.problem = ""


def expire(platform: Platform) -> list[UUID]:
    """End the requests of schedules that nobody decided on in time; return the schedules."""
    over = (Approval.decision.is_(None), Approval.expires_at <= now(), Approval.schedule_id.is_not(None))
    with platform.reading() as db:
        requests: Sequence[Approval] = db.scalars(select(Approval).where(*over)).all()
    expired = []
    for request in requests:
        with platform.session() as db:
            try:
                write_decision(db, request, "expired", None, "")
            except AlreadyDecided:
                continue
            problem = {"problem": EXPIRED, "version": Schedule.version + 1}
            db.execute(update(Schedule).where(Schedule.id == request.schedule_id).values(**problem))
            note(db, "schedule.expire", str(request.schedule_id))
            db.commit()
            expired.append(request.schedule_id)
    return [schedule_id for schedule_id in expired if schedule_id]


def _void(db: Session, schedule: Schedule) -> None:
    """Have no decision on an older form of the schedule count any more."""
    mine = (Approval.schedule_id == schedule.id, Approval.result_id.is_(None))
    db.execute(
        update(Approval)
        .where(*mine, Approval.decision.is_(None) | (Approval.decision == "approved"))
        .values(decision="void")
        .execution_options(synchronize_session=False)
    )
