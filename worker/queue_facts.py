"""What there is to say of the queues: counted in the database, beside what Redis holds."""

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import rq
from redis.exceptions import RedisError
from sqlalchemy import and_, case, func, or_, select
from sqlalchemy.orm import Session

from store.models import WAITING, JobRecord, JobResult, Queue, Status, WorkerProcess, now
from store.settings import Settings
from worker.pausing import paused_queues
from worker.presence import BUSY, is_listening
from worker.queues import DEFAULT_QUEUE, PRIORITIES, connect, eviction_policy, list_name

#: The rate of a queue is that of the last minutes.
RATE_MINUTES = 10

#: No run can name a longer one.
LONGEST_QUEUE = 100


@dataclass(frozen=True, slots=True)
class QueueFacts:
    """One queue, now."""

    name: str
    paused: bool = False
    paused_by: str | None = None
    paused_at: datetime | None = None
    #: Runs that could start now.
    waiting: int = 0
    #: Runs that may not start yet: a retry, or a rate limit.
    later: int = 0
    #: Since when the first of those that could start waits.
    oldest_at: datetime | None = None
    running: int = 0
    started_per_minute: float = 0.0
    #: How many workers take runs from it.
    workers: int = 0
    #: Ids that Redis holds; None while it cannot be asked.
    queued: int | None = None

    @property
    def oldest_seconds(self) -> float | None:
        return None if self.oldest_at is None else max(0.0, (now() - self.oldest_at).total_seconds())


@dataclass(frozen=True, slots=True)
class RedisFacts:
    """Redis, now. `queued` holds how many ids wait in it, by queue."""

    reachable: bool
    milliseconds: float = 0.0
    memory_bytes: int = 0
    #: It takes nothing more.
    full: bool = False
    #: By which policy it throws things away when it is full; None: it does not.
    eviction_policy: str | None = None
    queued: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class QueueLoad:
    """How much there was to do on one queue, and who was there for it."""

    name: str
    #: Runs that could start.
    waiting: int
    running: int
    #: How many workers take runs from it, and how many of those have one in hand, from whatever queue.
    workers: int
    busy: int


def present_workers(db: Session) -> Sequence[WorkerProcess]:
    """Return every worker and scheduler on the record, also those who are gone, by name."""
    return db.scalars(select(WorkerProcess).order_by(WorkerProcess.name)).all()


def listening_workers(workers: Iterable[WorkerProcess]) -> Counter[str]:
    """Return how many workers listen on each queue.

    workers: as `present_workers` gives them.
    """
    return Counter(str(name) for row in workers if is_listening(row) for name in row.queues)


def known_queues(db: Session) -> set[str]:
    """Return the names of all queues that anything speaks of."""
    waiting, running = _active(db)
    listening = listening_workers(present_workers(db))
    return {*paused_queues(db), *waiting, *running, *_rates(db), *listening, *_of_jobs(db)}


def queue_facts(
    db: Session, settings: Settings, workers: Iterable[WorkerProcess]
) -> tuple[list[QueueFacts], RedisFacts]:
    """Return all queues that anything speaks of, by name, and what is to say of Redis.

    workers: as `present_workers` gives them.
    """
    paused = {row.name: row for row in db.scalars(select(Queue).where(Queue.paused))}
    waiting, running = _active(db)
    rates = _rates(db)
    listening = listening_workers(workers)
    names = sorted({*paused, *waiting, *running, *rates, *listening, *_of_jobs(db)})
    redis = redis_facts(settings, names)
    facts = [
        QueueFacts(
            name=name,
            paused=name in paused,
            paused_by=paused[name].paused_by if name in paused else None,
            paused_at=paused[name].paused_at if name in paused else None,
            **waiting.get(name, {}),
            running=running.get(name, 0),
            started_per_minute=rates.get(name, 0) / RATE_MINUTES,
            workers=listening[name],
            queued=redis.queued.get(name),
        )
        for name in names
    ]
    return facts, redis


