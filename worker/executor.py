"""Execute one run, in a process that may end with it: claim, load, run, finish."""

import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from sqlalchemy import event
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from jobs.data import restore
from jobs.errors import JobNotFound
from jobs.job import BaseJob, JobResultView
from jobs.lifecycle import Outcome, run
from jobs.loading import install, load_class
from store.data import Data
from store.html import clean_json, clean_text
from store.models import JobRecord, JobResult, Status, User
from store.objects import LookupFailed, ObjectLookup, ObjectModel
from store.permissions import allowed
from store.platform import Platform
from store.plugins import load_plugins
from store.secrets import CannotUnseal, unseal
from store.settings import Settings
from worker.entries import Entry, EntryWriter
from worker.host import Process
from worker.markers import Changes
from worker.ownership import Claim, Fenced, began, claim, end_values, write
from worker.pushes import release
from worker.sources import job_sources
from worker.time_limit import TimeLimit, TimeLimitExceeded


class CannotBegin(Exception):
    """The run ends before its job's code is called, as a sentence; details are for the log."""

    def __init__(self, sentence: str, details: str = "") -> None:
        super().__init__(sentence)
        self.details = details


def execute(settings: Settings, result_id: UUID, *, worker: str, process: Process) -> None:
    """Execute the run if it is still to be done, and write how it ended.

    process: the worker that watches over this one; a reconciler looks for it.
    """
    platform = Platform(settings.database_url)
    try:
        claimed = claim(platform, result_id, worker=worker, process=process)
        if claimed is None:
            return  # Delivered twice, or canceled while it waited.
        entries = EntryWriter(platform, claimed)
        own_pid = os.getpid()
        outcome = _run(settings, platform, claimed, entries)
        if os.getpid() != own_pid:
            os._exit(0)  # A process the job forked came back here: the run is not its to end.
        _finish(platform, claimed, entries, outcome)
        release(platform, settings, result_id)
    finally:
        platform.dispose()


def _finish(platform: Platform, claimed: Claim, entries: EntryWriter, outcome: Outcome) -> None:
    with platform.engine.begin() as connection:
        end = end_values(connection, claimed, Status(outcome.status), outcome.cause)
    try:
        entries.finish(
            **end,
            return_value=clean_json(outcome.return_value),
            output=clean_text(outcome.output),
            results=clean_json(outcome.results),
        )
    except (Fenced, OperationalError):
        raise
    except Exception as error:
        # Something in it cannot be stored. The end itself can, and it must not be lost with the rest.
        cause = f"{outcome.cause} Not all of it could be stored: {type(error).__name__}."
        with platform.engine.begin() as connection:
            write(connection, claimed, **end_values(connection, claimed, Status(outcome.status), cause))
        raise


def _run(settings: Settings, platform: Platform, claimed: Claim, entries: EntryWriter) -> Outcome:
    """Run the job. The one place that catches everything: the author's code may raise what it likes."""
    limit = TimeLimit()
    changes = Changes(claimed)
    try:
        with platform.reading() as db:
            result = db.get_one(JobResult, claimed.result_id)
            _check_may_run(db, result)
        began(platform, claimed)
        with limit.of(result.time_limit):
            outcome = _run_in_time(settings, result, entries, changes)
        return _errored(f"{limit.cause} {changes}") if limit.exceeded else outcome
    except CannotBegin as error:
        entries.add(Entry("failure", "initialization", f"{error}{error.details}", None, None))
        return _errored(str(error))
    except TimeLimitExceeded:
        return _errored(f"{limit.cause} {changes}")
    except SystemExit as error:
        return _errored(f"The job called exit({error.code!r}). {changes}")
    except Exception as error:
        entries.add(Entry("failure", "main", f"{type(error).__name__}: {error}", None, None))
        return _errored(f"The run broke: {type(error).__name__}: {error}")


