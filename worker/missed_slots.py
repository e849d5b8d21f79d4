"""Slots of a schedule that should have made runs and did not: each is counted once, with the reason."""

from datetime import datetime
from itertools import islice

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from store.models import MissedSlots, Schedule, now
from store.timing.recurrence import Recurrence

#: As many are counted one by one; of a schedule that fires each minute that is more than two months.
MOST_COUNTED = 100_000


def note_passed(
    db: Session, schedule: Schedule, recurrence: Recurrence, *, until: datetime, cause: str
) -> int:
    """Note that the slots after the last one that was dealt with, up to `until`, made no runs. The caller commits."""
    begin = schedule.last_slot_at or recurrence.before_all
    slots = list(islice(recurrence.slots(begin, until), MOST_COUNTED))
    if not slots:
        return 0
    _note(db, schedule, slots[0], slots[-1], len(slots), cause)
    return len(slots)


def _note(db: Session, schedule: Schedule, first: datetime, last: datetime, count: int, cause: str) -> None:
    """Write it down, in one line with the slots right before if it is for the same reason."""
    newest = db.scalars(
        select(MissedSlots)
        .where(MissedSlots.schedule_id == schedule.id)
        .order_by(MissedSlots.id.desc())
        .limit(1)
    ).first()
    if newest is not None and newest.cause == cause and newest.last_at == schedule.last_slot_at:
        newest.last_at, newest.count = last, newest.count + count
        return
    db.add(
        MissedSlots(
            schedule_id=schedule.id,
            first_at=first,
            last_at=last,
            count=count,
            cause=cause,
            noticed_at=now(),
        )
    )


def count_missed(db: Session, schedule_id: object, since: datetime) -> int:
    query = select(func.coalesce(func.sum(MissedSlots.count), 0)).where(
        MissedSlots.schedule_id == schedule_id, MissedSlots.last_at >= since
    )
    return db.scalar(query) or 0
