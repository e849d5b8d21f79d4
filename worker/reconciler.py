"""Compares rows with facts and mends what fell between two processes. Safe to run many times, by many."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from redis.exceptions import RedisError
from sqlalchemy import Row, or_, select

from store.data import Data
from store.models import JobResult, Status, now
from store.platform import Platform
from store.settings import Settings
from worker.host import Process, is_alive
from worker.markers import bury
from worker.ownership import end_lost
from worker.queues import waiting_ids
from worker.submit import push_and_note

#: A row this young is still on its way from `submit` to the queue.
PUSH_GRACE = timedelta(seconds=3)

#: A worker elsewhere whose beat stands still for this long, by our own clock, is gone.
BEAT_SECONDS = 12.0

BEAT_SECONDS_OF_LIVING = 60.0

DIED = "The worker {worker} died while it ran this job."


@dataclass
class Report:
    """What one pass did."""

    pushed: list[UUID] = field(default_factory=list)
    ended: list[UUID] = field(default_factory=list)


class Reconciler:
    """Remembers between passes which beat it saw when, on its own monotonic clock: clock jumps do nothing."""

    def __init__(self, settings: Settings, platform: Platform) -> None:
        self._settings = settings
        self._platform = platform
        self._seen: dict[UUID, tuple[tuple[int, int], float]] = {}

    def run_once(self) -> Report:
        report = Report()
        self._end_lost(report)
        self._push_forgotten(report)
        return report

    def _push_forgotten(self, report: Report) -> None:
        """Push rows that wait but are not on their queue: Redis was down, or lost them, or a worker died with one."""
        waiting: dict[str, set[UUID]] = {}
        for row in self._waiting_rows():
            try:
                if row.queue not in waiting:
                    waiting[row.queue] = waiting_ids(self._settings, row.queue)
            except RedisError:
                return
            if row.id not in waiting[row.queue]:
                with self._platform.session() as db:
                    if push_and_note(db, self._settings, row.id, queue=row.queue, description=row.class_path):
                        report.pushed.append(row.id)

    def _waiting_rows(self) -> Sequence[Row[UUID, str, str]]:
        """Return (id, queue, class path) of what waits, the oldest first, all of it however long the queues are."""
        settled = now() - PUSH_GRACE
        query = (
            select(JobResult.id, JobResult.queue, JobResult.class_path)
            .where(
                JobResult.status == Status.PENDING,
                JobResult.created_at < settled,
                or_(JobResult.pushed_at.is_(None), JobResult.pushed_at < settled),
            )
            .order_by(JobResult.created_at)
        )
        # Read first, write later, row by row: on SQLite a pass must not keep everybody else waiting.
        with self._platform.reading() as db:
            return db.execute(query).all()

    def _end_lost(self, report: Report) -> None:
        with self._platform.reading() as db:
            running = db.scalars(select(JobResult).where(JobResult.status == Status.RUNNING)).all()
        for row in filter(self._is_lost, running):
            # Before the end is written: from here on nothing of this run can be saved any more.
            changes = self._bury(row)
            with self._platform.session() as db:
                ended = end_lost(db, row, cause=f"{DIED.format(worker=row.worker)} {changes}")
                db.commit()
            if ended:
                report.ended.append(row.id)
        kept = {row.id for row in running}
        self._seen = {key: seen for key, seen in self._seen.items() if key in kept}

    def _bury(self, row: JobResult) -> str:
        # Opened for the moment only: workers do not die every day.
        data = Data(self._settings.data_database_url)
        try:
            return bury(data, row.id, row.attempt)
        finally:
            data.dispose()

    def _is_lost(self, row: JobResult) -> bool:
        alive = is_alive(Process(row.worker_host or "", row.worker_pid or 0, row.worker_started or ""))
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
