"""Whether a result with a million entries is as quick as one with a thousand."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select

from benchmarks.figures import Figure, median
from benchmarks.history import add_result
from benchmarks.site import Site
from benchmarks.waiting import until
from benchmarks.web import Web
from store.models import LogEntry, Status, now

MOST_RATIO = 1.5

SMALL = 1_000

#: What is appended at a time: a stretch, at the turns of its run.
LINES = 2_000
EVERY_SECONDS = 4

PATIENCE_SECONDS = 60.0


def big_result(site: Site) -> Iterable[Figure]:
    sizes = [SMALL, site.plan.big]
    ids = [_add(site, size, turn) for turn, size in enumerate(sizes)]
    # Before a worker begins to append.
    web = site.start_web()
    reads: dict[str, Callable[[int], str]] = {
        "tail of it, as a page": lambda size: f"?before={size + 1}",
        "tail of it, as polled": lambda size: f"/log?after={size - 20}&state=pending&every=300",
        "jump into it": lambda size: f"?line={size // 2}",
    }
    for what, path in reads.items():
        addresses = [f"/results/{key}{path(size)}" for key, size in zip(ids, sizes, strict=True)]
        yield _figure(what, site.plan.big, _times(web, addresses, site.plan.requests))
    for _ in ids:
        site.start_worker()
    site.start("scheduler")
    yield _figure(f"append {LINES:,} to it", site.plan.big, _appended(site, ids, sizes))


def _add(site: Site, size: int, turn: int) -> UUID:
    """Add a run that waits, although it has entries already: what it does is append."""
    return add_result(
        site,
        "Stretches",
        size,
        status=Status.PENDING,
        attempt=0,
        # As if its push had been lost: the scheduler pushes it.
        pushed_at=None,
        created_at=now() - timedelta(minutes=1),
        started_at=None,
        began_at=None,
        finished_at=None,
        data={
            "lines": LINES,
            "count": 1 + site.plan.rounds,
            "every_ms": 1000 * EVERY_SECONDS,
            "turn_ms": turn * 1000 * EVERY_SECONDS // 2,
        },
    )


def _figure(what: str, entries: int, times: list[list[float]]) -> Figure:
    small, big = median(times[0]), median(times[1])
    return Figure(
        label=f"result with {entries:,} entries: {what}",
        ours=big,
        unit="ms",
        bare=small,
        bare_label=f"with {SMALL:,}",
        must=f"<= {MOST_RATIO:g} x bare",
        held=big <= MOST_RATIO * small,
    )


def _times(web: Web, addresses: list[str], requests: int) -> list[list[float]]:
    """Ask for all in turns; return milliseconds of each."""
    times: list[list[float]] = [[] for _ in addresses]
    for _ in range(requests):
        for of_one, address in zip(times, addresses, strict=True):
            of_one.append(web.get(address, fragment="/log?" in address).ms)
    return times


def _appended(site: Site, ids: list[UUID], sizes: list[int]) -> list[list[float]]:
    """Watch both runs append; return ms from the first line of each stretch until all of it can be read."""
    stretches = 1 + site.plan.rounds
    done: list[list[datetime]] = [[] for _ in ids]

    def all_there() -> bool:
        for of_one, result_id, size in zip(done, ids, sizes, strict=True):
            if site.result(result_id).last_seq >= size + LINES * (len(of_one) + 1):
                of_one.append(now())
        return all(len(of_one) >= stretches for of_one in done)

    until(all_there, "the lines are appended", seconds=PATIENCE_SECONDS, pause=0.002)
    # The first stretch finds a cold worker.
    return [
        [
            1000
            * (done[one][number] - _logged(site, ids[one], sizes[one] + number * LINES + 1)).total_seconds()
            for number in range(1, stretches)
        ]
        for one in range(len(ids))
    ]


def _logged(site: Site, result_id: UUID, seq: int) -> datetime:
    with site.platform.reading() as db:
        query = select(LogEntry.created_at).where(LogEntry.result_id == result_id, LogEntry.seq == seq)
        return db.scalars(query).one()
