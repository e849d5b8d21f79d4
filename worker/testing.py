"""Runs jobs for tests: at once, in the test's own process and thread, on a database that is thrown away.

What happens is what happens in production (inputs are checked, the life cycle, what is saved and what is rolled back),
but for what needs processes and a worker: time and memory limits, rules, retries, and the redaction of entries.
"""

import atexit
import contextvars
import inspect
import io
import mimetypes
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import replace
from datetime import date, time
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, TextIO
from uuid import uuid4

from jobs import computed
from jobs.data import clean, restore
from jobs.data_files import DataFileVar
from jobs.describe import describe
from jobs.dialects.running import run
from jobs.errors import InvalidData, text_of
from jobs.fan_out import Gather, Outcomes
from jobs.files import FileVar, Upload
from jobs.job import BaseJob, JobResultView
from jobs.lifecycle import Outcome
from jobs.profiling import path_of
from jobs.request import JobRequest, RequestUser
from store.changes import Author
from store.data import RunSession
from store.objects import ObjectLookup, QuerySet, ValidationError
from worker import run_files
from worker.capture import captured
from worker.child import lent_files
from worker.job_files import FolderJobs, Folders, find_job, jobs_in
from worker.markers import Changes
from worker.tested_run import Entry, TestContext, TestedRun
from worker.throwaway_data import throwaway_data

__all__ = ["Entry", "FolderJobs", "TestedRun", "errand_data", "jobs_in", "run_job"]

USERNAME = "test-user"


def run_job(
    job: Any,
    data: Mapping[str, Any] | None = None,
    *,
    commit: bool = True,
    username: str = USERNAME,
    files: Mapping[str, Any] | None = None,
    request: Any = None,
    profile: bool = False,
    reraise: bool = False,
    folders: Folders = (),
) -> TestedRun:
    """Run a job here and now, and return how it went.

    job: its class, a function made a job, a class path ("local/hello/Hello"), or a file ("jobs/hello.py::Hello").
    data: {variable name: value} as the API takes it; also objects themselves, dates, and files as `files` has them.
    files: {variable name: bytes, (name, bytes), the path of a file, or what can be read}.
    request: what the job finds in `self.request`: {"path": ..., "META": {...}}, or an object as it is.
    profile: keep among `files` where its `run` spends its time, as a run that is profiled does.
    reraise: raise what broke the job, once the run has ended; its traceback leads into the job's code.
    folders: where class paths are looked up; by default in those of `jobs_in`, else in $JOBS_ROOT.
    Raises InvalidData for inputs that are refused before a run begins, and JobNotFound.

    Within a block of `errand_data` the run works on its objects; else on an empty database.
    """
    cls = find_job(job, folders)
    _place(cls)
    database = throwaway_data()
    if not database.is_open:
        database.begin()
    database.add_missing_tables()
    # The test's changes are there for the run as those of earlier runs would be.
    database.session.commit()
    checked = _checked(cls, {**(data or {}), **(files or {})}, username)
    tested = TestedRun(uuid4(), cls, database, commit=commit)
    if profile:
        # There for the test, which may look for it where it lies, and gone with its process.
        atexit.register(Path(path_of(str(tested.id))).unlink, missing_ok=True)
    try:
        # What the job sets in context variables is gone at its end, as with its process.
        run_part = partial(_perform, tested, checked, username, request, profile)
        asked = contextvars.copy_context().run(run_part)
        if asked.asked and tested.status == "completed":
            tested.children = [
                _child(number, *each, commit=tested.commit, username=username, folders=folders)
                for number, each in enumerate(asked.asked, 1)
            ]
            outcomes = Outcomes(
                len(tested.children), lambda after: _told(tested.children, asked.asked, after)
            )
            if asked.method:
                contextvars.copy_context().run(run_part, Gather(asked.method, outcomes))
            elif bad := [child for child in tested.children if child.status != "completed"]:
                cause = f"{len(bad)} of {len(tested.children)} runs did not complete."
                tested.outcome = replace(tested.outcome, status="failed", cause=cause)
    finally:
        # So that the test sees what the run has changed in objects that it holds.
        database.session.rollback()
        database.session.expire_all()
    if reraise and tested.exception is not None:
        raise tested.exception
    return tested


