"""Whether anything of a run sticks to its process: what can be put back is, what cannot is named."""

import faulthandler
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
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

#: Memory that a process may have gained and still be used again.
MOST_GAINED_BYTES = 200 * 1024**2

#: File descriptors that may stay open: libraries keep connections.
MOST_LEFT_OPEN = 20

#: A thread that was just started has come to its code within this.
START_SECONDS = 0.2

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
        self._threads, self._silent = _threads(), _silent_threads()
        self._memory = resident_bytes()
        self._open = _open_descriptors()
        self._limits = {number: resource.getrlimit(number) for number in _limits()}
        self._standard = _standard_files()
        self._hooks = sys.excepthook, sys.unraisablehook, sys.displayhook
        self._root_logger = _state_of(logging.root)
        self._loggers: dict[logging.Logger, _LoggerState] = {}
        self.note_loggers()

    def note_loggers(self) -> None:
        """Remember how loggers are set up: that is how `restore` sets them up again."""
        self._loggers = {logger: _state_of(logger) for logger in _loggers()}
        # While a run goes on, its root logger has a handler that belongs to that run.
        self._loggers[logging.root] = self._root_logger

    def restore(self) -> list[str]:
        """Put back what a run changed; return what cannot be put back, each in a few words."""
        self._wait_for_threads()
        sticks = [*_left_running(self._threads), *self._grown()]
        with suppress(OSError):
            os.chdir(self._folder)
        if dict(os.environ) != self._environment:
            os.environ.clear()
            os.environ.update(self._environment)
            time.tzset()
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
        if _standard_files() != self._standard:
            sticks.append("standard files")
        self._restore_python()
        self._restore_loggers()
        self._restore_limits()
        return sticks

    def _wait_for_threads(self) -> None:
        """Let threads come to their code that were started just now; others are waited for once only."""
        deadline = time.monotonic() + START_SECONDS
        while _silent_threads() > self._silent and time.monotonic() < deadline:
            time.sleep(0.001)
        self._silent = _silent_threads()

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
        sys.setprofile(None)
        sys.settrace(None)
        threading.setprofile(None)
        threading.settrace(None)
        sys.excepthook, sys.unraisablehook, sys.displayhook = self._hooks
        # A watchdog that ends the process is none of the next run's.
        faulthandler.cancel_dump_traceback_later()
        gc.enable()
        with suppress(locale.Error):
            locale.setlocale(locale.LC_ALL, self._locale)
        # Runs must not share a sequence because they share a process, nor because children share a parent.
        random.seed()

    def _restore_loggers(self) -> None:
        logging.disable(logging.NOTSET)
        for logger in _loggers():
            state = self._loggers.get(logger, _UNTOUCHED)
            if _state_of(logger) != state:
                _put_back(logger, state)

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


class _LoggerState(NamedTuple):
    level: int
    propagate: bool
    disabled: bool
    handlers: tuple[logging.Handler, ...]
    filters: tuple[Any, ...]


#: How a logger is that was made in a run.
_UNTOUCHED = _LoggerState(logging.NOTSET, True, False, (), ())


def _loggers() -> list[logging.Logger]:
    known = list(logging.root.manager.loggerDict.values())
    return [logging.root, *(logger for logger in known if isinstance(logger, logging.Logger))]


def _state_of(logger: logging.Logger) -> _LoggerState:
    return _LoggerState(
        logger.level, logger.propagate, logger.disabled, tuple(logger.handlers), tuple(logger.filters)
    )


def _put_back(logger: logging.Logger, state: _LoggerState) -> None:
    # By its method: what it remembers of levels has to be forgotten.
    logger.setLevel(state.level)
    logger.propagate, logger.disabled = state.propagate, state.disabled
    logger.handlers[:] = state.handlers
    logger.filters[:] = state.filters


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
    return sorted({getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")})


def _standard_files() -> list[tuple[int, int] | None]:
    """Name the files behind stdin, stdout and stderr; None for one that was closed."""
    found: list[tuple[int, int] | None] = []
    for descriptor in range(3):
        try:
            status = os.fstat(descriptor)
            found.append((status.st_dev, status.st_ino))
        except OSError:
            found.append(None)
    return found


def _umask() -> int:
    value = os.umask(0o022)
    os.umask(value)
    return value


def _threads() -> int:
    # Not those that `threading` knows: a thread can be started past it.
    return len(sys._current_frames())


def _silent_threads() -> int:
    """Count the threads that have not come to their first line of Python: just started, or a library's, which never do."""
    try:
        return len(os.listdir("/proc/self/task")) - _threads()
    except OSError:
        return 0


def _left_running(threads_before: int) -> list[str]:
    found: list[str] = []
    threads = _threads() - threads_before
    if threads > 0:
        found.append(f"{threads} running thread{'s' if threads > 1 else ''}")
    with suppress(ChildProcessError):
        # Those that have ended already only wait to be taken leave of.
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
        found.append("child processes")
    return found
