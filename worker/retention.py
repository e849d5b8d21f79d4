"""How long results are kept: those that are older are removed by the scheduler, a slice at a time.

It walks over all ended runs from the oldest end on, some hundred at a time, and removes what is due. A slice is one short
transaction, so on SQLite nobody waits long for the write turn, however many entries a result has.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Any
from uuid import UUID

from sqlalchemy import and_, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session, aliased

from store.audit import Actor, acting, note
from store.files import file_store
from store.models import FINAL, JobRecord, JobResult, Retention, Status, User, now
from store.permissions import require
from store.platform import Platform
from store.settings import Settings
from worker.passes import keep_looking
from worker.removal import erase, shrink
from worker.run_files import remove as remove_files

#: Entries and results that are removed in one transaction: some hundredths of a second.
SLICE = 1_000

#: Entries and results that are removed in a minute at most.
PER_MINUTE = 60_000

#: Ended runs that are looked at in one go.
LOOKED_AT = 500

#: After a slice it waits three times as long as that took: there are others who need the machine.
SHARE = 3

#: Between two walks; a walk that took long is not repeated before twenty times as long.
ROUND_SECONDS = 60.0
ROUND_SHARE = 20

#: Ended runs that are looked at to say how much is due.
MOST_COUNTED = 1_000

FAILED = frozenset({Status.FAILED, Status.ERRORED})

_INSERTS: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}

logger = logging.getLogger("errand.retention")

Place = tuple[datetime, UUID]


@dataclass(frozen=True, slots=True)
class Rules:
    """How many days results are kept; 0: for good."""

    days: int = 0
    failed_days: int = 0
    #: {id of a job: (days, days of those that failed)}, where 0 stands for what all have.
    of_jobs: Mapping[UUID, tuple[int, int]] = field(default_factory=dict)

    @property
    def shortest(self) -> int:
        """The fewest days that anything is kept; 0: all is kept."""
        every = [self.days, self.failed_days, *(days for pair in self.of_jobs.values() for days in pair)]
        return min((days for days in every if days), default=0)

    def days_of(self, job_id: UUID | None, status: str) -> int:
        failed = status in FAILED
        own = self.of_jobs.get(job_id, (0, 0))[failed] if job_id is not None else 0
        return own or (self.failed_days if failed else self.days)


@dataclass(frozen=True, slots=True)
class Due:
    """A result that is to be removed."""

    id: UUID
    class_path: str
    status: str
    entries: int
    since: datetime


@dataclass(frozen=True, slots=True)
class Progress:
    """How far removing is."""

    #: What was removed, ever.
    results: int
    entries: int
    #: How many of the next MOST_COUNTED ended runs are due, and since when the first of them is.
    due: int
    due_since: datetime | None
    round_at: datetime | None

    @property
    def behind_seconds(self) -> float:
        return max(0.0, (now() - self.due_since).total_seconds()) if self.due_since else 0.0


def rules(db: Session, settings: Settings) -> Rules:
    row = db.get(Retention, 1)
    given = (row.keep_days, row.keep_failed_days) if row is not None else (None, None)
    days, failed_days = (
        at_all if said is None else said
        for said, at_all in zip(given, (settings.keep_days, settings.keep_failed_days), strict=True)
    )
    own = select(JobRecord.id, JobRecord.keep_days, JobRecord.keep_failed_days)
    own = own.where(or_(JobRecord.keep_days > 0, JobRecord.keep_failed_days > 0))
    return Rules(days, failed_days, {each.id: (each[1], each[2]) for each in db.execute(own)})


def set_days(db: Session, user: User, days: int | None, failed_days: int | None) -> None:
    """Have results kept for so many days; None: as the environment says. Commits `db`. Raises Forbidden."""
    require(user, "change", User)
    row = _row(db)
    before = {"keep_days": row.keep_days, "keep_failed_days": row.keep_failed_days}
    row.keep_days, row.keep_failed_days = days, failed_days
    row.set_by, row.set_at = user.username, now()
    # From the beginning: what was passed by may be due now.
    row.walked_at = row.walked_id = None
    after = {"keep_days": days, "keep_failed_days": failed_days}
    note(db, "retention.change", "results", actor=user.username, before=before, after=after)
    db.commit()


def pin(db: Session, result: JobResult, user: User, *, on: bool) -> None:
    """Keep a result, however old it gets; or not after all. Commits `db`. Raises Forbidden."""
    require(user, "change", result)
    if result.pinned != on:
        result.pinned = on
        note(db, "result.pin" if on else "result.unpin", str(result.id), actor=user.username)
    db.commit()


def progress(db: Session, settings: Settings) -> Progress:
    row = db.get(Retention, 1)
    place = _place_of(row)
    found: list[Due] = []
    for due, _ in islice(walk(db, rules(db, settings), place), MOST_COUNTED // LOOKED_AT):
        found += due
    since = min((each.since for each in found), default=None)
    count = len(found)
    if row is None:
        return Progress(0, 0, count, since, None)
    return Progress(row.results, row.entries, count, since, row.round_at)


def walk(db: Session, by: Rules, place: Place | None) -> Iterator[tuple[list[Due], Place | None]]:
    """Yield what is due of the ended runs behind `place`, and where the walk is then; None: at its end."""
    if not by.shortest:
        return
    until = now() - timedelta(days=by.shortest)
    while True:
        rows = _ended(db, place, until)
        place = (rows[-1].finished_at, rows[-1].id) if len(rows) == LOOKED_AT else None
        yield [due for row in rows if (due := _due(by, row))], place
        if place is None:
            return


def _ended(db: Session, place: Place | None, until: datetime) -> Sequence[Any]:
    query = (
        select(
            JobResult.id,
            JobResult.finished_at,
            JobResult.job_id,
            JobResult.class_path,
            JobResult.status,
            JobResult.last_seq,
            JobResult.pinned,
        )
        .where(JobResult.finished_at <= until)
        .order_by(JobResult.finished_at, JobResult.id)
        .limit(LOOKED_AT)
    )
    if place is not None:
        at, last = place
        behind = or_(JobResult.finished_at > at, and_(JobResult.finished_at == at, JobResult.id > last))
        # The first condition is for the index; the second says the same more exactly.
        query = query.where(JobResult.finished_at >= at, behind)
    return db.execute(query).all()


def _due(by: Rules, row: Any) -> Due | None:
    days = by.days_of(row.job_id, row.status)
    if row.pinned or not days or row.status not in FINAL:
        return None
    since = row.finished_at + timedelta(days=days)
    return Due(row.id, row.class_path, row.status, row.last_seq, since) if since <= now() else None


class Pruner:
    """Called again and again; removes one slice each time."""

    def __init__(
        self, settings: Settings, platform: Platform, *, by: Rules | None = None, per_minute: int = PER_MINUTE
    ) -> None:
        """by: other rules than those of the portal, for one walk that leaves the portal's own alone."""
        self._settings, self._platform, self._by = settings, platform, by
        self._per_minute = per_minute
        self._due: deque[Due] = deque()
        #: Where what is in hand begins, as the database has it, and where the walk goes on; whether it is over.
        self._start: Place | None = None
        self._next: Place | None = None
        self._over = False
        self._round_began_at = time.monotonic()
        self.results = self.entries = 0
        #: Whether a walk has come to its end.
        self.ended = False

    def run_once(self) -> float:
        """Look on, or remove a slice; return how many seconds to wait then."""
        began_at = time.monotonic()
        if not self._due:
            return self._look()
        removed = self._remove()
        took = time.monotonic() - began_at
        return max(SHARE * took, removed / self._per_minute * 60)

    def _look(self) -> float:
        if self._over:
            return self._end_round()
        with self._platform.reading() as db:
            by = self._by or rules(db, self._settings)
            if not by.shortest:
                return ROUND_SECONDS
            kept = self._start if self._by is not None else _place_of(db.get(Retention, 1))
            # Somebody has set other days meanwhile, or another scheduler is further.
            start = self._next if kept == self._start else kept
            due, place = next(walk(db, by, start))
        if start != self._start and self._by is None:
            self._keep_place(start)
        self._due.extend(due)
        self._start, self._next, self._over = start, place, place is None
        return 0.01

    def _end_round(self) -> float:
        took = time.monotonic() - self._round_began_at
        if self.results:
            with self._platform.session() as db, acting(Actor(via="retention")):
                told = {"results": self.results, "entries": self.entries}
                note(db, "results.prune", f"{self.results} results", before=told)
                db.commit()
            logger.info("Removed %d results with %d entries.", self.results, self.entries)
        if self._by is None:
            self._keep_place(None, round_at=now())
            self.results = self.entries = 0
        self._start = self._next = None
        self._over, self.ended = False, True
        pause = max(ROUND_SECONDS, ROUND_SHARE * took)
        self._round_began_at = time.monotonic() + pause
        return pause

    def _keep_place(self, place: Place | None, **more: datetime) -> None:
        walked_at, walked_id = place or (None, None)
        values = {"walked_at": walked_at, "walked_id": walked_id, **more}
        with self._platform.session() as db:
            _row(db)
            db.execute(update(Retention).values(**values).execution_options(synchronize_session=False))
            db.commit()

    def _remove(self) -> int:
        """Remove one slice, and return how many entries and results that were."""
        left, results, keys = SLICE, 0, list[str]()
        with self._platform.session() as db:
            while self._due and left > 0:
                result_id = self._due[0].id
                if _may_go(db, result_id):
                    asked = left
                    removed = shrink(db, result_id, asked)
                    left -= removed
                    self.entries += removed
                    if removed == asked:
                        break
                    keys += erase(db, result_id)
                    results += 1
                    left -= 1
                self._due.popleft()
            _row(db)
            entries = SLICE - left - results
            db.execute(
                update(Retention)
                .values(results=Retention.results + results, entries=Retention.entries + entries)
                .execution_options(synchronize_session=False)
            )
            db.commit()
        self.results += results
        engine = self._platform.engine
        if keys:
            remove_files(engine, file_store(self._settings, engine), keys)
        return SLICE - left


def keep_pruning(settings: Settings, platform: Platform, stop: threading.Event) -> None:
    """Remove what is due until `stop` is set."""
    keep_looking(Pruner(settings, platform).run_once, stop)


def _may_go(db: Session, result_id: UUID) -> bool:
    """Tell whether it still is as it was: not kept by hand meanwhile, and not what a run that goes on has asked for."""
    parent = aliased(JobResult)
    goes_on = select(parent.id).where(parent.id == JobResult.parent_id, parent.status.not_in(FINAL)).exists()
    free = (JobResult.status.in_(FINAL), ~JobResult.pinned, ~goes_on)
    return db.scalar(select(JobResult.id).where(JobResult.id == result_id, *free)) is not None


def _row(db: Session) -> Retention:
    insert = _INSERTS[db.get_bind().dialect.name]
    made = {"id": 1, "results": 0, "entries": 0}
    db.execute(insert(Retention).values(made).on_conflict_do_nothing())
    return db.get_one(Retention, 1)


def _place_of(row: Retention | None) -> Place | None:
    if row is None or row.walked_at is None or row.walked_id is None:
        return None
    return row.walked_at, row.walked_id
