"""Rows on their way to their queue. The row is written first: whoever pushes has said so there, alone."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from redis.exceptions import RedisError
from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from store.models import JobRecord, JobResult, Status, now
from store.platform import Platform
from store.settings import Settings
from worker import queues, rules
from worker.failpoints import reach


def push_first(
    db: Session, settings: Settings, result_id: UUID, *, queue: str, priority: str, class_path: str
) -> bool:
    """Push a row that was stored as pushed a moment ago; False, and `db` committed, when Redis could not be reached."""
    if queues.push(settings, result_id, queue=queue, priority=priority, description=class_path):
        return True
    try:
        note_unpushed(db, [result_id])
    except OperationalError:
        # The run is accepted all the same; a reconciler will see that its queue does not have it.
        db.rollback()
    return False


def push_row(db: Session, settings: Settings, row: Any, *, front: bool = False) -> bool:
    """Push a waiting row (of `rules.PUSHED`), unless somebody else just did. Commits `db`.

    Raises RedisError when Redis cannot be reached: then nothing else need be tried now.
    """
    written = db.execute(
        update(JobResult)
        .where(
            JobResult.id == row.id,
            JobResult.status == Status.PENDING,
            JobResult.pushed_at.is_not_distinct_from(row.pushed_at),
        )
        .values(pushed_at=now())
        .execution_options(synchronize_session=False)
    )
    db.commit()
    if not written.rowcount:  # type: ignore[attr-defined]
        return False
    reach("push.noted")
    pushed = queues.push(
        settings,
        row.id,
        queue=row.queue,
        priority=row.priority,
        description=row.class_path,
        front=front,
    )
    if not pushed:
        note_unpushed(db, [row.id])
        raise RedisError("The queue cannot be reached.")
    reach("push.done")
    return True


def push_in_turn(db: Session, settings: Settings, rows: Sequence[Any]) -> list[UUID]:
    """Push rows whose turn has come, before all that came to their queues later. Commits `db`."""
    db.commit()  # On SQLite, reading them took the write turn: nobody should wait for Redis.
    # The last one first: each goes to the front, before the one that was put there before it.
    return [row.id for row in reversed(rows) if push_row(db, settings, row, front=True)]


def release(platform: Platform, settings: Settings, result_id: UUID) -> list[UUID]:
    """Push at once what may start now that an attempt of this run has ended; return what was pushed.

    Called after every end of an attempt that has a concurrency key or is followed by another one. What
    is missed here, because Redis is away, is pushed by the next pass of a reconciler.
    """
    with platform.session() as db:
        result = db.execute(select(JobResult.concurrency_key).where(JobResult.id == result_id)).first()
        if result is None:
            return []
        try:
            return [*release_key(db, settings, result.concurrency_key), *_push_again(db, settings, result_id)]
        except (RedisError, OperationalError):
            return []


def release_key(db: Session, settings: Settings, key: str | None) -> list[UUID]:
    """Push the runs with this key whose turn has come. Commits `db`; raises RedisError."""
    if key is None:
        return []
    limit = db.scalar(
        select(JobRecord.concurrency_limit)
        .join(JobResult, JobResult.job_id == JobRecord.id)
        .where(JobResult.concurrency_key == key)
        .limit(1)
    )
    room = limit - rules.running(db, key) if limit else 0
    if room <= 0:
        return []
    return push_in_turn(db, settings, rules.in_turn(db, JobResult.concurrency_key == key, room, now()))


def _push_again(db: Session, settings: Settings, result_id: UUID) -> list[UUID]:
    """Push the run itself, if it waits for another attempt that may start now."""
    rows = db.execute(
        select(*rules.PUSHED).where(
            JobResult.id == result_id,
            JobResult.concurrency_key.is_(None),
            JobResult.pushed_at.is_(None),
            rules.due(now()),
        )
    ).all()
    return push_in_turn(db, settings, rows) if rows else []


def note_unpushed(db: Session, result_ids: Sequence[UUID]) -> None:
    """Have a reconciler push these rows, which their queue did not take. Commits `db`."""
    db.execute(
        update(JobResult)
        .where(JobResult.id.in_(result_ids), JobResult.status == Status.PENDING)
        .values(pushed_at=None)
        .execution_options(synchronize_session=False)
    )
    db.commit()
