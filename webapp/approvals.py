"""What waits for somebody to approve it, runs and schedules: who asks for what, a dry run of it, and the decision."""

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
from sqlalchemy import ColumnElement, Select, and_, func, not_, or_, select
from sqlalchemy.orm import joinedload, undefer

from jobs.errors import InvalidData
from store.models import Approval, JobRecord, JobResult, Schedule, Status
from store.permissions import NotVisible, allowed, may_view, visible
from webapp import htmx
from webapp.auth import current_user, require, signed_in_user
from webapp.database import db
from webapp.inputs import ShownInput, shown_inputs
from webapp.plans import DRIFTS, ShownPlan, drift_in_words, plans_of, read_drift, read_plan
from worker import schedule_approvals
from worker.approvals import LONGEST_COMMENT, AlreadyDecided, Decision, decide
from worker.dry_runs import dry_run, why_no_dry_run
from worker.origins import REHEARSALS, Taken
from worker.plan_runs import make as make_plan

blueprint = Blueprint("approvals", __name__, url_prefix="/approvals")

VIEWS = {"waiting": "Waiting", "decided": "Decided", "mine": "My requests"}
MOST_SHOWN = 50

_DECISIONS: dict[str, Decision] = {"approve": "approved", "deny": "denied"}
_TRY, _PLAN_AGAIN = "try", "plan"

#: About a run, about a schedule; what an approved schedule made has both, and is not a request.
_OF_RUN = and_(Approval.result_id.is_not(None), Approval.schedule_id.is_(None))
_OF_SCHEDULE = and_(Approval.schedule_id.is_not(None), Approval.result_id.is_(None))
_WAITS = and_(
    Approval.decision.is_(None),
    or_(and_(_OF_RUN, JobResult.status == Status.AWAITING_APPROVAL), _OF_SCHEDULE),
)


@dataclass(frozen=True, slots=True)
class Request:
    """One request as its part of the page shows it."""

    approval: Approval
    subject: JobResult | Schedule
    job: JobRecord | None
    inputs: list[ShownInput]
    waits: bool
    own: bool
    may_decide: bool
    #: The newest dry run that was made of it.
    tried: JobResult | None
    #: Why none can be made; empty: one can.
    why_no_dry_run: str
    #: What it will change, by its job's account; None: the job does not say.
    plan: ShownPlan | None

    @property
    def schedule(self) -> Schedule | None:
        return self.subject if isinstance(self.subject, Schedule) else None

    @property
    def name(self) -> str:
        return self.schedule.name if self.schedule else getattr(self.subject, "name", "")

    @property
    def short_id(self) -> str:
        return self.subject.id.hex[:6]

    @property
    def url(self) -> str:
        """Where to send a decision."""
        if self.schedule:
            return url_for("approvals.decide_on_schedule", schedule_id=self.subject.id)
        return url_for("approvals.decide_on", result_id=self.subject.id)

    @property
    def card(self) -> str:
        """Where its part of the page is."""
        if self.schedule:
            return url_for("approvals.show_of_schedule", schedule_id=self.subject.id)
        return url_for("approvals.show", result_id=self.subject.id)

    @property
    def allowed(self) -> str:
        """What its approver let the plan differ by; empty: there was none."""
        return drift_in_words(self.approval) if self.approval.planned_by else ""

    @property
    def code(self) -> str:
        """What the code is called elsewhere: its commit, else its digest."""
        digest = str(self.approval.asked.get("module") or "")
        same = self.job is not None and self.job.code_digest == digest
        return (self.job.code_commit if same and self.job else "") or digest

    @property
    def late(self) -> bool:
        return self.schedule is not None and schedule_approvals.is_late(self.schedule)


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
        waiting=count_waiting(),
        most=MOST_SHOWN,
        longest_comment=LONGEST_COMMENT,
        drifts=DRIFTS,
    )


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


@blueprint.app_context_processor
def offer_count() -> dict[str, object]:
    return {"count_waiting": count_waiting}


def count_waiting() -> int:
    """Return how many requests the reader sees waiting."""
    query = _seen(select(func.count()).select_from(Approval)).where(_WAITS)
    return db.session.scalar(query) or 0


def _decide(wanted: ColumnElement[bool]) -> Response:
    approval = _find(wanted)
    subject, [shown] = approval.schedule or approval.result, _shown([approval])
    assert subject is not None  # noqa: S101 - see _find
    said, comment = request.form.get("decision", ""), request.form.get("comment", "")
    try:
        if said == _TRY:
            return _try(shown)
        if said == _PLAN_AGAIN:
            return _plan_again(wanted, shown)
        if (decision := _DECISIONS.get(said)) is None:
            raise InvalidData({"comment": ["Approve it, or deny it."]})
        _write(subject, decision, comment)
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


def _write(subject: JobResult | Schedule, decision: Decision, comment: str) -> None:
    chosen: dict[str, Any] = {
        "user": signed_in_user(),
        "comment": comment,
        "plan": read_plan(request.form.get("plan", "")),
        "drift": read_drift(request.form.get("drift", "")),
    }
    if isinstance(subject, Schedule):
        late = "late" in request.form
        schedule_approvals.decide(db.session(), subject, decision, late=late, **chosen)
    else:
        settings = current_app.extensions["errand"].settings
        decide(db.session(), settings, subject, decision, **chosen)


