"""Approvals: a run of a job that needs one waits until somebody else has looked at exactly what it will do.

What is approved are the inputs, the code, the queue and whether changes are saved: each is kept as a digest when the
run is asked for, and compared when it starts. One decision wins, whoever is faster.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, or_, select, update
from sqlalchemy.orm import Session, aliased

from jobs.errors import InvalidData
from store.audit import note
from store.models import (
    Approval,
    Chain,
    Hook,
    Identity,
    JobRecord,
    JobResult,
    Schedule,
    SlackRequest,
    Status,
    User,
    Webhook,
    WebhookDelivery,
    now,
)
from store.models.identity import SLACK
from store.permissions import Forbidden, require
from store.platform import Platform
from store.settings import Settings
from store.text import clean_text
from worker import rules
from worker.attempts import ended
from worker.plans import require_plan
from worker.pushes import push_first
from worker.queues import withdraw

#: A request that nobody decided on is over after so long.
EXPIRES = timedelta(days=7)
LONGEST_COMMENT = 2_000

#: {origin of a run: what somebody has set up for it, whose choice the run is, too}
SET_UP = {
    "chain": (Chain.id, Chain.set_up_by_id),
    "hook": (Hook.id, Hook.set_up_by_id),
    "schedule": (Schedule.id, Schedule.asked_by_id),
    "webhook": (Webhook.id, Webhook.set_up_by_id),
}

#: So many runs before one are looked at for what somebody has set up.
MOST_BEFORE = 20

WAITS = "It waits for somebody to approve it."

Decision = Literal["approved", "denied"]

_PARTS = {
    "inputs": "its inputs",
    "code": "the job's code",
    "queue": "its queue",
    "commit": "whether it saves changes",
}


class AlreadyDecided(Exception):
    """Too late: somebody has decided, the request has expired, or was taken back."""


def ask(db: Session, result: JobResult, job: JobRecord) -> None:
    """Have this new run wait for an approval, in the transaction that stores it."""
    result.status, result.cause = Status.AWAITING_APPROVAL, WAITS
    result.pushed_at = result.expires_at = None
    moment = result.created_at
    db.add(
        Approval(
            result_id=result.id,
            created_at=moment,
            expires_at=moment + waits_for(job),
            asked=digests(result, job),
            asked_by_id=_who_set_up(db, result),
        )
    )


def _who_set_up(db: Session, result: JobResult) -> int | None:
    """Return who set up what asked for this run, or for the nearest run that led to it and was asked for like that."""
    origin, origin_id, parent_id = result.origin, result.origin_id, result.parent_id
    for _ in range(MOST_BEFORE):
        if origin in SET_UP:
            key, set_up_by = SET_UP[origin]
            return db.scalar(select(set_up_by).where(key == origin_id))
        before: Any = (
            parent_id
            and db.execute(
                select(JobResult.origin, JobResult.origin_id, JobResult.parent_id).where(
                    JobResult.id == parent_id
                )
            ).first()
        )
        if not before:
            break
        origin, origin_id, parent_id = before
    return None


def waits_for(job: JobRecord) -> timedelta:
    """Return how long a request of this job waits for a decision."""
    return timedelta(seconds=job.approval_expires) if job.approval_expires else EXPIRES


def bring_along(db: Session, approval: Approval, result: JobResult) -> None:
    """Have this new run be approved as its schedule is, in the transaction that stores it."""
    kept = (
        "schedule_id",
        "asked",
        "decision",
        "decided_at",
        "decided_by",
        "comment",
        "planned_by",
        "drift",
        "asked_by_id",
    )
    copied = {name: getattr(approval, name) for name in kept}
    # Whom it concerns was told of the schedule's.
    db.add(Approval(result_id=result.id, created_at=result.created_at, told=2, **copied))


def decide(
    db: Session,
    settings: Settings,
    result: JobResult,
    decision: Decision,
    *,
    user: User,
    comment: str = "",
    plan: UUID | None = None,
    drift: int | None = 0,
) -> None:
    """Approve a run, which starts as soon as it may, or deny it. Commits `db`.

    plan: the run that made the plan which is approved, where the job makes one.
    drift: how many of its changes may be others when the run starts; None: all of them.

    Raises Forbidden, InvalidData ({"comment": ...}) where a denial has no reason, AlreadyDecided.
    """
    job = _job_of(db, result)
    require_approver(db, user, result, job)
    comment = checked_comment(decision, comment)
    approval = _approval_of(db, result)
    if decision == "approved":
        require_unchanged(approval.asked, result, job)
        require_plan(db, approval, job, plan)
    write_decision(db, approval, decision, user.username, comment, drift=drift)
    note(db, f"run.{decision}", str(result.id), actor=user.username, after={"comment": comment})
    if decision == "denied":
        _move(db, result, ended(Status.DENIED, f"Denied by {user.username}: {comment}"))
        db.commit()
        return
    _start(db, settings, result, job)


def tried(subject: JobResult | Schedule, job: JobRecord, by: str) -> Approval:
    """Return what lets whoever is to approve something try it before, without saving anything."""
    asked = {**digests(subject, job), "commit": _digest(False)}
    return Approval(asked=asked, decision="approved", decided_by=by, decided_at=now(), comment="A dry run.")


def require_approver(db: Session, user: User, asked: JobResult | Schedule, job: JobRecord) -> None:
    """Raise Forbidden unless this user may decide on it."""
    require(user, "approve", job, data=asked.data or {}, queue=asked.queue)
    if has_asked(db, user.id, asked):
        raise Forbidden("You cannot approve your own job request!")


def has_asked(db: Session, user_id: int, asked: JobResult | Schedule) -> bool:
    """Tell whether somebody has asked for it, in whatever way (see `asked_by`)."""
    model = type(asked)
    return bool(db.scalar(select(asked_by(user_id, model)).where(model.id == asked.id)))


def asked_by(user_id: int, model: type[JobResult] | type[Schedule]) -> ColumnElement[bool]:
    """Return what holds for the rows of `model` that somebody has asked for, in whatever way.

    That is as whom it runs; who gave a schedule its times; who set up its chain, hook or webhook; who had a delivery
    sent again; and who spoke in Slack.
    """
    as_them = model.user_id.is_not_distinct_from(user_id)
    if model is Schedule:
        return or_(as_them, Schedule.asked_by_id.is_not_distinct_from(user_id))
    # Under a name of its own: queries that this becomes a part of are about requests, too.
    request = aliased(Approval)
    set_up = exists().where(request.result_id == JobResult.id, request.asked_by_id == user_id)
    set_up = set_up.correlate(JobResult)
    in_slack = and_(JobResult.origin == "slack", _spoke_in_slack(user_id))
    again = and_(JobResult.origin == "webhook", _has_sent_again(user_id))
    return or_(as_them, set_up, in_slack, again)


def _has_sent_again(user_id: int) -> ColumnElement[bool]:
    theirs = (WebhookDelivery.result_id == JobResult.id, User.id == user_id)
    return exists().where(WebhookDelivery.sent_by == User.username, *theirs).correlate(JobResult)


def _spoke_in_slack(user_id: int) -> ColumnElement[bool]:
    """Their account may have been connected only since."""
    theirs = (
        SlackRequest.result_id == JobResult.id,
        Identity.user_id == user_id,
        Identity.subject == SlackRequest.slack_user,
        Identity.issuer.startswith(SLACK, autoescape=True),
    )
    return exists().where(*theirs).correlate(JobResult)


def checked_comment(decision: Decision, comment: str) -> str:
    """Return what was typed, cleaned. Raises InvalidData."""
    comment = clean_text(comment).strip()
    if len(comment) > LONGEST_COMMENT:
        raise InvalidData({"comment": [f"Use at most {LONGEST_COMMENT:,} characters."]})
    if decision == "denied" and not comment:
        raise InvalidData({"comment": ["Say why: whoever asked for it will read that."]})
    return comment


def require_unchanged(asked: Mapping[str, Any], subject: JobResult | Schedule, job: JobRecord) -> None:
    """Raise InvalidData where something is no longer what somebody was asked to approve."""
    if problem := what_differs(asked, subject, job):
        raise InvalidData({"comment": [f"This cannot be approved any more: {problem}"]})


def expire(platform: Platform) -> list[UUID]:
    """End the requests that nobody decided on in time; return their runs."""
    over = (
        Approval.decision.is_(None),
        Approval.expires_at <= now(),
        JobResult.status == Status.AWAITING_APPROVAL,
    )
    query = select(JobResult.id).join(Approval, Approval.result_id == JobResult.id).where(*over)
    # Only looked at: on SQLite there is one turn to write, and mostly there is nothing to do.
    with platform.reading() as db:
        ids = db.scalars(query).all()
    return [result_id for result_id in ids if _expired(platform, result_id)]


def _expired(platform: Platform, result_id: UUID) -> bool:
    with platform.session() as db:
        result = db.get_one(JobResult, result_id)
        try:
            write_decision(db, _approval_of(db, result), "expired", None, "")
            _move(db, result, ended(Status.CANCELED, "Nobody approved it in time."))
        except AlreadyDecided:
            db.rollback()
            return False
        note(db, "run.expire", str(result_id))
        db.commit()
        return True


def why_not(db: Session, result_id: UUID) -> str:
    """Return why a run of a job that needs an approval may not start, as a sentence; "" where it may."""
    row = db.execute(
        select(Approval, JobResult, JobRecord)
        .join(JobResult, JobResult.id == Approval.result_id)
        .join(JobRecord, JobRecord.id == JobResult.job_id)
        .where(Approval.result_id == result_id)
    ).first()
    if row is None:
        return "This job needs an approval since the run was asked for. Ask for it again."
    approval, result, job = row
    if approval.decision != "approved":
        return "Nobody has approved this run."
    if problem := what_differs(approval.asked, result, job):
        return f"It was approved by {approval.decided_by}, but not like this: {problem}"
    return ""


def approved_code(db: Session, result_id: UUID) -> str:
    """Return the digest of the module that was approved; "" where there is none."""
    asked = db.scalar(select(Approval.asked).where(Approval.result_id == result_id))
    return str((asked or {}).get("module", ""))


def digests(result: JobResult | Schedule, job: JobRecord) -> dict[str, str]:
    """Return what is approved of a run, or of all runs of a schedule: {part: SHA-256}."""
    sealed = {name: fact["fingerprint"] for name, fact in (result.sealed_facts or {}).items()}
    return {
        "inputs": _digest([result.class_path, result.data or {}, sealed]),
        "code": _digest(job.form_code),
        "queue": _digest(result.queue),
        "commit": _digest(bool(result.commit)),
        # For the process of the job, which knows what it has loaded.
        "module": job.code_digest,
    }


def _digest(said: Any) -> str:
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def what_differs(asked: Mapping[str, Any], result: JobResult | Schedule, job: JobRecord) -> str:
    """Return a sentence on what is not as it was when the approval was asked for; "" where all is."""
    now_asked = digests(result, job)
    changed = [words for part, words in _PARTS.items() if asked.get(part) != now_asked[part]]
    return f"{_joined(changed)} changed since it was asked for." if changed else ""


def _joined(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _job_of(db: Session, result: JobResult) -> JobRecord:
    job = db.get(JobRecord, result.job_id) if result.job_id else None
    if job is None:
        raise AlreadyDecided("The job is gone; the run cannot start any more.")
    return job


def _approval_of(db: Session, result: JobResult) -> Approval:
    approval = db.scalars(select(Approval).where(Approval.result_id == result.id)).one_or_none()
    if approval is None:
        raise AlreadyDecided("Nobody was asked to approve this run.")
    return approval


def write_decision(
    db: Session,
    approval: Approval,
    decision: str,
    by: str | None,
    comment: str,
    *,
    drift: int | None = 0,
) -> None:
    """Decide on a request, with the plan that it has, if nobody has yet. Raises AlreadyDecided."""
    same_plan = Approval.planned_by.is_not_distinct_from(approval.planned_by)
    written = db.execute(
        update(Approval)
        .where(Approval.id == approval.id, Approval.decision.is_(None), same_plan)
        .values(decision=decision, decided_by=by, decided_at=now(), comment=comment, drift=drift)
        .execution_options(synchronize_session=False)
    )
    if not written.rowcount:  # type: ignore[attr-defined]
        raise AlreadyDecided("Somebody has decided on this already.")


def _move(db: Session, result: JobResult, values: dict[str, Any]) -> None:
    """Have the run wait for this no longer. Raises AlreadyDecided, and nothing is decided then."""
    written = db.execute(
        update(JobResult)
        .where(JobResult.id == result.id, JobResult.status == Status.AWAITING_APPROVAL)
        .values(**values)
        .execution_options(synchronize_session=False)
    )
    if not written.rowcount:  # type: ignore[attr-defined]
        db.rollback()
        raise AlreadyDecided("This request was taken back.")
    db.expire(result)


def _start(db: Session, settings: Settings, result: JobResult, job: JobRecord) -> None:
    """Queue an approved run, by the rules that a new one is under."""
    moment = now()
    starts_at = max(moment, result.not_before or moment)
    values: dict[str, Any] = {
        "status": Status.PENDING,
        "cause": None,
        "pushed_at": moment,
        "expires_at": starts_at + timedelta(seconds=job.expires) if job.expires else None,
        **rules.delayed(moment, (starts_at - moment).total_seconds()),
    }
    replaced = rules.admit(db, result, limit=job.concurrency_limit, policy=job.concurrency_policy)
    skipped, waits = result.finished, values["pushed_at"] is None
    if skipped:
        values = {name: getattr(result, name) for name in ("status", "cause", "pushed_at", "finished_at")}
        db.expire(result)
    queues = [(old.id, old.queue, old.priority) for old in replaced]
    result_id, queue, priority, class_path = result.id, result.queue, result.priority, result.class_path
    _move(db, result, values)
    db.commit()
    if not skipped and not waits:
        push_first(db, settings, result_id, queue=queue, priority=priority, class_path=class_path)
    for old_id, old_queue, old_priority in queues:
        withdraw(settings, old_id, queue=old_queue, priority=old_priority)
