"""Syncs: git repositories are looked at when somebody asks or their time has come, one sync of each at a time.

Whoever wants one adds a row (`ask`), and the scheduler does it (`run_once`; worker.one_sync has what that is).
"""

import logging
import shutil
import threading
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, exists, func, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, aliased

from store.models import GitSource, JobRecord, JobSource, LoadError, Namespace, SourceSync, now
from store.platform import Platform
from store.settings import Settings
from store.timing.saved import plan
from worker.host import Process, is_alive, this_process
from worker.one_sync import BY_ITSELF, at_work, finish, folder_of, perform
from worker.passes import keep_looking

#: Between two looks for something to do.
LOOK_SECONDS = 1.0

#: A sync on another machine that takes longer than this is none any more.
LONGEST_SYNC = timedelta(hours=1)


DIED = "The process that did it ended in the middle of it. The commit before is still in use."

logger = logging.getLogger("errand.syncs")


# --- Asking for one ---


def add(db: Session, source: GitSource) -> None:
    """Add a repository to the sources. The caller commits, and asks for its first sync."""
    db.add(source)
    db.add(JobSource(name=source.name, kind="git", location=source.url, refreshed_at=now()))


def ask(
    db: Session, source: GitSource, *, via: str, by: str = "", anyway: str = "", test: bool = False
) -> SourceSync:
    """Add a sync, or return the one that waits already. The caller commits. test: only ask the server what it has."""
    waiting = select(SourceSync).where(
        SourceSync.source_id == source.id,
        SourceSync.state == "pending",
        SourceSync.anyway == anyway,
        SourceSync.test == test,
    )
    sync = db.scalars(waiting.limit(1)).first()
    if sync is None:
        sync = SourceSync(source_id=source.id, asked_via=via, asked_by=by, anyway=anyway, test=test)
        db.add(sync)
        db.flush()
    return sync


# --- What the scheduler does ---


def keep_synced(settings: Settings, stop: threading.Event) -> None:
    """Do what is asked for, and what is due, until `stop` is set."""
    platform = Platform(settings.database_url)

    def look() -> None:
        while not stop.is_set() and run_once(settings, platform):
            pass

    keep_looking(look, stop, pause=LOOK_SECONDS)
    platform.dispose()


def run_once(settings: Settings, platform: Platform) -> bool:
    """Do one sync; tell whether there was one to do."""
    # Mostly there is nothing: on SQLite only to look must not take the write turn.
    with platform.reading() as db:
        open_ones = db.scalar(select(exists().where(SourceSync.state.in_(("pending", "running")))))
        if not open_ones and not _due(db):
            return False
    with platform.session() as db:
        _end_abandoned(db, settings)
        for source in _due(db, lock=True):
            ask(db, source, via=BY_ITSELF)
            _plan(source)
        db.commit()
        sync = _claim(db)
    if sync is None:
        return False
    perform(settings, platform, sync)
    return True


def _due(db: Session, *, lock: bool = False) -> list[GitSource]:
    """Return what is to be looked at by itself. lock: what somebody else is just asking for is left out."""
    moment = now()
    open_one = exists().where(
        SourceSync.source_id == GitSource.id, SourceSync.state.in_(("pending", "running"))
    )
    by_calendar = GitSource.next_sync_at <= moment
    query = select(GitSource).where(
        GitSource.enabled, or_(GitSource.interval_minutes > 0, by_calendar), ~open_one
    )
    if lock:
        query = query.with_for_update(skip_locked=True)
    return [source for source in db.scalars(query) if _is_due(source, moment)]


def _is_due(source: GitSource, moment: datetime) -> bool:
    if source.next_sync_at is not None:
        return source.next_sync_at <= moment
    interval = timedelta(minutes=source.interval_minutes)
    return source.checked_at is None or source.checked_at <= moment - interval


def _plan(source: GitSource) -> None:
    try:
        plan(source)
    except ValueError as error:
        # It was checked when it was typed; the zones of this machine may be others.
        source.next_sync_at = None
        logger.error("%s is not synced by its calendar any more: %s", source.name, error)


def _claim(db: Session, sync_id: UUID | None = None) -> UUID | None:
    """Have this process do the sync that waits longest, of a source that has none at work, or the one named. Commits `db`."""
    other = aliased(SourceSync)
    busy = exists().where(other.source_id == SourceSync.source_id, other.state == "running")
    waiting = select(SourceSync).where(SourceSync.state == "pending", ~busy)
    if sync_id is not None:
        waiting = waiting.where(SourceSync.id == sync_id)
    first = waiting.order_by(SourceSync.created_at).limit(1).with_for_update(skip_locked=True)
    sync = db.scalars(first).first()
    if sync is None:
        return None
    process = this_process()
    sync.state, sync.started_at = "running", now()
    sync.host, sync.pid, sync.process_started = process.host, process.pid, process.started
    try:
        db.commit()
    except IntegrityError:
        # Another process has just begun with the same source.
        db.rollback()
        return None
    return sync.id


def _end_abandoned(db: Session, settings: Settings) -> None:
    """End the syncs whose process died. The caller commits."""
    for sync in db.scalars(select(SourceSync).where(SourceSync.state == "running")):
        process = Process(sync.host, sync.pid, sync.process_started)
        # One of our own that was left when the database was away is over, too.
        alive = sync.id in at_work if process == this_process() else is_alive(process)
        too_old = (sync.started_at or sync.created_at) < now() - LONGEST_SYNC
        if alive is False or (alive is None and too_old):
            finish(sync, "failed", DIED)
            shutil.rmtree(folder_of(settings, sync.id), ignore_errors=True)


def sync_now(settings: Settings, platform: Platform, sync_id: UUID) -> bool:
    """Do this sync here, as a command does; False while another of its source is at work."""
    with platform.session() as db:
        _end_abandoned(db, settings)
        db.commit()
        if _claim(db, sync_id) is None:
            return False
    perform(settings, platform, sync_id)
    return True


# --- Without it ---


def forget(db: Session, source: GitSource) -> None:
    """Delete a source. Its jobs are neither installed nor enabled any more; their records and results stay. The caller commits."""
    for record in db.scalars(select(JobRecord).where(JobRecord.source == source.name)):
        # Another repository may get its name one day: nobody has allowed the jobs of that one.
        record.installed = record.enabled = False
    for model, column in (
        (LoadError, LoadError.source),
        (Namespace, Namespace.source),
        (JobSource, JobSource.name),
    ):
        db.execute(delete(model).where(column == source.name))
    db.delete(source)


def latest(db: Session) -> dict[int, SourceSync]:
    """Return {source id: its newest sync}; a test says nothing of what is in use."""
    newest = (
        select(SourceSync.source_id, func.max(SourceSync.created_at))
        .where(~SourceSync.test)
        .group_by(SourceSync.source_id)
        .subquery()
    )
    query = select(SourceSync).join(
        newest, (SourceSync.source_id == newest.c[0]) & (SourceSync.created_at == newest.c[1])
    )
    return {sync.source_id: sync for sync in db.scalars(query)}
