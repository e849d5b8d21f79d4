"""Times in which no run of a job begins: those that wait go on waiting, and start when it is over."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session, joinedload

from jobs.errors import InvalidData
from store.audit import note
from store.models import JobRecord, JobResult, Suppression, User, now
from store.permissions import may_view, require
from store.platform import Platform
from worker import rules

#: Of one job, at any time.
MOST_SUPPRESSIONS = 50

LONGEST = timedelta(days=366)

UNSUPPRESSED = "Its suppression was ended; it waits until it is its turn."


def suppress(
    db: Session,
    job: JobRecord,
    starts_at: datetime,
    ends_at: datetime,
    user: User | None,
    *,
    permitted: bool = False,
) -> Suppression:
    """Have no run of the job begin from then until then. Commits `db`.

    permitted: the caller has asked whether the user may; otherwise whoever may run it may. user: as for `worker.submit`.
    Raises Forbidden, or InvalidData about `starts_at` or `ends_at`.
    """
    if not permitted:
        require(user, "run", job)
    _check(db, job, starts_at, ends_at)
    username = user.username if user else ""
    suppression = Suppression(job_id=job.id, starts_at=starts_at, ends_at=ends_at, username=username)
    db.add(suppression)
    note(db, "job.suppress", job.class_path, after=facts(suppression), actor=username)
    db.commit()
    return suppression


def unsuppress(
    db: Session,
    job: JobRecord,
    user: User | None,
    *,
    only: int | None = None,
    permitted: bool = False,
) -> int:
    """End the suppressions of a job, those to come too, and return how many there were. Commits `db`.

    only: of one of them, its id. What waited for it is pushed by the next pass of a reconciler. permitted: as for
    `suppress`. Raises Forbidden.
    """
    if not permitted:
        require(user, "run", job)
    query = select(Suppression).where(Suppression.job_id == job.id, Suppression.ends_at > now())
    ended = db.scalars(query if only is None else query.where(Suppression.id == only)).all()
    for suppression in ended:
        before, by = facts(suppression), user.username if user else ""
        note(db, "job.unsuppress", job.class_path, before=before, after={}, actor=by)
        db.delete(suppression)
    db.flush()
    if ended and not rules.suppressed(db, job.id, now()):
        _tell_waiting(db, job.id)
    db.commit()
    return len(ended)


def active(
    db: Session, *, job: JobRecord | None = None, user: User | None = None, at: datetime | None = None
) -> Sequence[Suppression]:
    """Return, with their jobs, those that are not over, the first to begin first: of one job, or of what a user may see.

    at: only those that hold at this moment.
    """
    query = (
        select(Suppression)
        .join(JobRecord, JobRecord.id == Suppression.job_id)
        .options(joinedload(Suppression.job))
        .order_by(Suppression.starts_at, Suppression.id)
    )
    if job is not None:
        query = query.where(Suppression.job_id == job.id)
    else:
        query = query.where(may_view(user, JobRecord))
    if at is not None:
        return db.scalars(query.where(Suppression.starts_at <= at, Suppression.ends_at > at)).all()
    return db.scalars(query.where(Suppression.ends_at > now())).all()


def purge(platform: Platform) -> int:
    """Forget those that are over."""
    over = Suppression.ends_at <= now()
    with platform.reading() as db:
        # Read first: mostly there is nothing, and then no turn to write is taken.
        if db.scalar(select(Suppression.id).where(over).limit(1)) is None:
            return 0
    with platform.session() as db:
        gone = db.execute(delete(Suppression).where(over))
        db.commit()
        return int(gone.rowcount)  # type: ignore[attr-defined]


def facts(suppression: Suppression) -> dict[str, str]:
    """Return one for the audit log."""
    return {"from": suppression.starts_at.isoformat(), "to": suppression.ends_at.isoformat()}


def _check(db: Session, job: JobRecord, starts_at: datetime, ends_at: datetime) -> None:
    if starts_at >= ends_at:
        raise InvalidData({"ends_at": ["The end has to be later than the beginning."]})
    if ends_at <= now():
        raise InvalidData({"ends_at": ["That time is over already."]})
    if ends_at > now() + LONGEST:
        raise InvalidData(
            {"ends_at": ["A suppression ends within a year: disable a job that is to stop for longer."]}
        )
    if len(active(db, job=job)) >= MOST_SUPPRESSIONS:
        raise InvalidData(
            {"starts_at": [f"A job has at most {MOST_SUPPRESSIONS} suppressions: end one first."]}
        )


def _tell_waiting(db: Session, job_id: UUID) -> None:
    """Have those that waited for it not say so any more."""
    told = JobResult.cause.startswith(f"{rules.SUPPRESSED} until")
    db.execute(
        update(JobResult)
        .where(JobResult.job_id == job_id, rules.PENDING, told)
        .values(cause=UNSUPPRESSED)
        .execution_options(synchronize_session=False)
    )
