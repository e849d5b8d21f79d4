"""Programs of our own that are copies of this process: what they all have loaded is in memory once.

Linux only: elsewhere libraries of the system do not stand to be used after a fork.
"""

import contextlib
import gc
import os
import pickle
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import IO, Any, NoReturn, TypeVar, cast

T = TypeVar("T")

POSSIBLE = sys.platform.startswith("linux")


#: Loaded before the first copy of a command is made. Their import only defines (`_load` does what is more).
LOADED = {
    "scheduler": ("worker.scheduler",),
    "slack": ("webapp.slack.app", "slack_bolt.adapter.socket_mode.builtin"),
    "web": ("webapp.app", "gunicorn.app.base", "webapp.patient_worker"),
    "worker": ("worker.run_worker",),
}

#: What Python, and we, do on these is not for a copy.
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE, signal.SIGCHLD)


def possible() -> bool:
    """Tell whether this process can be copied now: of one with threads only the thread that forks would be there."""
    return POSSIBLE and threading.active_count() == 1


class Copy:
    """A copy, in the words of `subprocess.Popen`."""

    def __init__(self, pid: int, output: IO[bytes]) -> None:
        self.pid = pid
        self.stdout = output
        self.returncode: int | None = None

    def poll(self) -> int | None:
        return self._wait(os.WNOHANG)

    def wait(self) -> int | None:
        return self._wait(0)

    def terminate(self) -> None:
        # Not once it has ended: its pid may be somebody else's then.
        if self.poll() is None:
            os.kill(self.pid, signal.SIGTERM)

    def _wait(self, options: int) -> int | None:
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, options)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode


def start_copy(arguments: Sequence[str], environment: Mapping[str, str], *, orphan_signal: int) -> Copy:
    """Have a copy of this process carry out our command line with `arguments`, in a session of its own.

    Call it from the main thread, and only where it is `possible`.
    orphan_signal: what the kernel sends to the copy when this process has ended.
    """
    _load(arguments[0], environment)
    reading, writing = os.pipe()
    _flush()
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        _be_the_copy(arguments, environment, writing, parent, orphan_signal)
    os.close(writing)
    return Copy(pid, open(reading, "rb", buffering=0))


def done_by_a_copy(work: Callable[[], T]) -> T:
    """Return what `work` returns, or raise what it raises. What it loads is not in our memory afterwards.

    Both must stand to be pickled.
    """
    if not possible():
        return work()
    reading, writing = os.pipe()
    _flush()
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        _answer(work, writing, parent)
    os.close(writing)
    try:
        with open(reading, "rb") as answer:
            said = answer.read()
    finally:
        os.waitpid(pid, 0)
    if not said:
        raise RuntimeError("A copy of this process ended before it had done its work.")
    done, value = pickle.loads(said)  # noqa: S301 (it is our own copy that says it)
    if not done:
        raise value
    return cast(T, value)


def _answer(work: Callable[[], Any], output: int, parent: int) -> NoReturn:
    try:
        from worker.host import die_with_parent

        die_with_parent(parent)
        try:
            answer = (True, work())
        except BaseException as error:
            answer = (False, error)
        _flush()
        with open(output, "wb") as file:
            pickle.dump(answer, file)
    finally:
        os._exit(0)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()


def _load(command: str, environment: Mapping[str, str]) -> None:
    # Read when the package of the titles is first imported: the environment is not to be written over with them.
    os.environ["SPT_NOENV"] = "1"
    import setproctitle  # noqa: F401
    from sqlalchemy import create_engine
    from sqlalchemy.orm import configure_mappers

    from store.html import warm_up

    for module in LOADED[command]:
        import_module(module)
    if url := environment.get("DATABASE_URL"):
        # Connects to nothing: its driver is loaded.
        create_engine(url)
    configure_mappers()
    warm_up()
    # The collector would write to what it looks at, and so to pages that are shared until then.
    gc.collect()
    gc.freeze()


def _be_the_copy(
    arguments: Sequence[str], environment: Mapping[str, str], output: int, parent: int, orphan_signal: int
) -> NoReturn:
    """Never returns: what stands further up the stack is the parent's."""
    status = 1
    try:
        _become(arguments, environment, output, parent, orphan_signal)
        from webapp.cli import main

        main(list(arguments), prog_name="./errand")
    except SystemExit as end:
        status = _status(end.code)
    except BaseException:
        traceback.print_exc()
    finally:
        _flush()
        os._exit(status)


def _become(
    arguments: Sequence[str], environment: Mapping[str, str], output: int, parent: int, orphan_signal: int
) -> None:
    from setproctitle import setproctitle

    from worker.host import die_with_parent

    # The first title tells the package where titles are kept: later it could not find that any more.
    setproctitle("errand")
    os.setsid()
    die_with_parent(parent, orphan_signal)
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    # The parent's files, its lock among them. The objects they belong to are still there, further up the stack.
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["./errand", *arguments]
    sys.stdin = open(0)  # noqa: SIM115
    sys.stdout = open(1, "w", buffering=1)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, errors="backslashreplace")  # noqa: SIM115
    # Last: by its name others know that nothing of the parent is left.
    setproctitle(f"errand {' '.join(arguments)}")


def _status(code: Any) -> int:
    """Return the exit status, as Python itself would for this exit."""
    if code is None:
        return 0
    if isinstance(code, int):
        return code
    print(code, file=sys.stderr)
    return 1
