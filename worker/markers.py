"""Whether a run saved its changes: the two databases do not commit together, so this has to be provable.

A run that changed objects puts a marker (result id, attempt) into DATA, in the same transaction. Whoever ends a dead run
first tries to put that very marker there, as a tombstone: either it is there already, and the changes were saved; or the
tombstone stands, and a commit that comes late fails on it.
"""

from uuid import UUID

from sqlalchemy import insert, select, text
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session

from store.data import Data
from store.run_markers import run_markers

SAVED = "Its changes had been saved."
NOT_SAVED = "None of its changes were saved."
#: Said where DATA could not be asked; true in any case.
UNKNOWN = "What it had not saved was rolled back."

#: A tombstone waits this long for its turn: another run may keep it for its whole time limit.
TOMBSTONE_SECONDS = 2.0


class Changes:
    """What became of the objects a run changed, as far as its own process knows."""

    def __init__(self, result_id: UUID, attempt: int) -> None:
        self._result_id = result_id
        self._attempt = attempt
        self._marked = False
        self.saved = False

    def __str__(self) -> str:
        return SAVED if self.saved else NOT_SAVED

    def commit(self, session: Session) -> None:
        if not self._marked:
            self._marked = mark(session, self._result_id, self._attempt)
        session.commit()
        self.saved = self._marked

    def rollback(self, session: Session) -> None:
        session.rollback()
        self._marked = self.saved


def mark(session: Session, result_id: UUID, attempt: int) -> bool:
    """Mark the run's transaction, if it changed anything; say whether it did.

    The commit then fails where somebody has already ended the run.
    """
    if not has_changed_anything(session):
        return False
    session.execute(insert(run_markers).values(result_id=result_id, attempt=attempt))
    return True


def has_changed_anything(session: Session) -> bool:
    if not session.in_transaction():
        return False  # The run has not even looked at an object.
    connection = session.connection()
    if connection.dialect.name == "sqlite":
        # Runs read without a transaction (see store.data): one is open only once something was written.
        return bool(connection.connection.dbapi_connection.in_transaction)  # type: ignore[union-attr]
    return connection.execute(text("SELECT pg_current_xact_id_if_assigned()")).scalar() is not None


def bury(data: Data, result_id: UUID, attempt: int) -> str:
    """Keep a dead run from saving anything late, and say in a sentence what became of its changes."""
    try:
        with data.run_session(wait_seconds=TOMBSTONE_SECONDS, on_wait=lambda: None) as session:
            session.execute(insert(run_markers).values(result_id=result_id, attempt=attempt, buried=True))
            session.commit()
    except IntegrityError:
        return _who_was_first(data, result_id, attempt)
    except (SQLAlchemyError, TimeoutError):
        return UNKNOWN
    return NOT_SAVED


def _who_was_first(data: Data, result_id: UUID, attempt: int) -> str:
    """Tell from the marker that is there whether the run left it, or somebody who had seen its death as well."""
    rows = run_markers.c
    try:
        with data.session() as session:
            buried = session.scalar(
                select(rows.buried).where(rows.result_id == result_id, rows.attempt == attempt)
            )
    except SQLAlchemyError:
        return UNKNOWN
    return NOT_SAVED if buried else SAVED
