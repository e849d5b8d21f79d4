"""Discovery, watched from outside: a process of its own loads every job file, and may hang or crash on any of them."""

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import IO, Any

from jobs.loading import Source
from store.settings import environment_of_jobs
from store.text import clean_json, clean_text

#: How long one file may take to load.
MODULE_SECONDS = 10.0

#: How long the interpreter may take to start and to list the files.
START_SECONDS = 30.0

#: How long a file that hangs may take to say where.
ANSWER_SECONDS = 0.3

#: The longest tail of what a broken file wrote to stderr that is worth keeping.
MOST_OUTPUT = 4_000


@dataclass
class Found:
    """What discovery said of one module."""

    source: str
    module: str
    path: str
    digest: str = ""
    #: {module: digest} of what it imports of its own source.
    siblings: dict[str, str] = field(default_factory=dict)
    jobs: list[dict[str, Any]] = field(default_factory=list)
    errors: list[dict[str, str]] = field(default_factory=list)
    #: {"name", "description", "restricted", "default_channel"} of each that it describes.
    namespaces: list[dict[str, Any]] = field(default_factory=list)
    #: What its author had better change, in the shape of errors. Its jobs are there all the same.
    advice: list[dict[str, str]] = field(default_factory=list)


def discover(
    sources: list[Source],
    *,
    plugins: Sequence[str] = (),
    module_seconds: float = MODULE_SECONDS,
    only: list[list[str]] | None = None,
) -> list[Found]:
    """Load every module of `sources` in child processes, and go on behind one that hangs or crashes.

    plugins: the packages whose models job files may ask for by name.
    only: [source, module] of the ones to load; of the others no more is said than that they are there.
    """
    found: dict[tuple[str, str], Found] = {}
    clashes: list[Found] = []
    while only is None or only:
        child = _Child(
            {"sources": [source.as_data() for source in sources], "plugins": list(plugins), "only": only},
            module_seconds,
        )
        for frame in child.frames():
            _take(frame, found, clashes)
        if only is None and child.listed is None:
            raise RuntimeError(f"Discovery could not start: {child.output}")
        if child.stopped_at is not None:
            source, module = child.stopped_at
            error = {"message": child.verdict(found[(source, module)].path), "traceback": child.output}
            found[(source, module)].errors.append(error)
        before = child.listed if only is None else only
        done = child.done | ({child.stopped_at} if child.stopped_at else set())
        rest = [[source, module] for source, module in before or [] if (source, module) not in done]
        if rest and only is not None and len(rest) == len(only):
            raise RuntimeError(f"Discovery stopped for an unknown reason: {child.output}")
        only = rest
    return [*found.values(), *clashes]


def _take(frame: dict[str, Any], found: dict[tuple[str, str], Found], clashes: list[Found]) -> None:
    for source, module, path in frame.get("modules", ()):
        found.setdefault((source, module), Found(source, module, path))
    if "clash" in frame:
        clash = frame["clash"]
        error = {"message": clash["message"], "traceback": ""}
        clashes.append(Found(clash["source"], clash["module"], clash["path"], errors=[error]))
    if "end" in frame:
        module_found = found[(frame["end"][0], frame["end"][1])]
        module_found.digest = frame["digest"]
        module_found.siblings = frame["siblings"]
        module_found.jobs = frame["jobs"]
        module_found.errors = frame["errors"]
        module_found.advice = frame["advice"]
        module_found.namespaces = frame["namespaces"]


class _Child:
    """One process of `jobs.discovery`, watched from outside."""

    def __init__(self, request: dict[str, Any], module_seconds: float) -> None:
        self._request = request
        self._module_seconds = module_seconds
        #: The tail of what it wrote, once it has ended.
        self.output = ""
        self._timed_out = False
        #: (source, module) of all modules, once the child has said so.
        self.listed: list[tuple[str, str]] | None = None
        self.done: set[tuple[str, str]] = set()
        #: The module whose loading ended the child, if one did.
        self.stopped_at: tuple[str, str] | None = None

    def frames(self) -> Iterator[dict[str, Any]]:
        """Yield what the child says, until it ends or a module takes too long."""
        reading, writing = os.pipe()
        with tempfile.TemporaryFile() as output:
            child = subprocess.Popen(
                [sys.executable, "-m", "jobs.discovery", str(writing)],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                pass_fds=(writing,),
                env=environment_of_jobs(),
                # A group of its own: what a job file starts is ended with it.
                start_new_session=True,
            )
            os.close(writing)
            try:
                with suppress(BrokenPipeError):
                    self._send(child)
                yield from self._read(reading)
            finally:
                os.close(reading)
                if self._timed_out:
                    _ask_where(child)
                with suppress(ProcessLookupError):
                    os.killpg(child.pid, signal.SIGKILL)
                child.wait()
                self.output = _tail(output)

    def _send(self, child: "subprocess.Popen[bytes]") -> None:
        if child.stdin is not None:
            child.stdin.write(json.dumps(self._request).encode())
            child.stdin.close()

    def _read(self, reading: int) -> Iterator[dict[str, Any]]:
        buffer = b""
        deadline = time.monotonic() + START_SECONDS
        while True:
            ready, _, _ = select.select([reading], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                self._timed_out = True
                return
            chunk = os.read(reading, 65_536)
            if not chunk:
                return
            buffer += chunk
            *lines, buffer = buffer.split(b"\n")
            for frame in filter(None, map(_frame, lines)):
                self._follow(frame)
                deadline = time.monotonic() + self._module_seconds
                yield frame

    def _follow(self, frame: dict[str, Any]) -> None:
        if "modules" in frame:
            self.listed = [(source, module) for source, module, _ in frame["modules"]]
        if "begin" in frame:
            self.stopped_at = (frame["begin"][0], frame["begin"][1])
        if "end" in frame:
            self.done.add((frame["end"][0], frame["end"][1]))
            self.stopped_at = None

    def verdict(self, path: str) -> str:
        """Say what became of the module at which the child stopped."""
        if self._timed_out:
            return f"{path} was still loading after {self._module_seconds:g} seconds and was stopped."
        return f"{path} ended the process that loaded it."


def _frame(line: bytes) -> dict[str, Any] | None:
    """Return what the child said, fit for any database; None for a line that only a job file can have written."""
    try:
        frame = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return clean_json(frame) if isinstance(frame, dict) else None


def _tail(file: IO[bytes]) -> str:
    file.seek(0, os.SEEK_END)
    file.seek(max(0, file.tell() - MOST_OUTPUT))
    return clean_text(file.read().decode("utf-8", "replace"))


def _ask_where(child: "subprocess.Popen[bytes]") -> None:
    """Have the child write where it is; it may be too far gone to answer."""
    child.send_signal(signal.SIGUSR1)
    with suppress(subprocess.TimeoutExpired):
        child.wait(ANSWER_SECONDS)
