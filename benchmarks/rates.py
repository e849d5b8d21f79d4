"""Runs a second, ours and RQ's own. The clock reads when runs ended, so that starting a worker costs nothing."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from redis import Redis
from rq import Queue
from rq.job import Job
from sqlalchemy import select

from benchmarks import bare
from benchmarks.figures import Figure, WentWrong, median
from benchmarks.processes import Program
from benchmarks.site import Site
from store.models import JobResult, Status

#: Far more than any machine needs for a run.
RUN_SECONDS = 2.0
START_SECONDS = 60.0

ENTRIES = 3

#: Rows read in one query: SQLite takes only so many parameters.
ROWS_A_QUERY = 500

#: Who did a run, and when it ended.
End = tuple[str, datetime]


def noop(site: Site) -> Iterable[Figure]:
    ours, forking, simple = [], [], []
    for _ in range(site.plan.rounds):
        ours.append(our_rate(site))
        forking.append(bare_rate(site, "fork"))
        simple.append(bare_rate(site, "simple"))
    rate = median(ours)
    for limit, least, label in (
        (median(forking), 2.0, "RQ's forking worker"),
        (median(simple), 0.4, "RQ's SimpleWorker"),
    ):
        yield Figure(
            label="no-op runs, one worker",
            ours=rate,
            unit="runs/s",
            bare=limit,
            bare_label=label,
            must=f">= {least:g} x bare",
            held=rate >= least * limit,
            details={"slowest_round": min(ours), "fastest_round": max(ours)},
        )


def two_workers(site: Site) -> Iterable[Figure]:
    rates: dict[str, list[float]] = {"one": [], "bare_one": [], "two": [], "bare_two": []}
    for _ in range(site.plan.rounds):
        rates["one"].append(our_rate(site))
        rates["bare_one"].append(bare_rate(site, "fork"))
        rates["two"].append(our_rate(site, workers=2))
        rates["bare_two"].append(bare_rate(site, "fork", workers=2))
    found = {name: median(values) for name, values in rates.items()}
    ours, bare_ratio = found["two"] / found["one"], found["bare_two"] / found["bare_one"]
    yield Figure(
        label="two workers against one",
        ours=ours,
        unit="times",
        bare=bare_ratio,
        bare_label="RQ's forking worker",
        must=">= bare",
        held=ours >= bare_ratio,
        details=found,
    )


def our_rate(site: Site, *, workers: int = 1) -> float:
    with site.submitting("NoOp") as ask:
        ids = [ask() for _ in range(_count(site, workers))]
    _work([site.start_worker("--burst") for _ in range(workers)], len(ids))
    return _rate(_ends(site, ids), site.plan.warm_runs, workers)


def bare_rate(site: Site, kind: str, *, workers: int = 1) -> float:
    name = f"bare-{kind}"
    with Redis.from_url(site.redis_url) as connection:
        queue = Queue(name, connection=connection)
        jobs = [queue.enqueue(bare.noop) for _ in range(_count(site, workers))]
        command = ("benchmarks.bare", kind, name, site.redis_url, "--burst")
        _work([site.run_python(*command) for _ in range(workers)], len(jobs))
        ends = [_bare_end(job) for job in jobs]
    return _rate(ends, site.plan.warm_runs, workers)


def _count(site: Site, workers: int) -> int:
    return site.plan.runs + workers * site.plan.warm_runs


def _work(workers: Sequence[Program], runs: int) -> None:
    """Wait until the workers have emptied the queue."""
    for worker in workers:
        if worker.wait(START_SECONDS + RUN_SECONDS * runs):
            raise WentWrong(f"A worker ended with status {worker.process.returncode}: {worker.last_words()}")


def _ends(site: Site, ids: Sequence[UUID]) -> list[End]:
    ends: list[End] = []
    with site.platform.reading() as db:
        for start in range(0, len(ids), ROWS_A_QUERY):
            query = select(JobResult).where(JobResult.id.in_(ids[start : start + ROWS_A_QUERY]))
            ends += [_end(result) for result in db.scalars(query)]
    return ends


def _end(result: JobResult) -> End:
    if result.status != Status.COMPLETED or result.last_seq != ENTRIES or result.finished_at is None:
        raise WentWrong(f"A no-op run is {result.status} with {result.last_seq} entries: {result.cause}")
    return str(result.worker), result.finished_at


def _bare_end(job: Job) -> End:
    job.refresh()  # type: ignore[no-untyped-call]
    if job.ended_at is None:
        raise WentWrong("A job of bare RQ did not end.")
    return str(job.worker_name), job.ended_at


def _rate(ends: Sequence[End], warm: int, workers: int) -> float:
    """Return ends a second from when every worker had done its first `warm` runs."""
    by_worker: dict[str, list[datetime]] = {}
    for worker, moment in sorted(ends, key=lambda end: end[1]):
        by_worker.setdefault(worker, []).append(moment)
    if len(by_worker) != workers or any(len(moments) <= warm for moments in by_worker.values()):
        raise WentWrong(f"{workers} workers were to share {len(ends)} runs, and did not.")
    begin = max(moments[warm - 1] for moments in by_worker.values())
    counted = [moment for _, moment in ends if moment > begin]
    return len(counted) / (max(counted) - begin).total_seconds()
