"""Frames between a worker and the process of a job."""

import json
import socket
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.frames import LONGEST_LINE_BYTES, BrokenLine, Frames, encode, read

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
FRAMES = st.builds(lambda kind, rest: [kind, *rest], st.text(), st.lists(VALUES, max_size=3))


@given(sent=st.lists(FRAMES, max_size=5), size=st.integers(1, 40))
def test_frames_arrive_as_they_were_sent_however_they_are_cut(sent: list[list[Any]], size: int):
    data = b"".join(encode(*frame) for frame in sent)
    frames = Frames()
    arrived = [
        frame for start in range(0, len(data), size) for frame in frames.feed(data[start : start + size])
    ]
    assert arrived == sent


@given(st.binary(max_size=200))
def test_what_is_no_frame_is_refused_and_never_breaks_the_reader(data: bytes):
    try:
        arrived = Frames().feed(data + b"\n")
    except BrokenLine:
        return
    assert all(isinstance(frame, list) and isinstance(frame[0], str) for frame in arrived)
    assert [json.loads(line) for line in data.split(b"\n")] == arrived


@pytest.mark.parametrize(
    "line", [b"", b"[]", b"{}", b"[1]", b'["a"],["b"]', b'"a"', b"[" * 100_000, b"9" * 10_000, b"\xff"]
)
def test_a_line_that_is_no_frame_is_refused(line: bytes):
    with pytest.raises(BrokenLine):
        Frames().feed(line + b"\n")


def test_a_line_without_an_end_is_refused_in_time():
    frames = Frames()
    piece = b"x" * 1024**2
    for _ in range(LONGEST_LINE_BYTES // len(piece)):
        assert frames.feed(piece) == []
    with pytest.raises(BrokenLine):
        frames.feed(piece)


def test_a_long_frame_is_read_whole_and_the_end_of_the_line_is_told():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        frames = Frames()
        assert read(ours, frames) == []
        whole = encode("a", "x" * 100_000)
        theirs.sendall(whole[:60_000])
        assert read(ours, frames) == []
        theirs.sendall(whole[60_000:] + encode("b"))
        assert read(ours, frames) == [["a", "x" * 100_000], ["b"]]
        theirs.close()
        assert read(ours, frames) is None


def test_what_came_before_a_broken_line_is_not_lost():
    reader = Frames()
    assert reader.feed(b'["e",1]\n["e",2]\nnonsense\n["e",3]\n') == [["e", 1], ["e", 2]]
    with pytest.raises(BrokenLine):
        reader.check()
    with pytest.raises(BrokenLine):
        reader.feed(b'["e",4]\n')
