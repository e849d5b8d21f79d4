"""What tests of Nautobot jobs are written with, of 1.x and of 2.x: thin, on top of `worker.testing`.

`JobResult`, `JobLogEntry` and `Job` are rows of no table: they are what the runs of a test have left, and the jobs that
can be found. Of queries they know what such tests use.
"""

import importlib
import inspect
import re
import sys
import unittest
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar, Generic, Self, TypeVar

from jobs.dialects import dialect_of
from jobs.errors import JobNotFound
from jobs.job import BaseJob
from jobs.request import RequestUser
from jobs.shims.finder import SERVED, install_shims
from worker.job_files import find_job, loaded_jobs
from worker.tested_run import Entry, TestedRun
from worker.testing import USERNAME, errand_data, run_job
from worker.throwaway_data import plugin_packages, throwaway_data

T = TypeVar("T")

#: States of a run as Nautobot 2.x calls them.
NEWER_STATES = {"completed": "SUCCESS", "failed": "FAILURE", "errored": "FAILURE"}


class DoesNotExist(Exception):
    """No row fits."""


class MultipleObjectsReturned(Exception):
    """More than one row fits where one was asked for."""


_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "exact": lambda found, wanted: bool(found == wanted),
    "iexact": lambda found, wanted: str(found).lower() == str(wanted).lower(),
    "in": lambda found, wanted: found in wanted,
    "contains": lambda found, wanted: str(wanted) in str(found or ""),
    "icontains": lambda found, wanted: str(wanted).lower() in str(found or "").lower(),
    "startswith": lambda found, wanted: str(found or "").startswith(str(wanted)),
    "endswith": lambda found, wanted: str(found or "").endswith(str(wanted)),
    "regex": lambda found, wanted: re.search(wanted, str(found or "")) is not None,
    "isnull": lambda found, wanted: (found is None) is wanted,
}


class Rows(list[T], Generic[T]):
    """Rows in the words of a QuerySet."""

    def all(self) -> Self:
        return type(self)(self)

    def filter(self, **lookups: Any) -> Self:
        """Keep the rows for which all lookups hold: `log_level="warning"`, `message__contains="console"`."""
        return type(self)(row for row in self if _fits(row, lookups))

    def exclude(self, **lookups: Any) -> Self:
        return type(self)(row for row in self if not _fits(row, lookups))

    def order_by(self, *names: str) -> Self:
        rows = list(self)
        for name in reversed(names):
            key = name.removeprefix("-")
            rows.sort(key=lambda row: _value(row, key.split("__")), reverse=name.startswith("-"))
        return type(self)(rows)

    def get(self, **lookups: Any) -> T:
        """Return the one row that fits. Raises DoesNotExist or MultipleObjectsReturned."""
        found = self.filter(**lookups)
        if len(found) == 1:
            return found[0]
        raise (MultipleObjectsReturned if found else DoesNotExist)(f"{len(found)} rows fit {lookups}.")

    def first(self) -> T | None:
        return self[0] if self else None

    def last(self) -> T | None:
        return self[-1] if self else None

    def exists(self) -> bool:
        return bool(self)

    # A list counts how often it has a value; without one it is the query's.
    def count(self, *values: Any) -> int:
        return super().count(*values) if values else len(self)

    def values_list(self, *names: str, flat: bool = False) -> list[Any]:
        if flat:
            return [getattr(row, names[0]) for row in self]
        return [tuple(getattr(row, name) for name in names) for row in self]


class _Objects(Generic[T]):
    """`Model.objects`, asked anew each time."""

    def __init__(self, rows: Callable[[], Iterable[T]]) -> None:
        self._rows = rows

    def __get__(self, instance: object, owner: type) -> Rows[T]:
        return Rows(self._rows())


class _Row:
    DoesNotExist = DoesNotExist
    MultipleObjectsReturned = MultipleObjectsReturned

    def refresh_from_db(self) -> None:
        """Do nothing: it is as it is."""

    def save(self) -> None:
        """Do nothing: nothing is kept."""

    def validated_save(self) -> None:
        """Do nothing, likewise."""


class JobResult(_Row):
    """How a run went."""

    def __init__(self, tested: TestedRun, *, username: str, newer: bool) -> None:
        #: The same in the words of Errand.
        self.tested = tested
        self.id = self.pk = tested.id
        self.name = tested.job_class.class_path
        self.job_model = Job(tested.job_class)
        self.user = RequestUser(username)
        #: completed, failed, errored; of a job in the form of 2.x: SUCCESS, FAILURE.
        self.status = NEWER_STATES[tested.status] if newer else tested.status
        self.result = tested.return_value
        self.data = {**tested.results, "output": tested.output} if tested.output else dict(tested.results)
        self.traceback = str(tested.cause) if tested.status == "errored" else None
        self.logs = Rows(JobLogEntry(self, entry) for entry in tested.entries)

    def __repr__(self) -> str:
        return repr(self.tested)

    objects = _Objects(lambda: _results())

    @property
    def job_log_entries(self) -> Rows["JobLogEntry"]:
        """The log, as 2.x calls it."""
        return self.logs


class JobLogEntry(_Row):
    """One line of a log."""

    def __init__(self, job_result: JobResult, entry: Entry) -> None:
        self.job_result = job_result
        self.job_result_id = job_result.pk
        self.log_level = entry.level
        self.grouping = entry.grouping
        self.message = entry.message
        self.log_object = entry.object_text or ""
        self.absolute_url = entry.object_url or ""
        self.created = datetime.now(UTC)

    def __str__(self) -> str:
        return self.message

    objects = _Objects(lambda: [entry for result in _results() for entry in result.logs])


