"""One job that logs as fast as it can, beside the same rows inserted by SQLAlchemy Core and nothing else."""

import time
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, insert, select

from benchmarks.figures import Figure, WentWrong, median
from benchmarks.site import Site
from store.models import Base, JobResult, LogEntry
from store.platform import make_engine

LEAST_ENTRIES = 20_000
LEAST_RATIO = 0.3

#: Rows in one transaction of the bare inserts.
BATCH = 500

COLUMNS = [column for column in LogEntry.__table__.columns if column.name != "id"]


def chatty(site: Site) -> Iterable[Figure]:
    site.start_worker()
    log_lines(site, lines=100)
    ours, limit = [], []
    with site.scratch_database() as url:
        engine = make_engine(url)
        try:
            Base.metadata.create_all(engine)
            for _ in range(site.plan.rounds):
                result_id, rate = log_lines(site, lines=site.plan.lines)
                ours.append(rate)
                limit.append(_insert(site, engine, result_id))
        finally:
            engine.dispose()
    rate, bare = median(ours), median(limit)
    must = {
        f">= {LEAST_ENTRIES} entries/s": rate >= LEAST_ENTRIES,
        f">= {LEAST_RATIO:g} x bare": rate >= LEAST_RATIO * bare,
    }
    for words, held in must.items():
        yield Figure(
            label="one chatty job, plain lines",
            ours=rate,
            unit="entries/s",
            bare=bare,
            bare_label=f"Core inserts of {BATCH}",
            must=words,
            held=held,
            details={"lines": site.plan.lines, "slowest_round": min(ours), "fastest_round": max(ours)},
        )


def log_lines(site: Site, *, lines: int) -> tuple[UUID, float]:
    """Run the chatty job; return its id, and entries a second from its first call to the stored end."""
    result = site.wait_for(site.submit("Chatty", {"lines": lines}), seconds=600, pause=0.1)
    with site.platform.reading() as db:
        query = select(LogEntry.created_at).where(LogEntry.result_id == result.id, LogEntry.seq == 1)
        first = db.scalars(query).one()
    if result.last_seq != lines or result.finished_at is None:
        raise WentWrong(f"Of {lines} lines {result.last_seq} arrived.")
    return result.id, lines / (result.finished_at - first).total_seconds()


def _insert(site: Site, engine: Engine, result_id: UUID) -> float:
    """Insert the rows of that run into the same table of an empty database; return rows a second."""
    result, rows = _rows(site, result_id)
    with engine.begin() as connection:
        connection.execute(insert(JobResult), [result])
    began = time.monotonic()
    for start in range(0, len(rows), BATCH):
        with engine.begin() as connection:
            connection.execute(insert(LogEntry), rows[start : start + BATCH])
    return len(rows) / (time.monotonic() - began)


def _rows(site: Site, result_id: UUID) -> tuple[dict[str, Any], Sequence[dict[str, Any]]]:
    with site.platform.engine.connect() as connection:
        results = connection.execute(select(JobResult.__table__).where(JobResult.id == result_id))
        result = dict(results.mappings().one())
        query = select(*COLUMNS).where(LogEntry.result_id == result_id).order_by(LogEntry.seq)
        rows = [dict(row) for row in connection.execute(query).mappings()]
    # The job and the person are not in the scratch database.
    return {**result, "job_id": None, "user_id": None}, rows
