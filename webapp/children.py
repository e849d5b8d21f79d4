"""The runs that a run has asked for, as its page shows them: a square each, how many in which state, the slowest."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.orm import load_only

from store.models import FINAL, LEVELS, Gathering, JobResult, Status
from store.permissions import visible
from webapp.auth import current_user
from webapp.database import db
from webapp.looks import LOOKS, Look, look

#: Beyond so many nobody sees anything in squares; the list has them all.
MOST_SQUARES = 2_000
SLOWEST = 5

#: Milliseconds between two looks at them: many squares are a large answer.
EVERY, EVERY_OF_MANY = 1_000, 4_000
MANY = 300


class Square(NamedTuple):
    id: UUID
    number: int
    look: Look


@dataclass(frozen=True, slots=True)
class Count:
    status: str
    look: Look
    count: int


@dataclass(frozen=True, slots=True)
class Children:
    #: All that count as the run's, and how many it has asked for itself.
    total: int
    asked: int
    #: Of its own, by state, in the order in which a run goes through them.
    counts: Sequence[Count]
    squares: Sequence[Square]
    slowest: Sequence[JobResult]
    #: The run whose completed ones count, too.
    again_of: UUID | None
    #: What all this depends on, in short.
    mark: str

    @property
    def made(self) -> int:
        return sum(each.count for each in self.counts)

    @property
    def missing(self) -> int:
        """How many are still to be made."""
        return max(0, self.asked - self.made)

    @property
    def ended(self) -> int:
        return sum(each.count for each in self.counts if each.status in FINAL)

    @property
    def incomplete(self) -> int:
        return sum(
            each.count for each in self.counts if each.status in FINAL and each.status != Status.COMPLETED
        )

    @property
    def words(self) -> str:
        """What the squares say, for who does not see them."""
        return ", ".join(f"{each.count:,} {each.look.word.lower()}" for each in self.counts)

    @property
    def every(self) -> int:
        return EVERY if self.made <= MANY else EVERY_OF_MANY


def of_parent(result_id: UUID, *columns: Any) -> Select[Any]:
    """Select from the children of a run that the reader may see."""
    query = visible(select(*(columns or (JobResult,))), current_user(), JobResult)
    return query.where(JobResult.parent_id == result_id, JobResult.map_number.is_not(None))


def counted(result_id: UUID) -> dict[str, int]:
    """Return how many of a run's children are in which state."""
    rows = db.session.execute(of_parent(result_id, JobResult.status, func.count()).group_by(JobResult.status))
    counts = {str(row[0]): int(row[1]) for row in rows}
    return {status: counts[status] for status in Status if status in counts}


def mark_of(result: JobResult, counts: dict[str, int]) -> str:
    return f"{zlib.crc32(repr((result.finished, counts)).encode()):x}"


def children_of(result: JobResult, counts: dict[str, int] | None = None) -> Children | None:
    """Return what a run has asked for; None for one that asked for nothing. counts: where they are known."""
    gathering = db.session.get(Gathering, result.id) if result.gathers else None
    if gathering is None:
        return None
    counts = counted(result.id) if counts is None else counts
    return Children(
        total=gathering.total,
        asked=gathering.size,
        counts=[Count(status, LOOKS[Status(status)], count) for status, count in counts.items()],
        squares=_squares(result.id) if sum(counts.values()) <= MOST_SQUARES else (),
        slowest=_slowest(result.id),
        again_of=gathering.again_of,
        mark=mark_of(result, counts),
    )


def _squares(result_id: UUID) -> list[Square]:
    columns = (JobResult.id, JobResult.map_number, JobResult.status, JobResult.count_warning)
    rows = db.session.execute(of_parent(result_id, *columns).order_by(JobResult.map_number))
    return [Square(row.id, row.map_number, look(row)) for row in rows]


def _slowest(result_id: UUID) -> Sequence[JobResult]:
    """Return those of its children that took longest, of those that have run."""
    began, ended = JobResult.started_at, JobResult.finished_at
    if db.session.get_bind().dialect.name == "sqlite":
        took: Any = func.julianday(ended) - func.julianday(began)
    else:
        took = ended - began
    query = of_parent(result_id).where(began.is_not(None), ended.is_not(None))
    shown = load_only(
        JobResult.map_number,
        JobResult.name,
        JobResult.status,
        JobResult.started_at,
        JobResult.finished_at,
        *(getattr(JobResult, f"count_{level}") for level in LEVELS),
    )
    return db.session.scalars(
        query.options(shown).order_by(took.desc(), JobResult.map_number).limit(SLOWEST)
    ).all()


def total_of(parent: JobResult) -> int:
    """Return of how many runs a run's child is one."""
    return db.session.scalar(select(Gathering.total).where(Gathering.result_id == parent.id)) or 0
