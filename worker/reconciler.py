"""Compares rows with facts and mends what fell between two processes. Safe to run many times, by many."""

import logging
import math
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any
from uuid import UUID

from redis.exceptions import RedisError
from sqlalchemy import and_, case, func, or_, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from store.data import Data
from store.models import JobRecord, JobResult, Status, now
from store.platform import Platform
from store.settings import Settings
from worker import rules
from worker.failpoints import reach
from worker.fan_out import is_left, make
from worker.gathering import look_after
from worker.host import MARK, Process, is_alive, kill_processes, marked_processes, this_host
from worker.markers import bury
from worker.ownership import end_lost
from worker.pushes import push_in_turn, push_row, release_key
from worker.queues import listed_ids

logger = logging.getLogger("errand.reconciler")

#: A row this young is still on its way from `submit` to the queue.
PUSH_GRACE = timedelta(seconds=3)

#: At most this many rows are looked at in a pass, of each kind; the next pass goes on.
MOST_ROWS = 500

#: What runs have asked for of others is waited for so long in a pass.
MAKE_SECONDS = 1.0

#: A list no longer than this is read whole; of a longer one only this many, unless something seems to be missing.
LIST_HEAD = 1000

#: A worker elsewhere whose beat stands still for this long, by our own clock, is gone.
BEAT_SECONDS = 12.0

BEAT_SECONDS_OF_LIVING = 60.0

#: A beat that stands still for so long may be the last one.
SUSPICIOUS_SECONDS = 6.0

DIED = "The worker {worker} died while it ran this job."
DIED_EARLY = "The worker {worker} died before it ran this job."

#: What `_is_lost` and `end_lost` need to know of a run.
WATCHED = (
    JobResult.id,
    JobResult.attempt,
    JobResult.beat,
    JobResult.began_at,
    JobResult.concurrency_key,
    JobResult.worker,
    JobResult.worker_host,
    JobResult.worker_pid,
    JobResult.worker_started,
)


@dataclass
class Report:
    """What one pass did."""

    pushed: list[UUID] = field(default_factory=list)
    ended: list[UUID] = field(default_factory=list)
    expired: list[UUID] = field(default_factory=list)
    #: The seconds until a run may start that waits for nothing but that.
    next_seconds: float = math.inf


