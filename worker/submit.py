"""The only door to a run: form, API, command line and all that comes later ask here."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from jobs.data import clean
from jobs.errors import InvalidData
from store.models import JobRecord, JobResult, Status, User, now
from store.permissions import Forbidden, require
from store.secrets import seal
from store.settings import Settings
from worker.lookups import object_lookup
from worker.queues import push


class NotRunnable(Forbidden):
    """The job as such cannot be run now, whoever asks."""


def submit(
    db: Session,
    settings: Settings,
    *,
    job: JobRecord,
    raw: Mapping[str, Any],
    user: User,
    commit: bool | None = None,
    queue: str | None = None,
    form: bool = False,
) -> JobResult:
    """Store one run of `job`, queue it, and return its row. Commits `db`.

    raw: {variable name: JSON value}; with `form`, text or lists of text as a browser sends them.
    commit: None stands for the job's own default.
    Raises InvalidData, NotRunnable or Forbidden, before anything is stored. That Redis cannot be
    reached is no error: the row has `pushed_at` None then, and the reconciler pushes it later.
    """
    require(user, "run", job)
    _require_runnable(job)
    chosen = _queue(job, queue)
    with object_lookup(settings) as objects:
        data = clean(job.variables, raw, objects=objects, form=form)
    result_id = uuid4()
    result = JobResult(
        id=result_id,
        job_id=job.id,
        class_path=job.class_path,
        name=job.name,
        user_id=user.id,
        username=user.username,
        status=Status.PENDING,
        commit=False if job.read_only else job.commit_default if commit is None else commit,
        queue=chosen,
        priority=job.priority,
        soft_time_limit=job.effective_soft_time_limit,
        time_limit=job.effective_time_limit,
        memory_limit=job.effective_memory_limit,
        sensitive=job.has_sensitive_variables,
        data={} if job.has_sensitive_variables else data,
        sealed_data=seal(settings.secret_key, data) if job.has_sensitive_variables else None,
    )
    db.add(result)
    class_path = job.class_path
    # Commit before pushing: a fast worker must find the row. And read nothing in between: on SQLite that
    # would begin a transaction, and a Redis that hangs would keep every other writer waiting.
    db.commit()
    try:
        push_and_note(db, settings, result_id, queue=chosen, description=class_path)
    except OperationalError:
        # The run is accepted and pushed; only when that was could not be noted. It must not look refused.
        db.rollback()
    db.refresh(result)
    return result


def push_and_note(db: Session, settings: Settings, result_id: UUID, *, queue: str, description: str) -> bool:
    """Push the id and keep when that was; False when Redis cannot be reached. Commits `db`."""
    if not push(settings, result_id, queue=queue, description=description):
        return False
    # By a statement of its own: the worker may have written the row since, and must not be overwritten.
    db.execute(
        update(JobResult)
        .where(JobResult.id == result_id)
        .values(pushed_at=now())
        .execution_options(synchronize_session=False)
    )
    db.commit()
    return True


def _require_runnable(job: JobRecord) -> None:
    if not job.installed:
        raise NotRunnable(
            f"{job.name} is not installed any more: its class was not found at the last refresh."
        )
    if not job.enabled:
        raise NotRunnable(f"{job.name} is not enabled to be run.")


def _queue(job: JobRecord, name: str | None) -> str:
    allowed = job.allowed_queues
    if name is None or name == "":
        return allowed[0]
    if name not in allowed:
        raise InvalidData({"_queue": [f'"{name}" is not a valid choice. Choose from: {", ".join(allowed)}.']})
    return name
