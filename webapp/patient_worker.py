"""gunicorn's worker with threads, which does not wait for ever for somebody who never ends a request's head, or never
takes an answer, and looks for garbage while nobody waits."""

import gc
import socket
import time
from contextlib import suppress
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

#: A request's head has arrived by then; a browser sends it at once.
HEAD_SECONDS = 10.0

#: The other side has taken a piece of an answer, or sent one of a body, by then.
PIECE_SECONDS = 60.0

#: To look through all objects for garbage takes as long as several pages, and in the midst of one its reader waits. So Python
#: seldom does that by itself here (see `gc.set_threshold`), and this worker does after so many looks at the younger ones.
THRESHOLDS = (10_000, 20, 50)
LOOKS = 2
IDLE_SECONDS = 0.5


class PatientWorker(ThreadWorker):  # type: ignore[misc]
    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        # {connection: when a thread began to read the head of a request}
        self._heads: dict[Any, float] = {}
        #: The connections with a request that is being answered, and when the last one had been.
        self._answering: set[Any] = set()
        self._answered_at = 0.0

    def init_process(self) -> None:
        gc.set_threshold(*THRESHOLDS)
        super().init_process()

    def handle(self, conn: Any) -> Any:
        self._heads[conn] = time.monotonic()
        try:
            return super().handle(conn)
        finally:
            self._heads.pop(conn, None)

    def handle_request(self, req: Any, conn: Any) -> Any:
        self._heads.pop(conn, None)
        conn.sock.settimeout(PIECE_SECONDS)
        self._answering.add(conn)
        try:
            return super().handle_request(req, conn)
        finally:
            self._answered_at = time.monotonic()
            self._answering.discard(conn)

    def murder_pending(self) -> None:
        """gunicorn calls this each second, on the thread that waits for no one."""
        super().murder_pending()
        latest = time.monotonic() - HEAD_SECONDS
        for conn, since in list(self._heads.items()):
            if since < latest:
                with suppress(OSError):
                    conn.sock.shutdown(socket.SHUT_RD)
        self.tidy()

    def tidy(self) -> None:
        """Look for garbage if that is due, and nobody waits."""
        idle = not self._answering and time.monotonic() - self._answered_at >= IDLE_SECONDS
        if idle and gc.get_count()[2] >= LOOKS:
            gc.collect()
