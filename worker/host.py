"""Processes of this machine: who they are, whether they still live, and how they end together."""

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Process:
    """A process that can be told from a later one with the same pid."""

    host: str
    pid: int
    #: When it started, as its kernel counts it.
    started: str


def this_process() -> Process:
    pid = os.getpid()
    return Process(host=this_host(), pid=pid, started=start_time(pid) or "")


def this_host() -> str:
    """Name what shares our pids: two containers may have one host name, and a machine boots again."""
    return "/".join(part for part in (socket.gethostname(), _boot(), _pid_namespace()) if part)


def start_time(pid: int) -> str | None:
    """Return when the process started, in whatever unit the system counts; None when there is no such process."""
    if Path("/proc/self/stat").exists():
        return _start_time_linux(pid)
    answer = subprocess.run(
        ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return answer.stdout.strip() or None


def is_alive(process: Process) -> bool | None:
    """Tell whether the process lives; None where that cannot be seen from here."""
    if process.host != this_host():
        return None
    return start_time(process.pid) == process.started


def memory_of(pids: Iterable[int]) -> int:
    """Return the bytes that these processes use together; one that has ended uses none.

    What they share is counted once, as far as the kernel tells: a forked child costs only what it changed.
    """
    if Path("/proc/self/stat").exists():
        return sum(map(_memory_linux, pids))
    listed = ",".join(map(str, pids))
    answer = subprocess.run(["ps", "-o", "rss=", "-p", listed], capture_output=True, text=True, check=False)
    return sum(int(line) * 1024 for line in answer.stdout.split())


def die_with_parent(parent_pid: int) -> None:
    """End this process when its parent dies, however that dies. Linux only; elsewhere it does nothing."""
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    # The parent may have died before the call: then no signal will ever come.
    if os.getppid() != parent_pid:
        os._exit(1)


def kill_group(group: int) -> None:
    """Kill what is left of a process group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def _start_time_linux(pid: int) -> str | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return None
    # The name in parentheses may hold anything; what follows it is fixed.
    fields = stat.rpartition(")")[2].split()
    # A zombie has ended; only its parent has not noticed yet.
    return None if fields[0] in ("Z", "X") else fields[19]


def _memory_linux(pid: int) -> int:
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii")
        # "Pss:                9876 kB"
        return int(rollup.partition("\nPss:")[2].split(maxsplit=1)[0]) * 1024
    except (OSError, IndexError):
        return _resident_linux(pid)


def _resident_linux(pid: int) -> int:
    try:
        pages = Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]
    except (OSError, IndexError):
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return ""


def _pid_namespace() -> str:
    try:
        return str(os.stat("/proc/self/ns/pid").st_ino)
    except OSError:
        return ""