def _try(shown: Request) -> Response:
    """Make a dry run of what is asked for, and go to it: the request waits on."""
    if not shown.waits or shown.job is None:
        raise AlreadyDecided("This waits for nobody any more.")
    settings = current_app.extensions["errand"].settings
    result = dry_run(db.session(), settings, shown.subject, shown.job, signed_in_user())
    page = url_for("results.show", result_id=result.id)
    if htmx.wants_fragment():
        return htmx.go_to(page)
    return make_response(redirect(page, HTTPStatus.SEE_OTHER))


def _plan_again(wanted: ColumnElement[bool], shown: Request) -> Response:
    """Have the plan made anew: what it would change may be something else by now."""
    if not shown.may_decide:
        raise AlreadyDecided("This waits for nobody any more.")
    settings = current_app.extensions["errand"].settings
    try:
        make_plan(db.session(), settings, shown.approval.id)
    except Taken:
        db.session.rollback()  # Somebody else has just asked for that.
    if htmx.wants_fragment():
        return _answer(wanted, HTTPStatus.OK)
    return make_response(redirect(shown.card, HTTPStatus.SEE_OTHER))


def _answer(wanted: ColumnElement[bool], status: HTTPStatus, **more: Any) -> Response:
    [shown] = _shown([_find(wanted)])
    page = {"each": shown, "longest_comment": LONGEST_COMMENT, "drifts": DRIFTS, **more}
    if htmx.wants_fragment():
        return make_response(render_template("approvals/_request.html", **page), status)
    return make_response(render_template("approvals/one.html", **page), status)


# --- What is found --------------------------------------------------------------------------------------------


def _of_view(view: str) -> Select[Any]:
    query = _requests()
    if view == "waiting":
        return query.where(_WAITS).order_by(Approval.id)
    if view == "decided":
        decided = Approval.decision.in_(("approved", "denied", "expired"))
        # Nobody decided on what was only tried.
        tried = and_(Approval.result_id.is_not(None), JobResult.origin.in_(REHEARSALS))
        return query.where(decided, not_(tried)).order_by(Approval.decided_at.desc())
    own = signed_in_user().id
    mine = or_(JobResult.user_id == own, Schedule.user_id == own)
    return query.where(mine, Approval.decision.is_distinct_from("void")).order_by(Approval.id.desc())


def _requests() -> Select[Any]:
    result, schedule = joinedload(Approval.result), joinedload(Approval.schedule)
    return _seen(select(Approval)).options(
        result.joinedload(JobResult.job),
        result.joinedload(JobResult.user),
        schedule.joinedload(Schedule.job),
        schedule.joinedload(Schedule.user),
        schedule.options(undefer(Schedule.kept_box)),
    )


def _seen(query: Select[Any]) -> Select[Any]:
    """Join what a request is about, and narrow it to what the reader may view."""
    user = current_user()
    return (
        query.outerjoin(JobResult, JobResult.id == Approval.result_id)
        .outerjoin(Schedule, and_(Schedule.id == Approval.schedule_id, _OF_SCHEDULE))
        .where(or_(and_(_OF_RUN, may_view(user, JobResult)), and_(_OF_SCHEDULE, may_view(user, Schedule))))
    )


def _find(wanted: ColumnElement[bool]) -> Approval:
    query = _requests().where(wanted, Approval.decision.is_distinct_from("void")).order_by(Approval.id.desc())
    query = query.limit(1).execution_options(populate_existing=True)
    approval: Approval | None = db.session.scalars(query).one_or_none()
    if approval is None:
        raise NotVisible
    return approval


def _shown(approvals: Sequence[Approval]) -> list[Request]:
    subjects = [subject for each in approvals if (subject := each.schedule or each.result) is not None]
    tried = _tried([subject.id for subject in subjects])
    plans = plans_of([(each, subject.job) for each, subject in zip(approvals, subjects, strict=True)])
    with current_app.extensions["errand"].data.session() as data:
        return [
            _one(
                approval,
                subject,
                inputs=shown_inputs(subject, subject.job, data),
                tried=tried.get(subject.id),
                plan=plans.get(approval.id),
            )
            for approval, subject in zip(approvals, subjects, strict=True)
        ]


def _tried(ids: Sequence[UUID]) -> dict[UUID | None, JobResult]:
    """Return the newest dry run of each request that the reader may see."""
    query = visible(select(JobResult), current_user(), JobResult)
    query = query.where(JobResult.origin_id.in_(ids), JobResult.origin == "approval")
    return {run.origin_id: run for run in db.session.scalars(query.order_by(JobResult.created_at))}


def _one(
    approval: Approval,
    subject: JobResult | Schedule,
    *,
    inputs: list[ShownInput],
    tried: JobResult | None,
    plan: ShownPlan | None,
) -> Request:
    user, job = signed_in_user(), subject.job
    own = subject.user_id == user.id
    waits = approval.decision is None and (
        isinstance(subject, Schedule) or subject.status == Status.AWAITING_APPROVAL
    )
    may = waits and not own and job is not None and _may_approve(subject)
    why_not = "" if job is None else why_no_dry_run(subject, job) or _why_not_run(job)
    return Request(approval, subject, job, inputs, waits, own, may, tried, why_not, plan)


def _may_approve(subject: JobResult | Schedule) -> bool:
    return allowed(current_user(), "approve", subject.job, data=subject.data or {}, queue=subject.queue)


def _why_not_run(job: JobRecord) -> str:
    return "" if allowed(current_user(), "run", job) else "You may not run this job yourself."
