"""How fast due slots become runs, beside the same rows written by SQLAlchemy Core and nothing else."""

import time
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, insert, select, update

from benchmarks.figures import Figure, WentWrong, median
from benchmarks.many_schedules import Wanted, add_schedules
from benchmarks.site import Site
from store.models import AuditRecord, Base, JobResult, Schedule, now
from store.platform import make_engine
from store.timing.recurrence import Recurrence
from worker.firing import fire_due
from worker.schedules import Timetable

LEAST_RATIO = 0.1

#: What a slot changes of its schedule.
MOVED = ("last_slot_at", "next_slot_at", "wakes_at", "problem", "last_run_at", "total_run_count")

#: One slot: how its schedule was before, what the slot made of that, its run, its record of the audit.
Written = tuple[dict[str, Any], dict[str, Any], dict[str, Any], dict[str, Any]]


def firing(site: Site) -> Iterable[Figure]:
    ours, limit = [], []
    with site.scratch_database() as url:
        engine = make_engine(url)
        try:
            Base.metadata.create_all(engine)
            _fire(site, 20)
            for _ in range(site.plan.rounds):
                rate, ids = _fire(site, site.plan.slots)
                ours.append(rate)
                limit.append(_write(engine, _written(site, ids)))
        finally:
            engine.dispose()
    rate, bare = median(ours), median(limit)
    yield Figure(
        label="due slots that become runs, one scheduler",
        ours=rate,
        unit="slots/s",
        bare=bare,
        bare_label="Core, the same rows",
        must=f">= {LEAST_RATIO:g} x bare",
        held=rate >= LEAST_RATIO * bare,
        details={"slots": site.plan.slots, "slowest_round": min(ours), "fastest_round": max(ours)},
    )


def _fire(site: Site, count: int) -> tuple[float, Sequence[UUID]]:
    """Have one slot of so many schedules become due, and a scheduler fire them; return slots a second, and their ids."""
    start = now() - timedelta(seconds=2)
    timetable = Timetable("Each day", Recurrence("daily", start, zone="Europe/Berlin"))
    ids = add_schedules(site, [Wanted("NoOp", timetable)] * count)
    began = time.perf_counter()
    fired = 0
    while runs := fire_due(site.platform, site.settings).runs:
        fired += len(runs)
    rate = fired / (time.perf_counter() - began)
    if fired != count:
        raise WentWrong(f"Of {count} due slots {fired} became runs.")
    return rate, ids


def _written(site: Site, ids: Sequence[UUID]) -> Sequence[Written]:
    """Return what was written for each of these schedules, as rows."""
    with site.platform.engine.connect() as connection:
        own = Schedule.id.in_(ids)
        schedules = connection.execute(select(Schedule.__table__).where(own)).mappings().all()
        runs = connection.execute(select(JobResult.__table__).where(JobResult.origin_id.in_(ids))).mappings()
        run_of = {run["origin_id"]: dict(run) for run in runs}
        notes = connection.execute(select(AuditRecord.__table__).order_by(AuditRecord.id.desc())).mappings()
        notes_of = {(note["after"] or {}).get("result"): dict(note) for note in notes.fetchmany(len(ids))}
    written = []
    # Neither the job nor the person is in the scratch database.
    nobody = {"job_id": None, "user_id": None}
    for row in schedules:
        run = run_of[row["id"]]
        moved = {column: row[column] for column in MOVED}
        note = notes_of[str(run["id"])]
        del note["id"]
        before = {**row, **nobody, "last_slot_at": None}
        written.append((before, moved, {**run, **nobody}, note))
    return written


def _write(engine: Engine, written: Sequence[Written]) -> float:
    """Write the same in as many transactions of the same kind; return slots a second."""
    with engine.begin() as connection:
        connection.execute(insert(Schedule), [before for before, *_ in written])
    began = time.perf_counter()
    for before, moved, run, note in written:
        with engine.begin() as connection:
            mine = (Schedule.id == before["id"], Schedule.last_slot_at.is_(None))
            connection.execute(update(Schedule).where(*mine).values(**moved))
            connection.execute(insert(JobResult), [run])
            connection.execute(insert(AuditRecord), [note])
    return len(written) / (time.perf_counter() - began)
