"""What commands of Slack and webhooks of GitHub ask for, under the names that bennettbot has for the same."""

from collections.abc import Mapping, Sequence
from contextlib import suppress as suppressing
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from redis.exceptions import RedisError
from sqlalchemy import ColumnElement, String, and_, cast, func, or_, select, update
from sqlalchemy.orm import Session, joinedload

from store.audit import note
from store.models import JobRecord, JobResult, SlackRequest, Status, Suppression, User
from store.permissions import may_view, require
from store.settings import Settings
from worker import rules, suppressions
from worker.cancel import AlreadyFinished, end_waiting
from worker.origins import Origin
from worker.pushes import release_key
from worker.submit import submit

FROM_SLACK = Origin("slack")

#: Of each kind so many are named; all are counted.
MOST_NAMED = 100

_WAITING = (Status.PENDING, Status.AWAITING_APPROVAL)


# --- schedule_job and cancel_job ---------------------------------------------------------------------------------


def schedule_job(
    db: Session,
    settings: Settings,
    job: JobRecord,
    data: Mapping[str, Any],
    user: User | None,
    *,
    channel: str = "",
    thread_ts: str | None = None,
    delay_seconds: float | None = None,
    is_im: bool = False,
    message_ts: str | None = None,
    slack_user: str = "",
    idempotency_key: str | None = None,
    origin: Origin = FROM_SLACK,
    form: bool = False,
) -> tuple[JobResult, bool]:
    """Ask for a run whose end is told in `channel`; return it, and whether others that run keep it from beginning.

    data, form: as `raw` and `form` of `worker.submit`. channel: empty: Slack is told nothing. delay_seconds: None: as the
    job says. Where an equal run waits already (`joined`), that one is returned: it is told where this request says, and
    still is a direct message or none. The very same request again (`repeated` and not `joined`) changes nothing.
    Commits `db`. Raises as `worker.submit` does.
    """

    where = {"channel": channel, "thread_ts": thread_ts, "message_ts": message_ts, "slack_user": slack_user}

    def answer(db: Session, result: JobResult) -> Sequence[JobResult]:
        if channel:
            _expect_answer(db, result, where, is_im=is_im)
        return origin.claim(db, result) if origin.claim else ()

    result = submit(
        db,
        settings,
        job=job,
        raw=data,
        user=user,
        form=form,
        idempotency_key=idempotency_key,
        origin=replace(origin, claim=answer),
        delay=delay_seconds,
    )
    return result, _is_kept_waiting(db, job, result)


def _expect_answer(db: Session, result: JobResult, where: Mapping[str, str | None], *, is_im: bool) -> None:
    with db.no_autoflush:
        known = db.scalars(select(SlackRequest).where(SlackRequest.result_id == result.id)).one_or_none()
    if known is None:
        db.add(SlackRequest(result_id=result.id, is_im=is_im, **where))
        return
    # Of a run that waits nothing has been said that whoever asks now would miss.
    afresh = {"state": "waiting", "said": {}, "tries": 0, "next_try_at": None, "problem": ""}
    for name, value in {**where, **afresh}.items():
        setattr(known, name, value)


def _is_kept_waiting(db: Session, job: JobRecord, result: JobResult) -> bool:
    """Tell whether as many others run as may run at once. One that was released is none of them."""
    limit = job.concurrency_limit
    if not limit or result.concurrency_key is None or result.status != Status.PENDING:
        return False
    return len(rules.running_beside(db, result.id, result.concurrency_key)) >= limit


def cancel_job(db: Session, settings: Settings, job: JobRecord, user: User | None) -> int:
    """Cancel all runs of the job that wait to begin, whatever their inputs and whoever asked; return how many.

    What runs goes on. Who may run the job may do it. Commits `db`; raises Forbidden.
    """
    require(user, "run", job)
    waiting = (JobResult.job_id == job.id, rules.PENDING, rules.BEGINS)
    query = select(JobResult).where(*waiting).order_by(*rules.ORDER)
    return sum(end_waiting(db, settings, result, user) for result in db.scalars(query).all())


# --- suppressions ------------------------------------------------------------------------------------------------


