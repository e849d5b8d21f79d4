"""Processes that a measure starts: all of them end with it, and what they cost can be read."""

import contextlib
import functools
import os
import signal
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from benchmarks.figures import NotMeasured
from worker.host import die_with_parent, kill_group, start_time

PROC = Path("/proc")

END_SECONDS = 15


class Program:
    """One started command with all that it starts itself."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                # A Ctrl-C is for us: we end it.
                start_new_session=True,
                # And should we be killed, it must not stay behind.
                preexec_fn=functools.partial(die_with_parent, os.getpid()),
            )
        self.log = log
        self._ended = False

    @property
    def pid(self) -> int:
        return self.process.pid

    def wait(self, seconds: float) -> int:
        """Return its exit status."""
        status = self.process.wait(seconds)
        self.end()
        return status

    def running(self) -> bool:
        return self.process.poll() is None

    def kill(self) -> None:
        """Kill it alone: what it leaves behind is for others to clear away."""
        self._ended = True
        self.process.kill()
        self.process.wait()

    def ended(self) -> int | None:
        """Return its exit status once it has ended by itself; then nothing is left for us to end."""
        status = self.process.poll()
        self._ended = self._ended or status is not None
        return status

    def end(self) -> None:
        """End it as a service manager would, and kill what is left of it."""
        if self._ended:
            return  # Its pid may belong to somebody else by now.
        self._ended = True
        everything = _started(family([self.pid]))
        self.process.terminate()
        try:
            self.process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        kill_group(self.pid)
        for pid, started in everything.items():
            if start_time(pid) == started:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def last_words(self) -> str:
        return self.log.read_text("utf-8", "replace")[-2000:]


def _started(pids: Iterable[int]) -> dict[int, str]:
    return {pid: started for pid in pids if (started := start_time(pid)) is not None}


def family(pids: Iterable[int]) -> list[int]:
    """Return these processes and all that descend from them. Linux only; elsewhere just these."""
    children: dict[int, list[int]] = {}
    for path in PROC.glob("[0-9]*/stat"):
        if fields := _stat(path):
            children.setdefault(int(fields[1]), []).append(int(path.parent.name))
    found: list[int] = []
    waiting = list(pids)
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        waiting += children.get(pid, [])
    return found


def cpu_seconds(pids: Iterable[int]) -> float:
    """Return the processor time these processes have used so far, with that of their ended children."""
    _require_proc()
    ticks = sum(sum(map(int, fields[11:15])) for pid in pids if (fields := _stat(PROC / str(pid) / "stat")))
    return ticks / os.sysconf("SC_CLK_TCK")


def pss_bytes(pids: Iterable[int]) -> int:
    """Return the memory of these processes; what several share counts once."""
    _require_proc()
    total = 0
    for pid in pids:
        try:
            text = (PROC / str(pid) / "smaps_rollup").read_text("ascii")
        except OSError:
            continue  # It has ended.
        total += sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))
    return total * 1024


def _require_proc() -> None:
    if not (PROC / "self" / "smaps_rollup").exists():
        raise NotMeasured("Only Linux tells what processes cost.")


def _stat(path: Path) -> list[str]:
    """Return the fields of a process from its state on; none when it has ended."""
    try:
        text = path.read_text("utf-8", "replace")
    except OSError:
        return []
    return text.rpartition(")")[2].split()
