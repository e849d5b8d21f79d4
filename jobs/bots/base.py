"""The base class of jobs of Bots Scheduler and of ndscheduler, and the decorator of the former."""

import functools
import os
import socket
import sys
import traceback
from collections.abc import Callable
from contextvars import ContextVar
from ipaddress import IPv4Address
from typing import Any, ClassVar

import jobs
from jobs.bots import arguments
from jobs.errors import text_of
from jobs.report import Code, Report, Section, Title, report_of
from jobs.variables import Variable

#: The job that runs, for objects that its code makes of its class, as `run_job` does.
running: ContextVar["JobBase | None"] = ContextVar("errand_bots_job", default=None)

#: What those have in common with it.
_SHARED = ("_context", "_failures", "_steps", "_report", "job_result", "user", "request")


class _Said:
    """A fact that a class says in its `info`."""

    def __init__(self, read: Callable[[type["JobBase"]], Any]) -> None:
        self._read = read

    def __get__(self, instance: Any, owner: type["JobBase"]) -> Any:
        return self._read(owner)


class _Yielding:
    """What a job has under a name, until its author's code uses that for something of its own."""

    def __init__(self, read: Callable[["JobBase"], Any]) -> None:
        self._read = read

    def __get__(self, instance: "JobBase | None", owner: type["JobBase"]) -> Any:
        return self if instance is None else self._read(instance)


def _name(cls: type["JobBase"]) -> str:
    return str(arguments.facts(cls)["job_class_name"]).strip() or cls.__name__


def _description(cls: type["JobBase"]) -> str:
    known = arguments.facts(cls)
    example = str(known["example_arguments"] or "").strip()
    shown = f"Example arguments:\n\n    {example.replace(chr(10), chr(10) + '    ')}" if example else ""
    return "\n\n".join(filter(None, (str(known["notes"] or "").strip(), shown)))


class JobBase(jobs.Job):
    """A job in the manner of Bots Scheduler: it says what it is in `info`, and `run` takes arguments by position."""

    dialect: ClassVar[str] = "bots"
    name: Any = _Said(_name)
    description: Any = _Said(_description)
    result: Any = _Yielding(lambda job: job.job_result)
    results: Any = _Yielding(lambda job: job.job_result.data)
    store: Any = _Yielding(lambda job: job._context.values)

    def __new__(cls, *_: Any, **__: Any) -> "JobBase":
        # Not in __init__: authors write one of their own, and need not call this one.
        made: JobBase = super().__new__(cls)
        jobs.Job.__init__(made)
        if (first := running.get()) is not None:
            first._stand_in = made
            for name in _SHARED:
                setattr(made, name, getattr(first, name))
        return made

    def __init__(self, job_id: str | None = None, execution_id: str | None = None) -> None:
        self.job_id = job_id
        self.execution_id = execution_id

    #: The object that does the work, where the author's `run_job` has made one.
    _stand_in: "JobBase | None" = None

    @classmethod
    def _of_run(cls, job_id: str, execution_id: str) -> "JobBase":
        return cls(job_id, execution_id)

    @classmethod
    def _get_vars(cls) -> dict[str, Variable]:
        return arguments.variables(cls)

    @classmethod
    def _is_withdrawn(cls) -> bool:
        return not arguments.facts(cls)["enabled"]

    @classmethod
    def _advice(cls) -> list[str]:
        if str(arguments.facts(cls)["job_class_name"]).strip():
            return []
        return [
            f"{cls.__name__} says no job_class_name in its info: it is listed under the name of its class."
        ]

    @classmethod
    def _says_by_method(cls) -> bool:
        """Whether its author has written a `meta_info`."""
        owner = next(each for each in cls.__mro__ if "meta_info" in vars(each))
        return owner is not JobBase and running_meta.get() is None

    # What ndscheduler asks of a class

    @classmethod
    def create_test_instance(cls) -> "JobBase":
        return cls(None, None)

    @classmethod
    def meta_info(cls) -> dict[str, Any]:
        """Return what the class says of itself: a copy."""
        token = running_meta.set(cls)
        try:
            known = arguments.facts(cls)
        finally:
            running_meta.reset(token)
        module = (
            cls.class_path.split("/")[1]
            if cls.class_path.count("/") >= 2
            else cls.__module__.rpartition(".")[2]
        )
        return {**known, "job_class_string": f"{module}.{cls.__name__}"}

    @classmethod
    def get_scheduled_description(cls) -> str:
        return _where()

    @classmethod
    def get_scheduled_error_description(cls) -> str:
        return _where()

    @classmethod
    def get_scheduled_error_result(cls) -> Any:
        return traceback.format_exc()

    @classmethod
    def get_running_description(cls) -> str:
        return _where()

    @classmethod
    def get_succeeded_description(cls, result: Any = None) -> str:
        return _where()

    @classmethod
    def get_failed_description(cls) -> str:
        return _where()

    @classmethod
    def get_failed_result(cls) -> Any:
        """Return what is kept of a run in place of a result; called while the exception is handled."""
        from jobs.lifecycle import from_author

        error = sys.exc_info()[1]
        lines = traceback.format_exception(type(error), error, from_author(error)) if error else []
        return Report(Title("Unexpected Error", color="red"), Code("".join(lines).rstrip()))

    @classmethod
    def run_job(cls, job_id: Any, execution_id: Any, *args: Any, **kwargs: Any) -> Any:
        job = running.get()
        if type(job) is not cls:
            job = cls(job_id, execution_id)
        return job.run(*args, **kwargs)

    def run(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError("The job must define run(self, *args, **kwargs).")


#: The class whose `meta_info` calls ours: that must not call it again.
running_meta: ContextVar[type[JobBase] | None] = ContextVar("errand_bots_meta", default=None)


def _where() -> str:
    return f"hostname: {socket.gethostname()} | pid: {os.getpid()}"


def report(method: Callable[..., Any]) -> Callable[..., Any]:
    """Make a report of what `run` returns: an item, or several of them; nothing is none."""

    @functools.wraps(method)
    def decorated(self: JobBase, *args: Any, **kwargs: Any) -> Any:
        value = method(self, *args, **kwargs)
        if value is None:
            return None
        try:
            made = Report(*value) if isinstance(value, list | tuple) else Report(value)
            return headed(type(self), made)
        except Exception as error:
            self._log("warning", None, f"No report was made of what run returned: {text_of(error)}")
            return None

    return decorated


def headed(cls: type[JobBase], value: Any) -> Any:
    """Return what `run` returned with the job's `report_title` in front, if it is a report that has no title yet."""
    title = arguments.facts(cls)["report_title"]
    made = report_of(value)
    if made is None or not title or (made and isinstance(made[0], Title)):
        return value
    made.prepend(Section(str(title)))
    return made


def ip2int(address: str) -> int:
    """Return an IPv4 address as the number it stands for."""
    return int(IPv4Address(address))
