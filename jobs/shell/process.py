"""Runs a program to its end: what it says is read as it comes, and nothing of it is left behind."""

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

#: What is done with a piece of what a program says.
Take = Callable[[bytes], None]

READ_BYTES = 64 * 1024

#: How often is looked whether a program has ended whose pipes others hold open.
LOOK_SECONDS = 0.1

#: What those may still say then.
LAST_WORDS_SECONDS = 1.0

#: How long a program has to end that is asked to.
GRACE_SECONDS = 2.0


def start(argv: Sequence[str], folder: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start a program without a shell, with nothing to read and a process group of its own. Raises OSError."""
    return subprocess.Popen(
        argv,
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
        process_group=0,
    )


def hear_out(process: subprocess.Popen[bytes], take_stdout: Take, take_stderr: Take) -> int:
    """Return the exit code of a program that was started; below 0: the signal that has ended it.

    Its group is gone when this returns, or is left by an exception; then it has had some time to end by itself.
    """
    both = ((process.stdout, take_stdout), (process.stderr, take_stderr))
    pipes = {pipe: take for pipe, take in both if pipe is not None}
    try:
        try:
            _hear(process, pipes)
            return process.wait()
        except BaseException:
            _signal(process, signal.SIGTERM)
            _hear(process, pipes, GRACE_SECONDS)
            with suppress(subprocess.TimeoutExpired):
                process.wait(GRACE_SECONDS)
            raise
    finally:
        _signal(process, signal.SIGKILL)
        for pipe in pipes:
            pipe.close()
        process.wait()


def _hear(
    process: subprocess.Popen[bytes], pipes: Mapping[IO[bytes], Take], seconds: float | None = None
) -> None:
    """Read what it says until it has ended; for at most so many seconds."""
    deadline = None if seconds is None else time.monotonic() + seconds
    with selectors.DefaultSelector() as selector:
        for pipe, take in pipes.items():
            selector.register(pipe, selectors.EVENT_READ, take)
        while selector.get_map() and (deadline is None or time.monotonic() < deadline):
            ready = selector.select(LOOK_SECONDS)
            for key, _ in ready:
                if piece := os.read(key.fd, READ_BYTES):
                    key.data(piece)
                else:
                    selector.unregister(key.fileobj)
            if process.poll() is not None:
                if not ready:
                    return  # What it has left behind holds the pipes.
                deadline = deadline or time.monotonic() + LAST_WORDS_SECONDS


def _signal(process: subprocess.Popen[bytes], number: int) -> None:
    """Tell the program and all that it has started."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
