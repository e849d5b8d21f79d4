"""What a worker and the process of a job say to each other: one JSON array a line, the first member names its kind."""

import json
import socket
from typing import Any, TypedDict

#: Neither side writes longer lines (the longest is the end of a run with all it may keep, see jobs.lifecycle);
#: a job's code that got hold of the line might.
LONGEST_LINE_BYTES = 16 * 1024**2

READ_BYTES = 256 * 1024

#: What a worker writes to its nursery to have a child forked.
FORK = b"f"

Frame = list[Any]


class Order(TypedDict):
    """The facts of a run, as JSON."""

    result_id: str
    attempt: int
    #: Of the schedule that made the run, or of its job: 32 digits.
    job_id: str
    class_path: str
    username: str
    data: dict[str, Any]
    commit: bool
    profile: bool
    read_only: bool
    soft_time_limit: float
    time_limit: float
    memory_limit: float
    data_url: str
    sources: list[dict[str, Any]]
    #: Where the run's files pass through.
    folder: str
    #: See jobs.request; None: it was not asked for over the web.
    request: dict[str, Any] | None
    #: The inputs that nobody may read.
    sealed: list[str]
    #: They were sealed for an earlier run: only here they can be judged.
    reused: bool
    #: SHA-256 of the module that was approved; empty: none had to be.
    approved_code: str
    #: "make": only say what the run would change; "keep": say so, and hear whether it may; "": neither.
    plan: str
    #: The second part of a run that has asked for others: {"method", "count", "results"}; None: the first one.
    gather: dict[str, Any] | None


_encode = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


class BrokenLine(Exception):
    """What came over the line is no frame."""


def encode(*frame: Any) -> bytes:
    return _encode(frame).encode("ascii") + b"\n"


class Frames:
    """Cuts what arrives into frames."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._broken: BrokenLine | None = None

    def feed(self, data: bytes) -> list[Frame]:
        """Return the frames that `data` completes. Raises BrokenLine; not before what came in order was returned."""
        self.check()
        whole, newline, rest = data.rpartition(b"\n")
        if not newline:
            self._rest += data
            if len(self._rest) > LONGEST_LINE_BYTES:
                raise BrokenLine("a line without an end")
            return []
        lines = bytes(self._rest + whole).split(b"\n")
        self._rest[:] = rest
        try:
            # One call of the parser for all of them: a chatty job sends thousands.
            return _parsed(b",".join(lines), len(lines))
        except BrokenLine:
            return self._whole(lines)

    def check(self) -> None:
        """Raise BrokenLine if that is what has arrived next."""
        if self._broken is not None:
            raise self._broken

    def _whole(self, lines: list[bytes]) -> list[Frame]:
        frames: list[Frame] = []
        try:
            for line in lines:
                frames += _parsed(line, 1)
        except BrokenLine as error:
            self._broken = error
            if not frames:
                raise
        return frames


def _parsed(text: bytes, count: int) -> list[Frame]:
    try:
        frames: list[Frame] = json.loads(b"[" + text + b"]")
    except (ValueError, RecursionError) as error:
        raise BrokenLine(str(error)) from error
    if len(frames) != count:
        raise BrokenLine("no frame")
    for frame in frames:
        if not isinstance(frame, list) or not frame or not isinstance(frame[0], str):
            raise BrokenLine("no frame")
    return frames


def read(line: socket.socket, frames: Frames) -> list[Frame] | None:
    """Return frames that have arrived on a line that does not block: [] when none has, None when it has ended."""
    frames.check()
    while True:
        try:
            data = line.recv(READ_BYTES)
        except BlockingIOError:
            return []
        except OSError:
            return None
        if not data:
            return None
        # Of a long frame there may be more to come; what is read of one without an end has a limit.
        if arrived := frames.feed(data):
            return arrived
