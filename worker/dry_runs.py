"""What is tried of a request before it is decided on: its dry run (NB-115), and its plan. Neither saves anything."""

from dataclasses import replace
from datetime import timedelta

from sqlalchemy.orm import Session

from jobs.data import as_given
from jobs.errors import InvalidData
from store.models import JobRecord, JobResult, Schedule, User, now
from store.permissions import require
from store.sealing import Box
from store.settings import Settings
from worker.approvals import require_approver, tried
from worker.origins import Origin
from worker.run_files import given
from worker.submit import Reused, submit

ALWAYS_SAVES = "This job always saves what it changes, so it cannot be tried."
UNSEEN = "Its sealed inputs are for that run alone."


def why_no_dry_run(subject: JobResult | Schedule, job: JobRecord) -> str:
    """Return why a request cannot be tried, as a sentence; "" where it can."""
    if job.always_commits:
        return ALWAYS_SAVES
    return UNSEEN if subject.sealed_facts and not subject.kept_box else ""


def dry_run(
    db: Session, settings: Settings, subject: JobResult | Schedule, job: JobRecord, user: User
) -> JobResult:
    """Run now, as `user`, what a run or a schedule that waits for an approval would, and save nothing. Commits `db`.

    Raises Forbidden, NotRunnable or InvalidData.
    """
    require_approver(db, user, subject, job)
    require(user, "run", job)
    if problem := why_no_dry_run(subject, job):
        raise InvalidData({"comment": [problem]})
    origin = Origin("approval", subject.id, f"Dry run for {subject.username}")
    return _rehearse(db, settings, subject, job, user=user, origin=origin)


def rehearse(
    db: Session, settings: Settings, subject: JobResult | Schedule, job: JobRecord, *, origin: Origin
) -> JobResult:
    """Have a run, as who asked for the other one, for `origin`, which has it save nothing. Commits `db`.

    Raises Forbidden, NotRunnable, InvalidData or Taken.
    """
    user = db.get(User, subject.user_id) if subject.user_id is not None else None
    return _rehearse(db, settings, subject, job, user=user, origin=origin)


def _rehearse(
    db: Session,
    settings: Settings,
    subject: JobResult | Schedule,
    job: JobRecord,
    *,
    user: User | None,
    origin: Origin,
) -> JobResult:
    waiting = subject if isinstance(subject, JobResult) else None
    box = subject.kept_box or (waiting.sealed_data if waiting else None)
    sealed = None
    if box:
        # Nobody is to run it once more with what another one typed.
        over = now() - timedelta(seconds=1)
        sealed = Reused(subject.id, Box(box, subject.sealed_facts or {}), over, subject.concurrency_key)
    files = given(settings, db, waiting.id) if waiting and waiting.uploads else {}
    by = user.username if user else subject.username
    return submit(
        db,
        settings,
        job=job,
        raw={**as_given(job.variables, subject.data), **files},
        user=user,
        permitted=waiting is not None and waiting.permitted and user is None,
        commit=None if job.always_commits or job.read_only else False,
        queue=subject.queue,
        sealed=sealed,
        origin=replace(origin, approval=tried(subject, job, by)),
    )
