"""Runs that wait for somebody to approve them: who asks for what, and the decision."""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from uuid import UUID

from flask import (
    Blueprint,
    Response,
    current_app,
    flash,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from sqlalchemy import Select, func, select
from sqlalchemy.orm import joinedload

from jobs.errors import InvalidData
from store.models import Approval, JobResult, Status
from store.permissions import NotVisible, allowed, visible
from webapp import htmx
from webapp.auth import current_user, require, signed_in_user
from webapp.database import db
from webapp.inputs import ShownInput, shown_inputs
from worker.approvals import LONGEST_COMMENT, AlreadyDecided, Decision, decide

blueprint = Blueprint("approvals", __name__, url_prefix="/approvals")

VIEWS = {"waiting": "Waiting", "decided": "Decided", "mine": "My requests"}
MOST_SHOWN = 50

_DECISIONS: dict[str, Decision] = {"approve": "approved", "deny": "denied"}


@dataclass(frozen=True, slots=True)
class Request:
    """One request as its part of the page shows it."""

    approval: Approval
    result: JobResult
    inputs: list[ShownInput]
    waits: bool
    own: bool
    may_decide: bool


@blueprint.get("/")
def index() -> str:
    require("view", JobResult)
    view = request.args.get("view", "waiting")
    view = view if view in VIEWS else "waiting"
    found = db.session.scalars(_of_view(view).limit(MOST_SHOWN)).all()
    return render_template(
        "approvals/index.html",
        view=view,
        views=VIEWS,
        requests=_shown(found),
        waiting=_count_waiting(),
        most=MOST_SHOWN,
        longest_comment=LONGEST_COMMENT,
    )


@blueprint.post("/<uuid:result_id>")
def decide_on(result_id: UUID) -> Response:
    """Approve a run or deny it."""
    approval = _find(result_id)
    decision = _DECISIONS.get(request.form.get("decision", ""))
    comment = request.form.get("comment", "")
    try:
        if decision is None:
            raise InvalidData({"comment": ["Approve it, or deny it."]})
        settings = current_app.extensions["errand"].settings
        decide(db.session(), settings, approval.result, decision, user=signed_in_user(), comment=comment)
    except InvalidData as refusal:
        db.session.rollback()
        sentences = refusal.errors.get("comment", []) if isinstance(refusal.errors, dict) else refusal.errors
        return _answer(result_id, HTTPStatus.UNPROCESSABLE_ENTITY, error=" ".join(sentences), comment=comment)
    except AlreadyDecided as late:
        db.session.rollback()
        return _answer(result_id, HTTPStatus.CONFLICT, error=str(late))
    if htmx.wants_fragment():
        return _answer(result_id, HTTPStatus.OK)
    flash(f"{approval.result.name} is {decision}.")
    return make_response(redirect(url_for("approvals.index"), HTTPStatus.SEE_OTHER))


def _answer(result_id: UUID, status: HTTPStatus, **more: Any) -> Response:
    [shown] = _shown([_find(result_id)])
    page = {"each": shown, "longest_comment": LONGEST_COMMENT, **more}
    if htmx.wants_fragment():
        return make_response(render_template("approvals/_request.html", **page), status)
    return make_response(render_template("approvals/one.html", **page), status)


def _of_view(view: str) -> Select[Any]:
    query = visible(_requests(), current_user(), JobResult)
    if view == "waiting":
        return query.where(JobResult.status == Status.AWAITING_APPROVAL).order_by(Approval.id)
    if view == "decided":
        return query.where(Approval.decision.is_not(None)).order_by(Approval.decided_at.desc())
    return query.where(JobResult.user_id == signed_in_user().id).order_by(Approval.id.desc())


def _requests() -> Select[Any]:
    result = joinedload(Approval.result)
    return (
        select(Approval)
        .join(JobResult, JobResult.id == Approval.result_id)
        .options(result.joinedload(JobResult.job), result.joinedload(JobResult.user))
    )


def _count_waiting() -> int:
    count: Select[Any] = select(func.count()).select_from(JobResult)
    waiting = count.where(JobResult.status == Status.AWAITING_APPROVAL)
    return db.session.scalar(visible(waiting, current_user(), JobResult)) or 0


def _find(result_id: UUID) -> Approval:
    query = visible(_requests(), current_user(), JobResult).where(JobResult.id == result_id)
    approval: Approval | None = db.session.scalars(
        query.execution_options(populate_existing=True)
    ).one_or_none()
    if approval is None:
        raise NotVisible
    return approval


def _shown(approvals: Sequence[Approval]) -> list[Request]:
    with current_app.extensions["errand"].data.session() as data:
        return [
            _one(approval, shown_inputs(approval.result, approval.result.job, data)) for approval in approvals
        ]


def _one(approval: Approval, inputs: list[ShownInput]) -> Request:
    result, user = approval.result, signed_in_user()
    own = result.user_id == user.id
    waits = result.status == Status.AWAITING_APPROVAL
    may = waits and not own and result.job is not None and _may_approve(result)
    return Request(approval, result, inputs, waits, own, may)


def _may_approve(result: JobResult) -> bool:
    return allowed(current_user(), "approve", result.job, data=result.data or {}, queue=result.queue)
