"""Whoever is to approve something may try it: a run of their own with the same inputs, which saves nothing (NB-115)."""

from datetime import timedelta

from sqlalchemy.orm import Session

from jobs.data import as_given
from jobs.errors import InvalidData
from jobs.kinds import file_names
from store.models import JobRecord, JobResult, Schedule, User, now
from store.permissions import require
from store.sealing import Box
from store.settings import Settings
from worker.approvals import require_approver, tried
from worker.origins import Origin
from worker.submit import Reused, submit

ALWAYS_SAVES = "This job always saves what it changes, so it cannot be tried."
FILES_GONE = "This job takes files, which only the run that they were given to has."
UNSEEN = "Its sealed inputs are for that run alone."


def why_no_dry_run(subject: JobResult | Schedule, job: JobRecord) -> str:
    """Return why a request cannot be tried, as a sentence; "" where it can."""
    if job.always_commits:
        return ALWAYS_SAVES
    if file_names(job.variables):
        return FILES_GONE
    return UNSEEN if subject.sealed_facts and not subject.kept_box else ""


def dry_run(
    db: Session, settings: Settings, subject: JobResult | Schedule, job: JobRecord, user: User
) -> JobResult:
    """Run now, as `user`, what a run or a schedule that waits for an approval would, and save nothing. Commits `db`.

    Raises Forbidden, NotRunnable or InvalidData.
    """
    require_approver(user, subject, job)
    require(user, "run", job)
    if problem := why_no_dry_run(subject, job):
        raise InvalidData({"comment": [problem]})
    sealed = None
    if subject.kept_box:
        box = Box(subject.kept_box, subject.sealed_facts or {})
        # Nobody is to run it once more with what another one typed.
        sealed = Reused(subject.id, box, now() - timedelta(seconds=1), subject.concurrency_key)
    return submit(
        db,
        settings,
        job=job,
        raw=as_given(job.variables, subject.data),
        user=user,
        commit=False,
        queue=subject.queue,
        sealed=sealed,
        origin=Origin(
            "approval", subject.id, f"Dry run for {subject.username}", approval=tried(subject, job, user)
        ),
    )
