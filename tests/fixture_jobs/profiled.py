"""Jobs whose runs are profiled, or that stand in the way of it; and singletons that take their time."""

import _lsprof
import cProfile
import os
import pstats
import sys
import tempfile
import time
from pathlib import Path

from jobs import ChoiceVar, Job, StringVar, job

name = "Profiled"


def burn():
    return sum(number * number for number in range(20_000))


def profile_of(job):
    """Return the names of the functions in this run's profile, opened as such job files open it; none without one."""
    path = os.path.join(tempfile.gettempdir(), f"nautobot-jobresult-{job.job_result.id}.pstats")
    return {function for _, _, function in pstats.Stats(path).stats} if os.path.exists(path) else set()


class Burns(Job):
    ending = ChoiceVar(
        choices=[(ending, ending) for ending in ("return", "raise", "exit", "limit", "fork")],
        default="return",
    )

    class Meta:
        soft_time_limit = 0.5

    def run(self, data, commit):
        burn()
        match data["ending"]:
            case "raise":
                raise ValueError("burnt out")
            case "exit":
                sys.exit(3)
            case "limit":
                while True:
                    time.sleep(0.01)
            case "fork":
                pid = os.fork()
                if pid:
                    os.waitpid(pid, 0)
        return "burnt"

    def test_is_not_profiled(self):
        burn()

    def post_run(self):
        known = profile_of(self)
        self.log_info(f"burn: {'burn' in known}, test: {'test_is_not_profiled' in known}")


class BurnsInDialect2(Job):
    dialect = "2"

    def before_start(self, task_id, args, kwargs):
        burn()

    def run(self):
        burn()
        return "burnt"

    def after_return(self, status, retval, task_id, args, kwargs, einfo):
        known = profile_of(self)
        self.logger.info("burn: %s, before_start: %s", "burn" in known, "before_start" in known)


@job
def burns_as_function():
    burn()


class OnlyChecks(Job):
    def test_something(self):
        self.log_success("fine")


class ProfilesItself(Job):
    """Has a profiler of its own, which is to work as ever."""

    when = ChoiceVar(choices=[("before", "before"), ("within", "within")])

    dialect = "2"

    def before_start(self, task_id, args, kwargs):
        self.own = cProfile.Profile()
        if kwargs["when"] == "before":
            self.own.enable()

    def run(self, when):
        if when == "within":
            self.own.enable()
        burn()

    def on_success(self, retval, task_id, args, kwargs):
        self.own.disable()
        known = {function for _, _, function in pstats.Stats(self.own).stats}
        self.logger.info("burn: %s", "burn" in known)


class ProfilesItselfInC(Job):
    """With the profiler that cProfile is made of."""

    def run(self, data, commit):
        try:
            self.profiler = _lsprof.Profiler()
            self.profiler.enable()
        except ValueError:
            return "refused"
        burn()
        return "profiled"

    def post_run(self):
        burn()
        self.profiler.disable()


class PutsALinkThere(Job):
    target = StringVar()

    def run(self, target):
        path = Path(tempfile.gettempdir(), f"nautobot-jobresult-{self.job_result.id}.pstats")
        path.symlink_to(target)


class PutsAFolderThere(Job):
    def run(self):
        Path(tempfile.gettempdir(), f"nautobot-jobresult-{self.job_result.id}.pstats").mkdir()


class WaitsAlone(Job):
    """A singleton that runs until the file `go` appears in the folder."""

    folder = StringVar()

    class Meta:
        is_singleton = True

    def run(self, folder):
        Path(folder, f"pid-{os.getpid()}").touch()
        while not Path(folder, "go").exists():
            time.sleep(0.01)
