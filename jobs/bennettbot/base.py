"""The base of the jobs that a `raw_config` makes."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from jobs.bennettbot import fabfile, places
from jobs.errors import JobFailed
from jobs.shell.base import ShellJob

#: How long a command may go on. There they have no limit; one that hangs would keep all others of its type waiting.
SOFT_TIME_LIMIT_SECONDS = 12 * 3600
TIME_LIMIT_SECONDS = SOFT_TIME_LIMIT_SECONDS + 300


class BennettbotJob(ShellJob):
    """A command of a namespace. `sh` runs it, in which each value is one word."""

    dialect: ClassVar[str] = "bennettbot"
    shell: ClassVar[bool] = True

    #: The first word of its commands in Slack, and the name of its folder in the workspace.
    namespace: ClassVar[str] = ""
    #: Where the namespace's `fabfile.py` is fetched from; "": it has none.
    fabfile_url: ClassVar[str] = ""

    def __init__(self) -> None:
        super().__init__()
        self._logs: Path | None = None

    def prepare(self) -> None:
        folder = self.folder()
        for needed in (places.writeable_dir(os.environ), folder):
            try:
                needed.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise JobFailed(f"The folder {needed} cannot be made: {error.strerror}.") from error
        self._make_logs()
        if self.fabfile_url and (problem := fabfile.fetch(self.fabfile_url, folder)):
            # The last one that came is as good as any.
            self.log_warning(message=problem)
            self.job_result.data["fabfile_problem"] = problem

    def _make_logs(self) -> None:
        try:
            self._logs = places.new_log_folder(type(self).__name__, os.environ)
        except OSError as error:
            # Its output stays with the result, whatever becomes of this.
            self.log_warning(message=f"No log folder was made in LOGS_DIR: {error}")
        if self._logs is not None:
            # For those who have no page before them.
            self.job_result.data["logs"] = places.shown_log_folder(self._logs, os.environ)

    def folder(self) -> Path:
        cls = type(self)
        return places.workspace_of(cls.namespace, cls.file_path, os.environ) / cls.namespace

    def log_folder(self) -> Path:
        return self._logs or super().log_folder()

    def environment(self) -> dict[str, str]:
        return environment_of(type(self).file_path, os.environ)


def environment_of(file_path: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Return what commands of a job file find in their environment beside what is there."""
    first = [environ.get("ABSOLUTE_BIN", ""), str(Path(sys.executable).parent)]
    before = environ.get("PATH") or os.defpath
    return {
        "PYTHONPATH": str(places.root_of(file_path, environ)),
        # `python` is the one that Errand has, with what is installed beside it.
        "PATH": os.pathsep.join(dict.fromkeys([*filter(None, first), *before.split(os.pathsep)])),
        "WRITEABLE_DIR": str(places.writeable_dir(environ)),
        "WRITEABLE_WORKSPACE_DIR": str(places.writeable_workspace(environ)),
    }


def facts_of(job: Mapping[str, Any]) -> dict[str, Any]:
    """Return how Slack is told of a job's runs."""
    return {
        "report_stdout": job["report_stdout"],
        "report_success": job["report_success"],
        "report_format": job["report_format"],
        "suppress_empty": job["suppress_empty"],
        "call_support": job["call_tech_support_on_error"],
    }
