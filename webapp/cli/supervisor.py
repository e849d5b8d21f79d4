"""Keeps child processes running, shows what they print, and leaves none behind."""

import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TextIO

from webapp.cli import copies
from webapp.cli.copies import Copy, start_copy

FIRST_DELAY_SECONDS = 1.0
LONGEST_DELAY_SECONDS = 30.0
#: Who ran this long is healthy: its next end counts as the first.
HEALTHY_SECONDS = 60.0
#: How long a child may take to end when asked to.
GRACE_SECONDS = 10.0
#: A line longer than this is shown in pieces.
LONGEST_LINE_BYTES = 65536

NAME_WIDTH = len("scheduler")
COLOURS = (36, 32, 33, 35, 34, 31)

# Runs a command that the kernel ends when our process has ended, even by kill -9 (Linux only: elsewhere it just
# runs it). Exec'ed rather than set between fork and exec, where a process with threads may hardly do anything.
LEASH = """
import ctypes, os, sys
parent, number = int(sys.argv[1]), int(sys.argv[2])
if sys.platform == "linux":
    PR_SET_PDEATHSIG = 1
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit("The parent ended meanwhile.")
try:
    os.execv(sys.argv[3], sys.argv[3:])
except OSError as error:
    sys.exit(f"{sys.argv[3]} cannot be run: {error.strerror}")
"""


@dataclass(frozen=True)
class Program:
    """What to run: a command, which starts with the full path of the program, or a command of our own."""

    name: str
    command: Sequence[str] = ()
    #: Arguments of our own command line. Such programs share the memory for what they have loaded alike.
    ours: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    #: What the kernel sends it when the supervisor was killed.
    orphan_signal: int = signal.SIGTERM
    #: False: its end is the end; True: it is started again.
    restart: bool = True
    #: Called before each start; may clear away what a killed one left.
    before_start: Callable[[], object] | None = None


@dataclass(eq=False)
class Child:
    """One program as it stands: running, or waiting for its next start."""

    program: Program
    stage: int
    process: subprocess.Popen[bytes] | Copy | None = None
    started_at: float = 0.0
    #: When to start it (again), on the supervisor's clock; None while it runs or has ended for good.
    due_at: float | None = None
    delay_seconds: float = 0.0
    ended: bool = False
    exit_code: int | None = None
    unfinished_line: bytearray = field(default_factory=bytearray)


