"""What waits for somebody to approve it, runs and schedules: who asks for what, a dry run of it, and the decision."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any
from uuid import UUID

from flask import (
    Blueprint,
    Response,
    flash,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from sqlalchemy import ColumnElement

from jobs.errors import InvalidData
from store.models import Approval, JobResult, Schedule
from webapp import htmx, live
from webapp.approval_requests import (
    Request,
    facts_of,
    find_request,
    of_view,
    plan_again,
    requests_of,
    try_out,
    write,
)
from webapp.auth import require
from webapp.database import db
from webapp.plans import DRIFTS, read_drift, read_plan
from worker.approvals import LONGEST_COMMENT, AlreadyDecided, Decision

blueprint = Blueprint("approvals", __name__, url_prefix="/approvals")

VIEWS = {"waiting": "Waiting", "decided": "Decided", "mine": "My requests"}
MOST_SHOWN = 50

_DECISIONS: dict[str, Decision] = {"approve": "approved", "deny": "denied"}
_TRY, _PLAN_AGAIN = "try", "plan"


@blueprint.get("/")
def index() -> str:
    require("view", JobResult)
    view = _view()
    found = _found(view)
    asks = live.Live("approvals", facts_of(found))
    return render_template("approvals/index.html", **_list(view, found), views=VIEWS, live=asks)


def _view() -> str:
    view = request.args.get("view", "waiting")
    return view if view in VIEWS else "waiting"


def _found(view: str) -> Sequence[Approval]:
    return db.session.scalars(of_view(view).limit(MOST_SHOWN)).all()


def _list(view: str, found: Sequence[Approval]) -> dict[str, Any]:
    return {
        "view": view,
        "requests": requests_of(found),
        "most": MOST_SHOWN,
        "longest_comment": LONGEST_COMMENT,
        "drifts": DRIFTS,
    }


def _read_list() -> live.Region:
    require("view", JobResult)
    view = _view()
    found = _found(view)
    return live.Region(
        facts_of(found), lambda: render_template("approvals/_list.html", **_list(view, found), swap=True)
    )


live.region("approvals", _read_list)


@blueprint.get("/<uuid:result_id>")
def show(result_id: UUID) -> Response:
    """Show one request of a run."""
    return _answer(JobResult.id == result_id, HTTPStatus.OK)


@blueprint.get("/schedules/<uuid:schedule_id>")
def show_of_schedule(schedule_id: UUID) -> Response:
    """Show the request of a schedule."""
    return _answer(Schedule.id == schedule_id, HTTPStatus.OK)


@blueprint.post("/<uuid:result_id>")
def decide_on(result_id: UUID) -> Response:
    """Approve a run, deny it, try it, or have its plan made again."""
    return _decide(JobResult.id == result_id)


@blueprint.post("/schedules/<uuid:schedule_id>")
def decide_on_schedule(schedule_id: UUID) -> Response:
    """Approve a schedule, deny it, try what it runs, or have its plan made again."""
    return _decide(Schedule.id == schedule_id)


def _decide(wanted: ColumnElement[bool]) -> Response:
    approval = find_request(wanted)
    subject, [shown] = approval.schedule or approval.result, requests_of([approval])
    assert subject is not None  # noqa: S101 - see find_request
    said, comment = request.form.get("decision", ""), request.form.get("comment", "")
    try:
        if said == _TRY:
            return _try(shown)
        if said == _PLAN_AGAIN:
            return _plan_again(wanted, shown)
        if (decision := _DECISIONS.get(said)) is None:
            raise InvalidData({"comment": ["Approve it, or deny it."]})
        write(
            subject,
            decision,
            comment=comment,
            plan=read_plan(request.form.get("plan", "")),
            drift=read_drift(request.form.get("drift", "")),
            late="late" in request.form,
        )
    except InvalidData as refusal:
        db.session.rollback()
        sentences = refusal.errors.values() if isinstance(refusal.errors, dict) else [refusal.errors]
        error = " ".join(sentence for each in sentences for sentence in each)
        ask_late = isinstance(refusal.errors, dict) and "late" in refusal.errors
        more = {"error": error, "comment": comment, "ask_late": ask_late, "drift": request.form.get("drift")}
        return _answer(wanted, HTTPStatus.UNPROCESSABLE_ENTITY, **more)
    except AlreadyDecided as late:
        db.session.rollback()
        return _answer(wanted, HTTPStatus.CONFLICT, error=str(late))
    if htmx.wants_fragment():
        return _answer(wanted, HTTPStatus.OK)
    flash(f"{shown.name} is {decision}.")
    return make_response(redirect(url_for("approvals.index"), HTTPStatus.SEE_OTHER))


def _try(shown: Request) -> Response:
    """Make a dry run of what is asked for, and go to it."""
    page = url_for("results.show", result_id=try_out(shown).id)
    if htmx.wants_fragment():
        return htmx.go_to(page)
    return make_response(redirect(page, HTTPStatus.SEE_OTHER))


def _plan_again(wanted: ColumnElement[bool], shown: Request) -> Response:
    plan_again(shown)
    if htmx.wants_fragment():
        return _answer(wanted, HTTPStatus.OK)
    return make_response(redirect(shown.card, HTTPStatus.SEE_OTHER))


def _answer(wanted: ColumnElement[bool], status: HTTPStatus, **more: Any) -> Response:
    [shown] = requests_of([find_request(wanted)])
    page = {"each": shown, "longest_comment": LONGEST_COMMENT, "drifts": DRIFTS, **more}
    if htmx.wants_fragment():
        return make_response(render_template("approvals/_request.html", **page), status)
    return make_response(render_template("approvals/one.html", **page), status)
