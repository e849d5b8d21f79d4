"""`Job`, the class that authors subclass."""

import logging
import mimetypes
import re
import time
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Any, ClassVar, Generic, TypeVar

from jobs.beside import load_json, load_yaml
from jobs.context import NoRun, RunContext
from jobs.dialects import dialect_of
from jobs.files import file_name
from jobs.form import JobForm
from jobs.levels import LOGGING_LEVEL
from jobs.report import Report
from jobs.request import JobRequest, RequestUser
from jobs.task_logger import TaskLogger, get_task_logger, make_entry, text_of_record
from jobs.variables import Variable

T = TypeVar("T")

LONGEST_GROUPING = 100
LONGEST_OBJECT_TEXT = 200
LONGEST_OBJECT_URL = 255

#: A page of ours, or a page elsewhere; nothing that a browser would read as something else.
_SAFE_URL = re.compile(r"(/(?![/\\])|https?://)[^\x00-\x20\x7f-\x9f\\\ud800-\udfff]*")


class JobResultView:
    """A run as its own job sees it, in `self.job_result`."""

    def __init__(self, id: str = "", user: str = "", data: dict[str, Any] | None = None) -> None:
        self.id = self.pk = id
        #: The name of the person who asked for the run.
        self.user = user
        #: JSON-able values that the job wants kept with its result. "output" is what its methods returned.
        self.data: dict[str, Any] = {} if data is None else data


class _FromMeta(Generic[T]):
    """A class-level fact: from `Meta`, unless the class itself sets it as a plain attribute."""

    def __init__(self, default: T) -> None:
        self.default = default
        self.name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, instance: Any, owner: type) -> T:
        value: T = getattr(getattr(owner, "Meta", None), self.name, self.default)
        return value


class _Name:
    """The job's name: by default that of its class."""

    def __get__(self, instance: Any, owner: type) -> Any:
        return getattr(getattr(owner, "Meta", None), "name", owner.__name__)


class _Dotted:
    """A job's class path as some job files of Nautobot write it."""

    def __get__(self, instance: Any, owner: type) -> str:
        return str(getattr(owner, "class_path", "")).replace("/", ".")


class _RunsReport:
    """What the run reports. Not a property: a job file of another system may have a name of its own for it."""

    def __get__(self, instance: Any, owner: type) -> Any:
        return self if instance is None else instance._report


