"""Approvals: what waits for somebody to decide on it, and the decision."""

import uuid
from typing import Annotated, Any, Literal

from flask import url_for
from pydantic import BeforeValidator, Field, WithJsonSchema
from sqlalchemy import ColumnElement

from store.models import Approval, JobResult, Schedule
from store.permissions import require
from webapp.api.calls import Body, Query, call
from webapp.api.given import Text
from webapp.api.jobs import MADE, shown
from webapp.api.listing import Order, Sorted, part
from webapp.api.paging import page
from webapp.api.shapes import Page
from webapp.api.shapes import approvals as shapes
from webapp.api.tokens import user
from webapp.approval_requests import (
    Request,
    find_request,
    of_view,
    plan_again,
    requests_of,
    try_out,
    write,
)
from webapp.database import db
from webapp.plans import ANY
from worker.approvals import Decision
from worker.plans import MOST_DRIFT

_ASKED = {"created_at": Approval.created_at}
ORDERS = {
    "waiting": Order(_ASKED, Approval.id, "created_at"),
    "decided": Order({**_ASKED, "decided_at": Approval.decided_at}, Approval.id, "-decided_at"),
    "mine": Order(_ASKED, Approval.id, "-created_at"),
}


def _drift(given: Any) -> int | None:
    if given == ANY:
        return None
    if isinstance(given, int) and not isinstance(given, bool) and 0 <= given <= MOST_DRIFT:
        return given
    raise ValueError(f'Give a number from 0 to {MOST_DRIFT:,}, or "{ANY}".')


#: How many changes of a plan may be others; None: all.
Drift = Annotated[
    int | None,
    BeforeValidator(_drift),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 0, "maximum": MOST_DRIFT}, {"const": ANY}]}),
]


class Approvals(Sorted):
    view: Literal["waiting", "decided", "mine"] = Field(
        "waiting", description="What waits, what was decided, or what one has asked for."
    )


class Deciding(Body):
    comment: Text = Field("", description="Why; needed to deny.")
    plan: uuid.UUID | None = Field(None, description="The run of the plan that was looked at.")
    drift: Drift = Field(0, description="How many of its changes may be others when it runs.")
    late: bool = Field(False, description="Approve a schedule that was to run once, and before now.")


@call(query=Approvals, answers={200: Page[shapes.ApprovalLine]}, tag="approvals")
def approvals(query: Approvals) -> Any:
    """List requests for an approval: those that wait, the oldest first, unless others are asked for."""
    require(user(), "view", JobResult)
    wanted = of_view(query.view).order_by(None)
    rows, more = part(db.session(), wanted, query, ORDERS[query.view])
    return page([shapes.approval_line(request) for request in requests_of(rows)], more)


@call(answers={200: shapes.ApprovalShape}, tag="approvals")
def approval_of_run(query: Query, result_id: uuid.UUID) -> Any:
    """Show what is asked for with a run."""
    return shapes.approval(_find(JobResult.id == result_id))


@call(answers={200: shapes.ApprovalShape}, tag="approvals")
def approval_of_schedule(query: Query, schedule_id: uuid.UUID) -> Any:
    """Show what is asked for with a schedule."""
    return shapes.approval(_find(Schedule.id == schedule_id))


@call(body=Deciding, answers={200: shapes.ApprovalShape}, tag="approvals")
def approve_run(query: Query, result_id: uuid.UUID, body: Deciding) -> Any:
    """Approve a run, which starts as soon as it may."""
    return _decide(JobResult.id == result_id, "approved", body)


@call(body=Deciding, answers={200: shapes.ApprovalShape}, tag="approvals")
def deny_run(query: Query, result_id: uuid.UUID, body: Deciding) -> Any:
    """Deny a run."""
    return _decide(JobResult.id == result_id, "denied", body)


@call(answers={201: MADE}, tag="approvals")
def try_run(query: Query, result_id: uuid.UUID) -> Any:
    """Make a dry run of a run that waits."""
    return _try(JobResult.id == result_id)


@call(answers={200: shapes.ApprovalShape}, tag="approvals")
def plan_run(query: Query, result_id: uuid.UUID) -> Any:
    """Have the plan of a run made anew."""
    return _plan(JobResult.id == result_id)


@call(body=Deciding, answers={200: shapes.ApprovalShape}, tag="approvals")
def approve_schedule(query: Query, schedule_id: uuid.UUID, body: Deciding) -> Any:
    """Approve a schedule, for all its runs."""
    return _decide(Schedule.id == schedule_id, "approved", body)


@call(body=Deciding, answers={200: shapes.ApprovalShape}, tag="approvals")
def deny_schedule(query: Query, schedule_id: uuid.UUID, body: Deciding) -> Any:
    """Deny a schedule."""
    return _decide(Schedule.id == schedule_id, "denied", body)


@call(answers={201: MADE}, tag="approvals")
def try_schedule(query: Query, schedule_id: uuid.UUID) -> Any:
    """Make a dry run of what a schedule that waits runs."""
    return _try(Schedule.id == schedule_id)


@call(answers={200: shapes.ApprovalShape}, tag="approvals")
def plan_schedule(query: Query, schedule_id: uuid.UUID) -> Any:
    """Have the plan of a schedule made anew."""
    return _plan(Schedule.id == schedule_id)


def _find(wanted: ColumnElement[bool]) -> Request:
    [found] = requests_of([find_request(wanted)])
    return found


def _decide(wanted: ColumnElement[bool], decision: Decision, body: Deciding) -> shapes.ApprovalShape:
    subject = _find(wanted).subject
    write(subject, decision, comment=body.comment, plan=body.plan, drift=body.drift, late=body.late)
    return shapes.approval(_find(wanted))


def _try(wanted: ColumnElement[bool]) -> Any:
    made = try_out(_find(wanted))
    return shown(made), 201, {"Location": url_for("api.result", result_id=made.id)}


def _plan(wanted: ColumnElement[bool]) -> shapes.ApprovalShape:
    plan_again(_find(wanted))
    return shapes.approval(_find(wanted))