def queue_loads(db: Session) -> list[QueueLoad]:
    """Return all queues that anything speaks of, those with most to do first."""
    listening = [row for row in present_workers(db) if is_listening(row)]
    workers, busy = (
        listening_workers(rows) for rows in (listening, [row for row in listening if row.state == BUSY])
    )
    waiting, running = _active(db)
    names = {*paused_queues(db), *waiting, *running, *workers, *_of_jobs(db)}
    loads = [
        QueueLoad(
            name,
            waiting=waiting.get(name, {}).get("waiting", 0),
            running=running.get(name, 0),
            workers=workers[name],
            busy=busy[name],
        )
        for name in names
    ]
    return sorted(loads, key=lambda load: (-load.waiting - load.running, -load.workers, load.name))


def redis_facts(settings: Settings, names: Sequence[str]) -> RedisFacts:
    connection = connect(settings)
    try:
        asked_at = time.perf_counter()
        connection.ping()
        milliseconds = (time.perf_counter() - asked_at) * 1000
        pipeline = connection.pipeline(transaction=False)
        pipeline.info("memory")
        for name in names:
            for priority in PRIORITIES:
                pipeline.llen(rq.Queue.redis_queue_namespace_prefix + list_name(name, priority))
        memory, *lengths = pipeline.execute()
    except RedisError:
        return RedisFacts(reachable=False)
    each = len(PRIORITIES)
    queued = {name: sum(lengths[each * i : each * (i + 1)]) for i, name in enumerate(names)}
    used, most, policy = int(memory["used_memory"]), int(memory["maxmemory"]), eviction_policy(memory)
    return RedisFacts(
        reachable=True,
        milliseconds=milliseconds,
        memory_bytes=used,
        full=policy is None and 0 < most <= used,
        eviction_policy=policy,
        queued=queued,
    )


def _active(db: Session) -> tuple[dict[str, dict[str, Any]], dict[str, int]]:
    """Return what is to say of the waiting runs, and the number of the running ones, by queue."""
    moment = now()
    # What waits for others it has asked for does not wait for a worker.
    due = and_(
        or_(JobResult.not_before.is_(None), JobResult.not_before <= moment), JobResult.gathers != WAITING
    )
    # A retry has not waited for a worker since it was first asked for.
    since = case(
        (JobResult.not_before > JobResult.created_at, JobResult.not_before), else_=JobResult.created_at
    )
    query = (
        select(
            JobResult.queue,
            JobResult.status,
            func.count().label("number"),
            func.sum(case((due, 1), else_=0)).label("due"),
            func.min(case((due, since))).label("oldest_at"),
        )
        .where(JobResult.status.in_((Status.PENDING, Status.RUNNING)))
        .group_by(JobResult.queue, JobResult.status)
    )
    waiting: dict[str, dict[str, Any]] = {}
    running: dict[str, int] = {}
    for row in db.execute(query):
        if row.status == Status.RUNNING:
            running[row.queue] = row.number
        else:
            waiting[row.queue] = {
                "waiting": int(row.due),
                "later": row.number - int(row.due),
                "oldest_at": row.oldest_at,
            }
    return waiting, running


def _rates(db: Session) -> dict[str, int]:
    """Return how many runs started in the last minutes, by queue."""
    since = now() - timedelta(minutes=RATE_MINUTES)
    query = select(JobResult.queue, func.count().label("number"))
    query = query.where(JobResult.started_at >= since).group_by(JobResult.queue)
    return {row.queue: row.number for row in db.execute(query)}


def _of_jobs(db: Session) -> set[str]:
    records = db.execute(select(JobRecord.queues).where(JobRecord.installed))
    names = {str(name) for (queues,) in records for name in (queues or [DEFAULT_QUEUE])}
    return {name for name in names if len(name) <= LONGEST_QUEUE}
