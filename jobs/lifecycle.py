"""What the life of every job has in common, whichever dialect it speaks: what is kept of it, and how it ended."""

import json
import re
import traceback
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from types import TracebackType
from typing import Any, ClassVar, Literal

from jobs.errors import AbortTransaction, JobFailed, SoftTimeLimitExceeded, described, text_of
from jobs.fan_out import Gather, Outcomes, method_of
from jobs.job import BaseJob
from jobs.profiling import Profiling
from jobs.report import report_of
from jobs.report.images import with_made_files
from jobs.report.shape import fit

#: Texts whole, one without an end too, and brackets: nothing else tells how deep a JSON text is nested.
_MARKS = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]')

#: What a run may keep of a return value, of its output and of its results, each.
MOST_BYTES = 1_000_000

#: Lists in lists beyond this: few readers of JSON take them.
DEEPEST_VALUE = 100

#: What a page can say in a heading.
LONGEST_CAUSE = 1_000

#: Modules whose frames tell an author nothing.
_not_of_authors = [
    *("jobs.lifecycle", "jobs.dialects", "jobs.functions"),
    *("jobs.bots", "jobs.schleuder", "jobs.shell"),
]

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


class Life:
    """One run of a job. A dialect says in `live` what is called, in which order, and when changes are saved.

    Before `live` returns it calls `commit_changes` or `roll_back`; with `commit` False, only the latter.
    """

    #: What a plugin calls the dialect (see jobs.dialects.running.register_dialect).
    dialect: ClassVar[str] = ""

    def __init__(
        self, job: BaseJob, data: Mapping[str, Any], serialised: Mapping[str, Any], *, commit: bool
    ) -> None:
        self.job = job
        #: The inputs, objects among them, and as they were stored.
        self.data = data
        self.serialised = serialised
        self.commit = commit and not job.read_only
        #: What its `run` is profiled by; None: nobody asked for that.
        self.profiling: Profiling | None = None
        self.output = ""
        self.return_value: Any = None
        #: Sentences: what broke the run, and why its job gave up.
        self.error: str | None = None
        self.failure: str | None = None

    def live(self) -> None:
        """Call the job's methods. What they raise is noted, but for what is no Exception."""
        raise NotImplementedError

    def gather(self, method: str, outcomes: Outcomes) -> None:
        """Call the method that the run has named, with what became of the runs that it had asked for.

        It ends as `live` does: by `commit_changes` or `roll_back`.
        """
        self.job.active_test = method
        try:
            called = method_of(self.job, method)
            if called is None:
                raise JobFailed(f"There is no method {method} any more.")
            self.return_value = self.take(called(outcomes))
            if self.commit:
                self.commit_changes()
            else:
                self.roll_back()
        except AbortTransaction:
            self.roll_back()
        except Exception as error:
            self.note(error)
            self.roll_back()
        except BaseException:
            self.roll_back()
            raise

    def finish(self, gather: Gather | None = None) -> Outcome:
        """Live the run, or its second part, to its end."""
        if gather is not None:
            self.gather(gather.method, gather.outcomes)
            return self._outcome()
        self.live()
        if self.profiling is not None and not self.profiling.began:
            self.profiling.say_unused()
        return self._outcome()

    def around(self, method: str) -> AbstractContextManager[None]:
        """Return what surrounds the call of a method of the job: for "run" its profile, where one was asked for."""
        return self.profiling if self.profiling is not None and method == "run" else nullcontext()

    def take(self, value: Any) -> Any:
        """Take what a method returned as a report into the run's; return what is to be kept as the return value."""
        report = report_of(value)
        if report is None:
            return value
        if report is not self.job._report:
            self.job._report.append(*report)
            self.job._report.title = self.job._report.title or report.title
            self.job._report.filename = self.job._report.filename or report.filename
        return None

    def note(self, error: Exception) -> None:
        """Log what a method of the job raised, and keep it in mind for the verdict."""
        if isinstance(error, JobFailed):
            self.failure = text_of(error)
            self.job.log_failure(message=self.failure)
            return
        self.job._log("failure", None, f"An exception occurred: `{described(error)}`{trace(error)}")
        self.job.failed = True
        self.error = self.error or f"The job raised {described(error)}{self.advice(error)}"

    def advice(self, error: Exception) -> str:
        return self.job._context.advice(error)

    def commit_changes(self) -> None:
        self.job._context.commit()

    def roll_back(self) -> None:
        self.job._context.rollback()

    def _keep_report(self) -> None:
        """Hand on what the run reports, cut to what is kept; what was cut, or cannot be shown, is said in the log."""
        if not self.job._report:
            return
        try:
            data = self.job._report.as_data()
            problems = list(with_made_files(data["pieces"], self.job.create_file))
            data, cut = fit(data)
        except SoftTimeLimitExceeded:
            raise
        except Exception as error:  # Also what the texts of a job's own objects raise.
            self.job.log_warning(message=f"The report was not kept: {described(error)}")
            return
        for sentence in [*problems, *cut]:
            self.job.log_warning(message=sentence)
        self.job._context.keep_report(data)

    def _outcome(self) -> Outcome:
        # A dialect of a plugin may not have asked.
        self.return_value = (
            self.take(self.return_value) if report_of(self.return_value) else self.return_value
        )
        self._keep_report()
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
            return "failed", self.job._failed_because or _counted(self.job._failures)
        return (
            "completed",
            "The job ran to its end." if self.commit else "The job ran to its end; no change was saved.",
        )


def _counted(failures: list[tuple[str, str]]) -> str:
    """Say what the only failure says, or how many were logged and under which heading the first one stands."""
    if not failures:
        return "The job marked itself as failed."
    heading, text = failures[0]
    if len(failures) > 1:
        return f"{len(failures):,} failures were logged, the first in {heading}."
    lines = (line.strip() for line in text.splitlines())
    return next((line for line in lines if line), f"A failure was logged in {heading}.")


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


def trace(error: BaseException) -> str:
    """Format the traceback from the job's own code on, as a fenced block."""
    text = "".join(traceback.format_exception(type(error), error, from_author(error)))
    return f"\n\n```\n{text.rstrip()}\n```"


def leave_out_of_traces(module: str) -> None:
    """Leave the frames of a module out of what authors are shown where these come before their own."""
    if module not in _not_of_authors:
        _not_of_authors.append(module)


def from_author(error: BaseException) -> TracebackType | None:
    """Return the traceback without the frames before the author's code."""
    tb = error.__traceback__
    while tb is not None and tb.tb_frame.f_globals.get("__name__", "").startswith(tuple(_not_of_authors)):
        tb = tb.tb_next
    return tb
