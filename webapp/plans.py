"""Plans as pages show them: beside a request that somebody decides on, and of a run that was held to one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import undefer

from jobs.errors import InvalidData
from jobs.planning import compare
from store.models import Approval, JobRecord, JobResult, Status
from webapp.database import db
from worker.origins import PLAN
from worker.plans import MOST_DRIFT, approved_plan

#: Lines that a page shows of a plan; the rest is in the download.
MOST_LINES = 100

ANY = "any"

#: What a form offers an approver: how many changes may be others.
DRIFTS = {
    "0": "only this plan",
    "1": "up to 1 other change",
    "5": "up to 5 other changes",
    "20": "up to 20 other changes",
    "100": "up to 100 other changes",
    ANY: "whatever it plans then",
}


@dataclass(frozen=True, slots=True)
class ShownPlan:
    """The plan of a request."""

    #: The run that made it, or is to; None: there is none.
    run: JobResult | None
    lines: Sequence[str] | None
    #: Why there is none; empty: there is one, or it is on its way.
    problem: str

    @property
    def awaited(self) -> bool:
        return self.lines is None and not self.problem


@dataclass(frozen=True, slots=True)
class Line:
    text: str
    #: The other plan does not have it.
    differs: bool


@dataclass(frozen=True, slots=True)
class TwoPlans:
    """What a run was about to change, and what somebody had approved; the differences first where only a part is shown."""

    made: list[Line]
    #: What was approved, where that is something else.
    approved: list[Line] | None
    #: Who approved it; empty: it was held to none.
    by: str
    more: int


def plans_of(approvals: Sequence[tuple[Approval, JobRecord | None]]) -> dict[int, ShownPlan]:
    """Return the plans of requests: {id of the approval: plan}, of those that have or get one."""
    planning = [approval for approval, job in approvals if _has_plan(approval, job)]
    ids = [approval.planned_by for approval in planning if approval.planned_by]
    query = select(JobResult).where(JobResult.id.in_(ids)).options(undefer(JobResult.plan))
    runs = {run.id: run for run in db.session.scalars(query)} if ids else {}
    return {approval.id: _shown(approval, runs) for approval in planning}


def _has_plan(approval: Approval, job: JobRecord | None) -> bool:
    return approval.planned_by is not None or bool(approval.why_no_plan) or (job is not None and job.has_plan)


def _shown(approval: Approval, runs: Mapping[UUID, JobResult]) -> ShownPlan:
    run = runs.get(approval.planned_by) if approval.planned_by else None
    if run is None:
        gone = "The run that made it is gone." if approval.planned_by else ""
        return ShownPlan(None, None, approval.why_no_plan or gone)
    if run.status == Status.COMPLETED and run.plan is not None:
        return ShownPlan(run, run.plan, "")
    return ShownPlan(run, None, run.cause or "It could not be made." if run.finished else "")


def two_plans(result: JobResult) -> TwoPlans | None:
    """Return what a run was about to change; None: it did not say."""
    if result.origin != PLAN and not (result.job and result.job.has_plan):
        return None
    made: list[str] | None = db.session.scalar(select(JobResult.plan).where(JobResult.id == result.id))
    if made is None:
        return None
    approved = approved_plan(db.session(), result.id)
    if approved is None:
        return TwoPlans(_marked(made, ()), None, "", max(0, len(made) - MOST_LINES))
    found = compare(approved.lines, made)
    if not found.changes:
        return TwoPlans(_marked(made, ()), None, approved.by, max(0, len(made) - MOST_LINES))
    more = max(len(made), len(approved.lines)) - MOST_LINES
    return TwoPlans(_marked(made, found.new), _marked(approved.lines, found.gone), approved.by, max(0, more))


def _marked(lines: Sequence[str], differing: Sequence[str]) -> list[Line]:
    others = set(differing)
    marked = [Line(text, text in others) for text in lines]
    if len(marked) > MOST_LINES:
        marked.sort(key=lambda line: not line.differs)
    return marked[:MOST_LINES]


def read_drift(text: str) -> int | None:
    """Return how many changes may be others, as it was typed; None: all of them. Raises InvalidData."""
    if text == ANY:
        return None
    if not text:
        return 0
    if not text.isascii() or not text.isdigit() or int(text) > MOST_DRIFT:
        raise InvalidData(
            {"drift": [f'Say how many changes may be others: 0 to {MOST_DRIFT:,}, or "{ANY}".']}
        )
    return int(text)


def read_plan(text: str) -> UUID | None:
    """Return which plan was looked at. Raises InvalidData."""
    try:
        return UUID(text) if text else None
    except ValueError:
        raise InvalidData({"plan": ["There is no such plan."]}) from None


def drift_in_words(approval: Approval) -> str:
    """Say what an approver allowed."""
    if approval.drift is None:
        return DRIFTS[ANY]
    return DRIFTS.get(str(approval.drift), f"up to {approval.drift:,} other changes")
