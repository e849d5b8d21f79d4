"""What somebody asks a job to be run with, now or at set times: checked, and what nobody may read in a box."""

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy.orm import Session

from jobs.data import clean
from jobs.data_files import data_file_names
from jobs.errors import InvalidData
from jobs.kinds import secret_names
from jobs.variables import DRY_RUN
from store.models import JobRecord, User
from store.permissions import Forbidden
from store.sealing import Box, close
from store.settings import Settings
from worker import data_files, run_files
from worker.lookups import object_lookup
from worker.questions import Questions


class NotRunnable(Forbidden):
    """The job as such cannot be run now, whoever asks."""


def require_runnable(job: JobRecord) -> None:
    """Raise NotRunnable for a job that nobody can run now."""
    if not job.installed:
        raise NotRunnable(
            f"{job.name} is not installed any more: its class was not found at the last refresh."
        )
    if job.withdrawn:
        raise NotRunnable(f"{job.name} is switched off by its author.")
    if not job.enabled:
        raise NotRunnable(f"{job.name} is not enabled to be run.")


def check_commit(job: JobRecord, commit: bool | None) -> None:
    """Refuse a dry run of a job that would save its changes all the same."""
    if commit is not False or not job.always_commits:
        return
    known = any(variable["name"] == DRY_RUN for variable in job.variables)
    instead = f" Give {DRY_RUN} among its inputs instead." if known else ""
    raise InvalidData({"_commit": [f"This job always saves what it changes.{instead}"]})


def chosen_queue(job: JobRecord, name: str | None) -> str:
    """Return the queue that was asked for, if the job allows it, else its own. Raises InvalidData."""
    allowed = job.allowed_queues
    if name is None or name == "":
        return allowed[0]
    if name not in allowed:
        raise InvalidData({"_queue": [f'"{name}" is not a valid choice. Choose from: {", ".join(allowed)}.']})
    return name


def check_inputs(
    db: Session,
    settings: Settings,
    job: JobRecord,
    raw: Mapping[str, Any],
    *,
    form: bool,
    questions: Questions,
    sealed: Collection[str],
    user: User | None,
) -> dict[str, Any]:
    """Return the data of a run, without what is sealed. Raises InvalidData.

    user: who has to see the data files among them; None: nobody's permission is asked.
    """
    variables = [variable for variable in job.variables if variable["name"] not in sealed]
    if questions.needed() or data_file_names(variables):
        # The job's code may take its time, and what is new in the folder of data files is written down: on SQLite
        # whatever was read so far keeps every other writer waiting.
        db.commit()
    with object_lookup(settings) as objects:
        complete = questions.of_submit(raw, form=form)
        data = clean(variables, raw, objects=objects, form=form, complete=complete)
    run_files.check_sizes(data, settings.upload_bytes)
    data_files.check_chosen(settings, db.get_bind().engine, variables, data, user)
    # Of sealed inputs a worker judges the whole (see worker.rejudging).
    if questions.validates and not sealed:
        with run_files.on_disk(data) as readable:
            questions.validate(readable)
    return data


def readable(job: JobRecord, data: dict[str, Any]) -> dict[str, Any]:
    """Return the inputs that are stored as they are."""
    hidden = data if job.has_sensitive_variables else _secrets(job, data)
    return {name: value for name, value in data.items() if name not in hidden}


def _secrets(job: JobRecord, data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the inputs that nobody may read. One that was left empty hides nothing."""
    return {name: data[name] for name in secret_names(job.variables) if data.get(name)}


def seal_inputs(db: Session, settings: Settings, job: JobRecord, data: Mapping[str, Any]) -> Box | None:
    """Return what nobody may read of these inputs, in a box; None where there is nothing."""
    hidden = data if job.has_sensitive_variables else _secrets(job, data)
    return (
        close(db, settings.secret_key, job.class_path, hidden, secret_names(job.variables))
        if hidden
        else None
    )