class Reconciler:
    """Remembers between passes which beat it saw when, on its own monotonic clock: clock jumps do nothing.

    Every step is one conditional UPDATE, so that any number of processes may do the same at once.
    """

    def __init__(self, settings: Settings, platform: Platform) -> None:
        self._settings = settings
        self._platform = platform
        self._seen: dict[UUID, tuple[tuple[int, int], float]] = {}
        #: Makes what runs have asked for.
        self._maker: threading.Thread | None = None
        #: Where the next page of waiting rows begins.
        self._after: tuple[datetime, UUID] | None = None

    @property
    def suspects(self) -> bool:
        """True while the beat of some run stands still: it is worth looking again soon."""
        now = time.monotonic()
        return any(now - since > SUSPICIOUS_SECONDS for _, since in self._seen.values())

    def run_once(self) -> Report:
        report = Report()
        with self._platform.reading() as db:
            if not db.scalar(select(rules.SCHEMA_FITS)):
                return report  # This code does not know what the rows mean by now.
        self._end_lost(report)
        self._end_expired(report)
        report.next_seconds = self._until_next()
        try:
            self._push_due(report)
            self._push_in_turn(report)
            self._push_missing(report)
        except RedisError:
            pass  # The next pass tries again.
        self._look_after_fan_outs(report)
        return report

    def _look_after_fan_outs(self, report: Report) -> None:
        """Have made what runs have asked for, and see which of them wait for nothing any more."""
        at_it = self._maker is not None and self._maker.is_alive()
        if not at_it and is_left(self._platform):
            # Beside all else: a job may have each of its inputs judged by code of its own.
            self._maker = threading.Thread(target=self._make, name="maker", daemon=True)
            self._maker.start()
            self._maker.join(MAKE_SECONDS)
        with suppress(RedisError):
            report.pushed += look_after(self._platform, self._settings)

    def _make(self) -> None:
        try:
            make(self._platform, self._settings)
        except (SQLAlchemyError, RedisError) as error:
            logger.warning("What runs ask for is made later: %s", error)

    def _until_next(self) -> float:
        at = now()
        with self._platform.reading() as db:
            moment = rules.next_moment(db, at)
        return math.inf if moment is None else (moment - at).total_seconds()

    # Read first, write later, row by row: on SQLite a pass must not keep everybody else waiting.

    def _read(self, query: Any) -> Sequence[Any]:
        with self._platform.reading() as db:
            return db.execute(query).all()

    def _end_expired(self, report: Report) -> None:
        at = now()
        query = select(JobResult.id, JobResult.created_at, JobResult.expires_at).where(
            rules.PENDING, JobResult.expires_at.is_not(None), JobResult.expires_at <= at
        )
        for row in self._read(query.limit(MOST_ROWS)):
            with self._platform.session() as db:
                if rules.end_expired(db, row):
                    report.expired.append(row.id)
                db.commit()

    def _push_due(self, report: Report) -> None:
        """Push rows that no rule keeps from starting: Redis was down, or the time of their retry has come."""
        at = now()
        query = (
            select(*rules.PUSHED)
            .outerjoin(JobRecord, JobRecord.id == JobResult.job_id)
            .where(_unpushed(at), ~_ruled())
            .order_by(*rules.ORDER)
            .limit(MOST_ROWS)
        )
        for row in self._read(query):
            self._push(row, report)

    def _push_in_turn(self, report: Report) -> None:
        """Push rows that rules hold back, as many as may start by now."""
        at = now()
        query = (
            select(
                JobResult.job_id,
                case((rules.IGNORES_LOCK, None), else_=JobResult.concurrency_key).label("concurrency_key"),
                JobRecord.rate_limit,
            )
            .join(JobRecord, JobRecord.id == JobResult.job_id)
            .where(_unpushed(at), _ruled())
            .distinct()
            .limit(MOST_ROWS)
        )
        # Of jobs with a rate: how many may still start now.
        room: dict[UUID, int] = {}
        for row in self._read(query):
            with self._platform.session() as db:
                limit = rules.rate(row.rate_limit)
                if limit is not None and row.job_id not in room:
                    room[row.job_id], _ = rules.room_in_rate(db, row.job_id, limit, at)
                if limit is not None and room[row.job_id] <= 0:
                    continue
                pushed = self._release(db, row, room.get(row.job_id, 0), at)
            room[row.job_id] = room.get(row.job_id, 0) - len(pushed)
            report.pushed += pushed

    def _release(self, db: Session, row: Any, room: int, at: datetime) -> list[UUID]:
        if row.concurrency_key is not None:
            return release_key(db, self._settings, row.concurrency_key)
        return push_in_turn(db, self._settings, rules.in_turn(db, JobResult.job_id == row.job_id, room, at))

    def _push_missing(self, report: Report) -> None:
        """Push rows that should be on their queue and are not: Redis lost them, or a worker died with one."""
        rows = self._page()
        for (queue, priority), group in groupby(
            sorted(rows, key=lambda row: (row.queue, row.priority)), lambda row: (row.queue, row.priority)
        ):
            for row in self._missing(queue, priority, list(group)):
                self._push(row, report)

    def _page(self) -> Sequence[Any]:
        """Return the next rows that were pushed and still wait, the oldest first; after the last, begin again."""
        at = now()
        query = select(*rules.PUSHED).where(
            JobResult.status == Status.PENDING,
            # What is to come was pushed before somebody set the clock back.
            or_(JobResult.pushed_at < at - PUSH_GRACE, JobResult.pushed_at > at + PUSH_GRACE),
        )
        if self._after is not None:
            created_at, key = self._after
            query = query.where(
                JobResult.created_at >= created_at,
                or_(JobResult.created_at > created_at, JobResult.id > key),
            )
        rows = self._read(query.order_by(JobResult.created_at, JobResult.id).limit(MOST_ROWS))
        self._after = (rows[-1].created_at, rows[-1].id) if len(rows) == MOST_ROWS else None
        return rows

    def _missing(self, queue: str, priority: str, rows: Sequence[Any]) -> Sequence[Any]:
        head = listed_ids(self._settings, queue, priority, LIST_HEAD)
        near = set(head)
        missing = [row for row in rows if row.id not in near]
        if len(head) < LIST_HEAD or not missing:
            return missing
        # A long list, and they may simply be further back. They are not if they went there before its head did.
        first = self._first_pushed(head)
        missing = [row for row in missing if first is None or row.pushed_at < first]
        listed = set(listed_ids(self._settings, queue, priority)) if missing else set()
        return [row for row in missing if row.id not in listed]

    def _first_pushed(self, ids: Sequence[UUID]) -> datetime | None:
        with self._platform.reading() as db:
            return db.scalar(
                select(func.min(JobResult.pushed_at)).where(
                    JobResult.id.in_(ids), JobResult.status == Status.PENDING
                )
            )

    def _push(self, row: Any, report: Report) -> None:
        with self._platform.session() as db:
            if push_row(db, self._settings, row):
                report.pushed.append(row.id)

    def _end_lost(self, report: Report) -> None:
        running = self._read(select(*WATCHED).where(JobResult.status == Status.RUNNING))
        for row in filter(self._is_lost, running):
            self._kill_orphans(row)
            cause = DIED_EARLY.format(worker=row.worker)
            if row.began_at is not None:
                # Before the end is written: from here on nothing of this run can be saved any more.
                changes = self._bury(row)
                reach("reconciler.buried")
                cause = f"{DIED.format(worker=row.worker)} {changes}"
            with self._platform.session() as db:
                ended = end_lost(db, row, cause=cause)
                db.commit()
            reach("reconciler.ended")
            if ended:
                report.ended.append(row.id)
        kept = {row.id for row in running}
        self._seen = {key: seen for key, seen in self._seen.items() if key in kept}

    def _kill_orphans(self, row: Any) -> None:
        """Kill what the run may have left running on this machine: its end is about to be written."""
        if row.worker and row.worker_host == this_host():
            kill_processes(marked_processes(MARK, row.worker))

    def _bury(self, row: Any) -> str:
        # Opened for the moment only: workers do not die every day.
        data = Data(self._settings.data_database_url)
        try:
            return bury(data, row.id, row.attempt)
        finally:
            data.dispose()

    def _is_lost(self, row: Any) -> bool:
        alive = is_alive(_process_of(row))
        if alive is False:
            return True
        # A worker that lives here but does not beat may only be slow: it gets more time than one nobody can see.
        patience = BEAT_SECONDS if alive is None else BEAT_SECONDS_OF_LIVING
        state = (row.attempt, row.beat)
        last, since = self._seen.get(row.id, (None, 0.0))
        if state != last:
            self._seen[row.id] = (state, time.monotonic())
            return False
        return time.monotonic() - since > patience


def _process_of(row: Any) -> Process:
    return Process(row.worker_host or "", row.worker_pid or 0, row.worker_started or "")


def _unpushed(at: datetime) -> Any:
    # What has a limit of the run that asked for it is pushed by worker.gathering.
    return and_(
        rules.due(at), JobResult.pushed_at.is_(None), or_(JobResult.map_limit.is_(None), ~rules.BEGINS)
    )


def _ruled() -> Any:
    """Say that other runs decide when this one may start."""
    return and_(
        rules.BEGINS,
        or_(
            and_(
                JobResult.concurrency_key.is_not(None),
                func.coalesce(JobRecord.concurrency_limit, 0) > 0,
                ~rules.IGNORES_LOCK,
            ),
            func.coalesce(JobRecord.rate_limit, "") != "",
        ),
    )
