"""How much memory a whole instance takes, and whether that grows with what it has done."""

from collections.abc import Iterable, Sequence

from redis import Redis
from sqlalchemy import func, select

from benchmarks.figures import Figure
from benchmarks.processes import family, pss_bytes
from benchmarks.site import Site
from benchmarks.waiting import until
from store.models import FINAL, JobResult

MOST_MB = 350.0
MOST_GROWTH = 0.05

#: So many runs are asked for at once: the longest queue that Redis has had is not what this is about.
PORTION = 500

#: All processes have done everything once after so many runs.
FIRST_RUNS = PORTION

RUN_SECONDS = 2.0

#: Seconds: RQ forgets what ended within a minute, and Redis gives that memory back.
FORGET_SECONDS = 90.0

MEGABYTE = 1024 * 1024


def memory(site: Site) -> Iterable[Figure]:
    web = site.start_web("up", "--no-demo", "--workers", "2")
    up = web.program.pid
    _use(site, FIRST_RUNS)
    for _ in range(20):
        web.get("/jobs/")
        web.get("/results/")
    # Those who watch over the others are counted beside them.
    first, watching = _megabytes(_programs(site, up)), _megabytes([up])
    _use(site, site.plan.memory_runs)
    last = _megabytes(_programs(site, up))
    yield Figure(
        label="memory (PSS) of web, 2 workers, scheduler, Redis, idle",
        ours=first,
        unit="MB",
        must=f"< {MOST_MB:g} MB",
        held=first < MOST_MB,
        details={"up": watching},
    )
    yield Figure(
        label=f"memory after {site.plan.memory_runs} more runs",
        ours=last,
        unit="MB",
        bare=first,
        bare_label="before them",
        must=f"flat: <= {1 + MOST_GROWTH:g} x before",
        held=last <= first * (1 + MOST_GROWTH),
    )


def _programs(site: Site, up: int) -> list[int]:
    return [pid for pid in family([up, site.redis.pid]) if pid != up]


def _megabytes(pids: Sequence[int]) -> float:
    return pss_bytes(pids) / MEGABYTE


def _use(site: Site, runs: int) -> None:
    """Do so many runs, then wait until all is quiet again."""
    with Redis.from_url(site.redis_url) as connection:
        keys = connection.dbsize()
        with site.submitting("NoOp") as ask:
            for number in range(1, runs + 1):
                ask()
                if number % PORTION == 0 or number == runs:
                    until(lambda: _all_ended(site), "runs end", seconds=RUN_SECONDS * PORTION, pause=0.1)
        until(lambda: connection.dbsize() <= keys + 20, "Redis forgets", seconds=FORGET_SECONDS, pause=0.5)


def _all_ended(site: Site) -> bool:
    open_runs = select(func.count()).where(JobResult.status.not_in(FINAL))
    with site.platform.reading() as db:
        return not db.scalar(open_runs)
