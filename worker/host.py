"""Processes of this machine: who they are, whether they still live, and how they end together."""

import contextlib
import ctypes
import functools
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

#: All processes that come from a worker's nursery carry the worker's name in their environment, under this name.
MARK = "ERRAND_WORKER"

#: How soon a process sees that its parent is gone where the kernel does not tell it.
PARENT_SECONDS = 0.5

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


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


def process_name(first: str = "") -> str:
    """Return a name for this process as a worker. first: what it begins with; by default the host's name."""
    # The last part: in a container every first worker has the same host name and pid as the one before it.
    return f"{first or socket.gethostname()}-{os.getpid()}-{secrets.token_hex(2)}"


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


def die_with_parent(parent_pid: int, number: int = signal.SIGKILL) -> None:
    """End this process when its parent dies, however that dies. On Linux the kernel does it, elsewhere a thread.

    number: the signal that ends it.
    """
    if not sys.platform.startswith("linux"):
        watch = threading.Thread(target=_end_after, args=(parent_pid, number), name="parent", daemon=True)
        watch.start()
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
    # The parent may have died before the call: then no signal will ever come.
    if os.getppid() != parent_pid:
        os._exit(1)


def _end_after(parent_pid: int, number: int) -> None:
    while os.getppid() == parent_pid:
        time.sleep(PARENT_SECONDS)
    os.kill(os.getpid(), number)


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parent ends: so none gets out of sight. Linux only."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def kill_processes(pids: Iterable[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def stop_processes(pids: Iterable[int]) -> None:
    """Have them stand still: what does so starts nothing while it is being killed."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGSTOP)


def kill_group(group: int) -> None:
    """Kill what is left of a process group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def descendants(pids: Iterable[int], *, leave_out: Collection[int] = (), deep: bool = True) -> list[int]:
    """Return the children of `pids`, and theirs. What is in `leave_out` is left out, with all that came of it."""
    children = _children_of if _lists_children() else _children_by_parent()
    found: list[int] = []
    waiting = list(pids)
    while waiting:
        born = [pid for pid in children(waiting.pop()) if pid not in leave_out]
        found += born
        if deep:
            waiting += born
    return found


def marked_processes(name: str, value: str) -> list[int]:
    """Return the processes of this machine that were started with this in their environment, as far as we may look."""
    mark = f"{name}={value}".encode()
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
        except OSError:
            continue  # It has ended, or is somebody else's.
    return found


def memory_bytes(pids: Iterable[int]) -> int:
    """Return the memory that the processes use together, each page counted for every one of them."""
    return sum(_resident_bytes(pid) for pid in pids)


@functools.cache
def _lists_children() -> bool:
    """Tell whether there are files that list children: a kernel may be built without them."""
    return Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").exists()


def _children_of(pid: int) -> list[int]:
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError):
                found += map(int, _read(f"/proc/{pid}/task/{task}/children").split())
    return found


def _read(path: str) -> bytes:
    """Read a file of the kernel's. Without a file object: several of these are read after every run."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        parts = []
        while part := os.read(descriptor, 65_536):
            parts.append(part)
        return b"".join(parts)
    finally:
        os.close(descriptor)


def _children_by_parent() -> Callable[[int], list[int]]:
    answer = subprocess.run(["ps", "-axo", "pid=,ppid="], capture_output=True, text=True, check=False)
    children: dict[int, list[int]] = {}
    for line in answer.stdout.splitlines():
        pid, parent = map(int, line.split())
        children.setdefault(parent, []).append(pid)
    return lambda pid: children.get(pid, [])


def _resident_bytes(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            return int(file.read().split()[1]) * _PAGE_BYTES
    except (OSError, IndexError):
        return 0


_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


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
