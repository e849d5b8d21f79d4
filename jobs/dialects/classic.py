"""The classic way of a job: run, every test_*, post_run; changes follow the commit flag."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from jobs.errors import AbortTransaction, SoftTimeLimitExceeded, described, text_of
from jobs.fan_out import Outcomes
from jobs.lifecycle import Life, trace

ABORTED = "Database changes have been reverted due to error."
NOT_COMMITTED = "Database changes have been reverted automatically."


class ClassicLife(Life):
    def live(self) -> None:
        try:
            self._run_methods()
        except AbortTransaction:
            self._revert(NOT_COMMITTED)
        except Exception as error:
            self._break(error)
        except BaseException:
            # A time limit or exit(): post_run must not find, and save, half of the changes.
            self.roll_back()
            raise
        else:
            self._end_transaction()
        finally:
            self._post_run()

    def gather(self, method: str, outcomes: Outcomes) -> None:
        super().gather(method, outcomes)
        if text := _text_of_returned(self.return_value):
            self._add_output(text)

    def _run_methods(self) -> None:
        if hasattr(self.job, "run"):
            self.return_value = self._call("run", **arguments(self.job.run, self.data, commit=self.commit))
        for name in self.job.test_methods:
            self._call(name)

    def _post_run(self) -> None:
        """Run last, also after an exception; its own changes follow the run's commit flag."""
        if not hasattr(self.job, "post_run"):
            return
        try:
            self._call("post_run")
            if self.commit:
                self.commit_changes()
            else:
                self.roll_back()
        except Exception as error:
            self.roll_back()
            message = f"An exception occurred during job post_run(): {described(error)}"
            self.job._log("failure", None, message + trace(error))
            self.error = self.error or f"post_run raised {described(error)}{self.advice(error)}"
            self.job.failed = True
            self._add_output(message)

    def _call(self, name: str, **arguments: Any) -> Any:
        self.job.active_test = name
        method = getattr(self.job, name)
        with self.around(name):
            value = method(**arguments)
        value = self.take(value)
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
            self.commit_changes()
        except Exception as error:
            self._break(error)

    def _break(self, error: Exception) -> None:
        self.note(error)
        self._revert(ABORTED)

    def _revert(self, sentence: str) -> None:
        self.roll_back()
        if not self.job.read_only:
            self.job.log_info(message=sentence)


def arguments(method: Callable[..., Any], data: Mapping[str, Any], *, commit: bool) -> dict[str, Any]:
    """Return what `run`, or `plan`, asks for: `data` and `commit` as in Nautobot 1.x, or its variables by name."""
    parameters = inspect.signature(method).parameters.values()
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    if names[:1] == ["data"] and set(names) <= {"data", "commit"}:
        # Also where a variable is called `data`: this way of writing is the older one.
        return {name: {"data": dict(data), "commit": commit}[name] for name in names}
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return dict(data)
    known = {"commit": commit, **data}
    return {name: known[name] for name in names if name in known}


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
