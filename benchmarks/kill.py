"""How long a result says "running" after its worker was killed."""

import os
import signal
import time
from collections.abc import Iterable

from sqlalchemy import update

from benchmarks.figures import Figure, median
from benchmarks.site import Site
from benchmarks.waiting import until
from store.models import JobResult, Status, WorkerProcess

MOST_SECONDS = 15.0
PATIENCE_SECONDS = 120.0

ELSEWHERE = "another machine"


def kill(site: Site) -> Iterable[Figure]:
    site.start("scheduler")
    for label, elsewhere in (("on the same machine", False), ("seen from another machine", True)):
        found = [_one_kill(site, elsewhere=elsewhere) for _ in range(site.plan.kills)]
        seconds = [time_to_end for time_to_end, _ in found]
        untrue = sum(status != Status.ERRORED for _, status in found)
        yield Figure(
            label=f"kill -9 of a worker -> end state, {label}, slowest",
            ours=max(seconds),
            unit="s",
            must=f"<= {MOST_SECONDS:g} s, and true",
            held=max(seconds) <= MOST_SECONDS and not untrue,
            details={"median": median(seconds), "kills": len(found), "untrue_ends": untrue},
        )


def _one_kill(site: Site, *, elsewhere: bool) -> tuple[float, str]:
    """Kill a worker in mid-run; return the seconds until its result has ended, and how it says it did."""
    worker = site.start_worker()
    result = site.wait_until_running(site.submit("Waits"))
    pid = result.worker_pid or worker.pid
    if elsewhere:
        _pretend_elsewhere(site, result)
    os.kill(pid, signal.SIGKILL)
    killed = time.monotonic()
    ended = until(lambda: site.finished(result.id), "a lost run ends", seconds=PATIENCE_SECONDS)
    seconds = time.monotonic() - killed
    worker.end()
    return seconds, ended.status


def _pretend_elsewhere(site: Site, result: JobResult) -> None:
    """Let the row name a machine whose processes nobody here can see, so that only the beat tells."""
    with site.platform.session() as db:
        db.execute(update(JobResult).where(JobResult.id == result.id).values(worker_host=ELSEWHERE))
        db.execute(
            update(WorkerProcess).where(WorkerProcess.name == result.worker).values(host_key=ELSEWHERE)
        )
        db.commit()
