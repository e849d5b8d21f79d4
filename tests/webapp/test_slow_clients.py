"""Who sends slowly, or never ends, keeps nobody else waiting."""

import http.client
import io
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from gunicorn.config import Config

from store.settings import Settings, environment
from tests.conftest import _bare_environment
from tests.waiting import until
from webapp import bodies
from webapp.bodies import CUT_OFF, TOO_SLOW, Bodies
from webapp.desk import Desk
from webapp.patient_worker import HEAD_SECONDS, PatientWorker
from webapp.uploads import LARGEST_REST_BYTES

#: More than all places of both processes (see webapp.desk).
MANY = 20

HEAD = b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
SLOW = (
    *[HEAD + b"Content-Length: 900\r\n\r\nusername="] * MANY,
    *[HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"] * 4,
    *[b"GET /login HTTP/1.1\r\nHost: x\r\nX-Slow: "] * 4,
)


@pytest.fixture
def port(settings: Settings) -> Iterator[int]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number = free.getsockname()[1]
    web = subprocess.Popen(
        [sys.executable, "-m", "webapp.cli", "web", "--port", str(number)],
        env={**_bare_environment(), **environment(settings)},
    )
    try:
        until(lambda: answer_of(number) == 200, "the web process answers", seconds=60)
        yield number
    finally:
        web.terminate()
        web.wait()


def answer_of(port: int) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET", "/login")
        return connection.getresponse().status
    except ConnectionError:
        return 0
    finally:
        connection.close()


def test_slow_bodies_and_heads_keep_nobody_waiting(port: int):
    with ExitStack() as stack:
        for begun in SLOW:
            stack.enter_context(socket.create_connection(("127.0.0.1", port))).sendall(begun)
        # Answers come while all of those are still on their way.
        assert [answer_of(port) for _ in range(6)] == [200] * 6


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        b"Content-Length: 4\r\nContent-Length: 5\r\n",
        b"Transfer-Encoding: xchunked\r\n",
        b"Content-Length: +4\r\n",
    ],
)
def test_a_request_whose_end_can_be_read_in_two_ways_is_one_at_most(port: int, framing: bytes):
    """A proxy that reads the other way would take what follows for somebody else's request."""
    hidden = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(b"POST /login HTTP/1.1\r\nHost: x\r\n" + framing + b"\r\n0\r\n\r\n" + hidden)
        said = b""
        while part := connection.recv(65_536):
            said += part
    assert said.startswith((b"HTTP/1.1 4", b"HTTP/1.1 501"))
    assert said.count(b"HTTP/1.1 ") == 1


def told(stream: Any, length: int, app: Any, **options: Any) -> tuple[str, bytes]:
    statuses: list[str] = []
    environ = {"wsgi.input": stream, "CONTENT_LENGTH": str(length), "REQUEST_METHOD": "POST"}
    answer = Bodies(app, **options)(environ, lambda status, headers, *more: statuses.append(status))
    return (*statuses, b"".join(answer))  # type: ignore[return-value]


def never(environ: Any, start: Any) -> Any:
    raise AssertionError("This is not to be worked on.")


def length_of(environ: Any, start: Any) -> Any:
    start("200 OK", [])
    return [str(len(environ["wsgi.input"].read())).encode()]


def test_a_body_that_is_cut_off_or_late_is_refused_before_its_work_begins():
    status, page = told(io.BytesIO(b"half"), 8, never)
    assert (status[:3], CUT_OFF.encode() in page) == ("400", True)
    status, page = told(io.BytesIO(b"whole"), 5, never, least_seconds=-1)
    assert (status[:3], TOO_SLOW.encode() in page) == ("408", True)


@pytest.mark.parametrize("length", [5, LARGEST_REST_BYTES, LARGEST_REST_BYTES + 5, 3 * LARGEST_REST_BYTES])
def test_bodies_arrive_whole(length: int):
    assert told(io.BytesIO(b"x" * length), length, Desk(length_of)) == ("200 OK", str(length).encode())


def test_too_many_that_come_at_once_are_told_so(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bodies, "TURN_SECONDS", 0)
    monkeypatch.setattr(bodies, "MOST_AT_ONCE", 0)
    status, page = told(io.BytesIO(b"x"), 1, never)
    assert (status[:3], b"in a moment" in page) == ("503", True)


def test_who_never_ends_a_head_is_cut_off():
    worker = PatientWorker(1, 1, [], None, 30, Config(), None)
    here, there = socket.socketpair()
    with here, there:
        conn = type("Connection", (), {"sock": here})()
        worker._heads[conn] = -HEAD_SECONDS
        worker.murder_pending()
        worker.tmp.close()
        there.setblocking(False)
        here.setblocking(False)
        assert here.recv(1) == b"", "nothing more is heard"
