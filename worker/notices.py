"""Finds what there is to tell, and writes down a message for everybody who is to be told.

Nothing on the way of a run knows of messages. A run that has ended, a request, a decision and a missed slot are rows
that say "nobody was told yet"; whoever does this duty looks for them, and in one transaction writes the messages and
takes that word back. Whatever dies before that, the row is found again; whoever comes second changes nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import Select, delete, select, update
from sqlalchemy.orm import Session, joinedload, load_only

from store.models import (
    LEVELS,
    Approval,
    Delivery,
    JobRecord,
    JobResult,
    MissedSlots,
    NoticeRule,
    RunReport,
    Schedule,
    Status,
)
from store.models.approval import UNTOLD as UNTOLD_APPROVAL
from store.models.result import UNTOLD
from store.models.schedule import UNTOLD_MISSED, UNTOLD_PROBLEM
from store.notices import OUTPUT
from store.platform import Platform
from store.rights import Rights
from store.settings import Settings
from worker import notice_events
from worker.failpoints import reach
from worker.notice_circle import Circle, approvers, requester
from worker.schedule_approvals import EXPIRED, WAITS

#: So many of a kind are dealt with in one transaction.
BATCH = 100

#: Of problems of schedules: what begins so is said by the message of a request, or of its decision.
TOLD_BY_REQUEST = (WAITS, "Denied by ", EXPIRED)

#: Of a run only what messages say: its inputs and outputs may be large.
_TOLD_OF_RESULT = load_only(
    JobResult.job_id,
    JobResult.class_path,
    JobResult.name,
    JobResult.user_id,
    JobResult.username,
    JobResult.status,
    JobResult.cause,
    JobResult.commit,
    JobResult.queue,
    JobResult.data,
    JobResult.origin,
    JobResult.origin_id,
    JobResult.origin_name,
    JobResult.created_at,
    JobResult.started_at,
    JobResult.finished_at,
    JobResult.last_seq,
    *(getattr(JobResult, f"count_{level}") for level in LEVELS),
)

#: Of a job what permissions speak of.
_ASKED_OF_JOB = load_only(
    JobRecord.source,
    JobRecord.grouping,
    JobRecord.class_path,
    JobRecord.queues,
    JobRecord.enabled,
    JobRecord.hidden,
    JobRecord.read_only,
    JobRecord.restricted,
    JobRecord.dialect,
    JobRecord.has_plan,
)

_WITH = (joinedload(JobResult.user), joinedload(JobResult.job).options(_ASKED_OF_JOB))


@dataclass
class Found:
    """One event that nobody was told of, with the messages that tell of it."""

    #: The statement that takes it, if nobody else has.
    take: Any
    deliveries: list[Delivery] = field(default_factory=list)


def note_all(platform: Platform, settings: Settings) -> int:
    """Look once for what is to be told; return how many messages that makes."""
    return sum(note(platform, settings) for note in (note_ended, note_approvals, note_missed, note_problems))


def note_ended(platform: Platform, settings: Settings) -> int:
    """Tell of runs that have ended."""
    quiet: list[UUID] = []
    found: list[Found] = []
    with platform.reading() as db:
        ids = select(JobResult.id).where(UNTOLD).order_by(JobResult.finished_at).limit(BATCH)
        query = select(JobResult).where(JobResult.id.in_(ids)).order_by(JobResult.finished_at)
        results = db.scalars(query.options(_TOLD_OF_RESULT, *_WITH)).all()
        if not results:
            return 0
        circle = Circle(db, settings, results)
        with_output = _with_output(db, results)
        for result in results:
            deliveries = circle.deliveries(notice_events.end(db, result), circle.people_of_end(result))
            if result.id in with_output:
                people = circle.people_of_end(result, OUTPUT)
                deliveries += circle.deliveries(notice_events.output(db, result), people)
            if deliveries:
                taken = update(JobResult).where(JobResult.id == result.id, UNTOLD).values(told=True)
                found.append(Found(taken, deliveries))
            else:
                quiet.append(result.id)
    reach("notices.found")
    with platform.session() as db:
        # Mostly nobody wants to know: one statement for all of those.
        if quiet:
            _run(db, update(JobResult).where(JobResult.id.in_(quiet), UNTOLD).values(told=True))
        made = _take(db, found)
        granted = [str(result.id) for result in results]
        _run(db, delete(NoticeRule).where(NoticeRule.about == "run", NoticeRule.subject.in_(granted)))
        reach("notices.written")
        db.commit()
    return made


def _with_output(db: Session, results: Iterable[JobResult]) -> set[UUID]:
    """Return the runs with something to report; a job of Bots Scheduler has to wish that it is told, too."""
    ids = [result.id for result in results]
    found = set(db.scalars(select(RunReport.result_id).where(RunReport.result_id.in_(ids))))
    bots = {result.id for result in results if result.job is not None and result.job.dialect == "bots"}
    if asking := found & bots:
        wishes = select(JobResult.id, JobResult.results["notify"]).where(JobResult.id.in_(asking))
        found -= {result_id for result_id, wish in db.execute(wishes) if not wish}
    return found


def note_approvals(platform: Platform, settings: Settings) -> int:
    """Tell of requests for an approval those who may give it, and of decisions those who asked."""
    found = []
    with platform.reading() as db:
        approvals = db.scalars(_approvals()).all()
        if not approvals:
            return 0
        circle = Circle(db, settings, ())
        rights = Rights.read(db)
        for approval in approvals:
            asked = approval.result or approval.schedule
            told = 2 if approval.decision is not None else 1
            mine = (Approval.id == approval.id, Approval.told == approval.told, Approval.decision.is_(None))
            take = update(Approval).where(*(mine if told == 1 else mine[:2])).values(told=told)
            if asked is None or not _concerns_somebody(approval, asked):
                found.append(Found(take))
                continue
            event = (
                notice_events.decision(approval, asked)
                if told == 2
                else notice_events.request(approval, asked)
            )
            people = requester(asked) if told == 2 else approvers(db, rights, asked)
            found.append(Found(take, circle.deliveries(event, people)))
    return _stored(platform, found)


def _concerns_somebody(approval: Approval, asked: JobResult | Schedule) -> bool:
    """Tell whether it was not taken back, or edited, before anybody was told."""
    if approval.decision is None:
        return isinstance(asked, Schedule) or asked.status == Status.AWAITING_APPROVAL
    return approval.decision in ("approved", "denied", "expired")


def note_missed(platform: Platform, settings: Settings) -> int:
    """Tell of slots that should have made runs and did not."""
    found = []
    with platform.reading() as db:
        query = (
            select(MissedSlots, Schedule)
            .join(Schedule, Schedule.id == MissedSlots.schedule_id)
            .where(MissedSlots.id.in_(select(MissedSlots.id).where(UNTOLD_MISSED).limit(BATCH)))
            .order_by(MissedSlots.id)
            .options(*_of_schedule())
        )
        rows = db.execute(query).all()
        if not rows:
            return 0
        circle = Circle(db, settings, (), [schedule for _, schedule in rows])
        for missed, schedule in rows:
            take = update(MissedSlots).where(MissedSlots.id == missed.id, UNTOLD_MISSED).values(told=True)
            event = notice_events.missed_slots(schedule, missed)
            # A problem is told of once, however many slots it costs.
            told_as_problem = missed.cause == schedule.problem
            people = circle.people_of_schedule(schedule)
            found.append(Found(take, [] if told_as_problem else circle.deliveries(event, people)))
    return _stored(platform, found)


def note_problems(platform: Platform, settings: Settings) -> int:
    """Tell of schedules that cannot make runs."""
    found = []
    with platform.reading() as db:
        ids = select(Schedule.id).where(UNTOLD_PROBLEM).limit(BATCH)
        query = select(Schedule).where(Schedule.id.in_(ids))
        schedules = db.scalars(query.options(*_of_schedule())).all()
        if not schedules:
            return 0
        circle = Circle(db, settings, (), schedules)
        for schedule in schedules:
            same = (Schedule.problem == schedule.problem, Schedule.told_problem == schedule.told_problem)
            take = (
                update(Schedule)
                .where(Schedule.id == schedule.id, *same)
                .values(told_problem=schedule.problem)
            )
            # Empty: it is over, and nobody need be told; nor of what a request and its decision tell.
            people = circle.people_of_schedule(schedule)
            event = notice_events.problem(schedule)
            is_news = schedule.problem and not schedule.problem.startswith(TOLD_BY_REQUEST)
            found.append(Found(take, circle.deliveries(event, people) if is_news else []))
    return _stored(platform, found)


def _approvals() -> Select[Any]:
    result, schedule = joinedload(Approval.result), joinedload(Approval.schedule)
    return (
        select(Approval)
        .where(Approval.id.in_(select(Approval.id).where(UNTOLD_APPROVAL).order_by(Approval.id).limit(BATCH)))
        .order_by(Approval.id)
        .options(result.options(_TOLD_OF_RESULT, *_WITH), schedule.options(*_of_schedule()))
    )


def _of_schedule() -> tuple[Any, ...]:
    return (
        joinedload(Schedule.user),
        joinedload(Schedule.job).options(_ASKED_OF_JOB),
    )


def _stored(platform: Platform, found: Iterable[Found]) -> int:
    with platform.session() as db:
        made = _take(db, found)
        db.commit()
    return made


def _take(db: Session, found: Iterable[Found]) -> int:
    """Write the messages of what nobody else has taken; return how many."""
    made = 0
    for one in found:
        if _run(db, one.take):
            db.add_all(one.deliveries)
            made += len(one.deliveries)
    return made


def _run(db: Session, statement: Any) -> int:
    written = db.execute(statement, execution_options={"synchronize_session": False})
    count: int = written.rowcount  # type: ignore[attr-defined]
    return count
