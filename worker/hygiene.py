"""Whether anything of a run sticks to its process: what can be put back is, what cannot is named."""

import gc
import locale
import logging
import os
import random
import resource
import signal
import socket
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

#: Memory that a process may have gained and still be used again.
MOST_GAINED_BYTES = 200 * 1024**2

#: File descriptors that may stay open: libraries keep connections.
MOST_LEFT_OPEN = 20

_CATCHABLE = sorted(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})


class Baseline:
    """The state of a fresh process."""

    def __init__(self) -> None:
        self._folder = os.getcwd()
        self._environment = dict(os.environ)
        self._path = list(sys.path)
        self._meta_path = len(sys.meta_path)
        self._umask = _umask()
        self._handlers = {number: signal.getsignal(number) for number in _CATCHABLE}
        self._owner = (os.getuid(), os.geteuid(), os.getgid(), os.getegid(), os.nice(0))
        self._recursion = sys.getrecursionlimit()
        self._locale = locale.setlocale(locale.LC_ALL)
        self._memory = resident_bytes()
        self._open = _open_descriptors()
        self._limits = {number: resource.getrlimit(number) for number in _limits()}

    def restore(self) -> list[str]:
        """Put back what a run changed; return what cannot be put back, each in a few words."""
        sticks = [*_left_running(), *self._grown()]
        with suppress(OSError):
            os.chdir(self._folder)
        if dict(os.environ) != self._environment:
            os.environ.clear()
            os.environ.update(self._environment)
        sys.path[:] = self._path
        os.umask(self._umask)
        for number, handler in self._handlers.items():
            # None: a handler that was not installed from Python, and that Python cannot put back.
            if handler is not None and signal.getsignal(number) is not handler:
                signal.signal(number, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        for timer in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF):
            signal.setitimer(timer, 0)
        sticks += self._owner_changed()
        self._restore_python()
        self._restore_limits()
        return sticks

    def limit_memory(self, megabytes: float) -> None:
        """Let an allocation fail that would go far beyond the limit; what grows slowly is seen from outside."""
        if not sys.platform.startswith("linux") or not megabytes:
            return
        _, hard = self._limits[resource.RLIMIT_AS]
        # Twice the limit, on top of what is mapped: libraries reserve room that they never use.
        most = _mapped_bytes() + int(2 * megabytes * 1024**2)
        with suppress(ValueError, OSError):
            resource.setrlimit(
                resource.RLIMIT_AS, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard)
            )

    def _restore_python(self) -> None:
        sys.setrecursionlimit(self._recursion)
        socket.setdefaulttimeout(None)
        logging.disable(logging.NOTSET)
        root = logging.getLogger()
        root.setLevel(logging.WARNING)
        for handler in root.handlers[:]:
            root.removeHandler(handler)
        sys.setprofile(None)
        sys.settrace(None)
        gc.enable()
        with suppress(locale.Error):
            locale.setlocale(locale.LC_ALL, self._locale)
        # Runs must not share a sequence because they share a process, nor because children share a parent.
        random.seed()

    def _restore_limits(self) -> None:
        for number, (soft, hard) in self._limits.items():
            with suppress(ValueError, OSError):
                if resource.getrlimit(number) != (soft, hard):
                    resource.setrlimit(number, (soft, hard))

    def _grown(self) -> list[str]:
        found = []
        if resident_bytes() - self._memory > MOST_GAINED_BYTES:
            found.append("memory")
        if _open_descriptors() - self._open > MOST_LEFT_OPEN:
            found.append("open files")
        if len(sys.meta_path) - self._meta_path > MOST_LEFT_OPEN:
            found.append("import hooks")
        return found

    def _owner_changed(self) -> list[str]:
        now = (os.getuid(), os.geteuid(), os.getgid(), os.getegid(), os.nice(0))
        lowered = any(resource.getrlimit(number)[1] != hard for number, (_, hard) in self._limits.items())
        return ["user or priority"] * (now != self._owner) + ["limits"] * lowered


def resident_bytes() -> int:
    return _statm(1)


def _mapped_bytes() -> int:
    return _statm(0)


def _statm(field: int) -> int:
    try:
        pages = Path("/proc/self/statm").read_bytes().split()[field]
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return int(pages) * resource.getpagesize()


def _open_descriptors() -> int:
    for folder in ("/proc/self/fd", "/dev/fd"):
        with suppress(OSError):
            return len(os.listdir(folder))
    return 0


def _limits() -> list[int]:
    names = ("RLIMIT_AS", "RLIMIT_FSIZE", "RLIMIT_NOFILE", "RLIMIT_CPU", "RLIMIT_CORE", "RLIMIT_STACK")
    return [getattr(resource, name) for name in names if hasattr(resource, name)]


def _umask() -> int:
    value = os.umask(0o022)
    os.umask(value)
    return value


def _left_running() -> list[str]:
    found: list[str] = []
    threads: Any = [thread for thread in threading.enumerate() if thread is not threading.main_thread()]
    if threads:
        found.append(f"{len(threads)} running thread{'s' if len(threads) > 1 else ''}")
    try:
        os.waitpid(-1, os.WNOHANG)
        found.append("child processes")
    except ChildProcessError:
        pass
    return found
