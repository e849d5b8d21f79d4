"""Jobs with one behaviour each."""

import os
import signal
import sys
import time
from pathlib import Path

from jobs import AbortTransaction, ChoiceVar, IntegerVar, Job, JobFailed, StringVar

name = "Endings"


class Passes(Job):
    def run(self, data, commit):
        self.log_success("All is well.")
        return {"answer": 42}


class LogsAFailure(Job):
    def run(self, data, commit):
        self.log_failure("Something is wrong.")
        self.log_info("It goes on.")


class SaysItFailed(Job):
    def run(self, data, commit):
        raise JobFailed("The host did not answer.")


class Raises(Job):
    def run(self, data, commit):
        raise ValueError("<b>no such host</b>")

    def post_run(self):
        self.log_info(f"failed: {self.failed}")


class Aborts(Job):
    def run(self, data, commit):
        raise AbortTransaction


class Exits(Job):
    def run(self, data, commit):
        sys.exit(3)


class ExitsHard(Job):
    def run(self, data, commit):
        self.log_info("about to leave")
        os._exit(7)


class KillsItself(Job):
    def run(self, data, commit):
        os.kill(os.getpid(), signal.SIGKILL)


class TooSlow(Job):
    class Meta:
        time_limit = 0.3

    def run(self, data, commit):
        try:
            while True:
                time.sleep(0.01)
        except Exception:
            self.log_info("swallowed")


class WaitsForFile(Job):
    """Says that it began, then runs until the file `go` appears in the folder."""

    folder = StringVar()

    def run(self, folder):
        self.log_info(f"began with pid {os.getpid()}")
        Path(folder, f"pid-{os.getpid()}").touch()
        while not Path(folder, "go").exists():
            time.sleep(0.01)
        self.log_success("saw the file")


class Chatty(Job):
    lines = IntegerVar(default=250)

    def run(self, lines):
        for number in range(1, lines + 1):
            self.log_info(f"line {number}")


class SwallowsEverything(Job):
    class Meta:
        time_limit = 0.3

    def run(self, data, commit):
        try:
            while True:
                time.sleep(0.01)
        except:  # noqa: E722
            return "as if nothing had happened"


class ReturnsWhatNoDatabaseTakes(Job):
    kind = ChoiceVar(choices=[(kind, kind) for kind in ("nul", "surrogate", "nan", "raise", "cause")])

    def run(self, kind):
        if kind == "raise":
            raise ValueError("a\x00b\ud800")
        if kind == "cause":
            raise JobFailed("a\x00b\ud800")
        self.log_info(Linked(), "a\x00b\ud800")
        return {"nul": "a\x00b", "surrogate": {"\ud800": "\ud800"}, "nan": float("nan")}[kind]


class Linked:
    def get_absolute_url(self):
        return "/a\ud800"


class ForksAndExits(Job):
    def run(self, data, commit):
        pid = os.fork()
        if pid == 0:
            sys.exit(0)
        os.waitpid(pid, 0)
        self.log_success("still here")


class ForksAndLogs(Job):
    def run(self, data, commit):
        pid = os.fork()
        if pid == 0:
            try:
                self.log_info("from a process of its own")
            except RuntimeError:
                os._exit(42)
            os._exit(0)
        self.log_info(f"status {os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}")


class ShowsItsEnvironment(Job):
    def run(self, data, commit):
        return sorted(os.environ)


class Sensitive(Job):
    password = StringVar()

    class Meta:
        has_sensitive_variables = True

    def run(self, password):
        self.log_success(f"{len(password)} characters")


class ReturnsNoJson(Job):
    def run(self, data, commit):
        return {1, 2}


class Nameless:
    """No job: it does not subclass Job."""
