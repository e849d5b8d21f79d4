"""How long it takes from asking for a run to the first line of the job's code, when the worker has nothing else to do."""

import time
from collections.abc import Iterable

from redis import Redis
from rq import Queue
from rq.job import JobStatus

from benchmarks import bare
from benchmarks.figures import Figure, WentWrong, percentile
from benchmarks.site import Site
from benchmarks.waiting import until

#: The worker has gone back to its queue when this has passed since it finished a run.
IDLE_SECONDS = 0.03

QUEUE = "bare-latency"

MOST_MS = {50: 15.0, 95: 40.0}


def latency(site: Site) -> Iterable[Figure]:
    site.start_worker()
    site.run_python("benchmarks.bare", "simple", QUEUE, site.redis_url)
    _our_waits(site, site.plan.warm_runs)
    _bare_waits(site, site.plan.warm_runs)
    ours: list[float] = []
    limit: list[float] = []
    for _ in range(site.plan.rounds):
        ours += _our_waits(site, site.plan.lone_runs)
        limit += _bare_waits(site, site.plan.lone_runs)
    for percent, most in MOST_MS.items():
        found = percentile(ours, percent)
        yield Figure(
            label=f"submit -> job code begins, p{percent}",
            ours=found,
            unit="ms",
            bare=percentile(limit, percent),
            bare_label="RQ's SimpleWorker",
            must=f"<= {most:g} ms",
            held=found <= most,
            details={"runs": len(ours)},
        )


def _our_waits(site: Site, runs: int) -> list[float]:
    """Return milliseconds from just before `submit` to the job's own clock: one clock for all processes."""
    waits = []
    with site.submitting("Began") as ask:
        for _ in range(runs):
            asked = time.monotonic()
            result = site.wait_for(ask(), pause=0.005)
            began = result.return_value
            if not isinstance(began, float):
                raise WentWrong(f"The job's clock said {began!r}.")
            waits.append(1000 * (began - asked))
            time.sleep(IDLE_SECONDS)
    return waits


def _bare_waits(site: Site, runs: int) -> list[float]:
    waits = []
    with Redis.from_url(site.redis_url) as connection:
        queue = Queue(QUEUE, connection=connection)
        for _ in range(runs):
            asked = time.monotonic()
            job = queue.enqueue(bare.began)
            until(lambda job=job: job.get_status() == JobStatus.FINISHED, "a job of bare RQ ends")  # type: ignore[misc]
            waits.append(1000 * (float(job.return_value(refresh=True) or 0) - asked))
            time.sleep(IDLE_SECONDS)
    return waits
