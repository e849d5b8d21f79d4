"""What became of the runs that a run had asked for, read for the job that is told of it."""

import logging
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, String, and_, cast, func, or_, select
from sqlalchemy.orm import Session

from store.models import FINAL, Gathering, JobResult, Status
from worker.frames import BrokenLine
from worker.made_files import Keeper
from worker.ownership import Claim

#: What is said at once: so many, in about so many bytes.
MOST_AT_ONCE = 500
BYTES_AT_ONCE = 2_000_000

#: How often those that did not complete can be run again.
MOST_AGAIN = 100

logger = logging.getLogger("errand.worker")


def counted(db: Session, result_id: UUID) -> ColumnElement[bool]:
    """Say which runs are a run's children: its own, and where it runs only some of them again, those that had completed."""
    earlier = _earlier(db, result_id)
    own = JobResult.parent_id == result_id
    if not earlier:
        return and_(own, JobResult.map_number.is_not(None))
    completed = and_(JobResult.parent_id.in_(earlier), JobResult.status == Status.COMPLETED)
    return and_(or_(own, completed), JobResult.map_number.is_not(None))


def _earlier(db: Session, result_id: UUID) -> Sequence[UUID]:
    found: list[UUID] = []
    at: UUID | None = result_id
    while at is not None and len(found) < MOST_AGAIN:
        at = db.scalar(select(Gathering.again_of).where(Gathering.result_id == at))
        if at is not None:
            found.append(at)
    return found


def count(db: Session, result_id: UUID) -> int:
    return db.scalar(select(func.count()).select_from(JobResult).where(counted(db, result_id))) or 0


def following(db: Session, result_id: UUID, after: int) -> list[dict[str, Any]]:
    """Return the next outcomes after this number (see jobs.fan_out.ChildOutcome); [] after the last."""
    size = func.length(JobResult.output) + func.coalesce(func.length(cast(JobResult.return_value, String)), 0)
    sized = (
        select(JobResult.id, (size + func.length(cast(JobResult.data, String))).label("size"))
        .where(counted(db, result_id), JobResult.map_number > after, JobResult.status.in_(FINAL))
        .order_by(JobResult.map_number)
        .limit(MOST_AT_ONCE)
    )
    keys: list[UUID] = []
    left = BYTES_AT_ONCE
    for row in db.execute(sized):
        left -= row.size or 0
        if keys and left < 0:
            break
        keys.append(row.id)
    return [_facts(row) for row in db.execute(_NEXT.where(JobResult.id.in_(keys)))]


_NEXT = select(
    JobResult.map_number,
    JobResult.data,
    JobResult.status,
    JobResult.cause,
    JobResult.return_value,
    JobResult.output,
    JobResult.id,
).order_by(JobResult.map_number)


def _facts(row: Any) -> dict[str, Any]:
    return {
        "number": row.map_number,
        "data": row.data,
        "status": str(row.status),
        "cause": row.cause or "",
        "return_value": row.return_value,
        "output": row.output,
        "result_id": str(row.id),
    }


class Gathered:
    """The outcomes for one run, some at a time: its job waits for each answer."""

    def __init__(self, keeper: Keeper, claim: Claim) -> None:
        self._keeper = keeper
        self._claim = claim
        self._busy = False
        #: What is to be said, once it is known: {"outcomes"} or {"refused"}.
        self.answer: dict[str, Any] | None = None

    def ask(self, after: int) -> None:
        """Have the writer read it. A job's code may have asked: raises BrokenLine for what no child of ours asks."""
        if self._busy or not 0 <= after < 2**31:
            raise BrokenLine("no outcomes")
        self._busy = True
        self._keeper.writer.ask(lambda: self._read(after))

    def take_answer(self) -> dict[str, Any] | None:
        self._busy = False
        answer, self.answer = self.answer, None
        return answer

    # Called by the writer

    def _read(self, after: int) -> None:
        try:
            with self._keeper.platform.reading() as db:
                self.answer = {"outcomes": following(db, self._claim.result_id, after)}
        except Exception as error:  # Its job is told.
            logger.error("The outcomes for %s could not be had.", self._claim.result_id, exc_info=error)
            self.answer = {"refused": f"The database could not be asked: {type(error).__name__}."}
        finally:
            self._keeper.look()
