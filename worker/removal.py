"""Removing results that nobody needs any more, with all that belongs to them."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from store.audit import note
from store.files import file_store
from store.models import EntryGroup, JobResult, LogEntry, RunFile, SearchRemoval, User
from store.permissions import require
from store.settings import Settings
from worker.run_files import remove as remove_files

#: Entries that are removed in one transaction: on SQLite it keeps every other writer waiting.
PIECE = 10_000


class NotEnded(Exception):
    """The run has not ended yet. The text is a sentence."""


def remove(db: Session, settings: Settings, result: JobResult, user: User) -> None:
    """Remove the result of a run that has ended, with its entries and its files. Commits `db`.

    Raises Forbidden, or NotEnded.
    """
    require(user, "delete", result)
    if not result.finished:
        raise NotEnded("This run has not ended yet. Cancel it first.")
    result_id = result.id
    told = {"job": result.class_path, "user": result.username, "status": str(result.status)}
    while shrink(db, result_id, PIECE) == PIECE:
        db.commit()
    keys = erase(db, result_id)
    db.expunge(result)
    note(db, "result.delete", str(result_id), actor=user.username, before=told)
    db.commit()
    engine = db.get_bind().engine
    remove_files(engine, file_store(settings, engine), keys)


def shrink(db: Session, result_id: UUID, most: int) -> int:
    """Remove the first entries of a result, and return how many there were. The caller commits.

    By their numbers in the log, which an index leads to: however many there are, so much is done and no more.
    """
    first = db.scalar(select(func.min(LogEntry.seq)).where(LogEntry.result_id == result_id))
    if first is None:
        return 0
    newest = _newest(db)
    old = (LogEntry.result_id == result_id, LogEntry.seq < first + most)
    removed = db.execute(delete(LogEntry).where(*old).execution_options(synchronize_session=False))
    groups = (EntryGroup.result_id == result_id, EntryGroup.first_seq < first + most)
    db.execute(delete(EntryGroup).where(*groups).execution_options(synchronize_session=False))
    if _newest(db) < newest:
        # SQLite gives their numbers away again: the search has to know before others have them.
        _tell_search(db, result_id)
    return int(removed.rowcount)  # type: ignore[attr-defined]


def erase(db: Session, result_id: UUID) -> Sequence[str]:
    """Remove the row of a result and all that is left; return the keys of its files, to be removed after the commit."""
    keys = db.scalars(select(RunFile.key).where(RunFile.result_id == result_id)).all()
    db.execute(
        delete(JobResult).where(JobResult.id == result_id).execution_options(synchronize_session=False)
    )
    _tell_search(db, result_id)
    return keys


def _tell_search(db: Session, result_id: UUID) -> None:
    db.add(SearchRemoval(result_id=result_id, last_entry_id=_newest(db)))
    db.flush()


def _newest(db: Session) -> int:
    return db.scalar(select(func.max(LogEntry.id))) or 0