class _JobObjects:
    """`Job.objects`. It loads all job files only for who asks for all of them."""

    def all(self) -> Rows["Job"]:
        return Rows(map(Job, loaded_jobs()))

    def filter(self, **lookups: Any) -> Rows["Job"]:
        return self.all().filter(**lookups)

    def get(self, **lookups: Any) -> "Job":
        """Return the job of a `job_class_name` and a `module_name`, and maybe a `source`; or of any other lookups."""
        if {"job_class_name", "module_name"} <= set(lookups) <= {"job_class_name", "module_name", "source"}:
            return _job(lookups["module_name"], lookups["job_class_name"], lookups.get("source"))
        return self.all().get(**lookups)

    def get_for_class_path(self, class_path: str) -> "Job":
        """Return the job of a class path: `local/hello/Hello` as in 1.x, or `hello.Hello` as in 2.x."""
        if "/" not in class_path:
            module, _, name = class_path.rpartition(".")
            return _job(module, name)
        source, _, rest = class_path.partition("/")
        module, _, name = rest.rpartition("/")
        return _job(module, name, source)


class Job(_Row):
    """A job that can be found. Here all of them are enabled."""

    objects: ClassVar[_JobObjects] = _JobObjects()

    def __init__(self, job_class: type[BaseJob]) -> None:
        self.job_class = job_class
        self.class_path = self.pk = job_class.class_path
        self.source, self.module_name, self.job_class_name = job_class.class_path.split("/", 2)
        self.name = str(job_class.name)
        self.grouping = job_class.grouping
        self.enabled = self.installed = True


def run_job_for_testing(
    job: Any,
    data: Mapping[str, Any] | None = None,
    commit: bool | None = None,
    username: str = USERNAME,
    request: Any = None,
    profile: bool = False,
    **kwargs: Any,
) -> JobResult:
    """Run a job as Nautobot's function of this name does, in the form of 1.x (`data`, `commit`) or of 2.x (**kwargs).

    job: a `Job`, or whatever `worker.testing.run_job` takes.
    commit: by default False for a job whose `run` takes `data` and `commit`, as those of 1.x do, and True for others.
    Raises InvalidData for inputs that do not fit.
    """
    cls = find_job(job)
    newer = not _is_of_1x(cls)
    inputs = {**kwargs}
    # A variable may have one of these names.
    for name, value in (("data", data), ("commit", commit), ("request", request)):
        if newer and value is not None and name in cls._get_vars():
            inputs[name] = value
    if "data" not in inputs:
        inputs.update(data or {})
    if commit is None or "commit" in inputs:
        commit = newer
    username = getattr(getattr(request, "user", None), "username", username)
    tested = run_job(cls, inputs, commit=commit, username=username, request=request, profile=profile)
    result = JobResult(tested, username=username, newer=newer)
    _note(result)
    return result


class TransactionTestCase(unittest.TestCase):
    """Tests that each begin with an empty database."""

    def run(self, result: unittest.TestResult | None = None) -> unittest.TestResult | None:
        with errand_data():
            return super().run(result)


def _job(module: str, name: str, source: str | None = None) -> Job:
    sources = [source] if source else ["local", "plugins"]
    for each in sources:
        try:
            return Job(find_job(f"{each}/{module}/{name}"))
        except JobNotFound:
            continue
    raise DoesNotExist(f"There is no job {name} in the module {module} of {' or '.join(sources)}.")


def _is_of_1x(cls: type[BaseJob]) -> bool:
    if dialect_of(cls) == "2":
        return False
    run = getattr(cls, "run", None)
    if run is None:
        return True  # All it has are test_* methods.
    return list(inspect.signature(run).parameters)[1:2] == ["data"] and "data" not in cls._get_vars()


#: The results of the runs since the database began, and when that was.
_kept: tuple[int, list[JobResult]] = (0, [])


def _note(result: JobResult) -> None:
    global _kept
    _kept = (throwaway_data().beginnings, [*_results(), result])


def _results() -> list[JobResult]:
    beginning, results = _kept
    return results if beginning == throwaway_data().beginnings else []


def _fits(row: Any, lookups: Mapping[str, Any]) -> bool:
    return all(_holds(row, name.split("__"), wanted) for name, wanted in lookups.items())


def _holds(row: Any, path: list[str], wanted: Any) -> bool:
    *names, last = path
    if names and last in _COMPARE:
        return _COMPARE[last](_value(row, names), wanted)
    return bool(_value(row, path) == wanted)


def _value(row: Any, path: list[str]) -> Any:
    for name in path:
        row = getattr(row, name)
    return row


#: Where tests of Nautobot jobs import all this from.
_TESTING_MODULES = ("nautobot.utilities.testing", "nautobot.apps.testing", "nautobot.core.testing")


def serve() -> None:
    """Let tests of this process import it as they do with Nautobot, unless that is installed."""
    install_shims(plugin_packages())
    here = sys.modules[__name__]
    models = importlib.import_module("nautobot.extras.models")
    if not str(models.__file__ or "").startswith(str(SERVED)):
        return
    for name in ("Job", "JobLogEntry", "JobResult"):
        setattr(models, name, getattr(here, name))
    for name in _TESTING_MODULES:
        parent, _, module = name.rpartition(".")
        sys.modules[name] = here
        setattr(importlib.import_module(parent), module, here)
