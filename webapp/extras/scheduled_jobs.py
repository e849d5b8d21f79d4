"""Scheduled jobs: our schedules, and the runs that somebody has to approve."""

import uuid
from collections.abc import Sequence
from typing import Any

from flask import Response, current_app, request
from sqlalchemy import Select, and_, func, literal, or_, select, union_all
from sqlalchemy.orm import aliased, joinedload, undefer
from sqlalchemy.orm.attributes import set_committed_value

from store.models import Approval, JobRecord, JobResult, Schedule
from store.permissions import allowed, visible
from webapp.api.tokens import user
from webapp.database import db
from webapp.extras import shapes
from webapp.extras.bodies import boolean
from webapp.extras.errors import Refused, not_found
from webapp.extras.lists import Filters, envelope, flag, ids, is_brief, narrow, texts, window
from webapp.extras.versions import as_json
from worker import approvals, schedule_approvals
from worker.dry_runs import dry_run
from worker.origins import REHEARSALS

#: Whoever denies a request by our own pages says why; these clients have no way to.
DENIED = "Denied by the API of Nautobot, which gives no reasons."
LATE = (
    "The job's start time is in the past. Add ?force=true to approve it all the same: it then runs at once."
)

Subject = Schedule | JobResult


def _filters(model: type[Schedule] | type[JobResult]) -> Filters:
    enabled = Schedule.enabled if model is Schedule else JobResult.started_at.is_(None)
    return {
        "id": ids(model.id),
        "name": texts(model.name),
        "user": texts(model.username),
        "job_model": ids(model.job_id),
        "job_class": texts(model.class_path),
        "queue": texts(model.queue),
        "enabled": flag(enabled),
    }


def scheduled_jobs() -> Response:
    """List scheduled jobs, the latest first."""
    limit, offset = window()
    both = union_all(
        _schedules(Schedule.id, literal(True).label("is_schedule"), Schedule.created_at).where(
            *narrow(_filters(Schedule))
        ),
        _runs(JobResult.id, literal(False).label("is_schedule"), JobResult.created_at).where(
            *narrow(_filters(JobResult))
        ),
    ).subquery()
    count = db.session.scalar(select(func.count()).select_from(both)) or 0
    ordered = select(both.c.id, both.c.is_schedule).order_by(both.c.created_at.desc(), both.c.id)
    return as_json(envelope(count, _shown(db.session.execute(ordered.limit(limit).offset(offset)).all())))


def scheduled_job(reference: str) -> Response:
    """Show a scheduled job."""
    return _answer(_find(reference))


def approve(reference: str) -> Response:
    """Approve a request."""
    subject, late = _find(reference), _is_forced()
    if isinstance(subject, JobResult):
        approvals.decide(db.session(), _settings(), subject, "approved", user=user())
        return _answer(_find(reference))
    if schedule_approvals.is_late(subject) and not late:
        _require_approver(subject)
        raise Refused(400, {"detail": LATE})
    schedule_approvals.decide(db.session(), subject, "approved", user=user(), late=late)
    return _answer(_find(reference))


def deny(reference: str) -> Response:
    """Deny a request."""
    subject = _find(reference)
    if isinstance(subject, JobResult):
        approvals.decide(db.session(), _settings(), subject, "denied", user=user(), comment=DENIED)
    else:
        schedule_approvals.decide(db.session(), subject, "denied", user=user(), comment=DENIED)
    return as_json(None)


def dry_run_of(reference: str) -> Response:
    """Try what is asked for: it runs now, as the caller, and saves nothing. The request waits on."""
    subject = _find(reference)
    job = _require_approver(subject)
    asked = approvals_of([subject]).get(subject.id)
    if asked is None or asked.decision is not None:
        raise approvals.AlreadyDecided("This waits for nobody any more.")
    result = dry_run(db.session(), _settings(), subject, job, user())
    if not allowed(user(), "view", result):
        return as_json(shapes.result_reference(result))
    set_committed_value(result, "job", job)
    return as_json(shapes.result(result, None))


def approvals_of(subjects: Sequence[Subject]) -> dict[uuid.UUID, Approval]:
    """Return the request that counts of each of them: the newest one."""
    keys = [subject.id for subject in subjects]
    of_schedule = and_(Approval.schedule_id.in_(keys), Approval.result_id.is_(None))
    found = db.session.scalars(
        select(Approval).where(or_(of_schedule, Approval.result_id.in_(keys))).order_by(Approval.id)
    )
    return {key: each for each in found if (key := each.result_id or each.schedule_id) is not None}


def _require_approver(subject: Subject) -> JobRecord:
    if subject.job is None:
        raise approvals.AlreadyDecided("The job is gone: there is nothing to decide on any more.")
    approvals.require_approver(db.session(), user(), subject, subject.job)
    return subject.job


def _is_forced() -> bool:
    try:
        return boolean(request.args.get("force", "false"))
    except ValueError:
        return False


def _settings() -> Any:
    return current_app.extensions["errand"].settings


# --- What is found --------------------------------------------------------------------------------------------


def _schedules(*columns: Any) -> Select[Any]:
    """Return the query for schedules that the caller may know of. One that was denied is gone there."""
    newest = aliased(Approval)
    last = select(func.max(newest.id)).where(newest.schedule_id == Schedule.id, newest.result_id.is_(None))
    denied = select(Approval.id).where(
        Approval.id == last.correlate(Schedule).scalar_subquery(), Approval.decision == "denied"
    )
    return visible(select(*columns), user(), Schedule).where(~denied.correlate(Schedule).exists())


def _runs(*columns: Any) -> Select[Any]:
    """Return the query for runs that wait for an approval, or did; those that were not approved are gone there."""
    query = visible(select(*columns), user(), JobResult)
    return query.join(Approval, Approval.result_id == JobResult.id).where(
        Approval.schedule_id.is_(None),
        or_(Approval.decision.is_(None), Approval.decision == "approved"),
        JobResult.origin.not_in(REHEARSALS),
    )


def _find(reference: str) -> Subject:
    try:
        key = uuid.UUID(reference)
    except ValueError:
        raise not_found() from None
    found = _load([key], []) or _load([], [key])
    if not found or not allowed(user(), "view", found[0]):
        raise not_found()
    return found[0]


def _load(schedules: list[uuid.UUID], runs: list[uuid.UUID]) -> list[Subject]:
    # What they run with may be tried, and for that all of it is needed.
    of_schedule = (joinedload(Schedule.job), undefer(Schedule.kept_box))
    rows: list[Subject] = []
    if schedules:
        query = _schedules(Schedule).where(Schedule.id.in_(schedules)).options(*of_schedule)
        rows += db.session.scalars(query).all()
    if runs:
        query = _runs(JobResult).where(JobResult.id.in_(runs)).options(joinedload(JobResult.job))
        rows += db.session.scalars(query).all()
    return rows


def _shown(found: Sequence[Any]) -> list[dict[str, Any]]:
    subjects = {
        subject.id: subject
        for subject in _load(
            [row.id for row in found if row.is_schedule], [row.id for row in found if not row.is_schedule]
        )
    }
    if is_brief():
        return [shapes.schedule_reference(row.id, subjects[row.id].name) for row in found]
    asked = approvals_of(list(subjects.values()))
    return [shapes.scheduled_job(subjects[row.id], asked.get(row.id)) for row in found]


def _answer(subject: Subject) -> Response:
    return as_json(shapes.scheduled_job(subject, approvals_of([subject]).get(subject.id)))
