"""`./errand schedules`: listed, and those that are long over removed."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from store.models import AuditRecord, Schedule, now
from store.timing.recurrence import Recurrence
from store.timing.saved import cursor, keep_times


@pytest.fixture
def make(db, alice, make_job):
    job = make_job("local/net/Ping")

    def make(name: str, days_ago: int, interval: str = "future") -> None:
        with db.begin():
            times = Recurrence(interval, now() - timedelta(days=days_ago))
            row = Schedule(
                name=name,
                job_id=job.id,
                class_path=job.class_path,
                user_id=alice.id,
                username=alice.username,
                problem="",
                enabled=True,
            )
            keep_times(row, times)
            db.add(row)
            db.flush()
            for column, value in cursor(row, times, now()).items():
                setattr(row, column, value)

    return make


def test_what_was_to_run_once_long_ago_is_removed(errand, db, make):
    make("long ago", 10)
    make("lately", 3)
    make("each day", 10, "daily")
    listed = errand("schedules", "list").stdout.splitlines()
    assert [line.split("\t")[-1] for line in listed] == ["each day", "lately", "long ago"]
    assert [line.split("\t")[1] for line in listed][1:] == ["over", "over"]
    outcome = errand("schedules", "remove-stale", "7")
    assert (outcome.exit_code, "Removed 1 schedules" in outcome.stderr) == (0, True)
    with db.begin():
        assert set(db.scalars(select(Schedule.name))) == {"lately", "each day"}
        assert len(db.scalars(select(AuditRecord).where(AuditRecord.action == "schedule.delete")).all()) == 1
    assert errand("schedules", "remove-stale", "-1").exit_code == 2
