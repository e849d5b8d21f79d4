"""Plans that were approved: what is asked of whoever approves one, and of the run that carries it out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from jobs.errors import InvalidData
from jobs.planning import compare
from store.models import Approval, JobRecord, JobResult, Status

#: The most that an approver may let be others, short of all.
MOST_DRIFT = 10_000

NOT_YET = "Its plan is not made yet. Wait for it: it is what you approve."
ANOTHER = "Another plan was made meanwhile. Look at that one."
NO_PLAN = "Its plan could not be made, so there is nothing to approve."
UNSEEN = "Say which plan you approve."

_NO_PLAN = (Status.FAILED, Status.ERRORED, Status.CANCELED)


@dataclass(frozen=True, slots=True)
class ApprovedPlan:
    """What a run may change."""

    lines: list[str]
    #: How many changes may be others; None: all of them.
    drift: int | None
    by: str

    def refusal(self, lines: Sequence[str]) -> str:
        """Return why a run with another plan may not begin, as a sentence; "" where it may."""
        found = compare(self.lines, lines)
        if self.drift is None or found.changes <= self.drift:
            return ""
        told = [
            f"{_changes(found.new)} new" if found.new else "",
            f"{_changes(found.gone)} gone" if found.gone else "",
        ]
        which = " and ".join(each for each in told if each)
        return f"Its plan is not the one that {self.by} approved: {which}. Nothing was changed."


def _changes(lines: Sequence[str]) -> str:
    return "1 change is" if len(lines) == 1 else f"{len(lines):,} changes are"


def require_plan(db: Session, approval: Approval, job: JobRecord, seen: UUID | None) -> None:
    """Raise InvalidData unless whoever approves this has seen its plan. seen: the run that made the one they saw."""
    if not job.has_plan:
        return
    if approval.why_no_plan:
        # What stands in the way of a plan stands in the way of the run, or is over soon: then the plan is made again.
        raise InvalidData({"plan": [f"{NO_PLAN} {approval.why_no_plan}"]})
    if approval.planned_by is not None and seen is not None and seen != approval.planned_by:
        raise InvalidData({"plan": [ANOTHER]})
    row = db.execute(
        select(JobResult.plan, JobResult.status, JobResult.cause).where(JobResult.id == approval.planned_by)
    ).first()
    if row is None or row.status != Status.COMPLETED or row.plan is None:
        raise InvalidData({"plan": [_why_none(row)]})
    if seen is None:
        raise InvalidData({"plan": [UNSEEN]})


def _why_none(row: Any) -> str:
    if row is not None and row.status in _NO_PLAN:
        return f"{NO_PLAN} {row.cause or ''}".rstrip()
    return NOT_YET


def approved_plan(db: Session, result_id: UUID) -> ApprovedPlan | None:
    """Return the plan that a run may carry out; None where none was approved."""
    query = select(Approval.planned_by, Approval.drift, Approval.decided_by).where(
        Approval.result_id == result_id
    )
    row = db.execute(query).first()
    if row is None or row.planned_by is None:
        return None
    lines = db.scalar(select(JobResult.plan).where(JobResult.id == row.planned_by))
    # One that is gone meanwhile allows nothing.
    return ApprovedPlan(list(lines or ()), row.drift, str(row.decided_by))
