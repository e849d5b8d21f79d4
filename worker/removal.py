"""Removing results that nobody needs any more, with all that belongs to them."""

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from store.audit import note
from store.files import file_store
from store.models import JobResult, LogEntry, RunFile, User
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
    result_id, last = result.id, result.last_seq
    told = {"job": result.class_path, "user": result.username, "status": str(result.status)}
    for until in range(PIECE, last, PIECE):
        old = (LogEntry.result_id == result_id, LogEntry.seq <= until)
        db.execute(delete(LogEntry).where(*old).execution_options(synchronize_session=False))
        db.commit()
    keys = db.scalars(select(RunFile.key).where(RunFile.result_id == result_id)).all()
    db.execute(
        delete(JobResult).where(JobResult.id == result_id).execution_options(synchronize_session=False)
    )
    db.expunge(result)
    note(db, "result.delete", str(result_id), actor=user.username, before=told)
    db.commit()
    engine = db.get_bind().engine
    remove_files(engine, file_store(settings, engine), keys)
