"""The way of a job of Bots Scheduler: `run` with arguments by position, and what it returns is its report."""

import inspect
import json
import re
from collections.abc import Callable
from typing import Any

from jobs.bots.arguments import positional
from jobs.bots.base import JobBase, headed, running
from jobs.errors import SoftTimeLimitExceeded, text_of
from jobs.lifecycle import Life, Verdict
from jobs.report import Html

#: A text with one of these is HTML that a job has made; others are texts.
_HTML = re.compile(
    r"<(?:h[1-6]|p|div|span|table|ul|ol|pre|b|i|br|hr|img|a|blockquote|code)\b[^<>]*>", re.IGNORECASE
)


class BotsLife(Life):
    """Its changes are saved at the end; an exception rolls them back.

    There is no commit flag in this dialect.
    """

    job: JobBase

    def live(self) -> None:
        token = running.set(self.job)
        try:
            self._run()
        except Exception as error:
            self._break(error)
        except BaseException:
            # A time limit or exit(): nothing of the job is asked any more.
            self.roll_back()
            raise
        finally:
            running.reset(token)

    def _run(self) -> None:
        job, cls = self.job, type(self.job)
        job.active_test = "run"
        self._say("info", cls.get_running_description)
        with self.around("run"):
            returned = cls.run_job(job.job_id, job.execution_id, *positional(cls, self.data))
        value = self.take(returned)
        if problem := _no_json(value):
            self._refuse(problem)
            return
        self.return_value = value
        self._note_notify()
        if self.commit:
            self.commit_changes()
        else:
            self.roll_back()
        self._say("success", cls.get_succeeded_description, returned)

    def take(self, value: Any) -> Any:
        if isinstance(value, str) and _HTML.search(value):
            # Whoever made it has put a title there, too.
            return super().take(Html(value))
        return super().take(headed(type(self.job), value))

    def _note_notify(self) -> None:
        """Keep with the result whether the job wants its output to be mailed, where it says so."""
        job = self.job._stand_in or self.job
        wish = getattr(job, "_notify", None)
        wanted = bool(wish) if wish is not None else bool(getattr(job, "_data", None))
        if wanted:
            self.job.job_result.data["notify"] = True

    def _break(self, error: Exception) -> None:
        self.note(error)
        self.roll_back()
        self._say("failure", type(self.job).get_failed_description)
        try:
            value = self.take(type(self.job).get_failed_result())
        except SoftTimeLimitExceeded:
            raise
        except Exception as other:
            self.job._log("warning", None, f"get_failed_result broke, too: {text_of(other)}")
            return
        self.return_value = None if _no_json(value) else value

    def _refuse(self, problem: str) -> None:
        self.roll_back()
        self.failure = problem
        self.job._log("failure", None, problem)
        self._say("failure", type(self.job).get_failed_description)

    def _say(self, level: str, describe: Callable[..., Any], *result: Any) -> None:
        """Make an entry of what the class says of the run at this point."""
        try:
            text = text_of(describe(*_taken(describe, result)))
        except SoftTimeLimitExceeded:
            raise
        except Exception as error:
            text = f"{describe.__name__} broke: {text_of(error)}"
        self.job._log(level, None, text)

    def _verdict(self) -> tuple[Verdict, str]:
        # Not by `job.failed`: jobs of this dialect may keep something of their own there.
        self.job.failed = bool(self.job._failures)
        return super()._verdict()


def _taken(method: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the arguments if the method takes them: in older files some take none."""
    try:
        inspect.signature(method).bind(*arguments)
    except TypeError:
        return ()
    return arguments


def _no_json(value: Any) -> str:
    """Return why a value is not kept, as a sentence; "" for one that fits into JSON."""
    try:
        json.dumps(value, allow_nan=False)
    except SoftTimeLimitExceeded:
        raise
    except Exception:  # Also what the value's own methods raise.
        return (
            f"What run returned does not fit into JSON: it is, or has in it, a value of type {_odd(value)}."
        )
    return ""


def _odd(value: Any) -> str:
    """Name the type of the first part of a value that JSON does not know."""
    parts = (
        list(value.values())
        if isinstance(value, dict)
        else list(value)
        if isinstance(value, list | tuple)
        else []
    )
    return next((_odd(part) for part in parts if _no_json(part)), type(value).__name__)
