"""What pages and calls tell of schedules: their last runs, and why they make none."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import joinedload, undefer

from store.models import Approval, JobRecord, MissedSlots, Schedule, now
from store.permissions import Forbidden, NotVisible, visible
from store.timing.saved import recurrence_of
from webapp.auth import current_user, require
from webapp.database import db
from webapp.history import Run, runs_of_schedules
from webapp.looks import Pulse, pulse
from webapp.schedule_form import NEXT_SHOWN
from worker.firing import why_not_now
from worker.schedule_approvals import WAITS

MISSED_SHOWN = 10
#: How long a miss is news.
MISSED_LATELY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Line:
    """One schedule in the list."""

    schedule: Schedule
    words: str
    runs: tuple[Run, ...]
    pulse: Pulse
    #: Why it makes no runs at present.
    problem: str
    #: How many slots it missed lately.
    missed: int

    @property
    def waits(self) -> bool:
        return self.problem == WAITS

    @property
    def comes(self) -> bool:
        """Whether it is going to make a run, as far as is known."""
        return self.schedule.enabled and self.schedule.wakes_at is not None and not self.problem

    @property
    def last(self) -> Run | None:
        return self.runs[0] if self.runs else None


def find_schedule(schedule_id: UUID, *, to_change: bool = False) -> Schedule:
    """Raises NotVisible. to_change: nobody else is to change it before this request has."""
    query = visible(select(Schedule), current_user(), Schedule).where(Schedule.id == schedule_id)
    options = (joinedload(Schedule.job), joinedload(Schedule.user), undefer(Schedule.kept_box))
    if to_change:
        query = query.with_for_update(of=Schedule)
    schedule: Schedule | None = db.session.scalars(query.options(*options)).one_or_none()
    if schedule is None:
        raise NotVisible
    require("view", schedule)
    return schedule


def job_of(schedule: Schedule) -> JobRecord:
    if schedule.job is None:
        raise Forbidden("The job of this schedule was removed.")
    return schedule.job


def that_fit(query: Any, search: str) -> Any:
    """Narrow a query to the schedules that one may see, and that have each word somewhere."""
    query = visible(query, current_user(), Schedule)
    for word in search.lower().split():
        text = func.lower(Schedule.name + " " + Schedule.class_path + " " + Schedule.username)
        query = query.where(text.contains(word, autoescape=True))
    return query


def coming_of(schedule: Schedule) -> list[datetime]:
    """Return its next slots. Raises ValueError where its times cannot be read (any more)."""
    if not schedule.enabled:
        return []
    times = recurrence_of(schedule)
    return times.next(max(schedule.last_slot_at or times.before_all, now()), NEXT_SHOWN)


def missed_of(schedule: Schedule) -> Sequence[MissedSlots]:
    """Return what it missed last."""
    query = select(MissedSlots).where(MissedSlots.schedule_id == schedule.id)
    return db.session.scalars(query.order_by(MissedSlots.id.desc()).limit(MISSED_SHOWN)).all()


def times_in_words(schedule: Schedule) -> str:
    try:
        return recurrence_of(schedule).in_words()
    except ValueError as error:
        return str(error)


def _times_in_words(schedule: Schedule) -> str:
    """Return the same without the time zone, which a list shows apart from it."""
    try:
        return recurrence_of(schedule).times_in_words()
    except ValueError as error:
        return str(error)


def lines_of(schedules: Sequence[Schedule]) -> list[Line]:
    """Return the lines of schedules that were read with their jobs and users."""
    ids = [schedule.id for schedule in schedules]
    runs = runs_of_schedules(ids)
    approvals = _approvals(ids)
    missed = _missed_lately(ids)
    return [
        Line(
            schedule,
            _times_in_words(schedule),
            own := runs.get(schedule.id, ()),
            pulse(own),
            problem_of(schedule, approvals.get(schedule.id)),
            missed.get(schedule.id, 0),
        )
        for schedule in schedules
    ]


def facts_of(schedules: Sequence[Schedule]) -> list[Any]:
    """Return what the list shows of schedules that were read with their jobs and users, as far as it changes.

    Times are told in minutes from now, and what hangs on the clock, such as a silent scheduler, goes with them.
    """
    facts: list[Any] = [now().replace(second=0, microsecond=0)]
    for each in schedules:
        of_job = (each.job.name, each.job.enabled, each.job.installed) if each.job else None
        by = each.user.shown_name if each.user else each.username
        slots = (each.next_slot_at, each.wakes_at, each.enabled, each.problem)
        facts.append((each.id, each.name, each.version, each.updated_at, *slots, of_job, by))
    return [facts, runs_of_schedules([each.id for each in schedules])] if schedules else facts


def problem_of(schedule: Schedule, approval: Approval | None) -> str:
    """Return why a schedule makes no runs at present; nothing of one that is over anyway."""
    return "" if schedule.over else why_not_now(schedule, approval) or schedule.problem


def _approvals(ids: Sequence[UUID]) -> dict[UUID | None, Approval]:
    """Return the request of each schedule that counts."""
    mine = (Approval.schedule_id.in_(ids), Approval.result_id.is_(None))
    newest = select(func.max(Approval.id)).where(*mine).group_by(Approval.schedule_id)
    rows = db.session.scalars(select(Approval).where(Approval.id.in_(newest)))
    return {row.schedule_id: row for row in rows}


def _missed_lately(ids: Sequence[UUID]) -> dict[UUID, int]:
    lately = (MissedSlots.schedule_id.in_(ids), MissedSlots.noticed_at > now() - MISSED_LATELY)
    query = select(MissedSlots.schedule_id, func.sum(MissedSlots.count)).where(*lately)
    return {key: int(count) for key, count in db.session.execute(query.group_by(MissedSlots.schedule_id))}