def schedule_suppression(
    db: Session, job: JobRecord, starts_at: datetime, ends_at: datetime, user: User | None
) -> Suppression:
    return suppressions.suppress(db, job, starts_at, ends_at, user)


def cancel_suppressions(db: Session, job: JobRecord, user: User | None) -> int:
    return suppressions.unsuppress(db, job, user)


# --- status, and remove job id -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Happening:
    """What goes on, of jobs that have commands, as somebody may see it. The lists have at most MOST_NAMED each."""

    #: Those that began first come first.
    running: Sequence[JobResult]
    #: Those that begin first come first (see `starts_at`).
    scheduled: Sequence[JobResult]
    #: With their jobs; those that hold now, and those to come.
    suppressions: Sequence[Suppression]
    running_count: int
    scheduled_count: int


def status(db: Session, user: User | None) -> Happening:
    """Tell what goes on."""
    seen = (may_view(user, JobResult), _of_commands())

    def some(condition: ColumnElement[bool], *order: Any) -> tuple[Sequence[JobResult], int]:
        query = select(JobResult).join(JobRecord, JobRecord.id == JobResult.job_id).where(condition, *seen)
        rows = db.scalars(query.options(joinedload(JobResult.job)).order_by(*order).limit(MOST_NAMED)).all()
        if len(rows) < MOST_NAMED:
            return rows, len(rows)
        return rows, db.scalar(select(func.count()).select_from(query.subquery())) or 0

    running, running_count = some(_runs(), JobResult.started_at, JobResult.id)
    scheduled, scheduled_count = some(and_(JobResult.status.in_(_WAITING), rules.BEGINS), *rules.ORDER)
    return Happening(running, scheduled, suppressions.active(db, user=user), running_count, scheduled_count)


def starts_at(result: JobResult) -> datetime:
    """Return from when on a run that waits may begin."""
    return result.not_before or result.created_at


def find_active(db: Session, user: User | None, given: str) -> JobResult | None:
    """Return the run that has not ended, that `user` may see, and whose id begins with `given`; None: not just one has."""
    text = given.strip().lower().replace("-", "")
    if not 6 <= len(text) <= 32 or any(character not in "0123456789abcdef" for character in text):
        return None
    query = select(JobResult.id).where(
        or_(JobResult.status.in_(_WAITING), _runs()), may_view(user, JobResult)
    )
    found = [key for key in db.scalars(query) if key.hex.startswith(text)]
    return db.get(JobResult, found[0]) if len(found) == 1 else None


def release(db: Session, settings: Settings, result: JobResult, user: User | None) -> bool:
    """Have a run be in nobody's way: one that waits is canceled; one that runs goes on, and is not counted any more.

    Who may see the runs of bennettbot's jobs may do it, as there; of other jobs who may cancel the run. Returns True where
    it was canceled, False where it goes on. Commits `db`; raises Forbidden or AlreadyFinished.
    """
    job = db.get(JobRecord, result.job_id) if result.job_id else None
    require(user, "view" if job is not None and job.dialect == "bennettbot" else "change", result)
    if end_waiting(db, settings, result, user):
        return True
    key = result.concurrency_key
    written = db.execute(
        update(JobResult)
        .where(JobResult.id == result.id, JobResult.status == Status.RUNNING)
        .values(concurrency_key=None)
        .execution_options(synchronize_session=False)
    )
    if not written.rowcount:  # type: ignore[attr-defined]
        db.rollback()
        raise AlreadyFinished("This run has already ended.")
    note(db, "run.release", str(result.id), actor=user.username if user else "")
    db.commit()
    db.refresh(result)
    with suppressing(RedisError):
        release_key(db, settings, key)
    return False


def _runs() -> ColumnElement[bool]:
    """Say that it has begun, and may wait for what it has asked for."""
    return or_(JobResult.status == Status.RUNNING, and_(rules.PENDING, ~rules.BEGINS))


def _of_commands() -> ColumnElement[bool]:
    has_commands = func.length(cast(JobRecord.slack_commands, String)) > len("[]")
    return or_(has_commands, JobRecord.dialect == "bennettbot", JobResult.origin == "slack")
