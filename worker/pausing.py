"""Pause a queue: its runs wait, and no worker takes them. The row in `queues` is the truth about it."""

from sqlalchemy import ColumnElement, Connection, exists, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from store.audit import note
from store.models import JobResult, Queue, User, now
from store.permissions import require


def pause_queue(db: Session, name: str, user: User) -> None:
    """Let the runs of this queue wait. Commits `db`. Raises Forbidden."""
    require(user, "change", Queue)
    note(db, "queue.pause", name, actor=user.username)
    set_paused(db, name, paused=True, by=user.username)


def resume_queue(db: Session, name: str, user: User) -> None:
    """Have the runs of this queue taken again. Commits `db`. Raises Forbidden."""
    require(user, "change", Queue)
    note(db, "queue.resume", name, actor=user.username)
    set_paused(db, name, paused=False, by=user.username)


def set_paused(db: Session, name: str, *, paused: bool, by: str | None) -> None:
    """Do what the two above do, for whoever has been let in already. Who pauses a paused queue changes nothing."""
    values = {
        "paused": paused,
        "paused_by": by if paused else None,
        "paused_at": now() if paused else None,
    }
    changed = (
        update(Queue)
        .where(Queue.name == name, Queue.paused != paused)
        .values(**values)
        .execution_options(synchronize_session=False)
    )
    known = bool(db.execute(changed).rowcount) or db.scalar(select(exists().where(Queue.name == name)))  # type: ignore[attr-defined]
    try:
        if not known and paused:
            db.add(Queue(name=name, **values))
        db.commit()
    except IntegrityError:
        # Somebody else made the row in the same moment: it says what they want, and now what we want.
        db.rollback()
        db.execute(changed)
        db.commit()


def paused_queues(db: Session | Connection) -> frozenset[str]:
    """Return the names of the paused queues: for workers, with every beat, before they take more."""
    return frozenset(db.scalars(select(Queue.name).where(Queue.paused)))


def queue_is_open() -> ColumnElement[bool]:
    """Return the condition on a result that its queue is not paused: for the claim, where it is certain."""
    return ~exists().where(Queue.name == JobResult.queue, Queue.paused)
