"""Who is here: every worker and scheduler keeps a row that says so, and anybody may see who no longer does."""

import functools
import socket
import time
import tomllib
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine, delete, insert, select, update
from sqlalchemy.orm import Session

from store.audit import note
from store.models import User, WorkerProcess, now
from store.permissions import require
from store.platform import Platform
from store.settings import PROJECT_ROOT
from store.text import clean_text
from worker.host import Process, is_alive

WORKER = "worker"
SCHEDULER = "scheduler"

IDLE = "idle"
BUSY = "busy"
DRAINING = "draining"
STOPPED = "stopped"
LOST = "lost"

#: Who beats every few seconds and has not for this long is worth a word to whoever watches.
SILENT_AFTER = timedelta(seconds=15)

#: Whose beat stands still for this long, by our own clock, is gone.
LOST_SECONDS = 12.0

#: One that lives on this machine may only be stopped, or wait for a slow database.
LOST_SECONDS_OF_LIVING = 60.0

#: How long those who are gone stay on the record.
KEPT = timedelta(days=1)

#: As long as the columns are.
LONGEST_NAME = 100
LONGEST_HOST = 255


class Presence:
    """The row of this process.

    Every call is one short transaction, and raises SQLAlchemyError while the database is away: go on then,
    and let the next beat make good for it.
    """

    def __init__(
        self,
        platform: Platform | Engine,
        *,
        kind: str,
        name: str,
        queues: Sequence[str],
        process: Process,
        labels: Sequence[str] = (),
    ) -> None:
        self._engine = platform.engine if isinstance(platform, Platform) else platform
        self._name = name[:LONGEST_NAME]
        self._reconciled_at: datetime | None = None
        self._about = {
            "name": self._name,
            "kind": kind,
            "host": socket.gethostname()[:LONGEST_HOST],
            "host_key": process.host[:LONGEST_HOST],
            "pid": process.pid,
            "started": process.started,
            "version": version(),
            "queues": list(queues),
            "labels": list(labels),
        }

    def enter(self) -> None:
        """Say that this process is here. Who had its name before is not any more."""
        with self._engine.begin() as connection:
            connection.execute(delete(WorkerProcess).where(WorkerProcess.name == self._name))
            self._insert(connection, state=IDLE)

    def beat(
        self,
        state: str,
        result_id: uuid.UUID | None = None,
        memory_bytes: int = 0,
        done: int = 0,
        failed: int = 0,
    ) -> bool:
        """Say that it lives and what it does; return whether somebody wants it to end after its run.

        state: "idle", "busy" or "draining". done, failed: runs since the process started.
        """
        values = {
            "state": state,
            "result_id": result_id,
            "memory_bytes": memory_bytes,
            "done": done,
            "failed": failed,
            "seen_at": now(),
            "reconciled_at": self._reconciled_at,
            # Who was taken for lost was only slow.
            "ended_at": None,
        }
        raised = update(WorkerProcess).values(beat=WorkerProcess.beat + 1, **values)
        with self._engine.begin() as connection:
            drain = connection.scalar(
                raised.where(WorkerProcess.name == self._name).returning(WorkerProcess.drain)
            )
            if drain is None:
                # It stood still for so long that its row was removed, or the database was not there at the start.
                self._insert(connection, **values)
        return bool(drain)

    def reconciled(self) -> None:
        """Note that this process has just finished a pass of its reconciler; the next beat writes it."""
        self._reconciled_at = now()

    def leave(self) -> None:
        """Say that this process ends, as it should."""
        ended = update(WorkerProcess).where(WorkerProcess.name == self._name)
        with self._engine.begin() as connection:
            connection.execute(ended.values(state=STOPPED, result_id=None, ended_at=now()))

    def _insert(self, connection: Connection, **values: object) -> None:
        connection.execute(insert(WorkerProcess).values(**{**self._about, "seen_at": now(), **values}))


class RollCall:
    """Finds who is gone without a word. Remembers between calls which beat it saw when, on its own monotonic clock."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._seen: dict[int, tuple[tuple[str, int], float]] = {}

    def run_once(self) -> list[str]:
        """Mark those who are gone as lost, and return their names."""
        with self._platform.reading() as db:
            present = db.scalars(select(WorkerProcess).where(WorkerProcess.ended_at.is_(None))).all()
        lost = [row.name for row in present if self._is_gone(row) and self._mark_lost(row)]
        kept = {row.id for row in present}
        self._seen = {key: seen for key, seen in self._seen.items() if key in kept}
        return lost

    def _is_gone(self, row: WorkerProcess) -> bool:
        alive = is_alive(Process(row.host_key, row.pid, row.started))
        if alive is False:
            return True
        patience = LOST_SECONDS if alive is None else LOST_SECONDS_OF_LIVING
        # The name too: SQLite gives the id of a removed row away again.
        state = (row.name, row.beat)
        last, since = self._seen.get(row.id, (None, 0.0))
        if state != last:
            self._seen[row.id] = (state, time.monotonic())
            return False
        return time.monotonic() - since > patience

    def _mark_lost(self, row: WorkerProcess) -> bool:
        """Mark it, unless it beat or left since it was read."""
        same = (
            WorkerProcess.name == row.name,
            WorkerProcess.beat == row.beat,
            WorkerProcess.ended_at.is_(None),
        )
        with self._platform.engine.begin() as connection:
            marked = connection.execute(update(WorkerProcess).where(*same).values(state=LOST, ended_at=now()))
        return bool(marked.rowcount)


def forget_gone(db: Session) -> None:
    """Remove those who have been gone for a day. The caller commits."""
    db.execute(delete(WorkerProcess).where(WorkerProcess.ended_at < now() - KEPT))


def drain_worker(db: Session, name: str, user: User, *, on: bool = True) -> bool:
    """Have a worker end after its run, or (`on` is False) not after all. Commits `db`.

    Returns False when no worker of this name is here. Raises Forbidden.
    """
    require(user, "change", WorkerProcess)
    note(db, "worker.drain" if on else "worker.resume", name, actor=user.username)
    return set_drain(db, name, on)


def set_drain(db: Session, name: str, on: bool) -> bool:
    """Do what `drain_worker` does, for whoever has been let in already."""
    written = db.execute(
        update(WorkerProcess)
        .where(
            WorkerProcess.name == clean_text(name),
            WorkerProcess.kind == WORKER,
            WorkerProcess.ended_at.is_(None),
        )
        .values(drain=on)
        .execution_options(synchronize_session=False)
    )
    db.commit()
    return bool(written.rowcount)  # type: ignore[attr-defined]


def is_silent(row: WorkerProcess) -> bool:
    """Tell whether it should have been heard from by now, though nobody has found it gone yet."""
    return row.here and now() - row.seen_at > SILENT_AFTER


def is_listening(row: WorkerProcess) -> bool:
    """Tell whether this worker takes runs from its queues."""
    return row.here and row.kind == WORKER and row.shown_state != DRAINING and not is_silent(row)


@functools.cache
def version() -> str:
    """Return the version of Errand that this process runs; empty where nobody knows."""
    try:
        project = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text("utf-8"))
        return str(project["project"]["version"])
    except (OSError, ValueError, KeyError):
        return ""
