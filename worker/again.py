"""Runs once more what was run before."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from jobs.data import as_given
from jobs.errors import InvalidData
from jobs.kinds import file_names, secret_names
from store.models import JobRecord, JobResult, User
from store.permissions import NotVisible, allowed, require
from store.settings import Settings
from worker.submit import Reused, reusable, submit


class InputsGone(InvalidData):
    """Some of the inputs were not kept."""


GONE = "Some of its inputs were not kept: they have to be given again."


def why_not_again(result: JobResult, job: JobRecord, sealed: Reused | None) -> str:
    """Return why a run cannot be run again as it is, as a sentence; "" where all its inputs are there.

    sealed: those that nobody can read, as `worker.submit.reusable` has them.
    """
    # A file that was not given has not gone. Of what was sealed altogether nobody knows whether one was.
    files = file_names(job.variables)
    if files and (result.sensitive or any(result.data.get(name) for name in files)):
        return GONE
    hidden = result.sensitive or bool(secret_names(job.variables))
    return GONE if hidden and sealed is None else ""


def run_again(
    db: Session,
    settings: Settings,
    earlier: JobResult,
    user: User,
    *,
    request: Mapping[str, Any] | None = None,
    idempotency_key: str | None = None,
) -> JobResult:
    """Submit another run with the inputs of an earlier one, its commit flag and, where it still may, its queue.

    idempotency_key: as for `worker.submit`.
    Commits `db`. Raises NotVisible, Forbidden, NotRunnable, InputsGone, or InvalidData where the inputs do not fit any more.
    """
    job = earlier.job
    if job is None or not allowed(user, "view", job):
        raise NotVisible
    require(user, "run", job)
    sealed = reusable(earlier, user)
    if problem := why_not_again(earlier, job, sealed):
        raise InputsGone([problem])
    return submit(
        db,
        settings,
        job=job,
        raw=as_given(job.variables, earlier.data),
        sealed=sealed,
        user=user,
        commit=earlier.commit,
        queue=earlier.queue if earlier.queue in job.allowed_queues else None,
        request=dict(request) if request is not None else None,
        idempotency_key=idempotency_key,
    )
