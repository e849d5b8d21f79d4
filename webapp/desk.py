"""How many requests a web process works on at once, however many wait in it.

Python does one thing at a time: more of them would only make all slower, and each would want a connection to the database.
"""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

AT_ONCE = 4

#: Requests that wait for runs (see webapp.waiting). One process can hold them all: nobody says which one gets them.
MOST_WAITING = 50

#: Of a server: for those who work, those who wait, those whose body comes (see webapp.bodies), and whoever comes meanwhile.
THREADS = AT_ONCE + MOST_WAITING + 26


class Desk:
    """Wraps an application."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._places = threading.BoundedSemaphore(AT_ONCE)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        with self._places:
            environ["errand.desk"] = self
            answer: Iterable[bytes] = self._app(environ, start_response)
            return answer

    @contextmanager
    def left(self) -> Iterator[None]:
        """Leave the place of this request to others for a while."""
        self._places.release()
        try:
            yield
        finally:
            self._places.acquire()
