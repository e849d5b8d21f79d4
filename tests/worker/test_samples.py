"""What the queues hold, written down once a minute."""

from sqlalchemy import func, select

from store.models import QueueSample, WorkerProcess, now
from store.platform import Platform
from worker.samples import FORGOTTEN_AT_ONCE, KEPT_MINUTES, Sampler, _write, take


def samples(platform: Platform) -> dict[tuple[int, str], tuple[int, ...]]:
    with platform.reading() as db:
        rows = db.scalars(select(QueueSample).order_by(QueueSample.minute)).all()
        return {(row.minute, row.queue): (row.waiting, row.running, row.workers, row.busy) for row in rows}


def test_one_scheduler_writes_a_minute_and_old_ones_go_in_small_parts(live_platform: Platform):
    platform = live_platform
    with platform.session() as db:
        for name, state in (("w-1", "busy"), ("w-2", "idle")):
            of = {"kind": "worker", "host": "h", "pid": 1, "queues": ["bulk"], "seen_at": now()}
            db.add(WorkerProcess(name=name, state=state, **of))
        db.commit()
    assert take(platform, 1_000) == 1
    assert take(platform, 1_000) == 0
    row = {"minute": 1_000, "queue": "bulk", "waiting": 9, "running": 9, "workers": 9, "busy": 9}
    with platform.session() as db:
        # As one that looked before the other had written.
        assert _write(db, [row]) == 0
        db.commit()
    assert samples(platform) == {(1_000, "bulk"): (0, 0, 2, 1)}
    with live_platform.session() as db:
        step = QueueSample.minute // 5
        most = select(step, func.max(QueueSample.waiting)).group_by(step)
        assert db.execute(most).all() == [(200, 0)]
    for minute in (1_010, 1_000 + FORGOTTEN_AT_ONCE):
        take(platform, minute)
    late = 2_000 + KEPT_MINUTES
    take(platform, late)
    assert [minute for minute, _ in samples(platform)] == [1_000 + FORGOTTEN_AT_ONCE, late]
    take(platform, late + 1)
    assert [minute for minute, _ in samples(platform)] == [late, late + 1]


def test_a_sampler_takes_one_sample_in_a_minute(platform: Platform, monkeypatch):
    taken: list[int] = []
    monkeypatch.setattr("worker.samples.take", lambda _, minute: taken.append(minute) or 1)
    minutes = iter([5, 5, 6])
    monkeypatch.setattr("worker.samples.minute_of", lambda _: next(minutes))
    sampler = Sampler()
    assert [sampler.run_once(platform) for _ in range(3)] == [1, 0, 1]
    assert taken == [5, 6]
