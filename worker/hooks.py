"""Changes of objects run jobs: each waiting change is held against the hooks, once.

Runs are submitted first, each under a key of its own (hook, change), and the changes are marked as taken afterwards: whoever
dies between the two leaves them waiting, and the next one finds that their runs are there.
"""

import logging
import threading
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, joinedload

from store.changes import mark_taken, waiting_changes
from store.models import Hook, JobResult, User, now
from store.permissions import allowed
from store.platform import Platform
from store.settings import Settings
from worker.authors import author_of
from worker.failpoints import reach
from worker.lookups import open_data
from worker.origins import Origin, Taken
from worker.passes import keep_looking
from worker.refusals import REFUSALS, NoRun, broke, sentence
from worker.submit import submit

#: Changes that are dealt with before they are marked.
BATCH = 100

logger = logging.getLogger("errand.hooks")


def keep_hooking(settings: Settings, platform: Platform, stop: threading.Event) -> None:
    """Look for changes until `stop` is set."""

    def look() -> None:
        fire_hooks(settings, platform)

    keep_looking(look, stop)


def fire_hooks(settings: Settings, platform: Platform) -> int:
    """Run what waiting changes ask for, and return how many runs that were. May be done by many at once."""
    with platform.reading() as db:
        hooks = db.scalars(select(Hook).where(Hook.enabled)).all()
    if not hooks:
        # What is waiting is older than any hook to come (see Hook.since).
        return 0
    runs = 0
    data = open_data(settings)
    while True:
        with data.session() as session:
            changes = waiting_changes(session, limit=BATCH)
        if not changes:
            return runs
        runs += sum(_fire(settings, platform, hooks, change) for change in changes)
        reach("hooks.submitted")
        with data.engine.begin() as connection:
            mark_taken(connection, [change.id for change in changes])
        reach("hooks.marked")


def _fire(settings: Settings, platform: Platform, hooks: Sequence[Hook], change: Row[Any]) -> int:
    fitting = [hook for hook in hooks if _fits(hook, change)]
    if not fitting or _comes_from_hook(platform, change.result_id):
        return 0
    return sum(_run(settings, platform, hook.id, change) for hook in fitting)


def _fits(hook: Hook, change: Row[Any]) -> bool:
    return (
        change.object_type in hook.object_types
        and change.action in hook.actions
        and change.changed_at >= hook.since
    )


def _comes_from_hook(platform: Platform, result_id: UUID) -> bool:
    """Tell whether a run, or one that led to it, was asked for by a hook: what it changes runs no hook again."""
    seen: set[UUID] = set()
    at: UUID | None = result_id
    with platform.reading() as db:
        while at is not None and at not in seen:
            seen.add(at)
            row = db.execute(select(JobResult.origin, JobResult.parent_id).where(JobResult.id == at)).first()
            if row is None:
                return False
            if row.origin == "hook":
                return True
            at = row.parent_id
    return False


def _run(settings: Settings, platform: Platform, hook_id: UUID, change: Row[Any]) -> bool:
    with platform.session() as db:
        hook = db.get(Hook, hook_id, options=[joinedload(Hook.job)])
        if hook is None:
            return False
        try:
            _submit(db, settings, hook, change)
            return True
        except Taken:
            return False
        except REFUSALS as refusal:
            problem = sentence(refusal, f"{change.username}, who made it,")
        except SQLAlchemyError:
            raise
        except Exception as error:
            logger.exception("The hook %s could not be run.", hook.name)
            problem = broke(error)
        db.rollback()
        told = f"The change {change.id} ({change.action} of {change.object_text}) ran nothing. {problem}"
        written = update(Hook).where(Hook.id == hook_id).values(last_error=told, last_error_at=now())
        db.execute(written)
        db.commit()
    return False


def _submit(db: Session, settings: Settings, hook: Hook, change: Row[Any]) -> None:
    if hook.job is None:
        raise NoRun("The job of the hook is gone.")
    user, author = _user(db, change), author_of(db, hook)
    if not allowed(author, "run", hook.job):
        raise NoRun(f"{author.username}, who set it up, may not run {hook.job.name}.")
    submit(
        db,
        settings,
        job=hook.job,
        raw={"object_change": change.id},
        user=user,
        # Who set up the hook may run the receiver: who changes an object need not.
        permitted=True,
        commit=True,
        origin=Origin(
            kind="hook", id=hook.id, name=hook.name, key=f"change {change.id}", parent_id=change.result_id
        ),
    )


def _user(db: Session, change: Row[Any]) -> User | None:
    """Return who made a change; None where nobody in particular did, as on the command line."""
    row = db.execute(select(JobResult.user_id).where(JobResult.id == change.result_id)).first()
    if row is None:
        raise NoRun("The run that made it is gone.")
    user = db.get(User, row.user_id) if row.user_id is not None else None
    if user is None and change.username:
        raise NoRun(f"{change.username}, who made it, is gone.")
    if user is not None and not user.active:
        raise NoRun(f"{user.username}, who made it, may not do anything any more.")
    return user
