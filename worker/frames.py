"""What a worker and the process of a job say to each other: one JSON array a line, the first member names its kind."""

import json
import socket
from typing import Any

#: Neither side writes longer lines (the longest is the end of a run with all it may keep, see jobs.lifecycle);
#: a job's code that got hold of the line might.
LONGEST_LINE_BYTES = 16 * 1024**2

READ_BYTES = 256 * 1024

Frame = list[Any]

_encode = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


class BrokenLine(Exception):
    """What came over the line is no frame."""


def encode(*frame: Any) -> bytes:
    return _encode(frame).encode("ascii") + b"\n"


class Frames:
    """Cuts what arrives into frames."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[Frame]:
        """Return the frames that `data` completes. Raises BrokenLine."""
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
            frames: list[Frame] = json.loads(b"[" + b",".join(lines) + b"]")
        except (ValueError, RecursionError) as error:
            raise BrokenLine(str(error)) from error
        if len(frames) != len(lines):
            raise BrokenLine("no frame")
        for frame in frames:
            if not isinstance(frame, list) or not frame or not isinstance(frame[0], str):
                raise BrokenLine("no frame")
        return frames


def read(line: socket.socket, frames: Frames) -> list[Frame] | None:
    """Return frames that have arrived on a line that does not block: [] when none has, None when it has ended."""
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
