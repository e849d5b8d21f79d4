"""The worker's end: the nursery it starts, and the children it gets from there, with a spare always on its way."""

import contextlib
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from dataclasses import dataclass, field

from sqlalchemy import make_url

from store.settings import Settings, environment_of_jobs
from worker import frames as wire
from worker.host import (
    MARK,
    adopt_orphans,
    descendants,
    kill_processes,
    marked_processes,
    start_time,
    stop_processes,
)

#: How long the nursery may take to import everything, and a child to be forked, before something must be wrong.
START_SECONDS = 60.0

#: A nursery that somebody kills while it starts is started again. One that always dies has something wrong with it.
MOST_STARTS = 3

#: How long a child that is let go may take for what its jobs registered to be done at the end.
LEAVE_SECONDS = 2.0

#: How long the kernel may take to end what was killed.
DIE_SECONDS = 1.0


class NoChild(RuntimeError):
    """No process could be had to run a job in."""


@dataclass(eq=False)
class Child:
    """One process that runs jobs. `line` carries frames; `out` and `err` are the other ends of its output."""

    line: socket.socket
    out: int
    err: int
    pid: int = 0
    #: As waitpid gives it; None while it lives.
    status: int | None = None
    frames: wire.Frames = field(default_factory=wire.Frames)
    #: Runs it has taken.
    runs: int = 0
    #: It did not end by itself: its nursery did, and took it along.
    orphaned: bool = False

    @property
    def ended(self) -> bool:
        return self.status is not None

    def close(self) -> None:
        if self.line.fileno() < 0:
            return  # It is closed already, and its numbers may be somebody else's.
        self.line.close()
        for descriptor in (self.out, self.err):
            os.close(descriptor)