class Supervisor:
    """Runs programs in stages; stops the last stage first.

    Call everything from the main thread: the kernel takes the end of the starting thread for our end.
    """

    def __init__(
        self,
        output: TextIO | None = None,
        *,
        first_delay_seconds: float = FIRST_DELAY_SECONDS,
        longest_delay_seconds: float = LONGEST_DELAY_SECONDS,
        healthy_seconds: float = HEALTHY_SECONDS,
        grace_seconds: float = GRACE_SECONDS,
    ) -> None:
        self.output = output or sys.stderr
        self.first_delay_seconds = first_delay_seconds
        self.longest_delay_seconds = longest_delay_seconds
        self.healthy_seconds = healthy_seconds
        self.grace_seconds = grace_seconds
        self.children: list[Child] = []
        self._selector = selectors.DefaultSelector()
        self._stages = 0
        self._stopping = False
        self._coloured = self.output.isatty() and not os.environ.get("NO_COLOR")

    # --- Starting and watching ---

    def start(self, *programs: Program) -> None:
        """Start `programs` as the next stage."""
        children = [Child(program, self._stages) for program in programs]
        self._stages += 1
        self.children.extend(children)
        for child in children:
            self._start(child)

    def run_once(self, timeout_seconds: float = 0.2) -> None:
        """Wait for something to happen, at most this long; show output and restart what is due."""
        self._show_output(timeout_seconds)
        for child in self.children:
            if child.process is not None and child.process.poll() is not None:
                self._note_end(child)
            elif child.due_at is not None and time.monotonic() >= child.due_at:
                self._start(child)

    def run(self) -> None:
        """Watch until every program has ended for good."""
        while not all(child.ended for child in self.children):
            self.run_once()

    def running(self, name: str) -> bool:
        return self.pid(name) is not None

    def pid(self, name: str) -> int | None:
        for child in self.children:
            if child.program.name == name and child.process is not None and child.process.poll() is None:
                return child.process.pid
        return None

    def _start(self, child: Child) -> None:
        program = child.program
        child.due_at = None
        child.started_at = time.monotonic()
        try:
            if program.before_start:
                program.before_start()
            child.process = self._spawn(program)
        except Exception as error:
            if child.delay_seconds == 0:
                raise
            self.say(program.name, f"could not be started: {error}")
            self._schedule(child)
            return
        stream = _output_of(child.process)
        os.set_blocking(stream.fileno(), False)
        self._selector.register(stream, selectors.EVENT_READ, child)

    def _spawn(self, program: Program) -> subprocess.Popen[bytes] | Copy:
        if program.ours and copies.possible():
            return start_copy(program.ours, program.environment, orphan_signal=program.orphan_signal)
        command = our_command(*program.ours) if program.ours else program.command
        leash = [sys.executable, "-I", "-S", "-c", LEASH, str(os.getpid()), str(int(program.orphan_signal))]
        return subprocess.Popen(
            [*leash, *command],
            env=program.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            # Ctrl-C in the terminal must reach us alone: we end the children in the right order.
            start_new_session=True,
        )

    def _note_end(self, child: Child) -> None:
        process = child.process
        if process is None or process.returncode is None:
            return
        # What it started and left, such as the half of a killed web server, would be in the way of the next one.
        end_session(process.pid)
        self._drain(child)
        child.process, child.exit_code = None, process.returncode
        if self._stopping or not child.program.restart:
            child.ended = True
            return
        if time.monotonic() - child.started_at >= self.healthy_seconds:
            child.delay_seconds = 0
        self._schedule(child)
        self.say(
            child.program.name,
            f"ended ({_how(process.returncode)}); starting it again in {child.delay_seconds:g} s",
        )

    def _schedule(self, child: Child) -> None:
        longer = child.delay_seconds * 2 or self.first_delay_seconds
        child.delay_seconds = min(longer, self.longest_delay_seconds)
        child.due_at = time.monotonic() + child.delay_seconds

    # --- Output ---

    def say(self, name: str, line: str) -> None:
        """Show one line under the prefix of `name`."""
        prefix = f"{name:<{NAME_WIDTH}} | "
        if self._coloured:
            prefix = f"\x1b[{self._colour(name)}m{prefix}\x1b[0m"
        try:
            self.output.write(f"{prefix}{line}\n")
            self.output.flush()
        except OSError:
            pass  # The terminal is gone. That must not stop the watch; SIGHUP ends us if it is meant to.

    def _colour(self, name: str) -> int:
        names = [child.program.name for child in self.children]
        return COLOURS[names.index(name) % len(COLOURS)] if name in names else 1

    def _show_output(self, timeout_seconds: float) -> None:
        if not self._selector.get_map():
            time.sleep(timeout_seconds)
            return
        for key, _ in self._selector.select(timeout_seconds):
            self._read(key.data, key.fileobj)  # type: ignore[arg-type]

    def _read(self, child: Child, stream: IO[bytes]) -> bool:
        """Show what has come. False: nothing more for now, or for ever."""
        try:
            chunk = os.read(stream.fileno(), LONGEST_LINE_BYTES)
        except BlockingIOError:
            return False
        if not chunk:
            self._forget(child, stream)
            return False
        child.unfinished_line += chunk
        *lines, rest = child.unfinished_line.split(b"\n")
        if len(rest) > LONGEST_LINE_BYTES:
            lines, rest = [*lines, rest], bytearray()
        child.unfinished_line = rest
        for line in lines:
            self.say(child.program.name, line.decode("utf-8", "replace").rstrip("\r"))
        return True

    def _drain(self, child: Child) -> None:
        """Show the last words of a process that has ended."""
        stream = _output_of(child.process)
        # A pipe holds so much and no more: further output is that of a stranger who still holds it open.
        for _ in range(16):
            if stream.closed or not self._read(child, stream):
                break
        if not stream.closed:
            self._forget(child, stream)

    def _forget(self, child: Child, stream: IO[bytes]) -> None:
        self._selector.unregister(stream)
        stream.close()
        if child.unfinished_line:
            self.say(child.program.name, child.unfinished_line.decode("utf-8", "replace"))
            child.unfinished_line = bytearray()

    # --- Stopping ---

    def stop(self) -> None:
        """End every program, the last stage first: ask, wait, then kill. Another Ctrl-C kills at once."""
        self._stopping = True
        try:
            for stage in reversed(range(self._stages)):
                self._stop_stage([child for child in self.children if child.stage == stage])
        except KeyboardInterrupt:
            self.say("errand", "Ending everything at once.")
        finally:
            self._kill([child for child in self.children if child.process is not None])
            self._selector.close()

    def _stop_stage(self, children: list[Child]) -> None:
        for child in children:
            child.due_at = None
            if child.process is not None and child.process.poll() is None:
                child.process.terminate()
        end = time.monotonic() + self.grace_seconds
        while any(child.process is not None for child in children) and time.monotonic() < end:
            self.run_once(0.05)
        late = [child for child in children if child.process is not None]
        for child in late:
            self.say(child.program.name, f"did not end within {self.grace_seconds:g} s and is killed")
        self._kill(late)

    def _kill(self, children: list[Child]) -> None:
        for child in children:
            if child.process is not None:
                end_session(child.process.pid)
                child.process.wait()
                self._note_end(child)


def our_command(*arguments: str) -> list[str]:
    """Return the command line that runs this command line again, with the same Python."""
    # -P: nothing in the current folder may be taken for a module of ours.
    return [sys.executable, "-P", "-m", "webapp.cli", *arguments]


def end_session(leader: int) -> None:
    """Kill what is left of the session that the process `leader` began: its groups, on Linux every one."""
    for group in {leader, *_groups_of_session(leader)}:
        try:
            os.killpg(group, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass


def _groups_of_session(session: int) -> set[int]:
    groups = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The name in parentheses may hold anything; after it come state, parent, group, session.
            fields = stat.read_bytes().rpartition(b")")[2].split()
        except OSError:
            continue
        if fields and int(fields[3]) == session:
            groups.add(int(fields[2]))
    return groups


def _output_of(process: subprocess.Popen[bytes] | Copy | None) -> IO[bytes]:
    if process is None or process.stdout is None:
        raise ValueError("The process was started without a pipe for its output.")
    return process.stdout


def _how(exit_code: int) -> str:
    if exit_code < 0:
        return f"killed by {signal.Signals(-exit_code).name}"
    return f"exit code {exit_code}"