@contextmanager
def errand_data(*, load_demo: bool = False) -> Iterator[RunSession]:
    """Begin with an empty database, or with the plugins' demo objects, for all runs of the block.

    Objects can be made and looked at within the block as in a job; `save()` is enough for a run to find them.
    """
    with throwaway_data().opened(load_demo=load_demo) as session:
        yield session


# --- The inputs ---


def _checked(cls: type[BaseJob], raw: Mapping[str, Any], username: str) -> dict[str, Any]:
    """Check the inputs as `submit` does. Raises InvalidData."""
    described = describe(cls, grouping=cls.grouping)
    given = {name: _as_given(cls, name, value) for name, value in raw.items()}
    variables = [_with_computed(cls, variable, given) for variable in described["variables"]]
    with throwaway_data().data.session() as session:
        objects = ObjectLookup(session)
        data = clean(variables, given, objects=objects)
        # As a worker would: a copy in place of the name.
        data |= {
            name: {"name": path.name, "path": str(path)}
            for name, path in raw.items()
            if isinstance(path, Path) and isinstance(cls._get_vars().get(name), DataFileVar)
        }
        if described["has_validate"]:
            _validate(cls, data, objects, username)
    return data


def _as_given(cls: type[BaseJob], name: str, value: Any) -> Any:
    """Return a value as the API would be given it."""
    variable = cls._get_vars().get(name)
    if isinstance(variable, FileVar):
        return _upload(variable, value)
    if isinstance(variable, DataFileVar) and isinstance(value, Path):
        return value.name
    if isinstance(value, QuerySet | list | tuple | set | frozenset):
        return [_as_given(cls, name, item) for item in value]
    if hasattr(value, "pk"):
        return value.pk
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, Decimal) or type(value).__module__.partition(".")[0] in ("ipaddress", "netaddr"):
        return str(value)
    return value


def _upload(variable: FileVar, value: Any) -> Any:
    match value:
        case bytes():
            endings = [kind for kind in variable.accept if kind.startswith(".")]
            name, content = f"{variable.name}{endings[0] if endings else ''}", value
        case (str() as name, bytes() as content):
            pass
        case Path():
            name, content = value.name, value.read_bytes()
        case _ if hasattr(value, "read"):
            name, content = Path(getattr(value, "name", variable.name)).name, value.read()
        case _:
            return value
    return Upload(name, io.BytesIO(content), mimetypes.guess_type(name)[0] or "")


