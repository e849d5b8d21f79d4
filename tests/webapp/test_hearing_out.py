"""A request that is refused is read to its end, so that its sender reads why."""

import io
import socket
import threading
from typing import Any

import pytest

from webapp.hearing_out import MOST_AT_ONCE, MOST_BYTES, HearingOut


def ask(stream: Any, method: str = "POST", terminated: bool = True, **more: Any) -> Any:
    environ = {"REQUEST_METHOD": method, "wsgi.input": stream, "wsgi.input_terminated": terminated, **more}
    return HearingOut(lambda *_: [b"no"])(environ, None)


def test_what_is_left_of_a_body_is_read():
    stream = io.BytesIO(b"x" * 10_000_000)
    assert ask(stream) == [b"no"]
    assert stream.read() == b""


@pytest.mark.parametrize(("method", "terminated"), [("GET", True), ("POST", False)])
def test_a_body_that_would_not_end_is_left_alone(method: str, terminated: bool):
    stream = io.BytesIO(b"x")
    ask(stream, method, terminated)
    assert stream.read() == b"x"


class Endless:
    def __init__(self) -> None:
        self.given = 0

    def read(self, size: int) -> bytes:
        self.given += size
        return b"x" * size


def test_nobody_is_heard_out_for_ever():
    stream = Endless()
    assert ask(stream) == [b"no"]
    assert stream.given <= MOST_BYTES


def test_a_connection_that_breaks_meanwhile_breaks_nothing():
    class Broken:
        def read(self, size: int) -> bytes:
            raise OSError("reset")

    assert ask(Broken()) == [b"no"]


def test_a_sender_who_says_nothing_more_is_not_waited_for(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("webapp.hearing_out.MOST_SECONDS", 0.1)
    ours, theirs = socket.socketpair()
    with ours, theirs, ours.makefile("rb") as stream:
        environ = {"gunicorn.socket": ours}
        asking = threading.Thread(target=ask, args=(stream,), kwargs=environ, daemon=True)
        asking.start()
        # A byte now and then does not help either.
        theirs.sendall(b"x")
        asking.join(10)
        assert not asking.is_alive()
        ours.sendall(b"the answer")
        assert theirs.recv(100) == b"the answer"


def test_not_all_are_heard_out_at_once():
    class Asking(io.BytesIO):
        """Is read while another request comes."""

        def read(self, size: int | None = -1) -> bytes:
            if len(streams) <= MOST_AT_ONCE:
                streams.append(Asking(b"x" * 10))
                request(streams[-1])
            return super().read(size)

    def request(stream: Any) -> None:
        app({"REQUEST_METHOD": "POST", "wsgi.input": stream, "wsgi.input_terminated": True}, None)

    app = HearingOut(lambda *_: [b"no"])
    streams = [Asking(b"x" * 10)]
    request(streams[0])
    assert [stream.tell() for stream in streams] == [10] * MOST_AT_ONCE + [0]


def test_the_application_hears_out(app):
    stream = io.BytesIO(b"x" * 3_000_000)
    answer = app.test_client().post(
        "/api/v1/jobs/local/a/A/run",
        input_stream=stream,
        content_type="application/json",
        environ_overrides={"wsgi.input_terminated": True},
    )
    assert answer.status_code == 401
    assert stream.read() == b""
