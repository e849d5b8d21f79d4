"""gunicorn's worker with threads, which does not wait for ever for somebody who never ends a request's head, or never
takes an answer."""

import socket
import time
from contextlib import suppress
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

#: A request's head has arrived by then; a browser sends it at once.
HEAD_SECONDS = 10.0

#: The other side has taken a piece of an answer, or sent one of a body, by then.
PIECE_SECONDS = 60.0


class PatientWorker(ThreadWorker):  # type: ignore[misc]
    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        # {connection: when a thread began to read the head of a request}
        self._heads: dict[Any, float] = {}

    def handle(self, conn: Any) -> Any:
        self._heads[conn] = time.monotonic()
        try:
            return super().handle(conn)
        finally:
            self._heads.pop(conn, None)

    def handle_request(self, req: Any, conn: Any) -> Any:
        self._heads.pop(conn, None)
        conn.sock.settimeout(PIECE_SECONDS)
        return super().handle_request(req, conn)

    def murder_pending(self) -> None:
        """gunicorn calls this each second, on the thread that waits for no one."""
        super().murder_pending()
        latest = time.monotonic() - HEAD_SECONDS
        for conn, since in list(self._heads.items()):
            if since < latest:
                with suppress(OSError):
                    conn.sock.shutdown(socket.SHUT_RD)
