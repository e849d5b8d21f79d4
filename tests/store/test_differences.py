"""Where two logs part: what differs each time is masked, and what says something is not."""

from datetime import timedelta

import pytest

from store.differences import (
    Line,
    Parting,
    Stretch,
    first_difference,
    mask,
    notable,
    seconds_by_grouping,
    up_to,
)
from tests.webapp.conftest import NOON


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("2026-01-02T03:04:05.1Z up", "2026-11-12 13:04:05+02:00 up"),
        ("at 1:02:03 [10/Oct/2000:13:55:36 -0700]", "at 23:59:59,125 [1/Nov/2026:01:02:03 +0100]"),
        ("took 3.4 s, 12ms, 40%", "took 31 s, 7ms, 100%"),
        ("run 0f8fad5b-d9cd-469f-a165-70867728950e", "run 7c9e6679-7425-40de-944b-e07fc1f90ae7"),
        ("<Port at 0x7f00aa11>, pid 12, #a1b2c3", "<Port at 0x7fffaa11bb>, pid 4711, #c3b2a1"),
        ("commit deadbeef1234ab of /tmp/x1", "commit 1234567890abcdef of /tmp/y2"),
        ("wrote 1,234 objects, 4 of 10 sites, 4/10", "wrote 9 objects, 9 of 12 sites, 9/12"),
        ("10.0.0.1:54321 has 3 open ports", "10.0.0.1:40001 has 12 open ports"),
    ],
)
def test_what_differs_each_time_is_masked(one, other):
    assert mask(one) == mask(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("HTTP 200", "HTTP 503"),
        ("exit code 0", "exit code 1"),
        ("10.0.0.1:22 answers", "10.0.0.2:22 answers"),
        ("port 22 is closed", "port 23 is closed"),
        ("version 1.2.3 of sw-12", "version 1.2.4 of sw-12"),
        ("500 Internal Server Error", "404 Internal Server Error"),
        ("3 rows", "3 s"),
    ],
)
def test_what_says_something_is_not(one, other):
    assert mask(one) != mask(other)


def test_logs_are_read_as_far_as_they_are_alike():
    def log(*messages: str) -> list[Line]:
        return [Line(seq, "info", "run", message) for seq, message in enumerate(messages, 1)]

    reads: list[int] = []

    def read(after: int) -> list[Line]:
        reads.append(after)
        return [Line(seq, "info", "run", f"{seq} rows") for seq in range(after + 1, after + 11)]

    endless = up_to(35, read)
    assert first_difference(endless, log("8 rows", "9 rows", "no rows")) == (
        2,
        Parting(Line(3, "info", "run", "3 rows"), Line(3, "info", "run", "no rows")),
    )
    assert reads == [0]
    assert len(list(up_to(35, read))) == 35
    assert first_difference(log("a", "b"), log("a")) == (1, Parting(Line(2, "info", "run", "b"), None))
    assert first_difference(log("a 1 s"), log("a 2 s")) == (1, None)
    louder = [Line(1, "warning", "run", "a")]
    assert first_difference(log("a"), louder)[1] is not None


def test_groupings_that_took_much_longer_are_missing_or_new():
    def at(seconds: float):
        return NOON + timedelta(seconds=seconds)

    before = seconds_by_grouping([("a", at(0)), ("b", at(1)), ("a", at(2)), ("c", at(4))], at(5))
    assert before == {"a": 3.0, "b": 1.0, "c": 1.0}
    assert notable(before, {"a": 3.9, "b": 9.0, "d": 0.5}) == [
        Stretch("b", 1.0, 9.0),
        Stretch("c", 1.0, None),
        Stretch("d", None, 0.5),
    ]
    assert seconds_by_grouping([], None) == {}
