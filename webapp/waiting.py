"""Waiting for what happens to runs, for the API's long polls: one look for all who wait, and no transaction meanwhile."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

from flask import Flask, current_app, request
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from store.models import FINAL, JobResult
from webapp.database import db, reading
from webapp.desk import MOST_WAITING

#: Nobody is kept longer by one request.
LONGEST_SECONDS = 60

#: Between two looks, in which all are looked at that somebody waits for.
LOOK_SECONDS = 0.15


class Seen(NamedTuple):
    """What a look sees of a run."""

    status: str
    last_seq: int

    @property
    def finished(self) -> bool:
        return self.status in FINAL


@dataclass(eq=False)
class _Waiter:
    result_id: UUID
    until: Callable[[Seen], bool]
    come: threading.Event = field(default_factory=threading.Event)


class WaitingRoom:
    """Where the requests of one process wait. most: the rest is answered at once, so that pages still find a thread."""

    def __init__(self, most: int = MOST_WAITING) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._waiters: set[_Waiter] = set()
        self._watching = False

    def wait(self, result_id: UUID, seconds: float, until: Callable[[Seen], bool]) -> bool:
        """Wait until this holds of the run, or it is gone; False where the time was over, or there was no room.

        What the request has read so far is let go, and must be read again.
        """
        db.session.rollback()
        waiter = _Waiter(result_id, until)
        with self._lock:
            if len(self._waiters) >= self._most:
                return False
            self._waiters.add(waiter)
            if not self._watching:
                self._watching = True
                app = current_app._get_current_object()  # type: ignore[attr-defined]
                threading.Thread(target=self._watch, args=(app,), name="waiting", daemon=True).start()
        try:
            with request.environ["errand.desk"].left():
                return waiter.come.wait(min(seconds, LONGEST_SECONDS))
        finally:
            with self._lock:
                self._waiters.discard(waiter)

    def _watch(self, app: Flask) -> None:
        while True:
            with self._lock:
                waiters = list(self._waiters)
                if not waiters:
                    self._watching = False
                    return
            try:
                with app.app_context():
                    seen = _look({waiter.result_id for waiter in waiters})
            except SQLAlchemyError:
                seen = None  # A database that restarts is back soon.
            for waiter in waiters:
                if seen is not None and _has_come(waiter, seen.get(waiter.result_id)):
                    waiter.come.set()
            time.sleep(LOOK_SECONDS)


def _has_come(waiter: _Waiter, seen: Seen | None) -> bool:
    return seen is None or seen.finished or waiter.until(seen)


def _look(ids: set[UUID]) -> dict[UUID, Seen]:
    query = select(JobResult.id, JobResult.status, JobResult.last_seq).where(JobResult.id.in_(ids))
    with reading() as session:
        return {row.id: Seen(row.status, row.last_seq) for row in session.execute(query)}
