"""The processes of a soak. Each is started again when it has ended, as a service manager would."""

import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from functools import partial

from benchmarks.figures import WentWrong
from benchmarks.processes import Program
from benchmarks.site import Site
from benchmarks.waiting import until
from worker.host import kill_processes

WORKERS = ("worker 1", "worker 2", "worker 3")
SCHEDULER = "scheduler"
REDIS = "redis"
CLIENT = "client"

#: A run that goes on longer than this is cut off when its worker is asked to end: both shall happen.
GRACE_SECONDS = 0.15

END_SECONDS = 30.0

Start = Callable[[], Program]


def runs_and_their_client(site: Site, *client: str) -> Mapping[str, Start]:
    """Return who has a part in runs, and how each is started. client: the module that asks for them, and its arguments."""
    worker = partial(site.start, "worker", "--grace", str(GRACE_SECONDS))
    return {
        SCHEDULER: partial(site.start, "scheduler"),
        **dict.fromkeys(WORKERS, worker),
        CLIENT: partial(site.run_python, *client),
    }


class Crew:
    """Call everything from the main thread: the kernel takes the end of the starting thread for our end."""

    def __init__(self, site: Site, starts: Mapping[str, Start]) -> None:
        """starts: how each member is started; Redis is there already."""
        self._site = site
        self._starts = {REDIS: site.start_redis, **starts}
        self.members: dict[str, Program] = {REDIS: site.redis}
        #: Those that are away, and until when.
        self._due: dict[str, float] = {}
        self._asked: set[int] = set()
        #: The client has asked for all it wants.
        self.satisfied = False
        #: Who ended though nobody had asked it to.
        self.deserters: list[str] = []
        for name in starts:
            self._start(name)

    def _start(self, name: str) -> None:
        self.members[name] = self._starts[name]()

    def pid(self, name: str) -> int:
        return self.members[name].pid

    def kill(self, name: str, *, away_seconds: float = 0.0) -> None:
        """Kill one. It is started again when it has been away for so long."""
        self.members.pop(name).kill()
        self._due[name] = time.monotonic() + away_seconds

    def ask_to_end(self, name: str) -> None:
        self._asked.add(self.pid(name))
        self.members[name].process.send_signal(signal.SIGTERM)

    def keep_up(self) -> None:
        """Start those again that have ended."""
        for name, at in list(self._due.items()):
            if time.monotonic() >= at:
                del self._due[name]
                self._start(name)
        for name, program in list(self.members.items()):
            status = program.ended()
            if status is None:
                continue
            if name == CLIENT and status == 0:
                self.satisfied = True
                del self.members[CLIENT]
                continue
            if program.pid not in self._asked:
                self.deserters.append(f"{name} ended with status {status}:\n{program.last_words()}")
            self._start(name)

    def _complete(self) -> bool:
        self.keep_up()
        return not self._due

    def end(self) -> list[int]:
        """Have all end in peace, and return the pids of what is left all the same; that is killed then."""
        until(self._complete, "all are there again")
        redis = self.members.pop(REDIS)
        for program in self.members.values():
            program.process.terminate()
        # Redis last: the others say good-bye to it.
        for name, program in (*self.members.items(), (REDIS, redis)):
            if program is redis:
                program.process.terminate()
            try:
                program.process.wait(END_SECONDS)
            except subprocess.TimeoutExpired as error:
                raise WentWrong(f"The {name} did not end within {END_SECONDS:g} seconds.") from error
            program.ended()
        left = self._site.processes()
        kill_processes(left)
        return left