class BaseJob:
    """What every job can do. Subclass `Job` instead, unless the class is only a base for others."""

    class Meta:
        """What is known of the job beside its code; all of it is optional."""

    name: Any = _Name()
    description: Any = _FromMeta("")
    commit_default: Any = _FromMeta(True)
    read_only: Any = _FromMeta(False)
    hidden: Any = _FromMeta(False)
    approval_required: Any = _FromMeta(False)
    approval_expires: Any = _FromMeta(0)
    restricted: Any = _FromMeta(False)
    has_sensitive_variables: Any = _FromMeta(False)
    soft_time_limit: Any = _FromMeta(0)
    time_limit: Any = _FromMeta(0)
    memory_limit: Any = _FromMeta(0)
    keep_days: Any = _FromMeta(0)
    keep_failed_days: Any = _FromMeta(0)
    fresh_process: Any = _FromMeta(False)
    idempotent: Any = _FromMeta(False)
    max_retries: Any = _FromMeta(0)
    retry_delay: Any = _FromMeta(0)
    concurrency_limit: Any = _FromMeta(0)
    concurrency_key: Any = _FromMeta(())
    concurrency_policy: Any = _FromMeta("wait")
    dedupe: Any = _FromMeta(False)
    delay: Any = _FromMeta(0)
    rate_limit: Any = _FromMeta("")
    priority: Any = _FromMeta("normal")
    expires: Any = _FromMeta(0)
    field_order: Any = _FromMeta(())
    task_queues: Any = _FromMeta(())
    fieldsets: Any = _FromMeta(())
    presets: Any = _FromMeta({})
    is_singleton: Any = _FromMeta(False)
    dryrun_default: Any = _FromMeta(False)
    console_log_default: Any = _FromMeta(False)
    template_name: Any = _FromMeta("")
    slack: Any = _FromMeta(())
    slack_report: Any = _FromMeta({})

    #: The run's report (see jobs.report): what is appended to it is shown with the result.
    report: Any = _RunsReport()

    #: What subclasses may speak (see jobs.dialects).
    dialect: ClassVar[str] = "errand"
    #: The group that it is listed in where that is not its module's.
    _group: ClassVar[str] = ""
    #: "hook" or "button": what alone runs it; "": people do.
    _receives: ClassVar[str] = ""
    #: Whether a run says that its hard limit comes before the soft one. With us a hard limit alone is no mistake.
    _warns_of_limits: ClassVar[bool] = False
    #: `<source>/<module>/<Class>`; set when the class is loaded.
    class_path: ClassVar[str] = ""
    #: The same with dots.
    class_path_dotted: Any = _Dotted()
    #: What its module calls itself: the group that it is listed in.
    grouping: ClassVar[str] = ""
    #: The file the class was loaded from.
    file_path: ClassVar[str] = ""

    def __init__(self) -> None:
        self._context: RunContext = NoRun()
        self._dialect = dialect_of(type(self))
        #: The method that runs now; entries are grouped under it. May be set by the job.
        self.active_test = "main"
        #: True once the job logged a failure.
        self.failed = False
        #: Under which heading each failure was logged, and what the first one says.
        self._failures: list[tuple[str, str]] = []
        #: The names of the steps it is in.
        self._steps: list[str] = []
        #: What it said when it first called `fail`.
        self._failed_because = ""
        self._report = Report()
        self.job_result = JobResultView()
        #: The web request that asked for the run; None: it was asked for by other ways.
        self.request: JobRequest | None = None
        #: The person who asked for it.
        self.user: RequestUser | None = None
        self.logger = self._make_logger()

    @classmethod
    def _of_run(cls, job_id: str, execution_id: str) -> "BaseJob":
        """Return an object for one run. job_id: the id of what makes such runs; both are 32 digits."""
        return cls()

    @classmethod
    def _is_withdrawn(cls) -> bool:
        """Whether its author wants nothing of it to be seen at present."""
        return False

    @classmethod
    def _check_as_job(cls) -> None:
        """Raise BadJob where the class cannot be a job as it is written."""

    @classmethod
    def _advice(cls) -> list[str]:
        """Return sentences for its author about what goes well enough, and could be better."""
        return []

    def __str__(self) -> str:
        return str(self.name)

    @property
    def result(self) -> JobResultView:
        """The run, as Nautobot 1.1 calls it."""
        return self.job_result

    @property
    def results(self) -> dict[str, Any]:
        """The run's own data, as Nautobot 1.5 calls it."""
        return self.job_result.data

    @classmethod
    def _get_vars(cls) -> dict[str, Variable]:
        """Return the variables in the order of the form: `field_order` first, then as defined, bases before subclasses."""
        found: dict[str, Variable] = {}
        for owner in reversed(cls.__mro__):
            for name, value in vars(owner).items():
                if isinstance(value, Variable):
                    found[name] = value
                elif name in found:
                    del found[name]  # A subclass may take a variable away.
        order = [name for name in _order(cls) if name in found]
        return {name: found[name] for name in dict.fromkeys([*order, *found])}

    @property
    def test_methods(self) -> list[str]:
        """The names of the `test_*` methods in the order they were written, those of bases first."""
        names = [name for owner in reversed(type(self).__mro__) for name in vars(owner)]
        return [
            name
            for name in dict.fromkeys(names)
            if name.startswith("test_") and name != "test_methods" and callable(getattr(self, name, None))
        ]

    @classmethod
    def as_form(
        cls,
        data: Mapping[str, Any] | None = None,
        files: Mapping[str, Any] | None = None,
        initial: Mapping[str, Any] | None = None,
        **_: Any,
    ) -> JobForm:
        """Return the inputs as a form in code, filled in with what a browser would send."""
        given = None if data is None and files is None else {**(data or {}), **(files or {})}
        return JobForm(cls._get_vars(), given, initial)

    @property
    def store(self) -> MutableMapping[str, Any]:
        """What the job keeps from one run to the next, by keys of its own; each value fits into JSON.

        What is written is kept at once, whatever becomes of the run; in a dry run, only until it ends.
        """
        return self._context.values

    # The hooks of the second dialect (see jobs.dialects), here to be called by `super()`

    def before_start(self, task_id: str, args: Any, kwargs: dict[str, Any]) -> Any:
        """Called before `run`."""

    def on_success(self, retval: Any, task_id: str, args: Any, kwargs: dict[str, Any]) -> None:
        """Called after a `run` that did not fail."""

    def on_failure(self, exc: Any, task_id: str, args: Any, kwargs: dict[str, Any], einfo: Any) -> None:
        """Called with what was raised; or, without `einfo`, with what `run` returned after it called `fail`."""

    def on_retry(self, exc: Any, task_id: str, args: Any, kwargs: dict[str, Any], einfo: Any) -> None:
        """Never called."""

    def after_return(
        self, status: str, retval: Any, task_id: str, args: Any, kwargs: dict[str, Any], einfo: Any
    ) -> None:
        """Called last. status: "SUCCESS" or "FAILURE"."""

    # Files and progress

    def load_yaml(self, filename: str) -> Any:
        """Return what a YAML file in the folder of the job's own file says. Raises ValueError outside of that folder."""
        return load_yaml(type(self).file_path, filename)

    def load_json(self, filename: str) -> Any:
        """Return what a JSON file in the folder of the job's own file says. Raises ValueError outside of that folder."""
        return load_json(type(self).file_path, filename)

    def create_file(self, filename: str, content: str | bytes) -> str:
        """Keep a file with the result, where it can be downloaded; return its address.

        Raises ValueError if it is too large (10 MB, unless the portal is set up otherwise), or has no name.
        """
        name = file_name(str(filename))
        if not name:
            raise ValueError("A file needs a name.")
        if not isinstance(content, str | bytes | bytearray | memoryview):
            raise TypeError(f"The content of a file is text or bytes, not {type(content).__name__}.")
        data = content.encode() if isinstance(content, str) else bytes(content)
        url = self._context.create_file(name, data, mimetypes.guess_type(name)[0] or "")
        self._context.log(
            "info",
            "Created a file",
            grouping=str(self.active_test or "main")[:LONGEST_GROUPING],
            object_text=name,
            object_url=url or None,
            markdown=False,
        )
        return url

    def progress(self, done: float, total: float | None = None, text: str = "") -> None:
        """Say how far the run is: `done` of `total`, and in words. It is shown while the run goes on."""
        self._context.progress(done, total, text)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Group what the block logs under a name of its own, with the time it took; a step within it joins the names."""
        before, began_at = self.active_test, time.time()
        self._steps.append(str(name))
        self.active_test = grouping = " / ".join(self._steps)
        try:
            yield
        finally:
            self._steps.pop()
            self.active_test = before
            self._context.step(grouping[:LONGEST_GROUPING], began_at, time.time())

    # Runs of other jobs

    def map(
        self,
        job: Any,
        data: Iterable[Mapping[str, Any]],
        *,
        at_once: int = 0,
        stop_after: int = 0,
        queue: str = "",
    ) -> int:
        """Ask for a run of another job for each of `data`, once this run has come well to its end; return how many.

        job: its class, or its class path as text. data: {variable name: value}, as the API takes it.
        at_once: how many of them may run beside each other. stop_after: after how many that did not complete those that
        still wait are canceled. 0: there is no limit. queue: one that the other job allows; "": its own.
        They run wherever there are workers, and this run waits for them, in no process of its own (see `gather`).
        """
        from jobs import fan_out

        asked = fan_out.as_json(data)
        self._context.map(
            job,
            asked,
            queue=str(queue),
            at_once=fan_out.at_least_zero("at_once", at_once),
            stop_after=fan_out.at_least_zero("stop_after", stop_after),
        )
        return len(asked)

    def gather(self, method: Any = "") -> None:
        """Have a method called when all that `map` asked for has ended, whatever became of it: `method(outcomes)`.

        It runs in a process of its own, so nothing is left of what this one has in memory. What it returns, reports and
        logs goes on in the same result, and how it ends is how the run ends. Without a method the run completes if all of
        the others have completed, and fails otherwise.
        """
        from jobs import fan_out

        self._context.gather(fan_out.name_of(self, method))

    # Logging

    def log(self, message: Any) -> None:
        """Log a line without judgement."""
        self._log("default", None, message)

    def log_debug(self, message: Any) -> None:
        self._log("debug", None, message)

    def log_success(self, obj: Any = None, message: Any = None) -> None:
        """Log that something went well, about `obj` when one is given. A lone text is the message."""
        self._log("success", obj, message)

    def log_info(self, obj: Any = None, message: Any = None) -> None:
        self._log("info", obj, message)

    def log_warning(self, obj: Any = None, message: Any = None) -> None:
        self._log("warning", obj, message)

    def log_failure(self, obj: Any = None, message: Any = None) -> None:
        """Log a failure: the job goes on, its changes are kept, and its result will be "failed"."""
        self._log("failure", obj, message)
        self._count_failure(obj if isinstance(obj, str) and message is None else message)

    def fail(self, message: Any, *args: Any, extra: Mapping[str, Any] | None = None) -> None:
        """Log a failure as `logger.failure` does, and mark the run as failed: it goes on, and its changes are kept."""
        self.logger.failure(message, *args, extra=extra, stacklevel=2)
        self._count_failure("")
        if not self._failed_because:
            self._failed_because = text_of_record(logging.LogRecord("", 0, "", 0, message, args, None))

    def _count_failure(self, message: Any) -> None:
        self.failed = True
        self._failures.append((self.active_test, "" if self._failures else str(message)))

    def _log(self, level: str, obj: Any, message: Any, grouping: str | None = None) -> None:
        if isinstance(obj, str) and message is None:
            obj, message = None, obj
        text = str(message)
        if _somebody_listens():
            # The mark keeps others from making a second entry of the copy.
            self.logger.log(LOGGING_LEVEL[level], "%s", text, extra={"errand_entry": True})
        self._write(level, obj, text, grouping)

    def _write(self, level: str, obj: Any, text: str, grouping: str | None) -> None:
        self._context.log(
            level,
            text,
            grouping=str(grouping or self.active_test or "main")[:LONGEST_GROUPING],
            object_text=str(obj)[:LONGEST_OBJECT_TEXT] if obj else None,
            object_url=_url_of(obj),
        )

    def write_record(self, level: str, text: str, record: logging.LogRecord) -> None:
        """Make an entry of what a logger was told."""
        grouping = getattr(record, "grouping", None)
        if grouping is None and self._dialect == "2":
            grouping = record.funcName
        self._write(level, getattr(record, "object", None), text, grouping)

    def write_loguru(self, level: str, text: str, extra: Any) -> None:
        """Make an entry of what loguru was told, under what was bound as `extra`, as plugins of jobschleuder do."""
        grouping = str(extra or self.active_test or "main")[:LONGEST_GROUPING]
        self._context.log(level, text, grouping=grouping, markdown=False)

    def _make_logger(self) -> TaskLogger:
        logger = get_task_logger(type(self).__name__)
        logger.setLevel(logging.NOTSET if self._dialect == "2" else logging.DEBUG)
        # One handler, that of the instance which runs now.
        logger.handlers[:] = [_EntryHandler(self)]
        return logger


class Job(BaseJob):
    """A job. Subclass it, give it variables, and write any of these methods:

    run(self, data, commit), or run(self, first_variable, second_variable, ...)
    test_*(self): checks, run after `run` in the order they are written
    post_run(self): run last, whatever happened before

    Or these, as in Nautobot 2.x: before_start, run, on_success, on_failure, after_return (see jobs.dialects).
    """


class _EntryHandler(logging.Handler):
    """Makes entries of what a job says through `self.logger`."""

    makes_entries = True

    def __init__(self, job: BaseJob) -> None:
        super().__init__(logging.DEBUG)
        self.job = job

    def emit(self, record: logging.LogRecord) -> None:
        make_entry(self.job, record)


def _somebody_listens() -> bool:
    """Tell whether a copy of an entry would reach anybody: making one for nobody costs more than the entry itself."""
    return any(not getattr(handler, "makes_entries", False) for handler in logging.getLogger().handlers)


def _order(cls: type[BaseJob]) -> Iterator[str]:
    order = cls.field_order
    if isinstance(order, list | tuple):
        yield from (str(name) for name in order)


def _url_of(obj: Any) -> str | None:
    """Return the object's page, if it has one that is safe to link."""
    if not obj or not hasattr(obj, "get_absolute_url"):
        return None
    try:
        url = str(obj.get_absolute_url())[:LONGEST_OBJECT_URL]
    except Exception:  # The object's own code: an entry must not fail because its link did.
        return None
    return url if _SAFE_URL.fullmatch(url) else None
