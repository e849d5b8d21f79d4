"""Thousands of runs that one run asks for, while their workers are killed: all accounted for, none twice, memory flat."""

import functools
import random
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import func, select

from benchmarks.figures import Figure, percentile
from benchmarks.processes import family, pss_bytes
from benchmarks.site import Site
from benchmarks.soak.crew import SCHEDULER, WORKERS, Crew
from benchmarks.soak.run import Ground
from benchmarks.waiting import until
from store.models import FINAL, JobResult, Status

JOBS = Path(__file__).parent / "jobs"

KILLS = 4
MOST_PAGE_MS = 200.0
PAGES = 20

#: What workers have read of the platform when they have done everything once; only growth beyond it counts.
MOST_GROWTH = 0.15
SETTLED_SHARE = 0.1

SECONDS_A_RUN = 0.1
PATIENCE_SECONDS = 60.0

MEGABYTE = 1024 * 1024


@dataclass(slots=True)
class _Seen:
    """What was seen from outside while the runs went on."""

    kills: int = 0
    settled_bytes: int = 0
    most_bytes: int = 0
    made_seconds: float = 0.0
    pages: list[float] = field(default_factory=list)


def fan_out(ground: Ground) -> Iterable[Figure]:
    with ground.site(jobs=JOBS, plugins="examples.inventory") as site:
        yield from _soak(site, ground)


def _soak(site: Site, ground: Ground) -> Iterable[Figure]:
    count, chance = ground.plan.children, random.Random(ground.plan.seed)
    file = site.folder / "marks"
    web = site.start_web()
    crew = Crew(
        site,
        {
            SCHEDULER: functools.partial(site.start, "scheduler"),
            **dict.fromkeys(WORKERS[:2], functools.partial(site.start, "worker", "--grace", "0")),
        },
    )
    began = time.monotonic()
    parent = site.submit("FansOut", {"file": str(file), "count": count})
    seen = _Seen()
    at = sorted(chance.uniform(0.1, 0.9) for _ in range(KILLS))

    def done() -> JobResult | None:
        crew.keep_up()
        ended = _ended(site, parent)
        seen.made_seconds = seen.made_seconds or (_made(site, parent) == count) * (time.monotonic() - began)
        if len(seen.pages) < PAGES:
            seen.pages.append(web.get(f"/results/{parent}").ms)
        if at and ended >= at[0] * count:
            at.pop(0)
            crew.kill(chance.choice([name for name in WORKERS[:2] if name in crew.members]))
            seen.kills += 1
        elif ended >= SETTLED_SHARE * count:
            _weigh(crew, seen)
        return site.finished(parent)

    seconds = PATIENCE_SECONDS + count * SECONDS_A_RUN
    result = until(done, "all of them end", seconds=seconds, pause=0.25)
    took = time.monotonic() - began
    after = web.ask_in_turns([f"/results/{parent}"], PAGES)[f"/results/{parent}"]
    web.program.end()
    strays = crew.end()
    yield from _figures(site, result, file, count, seen)
    yield Figure("runs made and done", count / took, "runs/s", must="> 0", held=True, details={"s": took})
    yield Figure("until all were made", seen.made_seconds, "s", must="> 0", held=seen.made_seconds > 0)
    for label, pages in (("meanwhile", seen.pages), ("at the end", [page.ms for page in after])):
        slowest = percentile(pages, 95)
        yield Figure(
            f"page of the run, {label}, p95",
            slowest,
            "ms",
            must=f"<= {MOST_PAGE_MS:g} ms",
            held=slowest <= MOST_PAGE_MS,
        )
    growth = seen.most_bytes / seen.settled_bytes - 1 if seen.settled_bytes else 0.0
    yield Figure(
        "most memory (PSS) of two workers after the first tenth",
        seen.most_bytes / MEGABYTE,
        "MB",
        must=f"flat: <= {1 + MOST_GROWTH:g} x before",
        held=growth <= MOST_GROWTH,
        bare=seen.settled_bytes / MEGABYTE,
        bare_label="the first time",
    )
    yield _none("processes that ended by themselves", len(crew.deserters))
    yield _none("processes left at the end", len(strays))


def _weigh(crew: Crew, seen: _Seen) -> None:
    workers = [crew.pid(name) for name in WORKERS[:2] if name in crew.members]
    if len(workers) < 2:
        return
    weight = pss_bytes(family(workers))
    seen.settled_bytes = seen.settled_bytes or weight
    seen.most_bytes = max(seen.most_bytes, weight)


def _children(parent: UUID, *columns: Any) -> Any:
    return select(*columns).where(JobResult.parent_id == parent, JobResult.map_number.is_not(None))


def _made(site: Site, parent: UUID) -> int:
    with site.platform.reading() as db:
        return db.scalar(_children(parent, func.count())) or 0


def _ended(site: Site, parent: UUID) -> int:
    with site.platform.reading() as db:
        return db.scalar(_children(parent, func.count()).where(JobResult.status.in_(FINAL))) or 0


def _figures(site: Site, result: JobResult, file: Path, count: int, seen: _Seen) -> Iterable[Figure]:
    with site.platform.reading() as db:
        rows = db.execute(_children(result.id, JobResult.map_number, JobResult.status)).all()
    numbers = Counter(row.map_number for row in rows)
    completed = {row.map_number for row in rows if row.status == Status.COMPLETED}
    executed = Counter(map(int, file.read_text().split()))
    told = result.return_value or {}
    yield Figure(
        "runs that have ended",
        len(rows),
        "runs",
        must=f"{count:,}",
        held=len(rows) == count and set(numbers) == set(range(1, count + 1)),
    )
    yield Figure("kills of workers", seen.kills, "kills", must=f"{KILLS}", held=seen.kills == KILLS)
    yield _none("runs executed twice", sum(times > 1 for times in executed.values()))
    yield _none("completed without having been executed", len(completed - set(executed)))
    # What a killed worker had in its hands is not run again: its job does not say that it may be.
    cut = count - len(completed)
    yield Figure("runs cut off by a kill", cut, "runs", must=f"<= {KILLS}", held=cut <= KILLS)
    right = told == {"told": count, "bad": cut, "total": sum(completed)}
    yield Figure(
        "outcomes told",
        told.get("told", 0),
        "",
        must="all, and true",
        held=right and result.status == "completed",
    )


def _none(label: str, count: int) -> Figure:
    return Figure(label, count, "", must="0", held=not count)
