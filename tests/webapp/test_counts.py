"""Counting lists of the API: what takes long is not counted for each part of them."""

from sqlalchemy import func, select

from store.models import JobRecord
from webapp.counts import KEPT_SECONDS, SLOW_SECONDS, Counts


def test_only_what_took_long_is_kept_and_not_for_long(db, make_job):
    time, takes = [0.0], [0.0]

    def clock() -> float:
        time[0] += takes[0] / 2
        return time[0]

    counts, query = Counts(clock), select(func.count()).select_from(JobRecord)
    others = query.where(JobRecord.name == "Other")

    def ask(what=query) -> int:
        found = counts.of(db, what)
        db.rollback()
        return found

    assert ask() == 0
    make_job("One")
    assert ask() == 1
    # From now on it takes long.
    takes[0] = 4 * SLOW_SECONDS
    assert ask() == 1
    make_job("Two")
    # Another question has its own answer, also with the same words and other values.
    assert (ask(), ask(others), ask(query.where(JobRecord.name == "Two"))) == (1, 0, 1)
    time[0] += KEPT_SECONDS
    assert ask() == 2
