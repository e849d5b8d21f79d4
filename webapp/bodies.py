"""What a request brings is read before its work begins, and not for ever.

Whoever sends slowly would otherwise hold one of the few places where requests are worked on (see webapp.desk), and what
the work has locked. A reverse proxy that takes bodies in whole does the same for many more.
"""

import io
import socket
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from werkzeug.exceptions import HTTPException, RequestTimeout, ServiceUnavailable

from webapp.uploads import LARGEST_REST_BYTES

#: A body has so long, and longer by what it is large: nobody's line is slower than that.
LEAST_SECONDS = 30.0
LEAST_BYTES_A_SECOND = 16 * 1024

#: Of a server's threads so many may wait for what still comes. What is there is read at once.
MOST_AT_ONCE = 16
TURN_SECONDS = 5.0

PIECE_BYTES = 64 * 1024

TOO_SLOW = "This came too slowly, so nothing was done. Try again."
CUT_OFF = "This was cut off on its way, so nothing was done. Try again."
TOO_MANY = "Too many requests are on their way just now. Try again in a moment."


class CutOff(HTTPException):
    code = 400
    description = CUT_OFF


class Bodies:
    """Wraps an application: what is no longer than a form is in memory before it is called."""

    def __init__(self, app: Any, *, least_seconds: float = LEAST_SECONDS) -> None:
        self._app = app
        self._least_seconds = least_seconds
        self._turns = threading.BoundedSemaphore(MOST_AT_ONCE)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        length = _length(environ)
        if length == 0:
            return self._call(environ, start_response)
        # What is too large is refused by whoever reads it, and files by and by.
        longest = LARGEST_REST_BYTES if length is None or length > LARGEST_REST_BYTES else length
        seconds = self._least_seconds + (length or LARGEST_REST_BYTES) / LEAST_BYTES_A_SECOND
        body = _Body(environ["wsgi.input"], environ.get("gunicorn.socket"), seconds, environ)
        environ["wsgi.input"] = body
        try:
            if length is None or length <= LARGEST_REST_BYTES:
                self._read_first(body, longest, length)
        except HTTPException as refusal:
            refused: Iterable[bytes] = refusal.get_response()(environ, start_response)
            return refused
        return self._call(environ, start_response)

    def _call(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        answer: Iterable[bytes] = self._app(environ, start_response)
        return answer

    def _read_first(self, body: "_Body", longest: int, length: int | None) -> None:
        if not self._turns.acquire(timeout=TURN_SECONDS):
            raise ServiceUnavailable(TOO_MANY, retry_after=5)
        try:
            body.fetch(longest)
        finally:
            self._turns.release()
        if length is not None and body.fetched < length:
            raise CutOff


class _Body(io.RawIOBase):
    """What comes, by a deadline; while more of it is waited for, the place of the request is left to others."""

    def __init__(
        self, stream: Any, connection: socket.socket | None, seconds: float, environ: dict[str, Any]
    ) -> None:
        self._stream, self._connection, self._environ = stream, connection, environ
        self._deadline = time.monotonic() + seconds
        self._first = io.BytesIO()
        self.fetched = 0

    def fetch(self, most: int) -> None:
        """Read so much of it now."""
        while self.fetched < most and (piece := self._next(min(PIECE_BYTES, most - self.fetched))):
            self.fetched += self._first.write(piece)
        self._first.seek(0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self._first.read(len(buffer))
        if not piece:
            desk = self._environ.get("errand.desk")
            if desk is None:
                piece = self._next(len(buffer))
            else:
                with desk.left():
                    piece = self._next(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)

    def _next(self, most: int) -> bytes:
        seconds = self._deadline - time.monotonic()
        if seconds <= 0:
            raise RequestTimeout(TOO_SLOW)
        # One read may be many of the connection's: each may take a moment, and none of them knows of the deadline.
        timer = threading.Timer(seconds, _hear_no_more, (self._connection,))
        timer.daemon = True
        timer.start()
        try:
            piece: bytes = self._stream.read(most)
        except OSError as error:
            raise CutOff from error
        finally:
            timer.cancel()
        if time.monotonic() >= self._deadline:
            raise RequestTimeout(TOO_SLOW)
        return piece


def _hear_no_more(connection: socket.socket | None) -> None:
    with suppress(OSError):
        if connection is not None:
            connection.shutdown(socket.SHUT_RD)


def _length(environ: dict[str, Any]) -> int | None:
    """Return how long the body is; None where that shows at its end only."""
    if "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "").lower():
        return None
    given = environ.get("CONTENT_LENGTH", "")
    return int(given) if given.isascii() and given.isdecimal() and len(given) < 19 else 0
