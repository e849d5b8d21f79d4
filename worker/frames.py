"""What a worker and the process of a job say to each other: one JSON array a line, the first member names its kind."""

import json
import socket
from typing import Any

#: Neither side writes longer lines; a job's code that got hold of the line might.
LONGEST_LINE_BYTES = 64 * 1024**2

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
        self._rest = b""

    def feed(self, data: bytes) -> list[Frame]:
        """Return the frames that `data` completes. Raises BrokenLine."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > LONGEST_LINE_BYTES:
            raise BrokenLine("a line without an end")
        try:
            # One call of the parser for all of them: a chatty job sends thousands.
            frames: list[Frame] = json.loads(b"[" + b",".join(lines) + b"]") if lines else []
        except (ValueError, RecursionError) as error:
            raise BrokenLine(str(error)) from error
        for frame in frames:
            if not isinstance(frame, list) or not frame or not isinstance(frame[0], str):
                raise BrokenLine("no frame")
        return frames


def read(line: socket.socket, frames: Frames) -> list[Frame] | None:
    """Return the frames that have arrived on a line that does not block; None when it has ended."""
    try:
        data = line.recv(READ_BYTES)
    except BlockingIOError:
        return []
    except OSError:
        return None
    return frames.feed(data) if data else None
