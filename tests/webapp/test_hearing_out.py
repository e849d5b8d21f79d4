"""A request that is refused is read to its end, so that its sender reads why."""

import io
from typing import Any

import pytest

from webapp.hearing_out import MOST_BYTES, HearingOut


def ask(stream: Any, method: str = "POST", terminated: bool = True) -> Any:
    environ = {"REQUEST_METHOD": method, "wsgi.input": stream, "wsgi.input_terminated": terminated}
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
