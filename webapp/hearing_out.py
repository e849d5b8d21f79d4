"""Reads what a refused request still sends.

A server that answers and closes while a body is on its way resets the connection, and most clients then lose the
answer, and with it the sentence that says what was wrong (RFC 9112, 9.6).
"""

import time
from collections.abc import Iterable
from typing import Any

PIECE_BYTES = 256 * 1024

#: Nobody is heard out for longer.
MOST_SECONDS = 10.0
MOST_BYTES = 1024**3


class HearingOut:
    """Wraps an application; for servers that end a body where it ends."""

    def __init__(self, app: Any) -> None:
        self._app = app

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        answer: Iterable[bytes] = self._app(environ, start_response)
        if environ.get("wsgi.input_terminated") and environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            _read_rest(environ["wsgi.input"])
        return answer


def _read_rest(stream: Any) -> None:
    deadline = time.monotonic() + MOST_SECONDS
    read = 0
    try:
        while read < MOST_BYTES and time.monotonic() < deadline:
            piece = stream.read(PIECE_BYTES)
            if not piece:
                return
            read += len(piece)
    except (
        Exception
    ):  # Whatever a broken connection raises: the answer is ready, and nothing else counts now.
        return
