"""Counts ended runs and logged entries, once each: the scheduler does, so that nobody has to count history again."""

import bisect
import threading
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import and_, delete, func, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from store.models import JobResult, LogEntry, RunTally, TallyPlace, now
from store.models.tally import ALL, BUCKET_SECONDS, OTHER
from store.platform import Platform
from store.settings import Settings
from worker.passes import keep_looking

PASS_SECONDS = 5.0

#: What ended just now may be written down by a transaction that has not committed yet.
SETTLED = timedelta(seconds=10)

#: Ended runs that are counted in one transaction.
SLICE = 1_000

#: So many jobs have numbers of their own. One that has not run for a while makes room for another.
MOST_JOBS = 50
FORGOTTEN_AFTER = timedelta(days=30)

_INSERTS: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


def keep_tallying(settings: Settings, platform: Platform, stop: threading.Event) -> None:
    """Count until `stop` is set."""

    def look() -> float | None:
        return 0.05 if tally(platform) == SLICE else None

    keep_looking(look, stop, pause=PASS_SECONDS)


def tally(platform: Platform) -> int:
    """Count one slice of what ended since the last time; return how many runs that were."""
    until = now() - SETTLED
    with platform.reading() as db:
        # Read first: mostly there is nothing, and then no turn to write is taken.
        place = db.get(TallyPlace, 1)
        if place is not None and not _ended(db, place, until, 1) and _newest(db) == place.last_entry_id:
            return 0
    with platform.session() as db:
        place = _place(db, until)
        rows = _ended(db, place, until, SLICE)
        _add(db, rows)
        if rows:
            place.finished_at, place.result_id = rows[-1].finished_at, rows[-1].id
        newest = _newest(db)
        # On SQLite the numbers of removed entries come again: what is below the last one is counted from there.
        place.entries += max(0, newest - place.last_entry_id)
        place.last_entry_id = newest
        db.commit()
    return len(rows)


def _place(db: Session, since: datetime) -> TallyPlace:
    """Return how far it is, held against others who count. What ended before there was a place is not counted."""
    made = {
        "id": 1,
        "finished_at": since,
        "result_id": UUID(int=0),
        "entries": 0,
        "last_entry_id": _newest(db),
    }
    insert = _INSERTS[db.get_bind().dialect.name]
    db.execute(insert(TallyPlace).values(made).on_conflict_do_nothing())
    return db.scalars(select(TallyPlace).with_for_update()).one()


def _newest(db: Session) -> int:
    return db.scalar(select(func.max(LogEntry.id))) or 0


def _ended(db: Session, place: TallyPlace, until: datetime, most: int) -> Sequence[Any]:
    after = or_(
        JobResult.finished_at > place.finished_at,
        and_(JobResult.finished_at == place.finished_at, JobResult.id > place.result_id),
    )
    query = (
        select(
            JobResult.finished_at,
            JobResult.id,
            JobResult.class_path,
            JobResult.status,
            JobResult.started_at,
        )
        # The first condition is for the index; the second says the same more exactly.
        .where(JobResult.finished_at >= place.finished_at, JobResult.finished_at <= until, after)
        .order_by(JobResult.finished_at, JobResult.id)
        .limit(most)
    )
    return db.execute(query).all()


def _add(db: Session, rows: Sequence[Any]) -> None:
    if not rows:
        return
    _make_room(db)
    known = {(each.job, each.status): each for each in db.scalars(select(RunTally))}
    named = {job for job, _ in known} - {ALL, OTHER}
    # Those with most to count first, where there is not room for all.
    for job, _ in Counter(row.class_path for row in rows).most_common():
        if len(named) < MOST_JOBS:
            named.add(job)
    for row in rows:
        for job in (ALL, row.class_path if row.class_path in named else OTHER):
            _count(db, known, job, row)


def _count(db: Session, known: dict[tuple[str, str], RunTally], job: str, row: Any) -> None:
    found = known.get((job, row.status))
    if found is None:
        found = known[job, row.status] = RunTally(
            job=job, status=row.status, runs=0, seconds=0.0, buckets=[0] * (len(BUCKET_SECONDS) + 1)
        )
        db.add(found)
    found.runs += 1
    found.last_at = row.finished_at
    if row.started_at is not None:
        took = max(0.0, (row.finished_at - row.started_at).total_seconds())
        buckets = list(found.buckets)
        buckets[bisect.bisect_left(BUCKET_SECONDS, took)] += 1
        found.seconds, found.buckets = found.seconds + took, buckets


def _make_room(db: Session) -> None:
    """Forget the numbers of jobs that have not run for long: all of a job, or none."""
    last = select(RunTally.job).where(RunTally.job.not_in((ALL, OTHER))).group_by(RunTally.job)
    silent = last.having(func.max(RunTally.last_at) < now() - FORGOTTEN_AFTER)
    db.execute(
        delete(RunTally)
        .where(RunTally.job.in_(silent.scalar_subquery()))
        .execution_options(synchronize_session=False)
    )