class Children:
    """The nursery of one worker, the child that works and the spare.

    Start it from the main thread, unless it is not tied: the kernel takes the end of the starting thread for the end
    of the worker.
    """

    def __init__(self, settings: Settings, worker: str, *, adopt: bool = False, tied: bool = True) -> None:
        """adopt: this process has no other children, so whatever orphan comes to it was left by a job.

        tied: the kernel ends the nursery at once when this process dies; otherwise it goes when the line to it ends.
        """
        self._settings = settings
        self._tied = tied
        self._worker = worker
        self._adopts = adopt
        if adopt:
            adopt_orphans()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._frames = wire.Frames()
        self._asked: deque[Child] = deque()
        self._living: dict[int, Child] = {}
        #: Those that were let go, and when they are killed if they are still there.
        self._leaving: dict[int, float] = {}
        self._spare: Child | None = None

    def start(self) -> None:
        """Start the nursery, and have it fork a spare. Does not wait."""
        ours, theirs = socket.socketpair()
        url = make_url(self._settings.data_database_url)
        self._process = subprocess.Popen(
            # -P: nothing in the current folder may be taken for a module of ours.
            [
                *(sys.executable, "-P", "-m", "worker.nursery", str(theirs.fileno())),
                str(os.getpid() if self._tied else 0),
                *(url.get_backend_name(), *self._settings.plugins),
            ],
            stdin=subprocess.DEVNULL,
            pass_fds=(theirs.fileno(),),
            env={**self._folders(), **environment_of_jobs(), MARK: self._worker},
            start_new_session=True,
        )
        theirs.close()
        ours.setblocking(False)
        self._control = ours
        self._frames = wire.Frames()
        self._spare = self._ask()

    def _folders(self) -> dict[str, str]:
        """Return where commands may write, unless the environment says so: scripts of bennettbot know it by this name."""
        return {"WRITEABLE_DIR": str(self._settings.instance / "writeable")}

    @property
    def control(self) -> socket.socket:
        """Becomes readable when a child was forked or has ended: call `notice` then."""
        if self._control is None:
            self.start()
        if self._control is None:
            raise NoChild("The nursery has ended.")
        return self._control

    def take(self, seconds: float = START_SECONDS) -> Child:
        """Return a fresh child, within `seconds`, and have the next spare forked. Raises NoChild."""
        deadline = time.monotonic() + seconds
        for _ in range(MOST_STARTS):
            self._revive()
            child = self._spare or self._ask()
            self._spare = None
            if self._wait_until_forked(child, deadline):
                self._spare = self._ask()
                return child
            child.close()
            if time.monotonic() > deadline:
                break
        self.stop()
        raise NoChild("The nursery, which forks the processes for jobs, does not answer.")

    def _wait_until_forked(self, child: Child, deadline: float) -> bool:
        while not child.pid:
            if child.ended or time.monotonic() > deadline:
                return False
            self._wait(0.5)
        return True

    def ready(self) -> bool:
        """Tell whether `take` would return at once."""
        return self._spare is not None and self._spare.pid != 0 and not self._spare.ended

    def notice(self) -> None:
        """Read what the nursery says: who was forked, who has ended."""
        if self._control is None:
            return
        try:
            said = wire.read(self._control, self._frames)
        except wire.BrokenLine:
            said = None
        if said is None:
            self._nursery_died()
            return
        for kind, pid, *rest in said:
            if kind == "forked":
                child = self._asked.popleft()
                child.pid = pid
                self._living[pid] = child
            elif kind == "ended":
                self._note_end(pid, rest[0])

    def let_go(self, child: Child) -> None:
        """Have a child that is not needed any more end by itself, soon."""
        child.close()
        if not child.ended:
            self._leaving[child.pid] = time.monotonic() + LEAVE_SECONDS
        self.kill_late()

    def kill_late(self) -> None:
        """Kill those that were let go and are still there."""
        now = time.monotonic()
        for pid in [pid for pid, deadline in self._leaving.items() if now > deadline]:
            del self._leaving[pid]
            kill_processes([pid, *descendants([pid])])

    def kill(self, child: Child) -> None:
        """Kill a child and all that came of it, and wait until it has ended."""
        self.strike(child)
        deadline = time.monotonic() + LEAVE_SECONDS
        while not child.ended and time.monotonic() < deadline and self._control is not None:
            self._wait(0.1)
        self.kill_strays(child)

    def strike(self, child: Child) -> None:
        """Kill a child and all that came of it, without waiting for its own end."""
        if not child.ended:
            # Not killed first: then nobody could tell any more what came of it.
            stop_processes([child.pid])
        self.kill_strays(child)
        if not child.ended:
            kill_processes([child.pid])

    def offspring(self, child: Child) -> list[int]:
        """Return the pids of all that a child started, also of what was meant to outlive it."""
        found = set(descendants([child.pid]))
        if self._bury_orphans():
            found.update(descendants([os.getpid()], leave_out=self._nursery_pid()))
        return list(found)

    def kill_strays(self, child: Child) -> int:
        """Kill all that a child has started, and return how many there were."""
        strays: set[int] = set()
        for _ in range(100):
            # Again and again: while one is found, another may be born.
            born = {pid for pid in self.offspring(child) if pid not in strays and start_time(pid)}
            if not born:
                break
            stop_processes(born)
            strays |= born
        if not strays:
            return 0
        kill_processes(strays)
        deadline = time.monotonic() + DIE_SECONDS
        while any(map(start_time, strays)) and time.monotonic() < deadline:
            time.sleep(0.001)
        self._bury_orphans()
        return len(strays)

    def stop(self) -> None:
        """End the nursery and every child."""
        self._nursery_died()
        if self._spare is not None:
            self._spare.close()
            self._spare = None

    def forget(self) -> None:
        """In a process that was forked from the one that started all this: close our copies of its lines.

        As long as they are open, the nursery does not see the end of the process it belongs to.
        """
        if self._control is not None:
            self._control.close()
        self._control = None
        for child in {id(child): child for child in (*self._living.values(), *self._asked)}.values():
            if child.line.fileno() >= 0:
                child.close()
        if self._process is not None:
            # It is not ours to wait for.
            self._process.returncode = 0
        self._process = self._spare = None
        self._living.clear()
        self._asked.clear()

    def memory_pids(self) -> list[int]:
        """Return the pids of the nursery and its children."""
        return [*self._nursery_pid(), *self._living]

    def _revive(self) -> None:
        self.notice()
        if self._spare is not None and self._spare.ended:
            self._spare.close()
            self._spare = None
        if self._control is None:
            self.start()

    def _ask(self) -> Child:
        ours, theirs = socket.socketpair()
        out_reading, out_writing = os.pipe()
        err_reading, err_writing = os.pipe()
        child = Child(ours, out_reading, err_reading)
        try:
            socket.send_fds(self.control, [wire.FORK], [theirs.fileno(), out_writing, err_writing])
            self._asked.append(child)
        except OSError:
            child.status = 0
        finally:
            theirs.close()
            os.close(out_writing)
            os.close(err_writing)
        ours.setblocking(False)
        os.set_blocking(out_reading, False)
        os.set_blocking(err_reading, False)
        return child

    def _wait(self, seconds: float) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self.control, selectors.EVENT_READ)
            if selector.select(seconds):
                self.notice()

    def _nursery_pid(self) -> set[int]:
        return {self._process.pid} if self._process else set()

    def _bury_orphans(self) -> bool:
        """Take the status of orphans that have ended, or they stay as zombies; tell whether there were any orphans."""
        if not self._adopts:
            return False
        orphans = descendants([os.getpid()], leave_out=self._nursery_pid(), deep=False)
        for pid in orphans:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
        return bool(orphans)

    def _note_end(self, pid: int, status: int) -> None:
        self._leaving.pop(pid, None)
        child = self._living.pop(pid, None)
        if child is not None:
            child.status = status

    def _nursery_died(self) -> None:
        """All children die with their nursery."""
        if self._control is not None:
            self._control.close()
        self._control = None
        for child in [*self._living.values(), *self._asked]:
            child.status = signal.SIGKILL
            child.orphaned = True
            if child.pid:
                kill_processes([child.pid])
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        kill_processes(marked_processes(MARK, self._worker))
        self._process = None
        self._living.clear()
        self._leaving.clear()
        self._asked.clear()
