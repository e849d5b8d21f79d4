"""Requests for an approval."""

from typing import Any

from typing_extensions import TypedDict

from store.models import JobResult
from webapp.api.shapes import moment, text_id, time
from webapp.approval_requests import Request
from webapp.plans import ANY, ShownPlan


class ApprovalLine(TypedDict):
    """A request in a list."""

    #: "run" or "schedule": what it is about, and which one.
    kind: str
    id: str
    url: str
    name: str
    job: str | None
    class_path: str
    #: Who asks.
    user: str
    queue: str
    #: Whether changes are to be saved.
    commit: bool
    created_at: str
    expires_at: str | None
    #: Whether it still waits for a decision.
    waits: bool
    #: "approved", "denied", "expired" or "withdrawn"; null: not yet.
    decision: str | None
    decided_at: str | None
    decided_by: str | None
    comment: str
    #: Whether one asks oneself: then somebody else has to decide.
    own: bool
    may_decide: bool
    #: It was to run once, and before now: an approval has to say `late`.
    late: bool


class PlanShape(TypedDict):
    """What a run says that it will change."""

    #: The run that made it, or is to: an approval names it as `plan`.
    run: str | None
    #: Null: it is not made yet, or could not be.
    lines: list[str] | None
    problem: str | None


class TriedShape(TypedDict):
    """The newest dry run of a request."""

    id: str
    url: str
    status: str


class ApprovalShape(ApprovalLine):
    """A request."""

    #: The inputs, but for those that nobody may read.
    data: dict[str, Any]
    #: Of those: {name: {"fingerprint", of secrets "length"}}.
    sealed: dict[str, Any]
    #: The commit or the digest of the code that is asked for.
    code: str
    dry_run: TriedShape | None
    #: Why none can be made.
    why_no_dry_run: str | None
    #: Null: its job makes none.
    plan: PlanShape | None
    #: How many changes of the plan may be others, as who approved it said, or "any"; null: there was no plan.
    drift: int | str | None


def approval_line(request: Request) -> ApprovalLine:
    row, subject = request.approval, request.subject
    return {
        "kind": "schedule" if request.schedule else "run",
        "id": str(subject.id),
        "url": request.card,
        "name": request.name,
        "job": text_id(subject.job_id),
        "class_path": subject.class_path,
        "user": subject.username,
        "queue": subject.queue,
        "commit": subject.commit,
        "created_at": moment(row.created_at),
        "expires_at": time(row.expires_at),
        "waits": request.waits,
        "decision": row.decision,
        "decided_at": time(row.decided_at),
        "decided_by": row.decided_by,
        "comment": row.comment,
        "own": request.own,
        "may_decide": request.may_decide,
        "late": request.waits and request.late,
    }


def approval(request: Request) -> ApprovalShape:
    return {
        **approval_line(request),
        "data": request.subject.data or {},
        "sealed": request.subject.sealed_facts or {},
        "code": request.code,
        "dry_run": _tried(request.tried) if request.tried else None,
        "why_no_dry_run": request.why_no_dry_run or None,
        "plan": _plan(request.plan) if request.plan else None,
        "drift": _drift(request),
    }


def _tried(row: JobResult) -> TriedShape:
    return {"id": str(row.id), "url": f"/results/{row.id}", "status": str(row.status)}


def _plan(plan: ShownPlan) -> PlanShape:
    lines = None if plan.lines is None else list(plan.lines)
    return {"run": str(plan.run.id) if plan.run else None, "lines": lines, "problem": plan.problem or None}


def _drift(request: Request) -> int | str | None:
    row = request.approval
    if row.decision != "approved" or row.planned_by is None:
        return None
    return ANY if row.drift is None else row.drift
