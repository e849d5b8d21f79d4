"""What stands in many rows is told in short, on both databases: differently whenever any of it differs."""

from collections.abc import Sequence

from sqlalchemy import String, cast, select

from store.content import ContentOf
from store.models import Queue
from store.platform import Platform


def content(platform: Platform, rows: Sequence[tuple[str, bool]]) -> str | None:
    told = ContentOf(Queue.name, cast(Queue.paused, String))
    with platform.session() as db:
        db.add_all(Queue(name=name, paused=paused) for name, paused in rows)
        db.flush()
        return db.scalar(select(told))


def test_equal_rows_tell_the_same_and_others_something_else(live_platform: Platform):
    assert content(live_platform, []) is None
    first = content(live_platform, [("a", True), ("b", False)])
    assert first == content(live_platform, [("a", True), ("b", False)])
    others = ([("a", False), ("b", True)], [("a", True), ("c", False)], [("a", True)], [("ab", True)])
    assert len({first, *(content(live_platform, rows) for rows in others)}) == 5
