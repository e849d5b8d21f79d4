"""The way of a job through its methods: run, test_*, post_run, and what becomes of its changes."""

import inspect
import json
import re
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from jobs import functions
from jobs.errors import AbortTransaction, JobFailed, SoftTimeLimitExceeded, described, text_of
from jobs.job import BaseJob

ABORTED = "Database changes have been reverted due to error."
NOT_COMMITTED = "Database changes have been reverted automatically."

#: Texts whole, and brackets: nothing else tells how deep a JSON text is nested.
_MARKS = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]')

#: What a run may keep of a return value, of its output and of its results, each.
MOST_BYTES = 1_000_000

#: Lists in lists beyond this: few readers of JSON take them.
DEEPEST_VALUE = 100

#: What a page can say in a heading.
LONGEST_CAUSE = 1_000

Verdict = Literal["completed", "failed", "errored"]


@dataclass(slots=True)
class Outcome:
    """How a run ended, by its own account."""

    status: Verdict
    #: A sentence.
    cause: str
    return_value: Any
    output: str
    #: What the job kept in `self.job_result.data`.
    results: dict[str, Any]


def run(job: BaseJob, data: Mapping[str, Any], *, commit: bool) -> Outcome:
    """Run `job` to its end. Whatever its methods raise becomes part of the outcome."""
    return _Run(job, data, commit=commit and not job.read_only).finish()


class _Run:
    def __init__(self, job: BaseJob, data: Mapping[str, Any], *, commit: bool) -> None:
        self.job = job
        self.data = data
        self.commit = commit
        self.output = ""
        self.return_value: Any = None
        self.error: str | None = None
        self.failure: str | None = None

    def finish(self) -> Outcome:
        try:
            self._run_methods()
        except AbortTransaction:
            self._revert(NOT_COMMITTED)
        except JobFailed as failure:
            self._fail(failure)
        except Exception as error:
            self._break(error)
        except BaseException:
            # A time limit or exit(): post_run must not find, and save, half of the changes.
            self.job._context.rollback()
            raise
        else:
            self._end_transaction()
        finally:
            self._post_run()
        return self._outcome()

    def _run_methods(self) -> None:
        if hasattr(self.job, "run"):
            self.return_value = self._call("run", **_arguments(self.job.run, self.data, commit=self.commit))
        for name in self.job.test_methods:
            self._call(name)

    def _post_run(self) -> None:
        """Run last, also after an exception; its own changes follow the run's commit flag."""
        if not hasattr(self.job, "post_run"):
            return
        try:
            self._call("post_run")
            if self.commit:
                self.job._context.commit()
            else:
                self.job._context.rollback()
        except Exception as error:
            self.job._context.rollback()
            message = f"An exception occurred during job post_run(): {described(error)}"
            self.job._log("failure", None, message + _trace(error))
            self.error = self.error or f"post_run raised {described(error)}{self._advice(error)}"
            self.job.failed = True
            self._add_output(message)

    def _call(self, name: str, **arguments: Any) -> Any:
        self.job.active_test = name
        value = getattr(self.job, name)(**arguments)
        if text := _text_of_returned(value):
            self._add_output(text)
        return value

    def _add_output(self, text: str) -> None:
        self.output += f"\n{text}"
        # Job files of Nautobot look for it here, in post_run.
        self.job.job_result.data["output"] = self.output

    def _end_transaction(self) -> None:
        if not self.commit:
            self._revert(NOT_COMMITTED)
            return
        try:
            self.job._context.commit()
        except Exception as error:
            self._break(error)

    def _fail(self, failure: JobFailed) -> None:
        self.failure = text_of(failure)
        self.job.log_failure(message=self.failure)
        self._revert(ABORTED)

    def _break(self, error: Exception) -> None:
        message = f"An exception occurred: `{described(error)}`{_trace(error)}"
        self.job._log("failure", None, message)
        self.job.failed = True
        self.error = f"The job raised {described(error)}{self._advice(error)}"
        self._revert(ABORTED)

    def _advice(self, error: Exception) -> str:
        return self.job._context.advice(error)

    def _revert(self, sentence: str) -> None:
        self.job._context.rollback()
        if not self.job.read_only:
            self.job.log_info(message=sentence)

    def _outcome(self) -> Outcome:
        value = self._keep(self.return_value, "The return value")
        data = self.job.job_result.data
        own = {key: data[key] for key in data if key != "output"} if isinstance(data, dict) else {}
        # Here, unlike in a return value, what JSON does not know is kept as its text: jobs put objects in.
        results = self._keep(own, "What the job put into job_result.data", default=str) or {}
        status, cause = self._verdict()
        return Outcome(status, cause[:LONGEST_CAUSE], value, self._kept_output(), results)

    def _keep(self, value: Any, what: str, default: Callable[[Any], str] | None = None) -> Any:
        """Return the value as JSON carries it; or None, and say so in the log."""
        try:
            # Not a number is no JSON, whatever Python says; PostgreSQL refuses it.
            text = json.dumps(value, allow_nan=False, default=default)
        except SoftTimeLimitExceeded:
            raise
        except Exception:  # Also what the value's own methods raise.
            kind = type(value).__name__
            self.job.log_warning(
                message=f"{what} was not kept: a value of type {kind} does not fit into JSON."
            )
            return None
        if len(text) > MOST_BYTES:
            self.job.log_warning(message=f"{what} was not kept: it has more than {MOST_BYTES:,} bytes.")
            return None
        if _depth(text) > DEEPEST_VALUE:
            self.job.log_warning(
                message=f"{what} was not kept: it is nested more than {DEEPEST_VALUE} levels deep."
            )
            return None
        return json.loads(text)

    def _kept_output(self) -> str:
        rest = len(self.output) - MOST_BYTES
        return self.output if rest <= 0 else f"{self.output[:MOST_BYTES]}\n… (cut: {rest:,} more characters)"

    def _verdict(self) -> tuple[Verdict, str]:
        if self.error is not None:
            return "errored", self.error
        if self.failure is not None:
            return "failed", self.failure
        # A failure logged in post_run counts too: a result never says completed when it did not.
        if self.job.failed:
            return "failed", _counted(self.job._failures)
        return (
            "completed",
            "The job ran to its end." if self.commit else "The job ran to its end; no change was saved.",
        )


