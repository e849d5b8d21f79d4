"""Reads what a refused request still sends.

A server that answers and closes while a body is on its way resets the connection, and most clients then lose the
answer, and with it the sentence that says what was wrong (RFC 9112, 9.6).
"""

import socket
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

PIECE_BYTES = 256 * 1024

#: Nobody is heard out for longer.
MOST_SECONDS = 10.0
MOST_BYTES = 1024**3

#: Of a server's few threads so many may be kept by senders who are refused anyway.
MOST_AT_ONCE = 2


class HearingOut:
    """Wraps an application; for servers that end a body where it ends."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._places = threading.BoundedSemaphore(MOST_AT_ONCE)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        answer: Iterable[bytes] = self._app(environ, start_response)
        if environ.get("wsgi.input_terminated") and environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            # The request has its answer, and with it has left its place: there is none to leave once more.
            environ.pop("errand.desk", None)
            self._hear_out(environ)
        return answer

    def _hear_out(self, environ: dict[str, Any]) -> None:
        if not self._places.acquire(blocking=False):
            return
        try:
            with _for_a_while(environ.get("gunicorn.socket")):
                _read_rest(environ["wsgi.input"])
        finally:
            self._places.release()


@contextmanager
def _for_a_while(connection: socket.socket | None) -> Iterator[None]:
    """End what arrives on a connection after MOST_SECONDS: a sender who says nothing more keeps a read waiting."""
    if connection is None:
        yield
        return
    timer = threading.Timer(MOST_SECONDS, _hear_no_more, (connection,))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _hear_no_more(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RD)


def _read_rest(stream: Any) -> None:
    deadline = time.monotonic() + MOST_SECONDS
    read = 0
    # Whatever a broken connection raises: the answer is ready, and nothing else counts now.
    with suppress(Exception):
        while read < MOST_BYTES and time.monotonic() < deadline:
            piece = stream.read(PIECE_BYTES)
            if not piece:
                return
            read += len(piece)
