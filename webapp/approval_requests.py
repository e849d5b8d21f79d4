"""Requests for an approval, of runs and of schedules: which there are, what is told of them, and the acts of who decides."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from flask import current_app, url_for
from sqlalchemy import ColumnElement, Select, and_, case, func, not_, or_, select
from sqlalchemy.orm import joinedload, undefer

from jobs.errors import InvalidData
from store.models import Approval, JobRecord, JobResult, Schedule, Status
from store.permissions import NotVisible, allowed, may_approve, may_view, visible
from store.settings import Settings
from webapp.auth import current_user, signed_in_user
from webapp.database import db
from webapp.inputs import ShownInput, shown_inputs
from webapp.plans import ShownPlan, drift_in_words, plans_of
from worker import schedule_approvals
from worker.approvals import AlreadyDecided, Decision, asked_by, decide, has_asked, require_approver
from worker.dry_runs import dry_run, why_no_dry_run
from worker.origins import REHEARSALS, Taken
from worker.plan_runs import make as make_plan

OVER = "This waits for nobody any more."
DECIDED = ("approved", "denied", "expired")

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


def waiting() -> Select[Any]:
    """Return the query for how many requests wait for the reader, who may decide on them."""
    query = _seen(select(func.count()).select_from(Approval)).where(_WAITS)
    return query.where(or_(and_(_OF_RUN, _theirs(JobResult)), and_(_OF_SCHEDULE, _theirs(Schedule))))


def _theirs(model: type[JobResult] | type[Schedule]) -> ColumnElement[bool]:
    """Return what holds for the rows of `model` that the reader may decide on."""
    user = signed_in_user()
    job = select(JobRecord.id).where(JobRecord.id == model.job_id, may_approve(user, model))
    return and_(job.correlate(model).exists(), not_(asked_by(user.id, model)))


# --- What is found --------------------------------------------------------------------------------------------


def of_view(view: str) -> Select[Any]:
    query = _requests()
    own = signed_in_user().id
    mine = or_(JobResult.user_id == own, Schedule.user_id == own)
    if view == "waiting":
        # Nobody decides on their own: those that others asked for come first.
        return query.where(_WAITS).order_by(case((mine, 1), else_=0), Approval.id)
    if view == "decided":
        decided = Approval.decision.in_(DECIDED)
        # Nobody decided on what was only tried.
        tried = and_(Approval.result_id.is_not(None), JobResult.origin.in_(REHEARSALS))
        return query.where(decided, not_(tried)).order_by(Approval.decided_at.desc())
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


def find_request(wanted: ColumnElement[bool]) -> Approval:
    query = _requests().where(wanted, Approval.decision.is_distinct_from("void")).order_by(Approval.id.desc())
    query = query.limit(1).execution_options(populate_existing=True)
    approval: Approval | None = db.session.scalars(query).one_or_none()
    if approval is None:
        raise NotVisible
    return approval


def requests_of(approvals: Sequence[Approval]) -> list[Request]:
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
    own = has_asked(db.session(), user.id, subject)
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


def facts_of(approvals: Sequence[Approval]) -> list[Any]:
    """Return what the list shows of requests, as far as it changes; what was run for them with it."""
    facts: list[Any] = []
    for each in approvals:
        subject = each.schedule or each.result
        if subject is not None:
            job = subject.job
            about = (each.id, each.decision, each.decided_at, each.comment, each.expires_at, each.why_no_plan)
            now = (subject.name, getattr(subject, "status", ""), getattr(subject, "updated_at", None))
            facts.append((*about, *now, (job.name, job.enabled, job.code_digest) if job else None))
    ids = [subject.id for each in approvals if (subject := each.schedule or each.result) is not None]
    runs: Select[Any] = select(  # type: ignore[assignment]
        JobResult.id, JobResult.status, JobResult.last_seq, JobResult.finished_at
    )
    tried = visible(runs, current_user(), JobResult).where(JobResult.origin_id.in_(ids))
    tried = tried.where(JobResult.origin.in_(REHEARSALS)).order_by(JobResult.id)
    return [facts, [tuple(row) for row in db.session.execute(tried)]] if ids else facts


# --- What becomes of them -------------------------------------------------------------------------------------


def write(
    subject: JobResult | Schedule,
    decision: Decision,
    *,
    comment: str,
    plan: UUID | None,
    drift: int | None,
    late: bool,
) -> None:
    """Approve or deny a request, as who asks. Raises as `worker.approvals.decide` does."""
    said: dict[str, Any] = {"user": signed_in_user(), "comment": comment, "plan": plan, "drift": drift}
    if isinstance(subject, Schedule):
        schedule_approvals.decide(db.session(), subject, decision, late=late, **said)
    else:
        decide(db.session(), _settings(), subject, decision, **said)


def try_out(request: Request) -> JobResult:
    """Make a dry run of what is asked for: the request waits on. Raises AlreadyDecided, Forbidden or InvalidData."""
    if not request.waits or request.job is None:
        raise AlreadyDecided(OVER)
    return dry_run(db.session(), _settings(), request.subject, request.job, signed_in_user())


def plan_again(request: Request) -> None:
    """Have the plan made anew: what it would change may be something else by now.

    Raises AlreadyDecided, Forbidden or InvalidData.
    """
    if not request.waits or request.job is None:
        raise AlreadyDecided(OVER)
    require_approver(db.session(), signed_in_user(), request.subject, request.job)
    if request.plan is None:
        raise InvalidData({"plan": ["This job does not say beforehand what it will change."]})
    try:
        make_plan(db.session(), _settings(), request.approval.id)
    except Taken:
        db.session.rollback()  # Somebody else has just asked for that.


def _settings() -> Settings:
    settings: Settings = current_app.extensions["errand"].settings
    return settings