def _run_in_time(settings: Settings, result: JobResult, entries: EntryWriter, changes: Changes) -> Outcome:
    with _objects(settings, result, entries) as (session, objects):
        job = _make_job(settings, result, _Context(entries, session, changes))
        data = _restore(settings, job, result, objects)
        return run(job, data, commit=result.commit)


def _check_may_run(db: Session, result: JobResult) -> None:
    """Ask again at the start: much may have changed while the run waited."""
    record = db.get(JobRecord, result.job_id) if result.job_id else None
    if record is None or not record.installed:
        raise CannotBegin(f"Unable to locate job {result.class_path} to run it!")
    if not record.enabled:
        raise CannotBegin(f"Job {record.name} is not enabled to be run!")
    user = db.get(User, result.user_id) if result.user_id else None
    if not allowed(user, "run", record):
        raise CannotBegin(f"{result.username} may not run {record.name} any more.")


@contextmanager
def _objects(
    settings: Settings, result: JobResult, entries: EntryWriter
) -> Iterator[tuple[Session, ObjectLookup]]:
    """Open the DATA database for this run; what it does not commit is rolled back."""

    def say_so() -> None:
        text = "Waiting for another run that is changing objects: on SQLite they take turns."
        entries.add(Entry("info", "run", text, None, None))

    load_plugins(settings)
    data = Data(settings.data_database_url)
    try:
        with data.run_session(wait_seconds=result.time_limit, on_wait=say_so) as session:
            yield session, ObjectLookup(session)
    finally:
        data.dispose()


def _make_job(settings: Settings, result: JobResult, context: "_Context") -> BaseJob:
    sources = job_sources(settings)
    install(sources)
    try:
        cls, module = load_class(sources, result.class_path)
        # A run says which code it ran, whatever the record knew at the last refresh.
        context.entries.note(code_digest=module.digest)
        job = cls()
    except JobNotFound as error:
        raise CannotBegin(str(error)) from error
    except Exception as error:
        sentence = f"{result.class_path} cannot be loaded: {type(error).__name__}: {error}"
        details = "".join(traceback.format_exception(error))
        raise CannotBegin(sentence, f"\n\n```\n{details.rstrip()}\n```") from error
    job._context = context
    job.job_result = JobResultView(id=str(result.id), user=result.username)
    return job


def _restore(settings: Settings, job: BaseJob, result: JobResult, objects: ObjectLookup) -> dict[str, Any]:
    descriptions = [variable.describe() for variable in type(job)._get_vars().values()]
    try:
        data = unseal(settings.secret_key, result.sealed_data) if result.sealed_data else result.data
        return restore(descriptions, data, objects)
    except CannotUnseal as error:
        raise CannotBegin(str(error)) from error
    except LookupFailed as error:
        raise CannotBegin(f"An object this run was given is not there any more: {error}") from error


def _errored(cause: str) -> Outcome:
    return Outcome(Status.ERRORED.value, cause, return_value=None, output="", results={})


class _Context:
    """What the run lends its job (see jobs.context.RunContext)."""

    def __init__(self, entries: EntryWriter, session: Session, changes: Changes) -> None:
        self.entries = entries
        self._session = session
        self._changes = changes
        #: The pages of objects that were made since the last commit.
        self._made: set[str] = set()
        event.listen(session, "after_flush", self._note_made)

    def log(
        self, level: str, message: str, *, grouping: str, object_text: str | None, object_url: str | None
    ) -> None:
        self.entries.add(Entry(level, grouping, message, object_text, object_url))

    def commit(self) -> None:
        # A run that was given up meanwhile must not save anything any more.
        self.entries.assert_owned()
        self._changes.commit(self._session)
        self._made.clear()

    def rollback(self) -> None:
        self._changes.rollback(self._session)
        self.entries.unlink(self._made)
        self._made.clear()

    def _note_made(self, session: Session, _context: object) -> None:
        self._made.update(obj.get_absolute_url() for obj in session.new if isinstance(obj, ObjectModel))