def _with_computed(
    cls: type[BaseJob], variable: Mapping[str, Any], given: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the description with what the job's code computes, asked only where it counts."""
    answers: dict[str, Any] = {}
    for option in variable.get("computed", ()):
        if option == "default" and variable["name"] in given:
            continue
        ask = computed.choices if option == "choices" else computed.default
        try:
            answers[option] = ask(cls, variable["name"])
        except Exception as error:
            sentence = f"The {option} could not be computed: {text_of(error)}"
            raise InvalidData({variable["name"]: [sentence]}) from error
    return {**variable, **answers}


def _validate(cls: type[BaseJob], data: dict[str, Any], objects: ObjectLookup, username: str) -> None:
    job = cls()
    job.job_result = JobResultView(user=username)
    with run_files.on_disk(data) as readable, _restored(job, readable, objects) as values:
        try:
            verdict = computed.verdict(job, values)
        except ValidationError as error:
            # Of an object that the job made to see whether it could be saved.
            raise InvalidData(error.messages or [computed.REFUSED]) from error
    if verdict is not None:
        raise InvalidData(verdict)


@contextmanager
def _restored(job: BaseJob, data: dict[str, Any], objects: ObjectLookup) -> Iterator[dict[str, Any]]:
    descriptions = [variable.describe() for variable in type(job)._get_vars().values()]
    restored = restore(descriptions, data, objects)
    with lent_files(restored):
        yield restored


# --- The run ---


def _perform(
    tested: TestedRun,
    data: dict[str, Any],
    username: str,
    request: Any,
    profile: bool,
    gather: Gather | None = None,
) -> TestContext:
    """Perform a part of a run, and return what it has asked for. gather: the second part."""
    changes = Changes(tested.id, 1)
    database = throwaway_data()
    with database.run_session() as session, run_files.on_disk(data) as readable:
        context = TestContext(tested, session, changes, Author(tested.id, 1, username))
        with _said(context):
            try:
                job = _made(tested, context, username, request)
                first = tested.outcome if gather else None
                if first is not None:
                    job.job_result.data = dict(first.results)
                with _restored(job, readable, ObjectLookup(session)) as values:
                    outcome = run(
                        job,
                        values,
                        commit=tested.commit,
                        serialised=data,
                        profile=profile and gather is None,
                        gather=gather,
                    )
                if first is not None:
                    outcome = replace(outcome, output=first.output + outcome.output)
            except SystemExit as error:
                tested.exception = error
                cause = f"The job called exit({text_of(error.code, repr)}). {changes}"
                outcome = Outcome("errored", cause, return_value=None, output="", results={})
    tested.outcome = outcome
    return context


def _child(number: int, job: Any, data: dict[str, Any], **options: Any) -> TestedRun:
    """Run what was asked for; what is refused is a run that has errored, as in production."""
    try:
        return run_job(job, data, **options)
    except InvalidData as refusal:
        refused = TestedRun(uuid4(), find_job(job, options["folders"]), throwaway_data(), commit=False)
        refused.outcome = Outcome("errored", str(refusal), None, "", {})
        return refused


def _told(
    children: list[TestedRun], asked: list[tuple[Any, dict[str, Any]]], after: int
) -> list[dict[str, Any]]:
    return [
        {
            "number": number,
            "data": data,
            "status": child.status,
            "cause": child.cause,
            "return_value": child.return_value,
            "output": child.output,
            "result_id": str(child.id),
        }
        for number, (child, (_, data)) in enumerate(zip(children, asked, strict=True), 1)
        if number > after
    ]


def _made(tested: TestedRun, context: TestContext, username: str, request: Any) -> BaseJob:
    job = context.job = tested.job_class()
    job._context = context
    job.job_result = JobResultView(id=str(tested.id), user=username)
    job.user = RequestUser(username) if username else None
    if isinstance(request, Mapping):
        request = JobRequest(request, username=username, id=str(tested.id))
    job.request = request
    return job


@contextmanager
def _said(context: TestContext) -> Iterator[None]:
    """Keep what the job prints, warns and logs by other ways; print it, too: a debugger needs its prompt."""
    out, err = sys.stdout, sys.stderr
    with (
        captured(context.keep),
        redirect_stdout(_Both(out, sys.stdout)),
        redirect_stderr(_Both(err, sys.stderr)),
    ):
        yield


class _Both(io.TextIOBase):
    """Writes to two streams, and is otherwise the first of them."""

    def __init__(self, first: TextIO, second: TextIO) -> None:
        self._first = first
        self._second = second

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._first.encoding

    @property
    def buffer(self) -> BinaryIO:
        return self._second.buffer

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return self._first.isatty()

    def fileno(self) -> int:
        return self._first.fileno()

    def write(self, text: str) -> int:
        self._first.write(text)
        return self._second.write(text)

    def flush(self) -> None:
        self._first.flush()


def _place(cls: type[BaseJob]) -> None:
    """Give a class that was imported, and not loaded as a job file is, what loading would have given it."""
    if "class_path" in vars(cls):
        return
    module = inspect.getmodule(cls)
    name = getattr(module, "name", None)
    cls.file_path = getattr(module, "__file__", None) or ""
    cls.class_path = f"local/{cls.__module__.rpartition('.')[2]}/{cls.__name__}"
    cls.grouping = name if isinstance(name, str) else cls.__module__.rpartition(".")[2]
