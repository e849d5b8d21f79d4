"""Ended runs are counted once, also by several schedulers, and stay counted."""

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import delete, select

from store.models import JobResult, LogEntry, RunTally, TallyPlace, now
from store.models.tally import ALL, OTHER
from store.platform import Platform
from worker import tally


def ended(platform: Platform, job: str, seconds: float = 2.0, status: str = "completed"):
    moment = now() - timedelta(minutes=1)
    with platform.session() as db:
        of = {"class_path": job, "name": job, "username": "", "time_limit": 1.0, "status": status}
        started = moment - timedelta(seconds=seconds)
        result = JobResult(id=uuid4(), created_at=started, started_at=started, finished_at=moment, **of)
        db.add(result)
        db.commit()
        return result.id


def counted(platform: Platform) -> dict[tuple[str, str], int]:
    with platform.reading() as db:
        return {(row.job, row.status): row.runs for row in db.scalars(select(RunTally))}


def test_each_run_is_counted_once_and_for_all(live_platform: Platform, monkeypatch: pytest.MonkeyPatch):
    platform = live_platform
    monkeypatch.setattr(tally, "SLICE", 2)
    monkeypatch.setattr(tally, "MOST_JOBS", 2)
    assert tally.tally(platform) == 0
    with platform.session() as db:
        db.get_one(TallyPlace, 1).finished_at = now() - timedelta(hours=1)
        db.commit()
    first = ended(platform, "local/a/A", 0.3)
    for job in ("local/a/A", "local/b/B", "local/c/C"):
        ended(platform, job, status="failed")
    with platform.session() as db:
        of = {
            "attempt": 1,
            "created_at": now(),
            "level": "info",
            "grouping": "run",
            "message": "m",
            "html": "m",
        }
        db.add_all(LogEntry(result_id=first, seq=number, **of) for number in (1, 2, 3))
        db.commit()
    assert [tally.tally(platform) for _ in range(4)] == [2, 2, 0, 0]
    assert counted(platform) == {
        (ALL, "completed"): 1,
        (ALL, "failed"): 3,
        ("local/a/A", "completed"): 1,
        ("local/a/A", "failed"): 1,
        ("local/b/B", "failed"): 1,
        (OTHER, "failed"): 1,
    }
    with platform.session() as db:
        row = db.get_one(RunTally, ("local/a/A", "completed"))
        assert (row.buckets[1], sum(row.buckets), round(row.seconds, 1)) == (1, 1, 0.3)
        db.execute(delete(JobResult))
        db.commit()
    assert tally.tally(platform) == 0
    with platform.reading() as db:
        assert db.get_one(TallyPlace, 1).entries == 3
    assert counted(platform)[ALL, "failed"] == 3


def test_a_job_that_is_silent_for_long_makes_room(platform: Platform, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tally, "MOST_JOBS", 1)
    tally.tally(platform)
    with platform.session() as db:
        db.get_one(TallyPlace, 1).finished_at = now() - timedelta(hours=1)
        old = now() - tally.FORGOTTEN_AFTER - timedelta(days=1)
        db.add(RunTally(job="local/old/Old", status="failed", runs=1, seconds=0.0, buckets=[], last_at=old))
        db.commit()
    ended(platform, "local/a/A")
    tally.tally(platform)
    assert counted(platform) == {(ALL, "completed"): 1, ("local/a/A", "completed"): 1}
