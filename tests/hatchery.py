"""Processes of our commands without the second that Python takes to load them.

A process that has loaded all of it (`python -m tests.hatchery <fd>`) forks a copy for each; what a copy is given, does
and leaves behind is its own, as with a process that was started in full. The tests of the launcher start theirs in full.
"""

import contextlib
import functools
import inspect
import json
import os
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import traceback
from importlib import import_module
from typing import Any, NoReturn

from store.settings import PROJECT_ROOT
from worker import failpoints

LOADED = ("worker.run_worker", "worker.scheduler", "webapp.cli.processes", "webapp.app")


class Program(subprocess.Popen):
    """`python -m module arguments`, as `subprocess.Popen` has it."""

    def __init__(self, module: str, *arguments: str, **options: Any) -> None:
        self._module = module
        super().__init__([sys.executable, "-m", module, *arguments], **options)

    def _execute_child(self, *given: Any) -> None:
        asked = inspect.signature(super()._execute_child).bind(*given).arguments
        environment = os.environ if asked["env"] is None else asked["env"]
        if "LD_PRELOAD" in environment:
            # What is to be loaded before Python cannot come after it.
            super()._execute_child(*given)
            return
        standard = [asked[name] for name in ("p2cread", "c2pwrite", "errwrite")]
        descriptors = [number if theirs == -1 else theirs for number, theirs in enumerate(standard)]
        order = [self._module, asked["args"][3:], dict(environment), str(asked["cwd"] or os.getcwd())]
        self.pid = hatchery().hatch(order, descriptors)
        self._child_created = True
        pipes = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")
        self._close_pipe_fds(*(asked[name] for name in pipes))

    # What Popen asks the kernel of its own children, the hatchery is asked of its.

    def _try_wait(self, options: int) -> tuple[int, int]:
        if not self._hatched:
            return super()._try_wait(options)
        status = hatchery().ended(self.pid, wait=not options & os.WNOHANG)
        return (0, 0) if status is None else (self.pid, status)

    def _internal_poll(self, *given: Any, **options: Any) -> int | None:
        if not self._hatched:
            return super()._internal_poll(*given, **options)
        if self.returncode is None:
            pid, status = self._try_wait(os.WNOHANG)
            if pid:
                self._handle_exitstatus(status)
        return self.returncode

    @property
    def _hatched(self) -> bool:
        return self.pid in hatchery().living


class Hatchery:
    """The test's end of it."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._line = ours
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "tests.hatchery", str(theirs.fileno())],
            pass_fds=(theirs.fileno(),),
            cwd=PROJECT_ROOT,
            env={
                **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
                "PYTHONPATH": str(PROJECT_ROOT),
                "PYTHONWARNINGS": "default",
                "SPT_NOENV": "1",
            },
        )
        theirs.close()
        #: {pid: wait status, None while it lives}
        self.living: dict[int, int | None] = {}

    def hatch(self, order: list[Any], descriptors: list[int]) -> int:
        """Have a process made that carries out an order; return its pid."""
        text = os.memfd_create("order")
        os.write(text, json.dumps(order).encode())
        socket.send_fds(self._line, [b"f"], [text, *descriptors])
        os.close(text)
        while (told := self._hear())[0] != "forked":
            pass
        self.living[told[1]] = None
        return int(told[1])

    def ended(self, pid: int, *, wait: bool) -> int | None:
        """Return the wait status of a process; None: it lives."""
        self._line.setblocking(wait)
        try:
            while self.living[pid] is None:
                self._hear()
        except BlockingIOError:
            pass
        finally:
            self._line.setblocking(True)
        return self.living[pid]

    def _hear(self) -> list[Any]:
        said = self._line.recv(1024)
        assert said, "The hatchery has died."
        told: list[Any] = json.loads(said)
        if told[0] == "ended":
            self.living[told[1]] = told[2]
        return told


@functools.cache
def hatchery() -> Hatchery:
    return Hatchery()


# --- Its own process -------------------------------------------------------------------------------------------


def main(line: socket.socket) -> None:
    for module in LOADED:
        import_module(module)
    from sqlalchemy import create_engine
    from sqlalchemy.orm import configure_mappers

    from store import plugins
    from store.html import warm_up
    from store.timing import zones

    for url in ("sqlite://", "postgresql+psycopg://"):
        create_engine(url)
    configure_mappers()
    warm_up()
    # Both look through many files, and find the same for every process.
    zones.zone_named("UTC")
    plugins.entry_points = functools.cache(plugins.entry_points)
    plugins.find_plugins(())
    reading, writing = os.pipe()
    for end in (reading, writing):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    # Ctrl-C is for the tests to handle.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    selector = selectors.DefaultSelector()
    for source in (line, reading):
        selector.register(source, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            if key.fileobj is not line:
                _tell_ends(line, reading)
            elif not _hatch(line, (reading, writing)):
                return


def _hatch(line: socket.socket, pipe: tuple[int, int]) -> bool:
    """Fork one process; False when the tests are over."""
    asked, received, _, _ = socket.recv_fds(line, 1, 4)
    if not asked:
        return False
    text, *descriptors = received
    with open(text, "rb") as file:
        file.seek(0)
        order = json.load(file)
    pid = os.fork()
    if pid == 0:
        _be_it(*order, descriptors)
    for descriptor in descriptors:
        os.close(descriptor)
    line.send(json.dumps(["forked", pid]).encode())
    return True


def _tell_ends(line: socket.socket, reading: int) -> None:
    with contextlib.suppress(BlockingIOError):
        os.read(reading, 4096)
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        line.send(json.dumps(["ended", pid, status]).encode())


def _be_it(
    module: str, arguments: list[str], environment: dict[str, str], folder: str, descriptors: list[int]
) -> NoReturn:
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for number, descriptor in enumerate(descriptors):
            os.dup2(descriptor, number)
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        # Read when it was loaded, and that was not for this process.
        failpoints._passes.update(failpoints._read(environment.get(failpoints.VARIABLE, "")))
        sys.argv = [module, *arguments]
        sys.stdin = open(0)  # noqa: SIM115
        sys.stdout = open(1, "w", buffering=1)  # noqa: SIM115
        sys.stderr = open(2, "w", buffering=1, errors="backslashreplace")  # noqa: SIM115
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
        if status and not isinstance(end.code, int):
            print(end.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(status)


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])))
