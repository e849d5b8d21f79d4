"""Old results go, a slice at a time; what is kept by hand stays."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select

from store.entry_search import entry_index
from store.models import (
    AuditRecord,
    EntryGroup,
    JobRecord,
    JobResult,
    LogEntry,
    Retention,
    RunFile,
    RunReport,
    SearchRemoval,
    User,
    now,
)
from store.platform import Platform
from store.settings import Settings
from worker import retention
from worker.entry_search import index_all
from worker.retention import Pruner, Rules, progress, set_days

DAY = timedelta(days=1)


def add(platform: Platform, days: float, status: str = "completed", entries: int = 0, **values: Any) -> UUID:
    """Add a result that ended so many days ago."""
    at = now() - days * DAY
    of: dict[str, Any] = {"class_path": "local/a/A", "name": "A", "username": "", "time_limit": 1.0}
    with platform.session() as db:
        result = JobResult(
            **{
                "id": uuid4(),
                "created_at": at,
                "finished_at": at,
                "status": status,
                "last_seq": entries,
                **of,
                **values,
            }
        )
        db.add(result)
        db.flush()
        for seq in range(1, entries + 1):
            said = {
                "attempt": 1,
                "created_at": at,
                "level": "info",
                "grouping": "run",
                "message": f"old word{seq}",
            }
            db.add(LogEntry(result_id=result.id, seq=seq, html=f"<p>old word{seq}</p>", **said))
        if entries:
            db.add(EntryGroup(result_id=result.id, first_seq=1, name="run", started_at=at, last_at=at))
        db.commit()
        return result.id


def left(platform: Platform) -> set[UUID]:
    with platform.reading() as db:
        return set(db.scalars(select(JobResult.id)))


def count(platform: Platform, model: Any) -> int:
    with platform.reading() as db:
        return db.scalar(select(func.count()).select_from(model)) or 0


def prune(settings: Settings, platform: Platform, **options: Any) -> Pruner:
    pruner = Pruner(settings, platform, **options)
    for _ in range(200):
        pruner.run_once()
        if pruner.ended:
            return pruner
    raise AssertionError("It does not come to an end.")


def test_each_job_and_state_has_its_days(
    live: Settings, live_platform: Platform, monkeypatch: pytest.MonkeyPatch
):
    platform = live_platform
    monkeypatch.setattr(retention, "LOOKED_AT", 2)
    with platform.session() as db:
        of = {
            "source": "local",
            "module": "b",
            "class_name": "B",
            "name": "B",
            "grouping": "b",
            "refreshed_at": now(),
        }
        job = JobRecord(class_path="local/b/B", keep_days=100, **of)
        user = User(username="root", superuser=True)
        db.add_all([job, user])
        db.commit()
        job_id = job.id
        assert retention.rules(db, live).days_of(job_id, "completed") == 100
    old = add(platform, 31, entries=1)
    kept = {
        add(platform, 29),
        add(platform, 31, "failed"),
        add(platform, 31, pinned=True),
        add(platform, 99, job_id=job_id),
        add(platform, 400, "running", finished_at=None),
    }
    parent = add(platform, 400, "pending", finished_at=None)
    kept |= {parent, add(platform, 200, parent_id=parent)}
    gone = [add(platform, 91, "errored"), add(platform, 101, job_id=job_id), add(platform, 31, "canceled")]
    with platform.session() as db:
        db.add(RunReport(result_id=old, data={}, pieces=1))
        db.add(RunFile(key="k" * 64, result_id=old, name="f", size_bytes=1))
        db.commit()
    with platform.session() as db:
        set_days(db, db.scalars(select(User)).one(), 30, 90)
        # A run that goes on has asked for one of the five.
        assert progress(db, live).due == 5
        assert progress(db, live).behind_seconds > 86_400
    prune(live, platform)
    assert left(platform) == kept
    assert not {old, *gone} & left(platform)
    assert [count(platform, model) for model in (LogEntry, EntryGroup, RunReport, RunFile)] == [0, 0, 0, 0]
    with platform.reading() as db:
        row = db.scalars(select(Retention)).one()
        assert (row.results, row.entries, row.set_by, row.round_at is not None) == (4, 1, "root", True)
        said = db.scalars(select(AuditRecord.action).order_by(AuditRecord.id)).all()
        assert said == ["retention.change", "results.prune"]


def test_a_long_log_goes_in_slices_and_the_search_with_it(
    live: Settings, live_platform: Platform, monkeypatch: pytest.MonkeyPatch
):
    platform, index = live_platform, entry_index(live.database_url)
    monkeypatch.setattr(retention, "SLICE", 10)
    long, short = add(platform, 50, entries=25), add(platform, 49, entries=3)
    index_all(platform, index)
    pruner, sizes = Pruner(live, platform, by=Rules(30, 30)), [28]
    for _ in range(10):
        pause = pruner.run_once()
        if (size := count(platform, LogEntry)) != sizes[-1]:
            sizes.append(size)
            # No more in a minute than is allowed.
            assert pause >= 9 / retention.PER_MINUTE * 60
    assert sizes == [28, 18, 8, 0]
    assert not {long, short} & left(platform)
    assert (pruner.results, pruner.entries) == (2, 28)
    # What is written now may get the numbers that were set free, and is found.
    add(platform, 0, entries=2)
    index_all(platform, index)
    with platform.reading() as db:
        assert index.backlog(db).entries == 0
    assert count(platform, SearchRemoval) == 0


def test_a_result_that_is_pinned_in_the_last_moment_stays(settings: Settings, platform: Platform):
    first, second = add(platform, 50), add(platform, 50)
    pruner = Pruner(settings, platform, by=Rules(30, 30))
    pruner.run_once()
    with platform.session() as db:
        db.get_one(JobResult, second).pinned = True
        db.commit()
    pruner.run_once()
    assert left(platform) == {second}
    assert first != second


def test_a_walk_goes_on_where_another_scheduler_was(settings: Settings, platform: Platform, monkeypatch):
    monkeypatch.setattr(retention, "LOOKED_AT", 2)
    for days in range(60, 50, -1):
        add(platform, days)
    with platform.session() as db:
        db.add(Retention(id=1, keep_days=30, results=0, entries=0))
        db.commit()
    one = Pruner(settings, platform)
    for _ in range(4):
        one.run_once()
    prune(settings, platform)
    assert left(platform) == set()