def _arguments(method: Callable[..., Any], data: Mapping[str, Any], *, commit: bool) -> dict[str, Any]:
    """Return what `run` asks for: `data` and `commit` as in Nautobot 1.x, or its variables by name."""
    parameters = inspect.signature(method).parameters.values()
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    if names[:1] == ["data"] and set(names) <= {"data", "commit"}:
        # Also where a variable is called `data`: this way of writing is the older one.
        return {name: {"data": dict(data), "commit": commit}[name] for name in names}
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return dict(data)
    known = {"commit": commit, **data}
    return {name: known[name] for name in names if name in known}


def _counted(failures: list[str]) -> str:
    """Say how many failures were logged, and under which heading the first one stands."""
    if not failures:
        return "The job marked itself as failed."
    if len(failures) == 1:
        return f"A failure was logged in {failures[0]}."
    return f"{len(failures):,} failures were logged, the first in {failures[0]}."


def _text_of_returned(value: Any) -> str:
    """Return what a method returned as text, "" for nothing. Tables of numbers, say, are neither true nor false."""
    try:
        if not value:
            return ""
    except SoftTimeLimitExceeded:
        raise
    except Exception:  # The value's own code; its text still counts.
        return text_of(value)
    return text_of(value)


def _depth(text: str) -> int:
    """Return how deep a JSON text is nested, where that could be too deep."""
    if text.count("[") + text.count("{") <= DEEPEST_VALUE:
        return 0  # Not deep, whatever it is.
    depth = deepest = 0
    for mark in _MARKS.findall(text):
        if mark in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif mark in "]}":
            depth -= 1
    return deepest


def _trace(error: BaseException) -> str:
    """Format the traceback from the job's own code on, as a fenced block."""
    tb = error.__traceback__
    while tb is not None and tb.tb_frame.f_code.co_filename in (__file__, functions.__file__):
        tb = tb.tb_next
    text = "".join(traceback.format_exception(type(error), error, tb))
    return f"\n\n```\n{text.rstrip()}\n```"
