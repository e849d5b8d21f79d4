"""The way of a job since Nautobot 2.0: before_start, run, on_success or on_failure, after_return."""

from collections.abc import Mapping
from typing import Any

from jobs.exception_info import ExceptionInfo
from jobs.job import BaseJob
from jobs.lifecycle import Life, from_author
from jobs.request import JobRequest

SUCCESS, FAILURE = "SUCCESS", "FAILURE"


class Nautobot2Life(Life):
    """Its changes are saved at the end; an exception rolls back what was changed before it.

    An exception or `self.fail` makes the run a failure, whatever else is logged. Each hook is called once at most.
    """

    def __init__(
        self, job: BaseJob, data: Mapping[str, Any], serialised: Mapping[str, Any], *, commit: bool
    ) -> None:
        super().__init__(job, data, serialised, commit=commit)
        if job.request is None:
            job.request = JobRequest({}, username=job.job_result.user, id=job.job_result.id)
        #: What every hook gets.
        self._task = (job.request.id, (), dict(serialised))

    def live(self) -> None:
        try:
            self._log("info", "Running job", "initialization")
            self._call_methods()
            self._save()
            if not self.job.failed:
                self._log("success", "Job completed", "post_run")
        except BaseException:
            # A time limit or exit(): nothing of the job is asked any more.
            self.roll_back()
            raise

    def _call_methods(self) -> None:
        error = self._attempt(self._start_and_run)
        fine = error is None and not self.job.failed
        if fine:
            error = self._attempt(self._call, "on_success", self.return_value, *self._task)
        if error is not None or not fine:
            einfo = _info(error)
            broke = self._attempt(self._call, "on_failure", self._ended_with(error), *self._task, einfo)
            error = error or broke
        status = FAILURE if self.job.failed else SUCCESS
        self._attempt(self._call, "after_return", status, self._ended_with(error), *self._task, _info(error))

    def _start_and_run(self) -> None:
        self.return_value = self._call("before_start", *self._task)
        if not self.job.failed:
            self.return_value = self.take(self._call("run", **self.data))

    def _ended_with(self, error: Exception | None) -> Any:
        return self.return_value if error is None else error

    def _save(self) -> None:
        if self.commit:
            self._attempt(self.commit_changes)
        else:
            self.roll_back()

    def _attempt(self, step: Any, *arguments: Any) -> Exception | None:
        """Do one step; return what it raised, noted and its changes undone."""
        try:
            step(*arguments)
        except Exception as error:
            self.note(error)
            self.roll_back()
            return error
        return None

    def _call(self, name: str, *arguments: Any, **inputs: Any) -> Any:
        self.job.active_test = name
        method = getattr(self.job, name)
        with self.around(name):
            return method(*arguments, **inputs)

    def _log(self, level: str, message: str, grouping: str) -> None:
        self.job._log(level, None, message, grouping)


def _info(error: Exception | None) -> ExceptionInfo | None:
    return None if error is None else ExceptionInfo((type(error), error, from_author(error)))
