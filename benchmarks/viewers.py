"""Many people look at one live result: what that costs them, the web server, and a worker beside it."""

import asyncio
import html
import random
import re
import resource
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import func, select

from benchmarks.figures import Figure, NotMeasured, WentWrong, median, percentile
from benchmarks.processes import cpu_seconds, family
from benchmarks.rates import our_rate
from benchmarks.site import Site
from benchmarks.waiting import until
from benchmarks.web import Line, Web
from store.models import JobResult, now

#: All viewers have opened the page within this.
ARRIVAL_SECONDS = 2.0

MOST_MS = 100.0
MOST_CORES = 1.0
MOST_DROP = 0.10

#: The live run logs a line this often.
PAUSE_MS = 200

#: A browser asks again where, and after how long, the last answer says.
ADDRESS = re.compile(rb'hx-get="(/results/[^"]+/log\?[^"]*every=[^"]*)"')
INTERVAL = re.compile(rb'hx-trigger="every (\d+)ms"')

#: More runs than the worker will do meanwhile.
RESERVE = 1.5


@dataclass
class Watch:
    """What the viewers of one stretch of time found."""

    ms: list[float] = field(default_factory=list)
    cpu_seconds: float = 0.0
    cores: float = 0.0
    client_cores: float = 0.0
    rate: float = 0.0


def viewers(site: Site) -> Iterable[Figure]:
    backlog = our_rate(site) * RESERVE * site.plan.viewer_seconds * (2 * site.plan.rounds + 1)
    with site.submitting("NoOp") as ask:
        for _ in range(int(backlog)):
            ask(queue="apart")
    web = site.start_web()
    site.start_worker()
    result = site.wait_until_running(site.submit("Ticks", {"count": 100_000, "pause_ms": PAUSE_MS}))
    path = f"/results/{result.id}"
    lone = _watch(site, web, path, people=1)
    site.start_worker("--queues", "apart")
    until(lambda: _ended_since(site, result.created_at) > 0, "the second worker begins")
    without, watched = [], []
    for _ in range(site.plan.rounds):
        without.append(_watch(site, web, path, people=0))
        watched.append(_watch(site, web, path, people=site.plan.viewers))
    times = [ms for watch in watched for ms in watch.ms]
    p95, cores = percentile(times, 95), median([watch.cores for watch in watched])
    rate, before = median([watch.rate for watch in watched]), median([watch.rate for watch in without])
    label = f"{site.plan.viewers} viewers of one live result"
    yield Figure(
        label=f"{label}: a poll, p95",
        ours=p95,
        unit="ms",
        bare=percentile(lone.ms, 95),
        bare_label="one viewer",
        must=f"< {MOST_MS:g} ms",
        held=p95 < MOST_MS,
        details={"polls": len(times), "p50": percentile(times, 50)},
    )
    yield Figure(
        label=f"{label}: web",
        ours=cores,
        unit="cores",
        must=f"< {MOST_CORES:g} core",
        held=cores < MOST_CORES,
        details={
            "client_cores": median([watch.client_cores for watch in watched]),
            "cpu_ms_a_poll": 1000 * sum(watch.cpu_seconds for watch in watched) / len(times),
        },
    )
    yield Figure(
        label=f"{label}: no-op runs meanwhile",
        ours=rate,
        unit="runs/s",
        bare=before,
        bare_label="without viewers",
        must=f"> {1 - MOST_DROP:g} x bare",
        held=rate > (1 - MOST_DROP) * before,
    )


def _watch(site: Site, web: Web, path: str, *, people: int) -> Watch:
    """Let so many people look at the result for a while."""
    watch = Watch()
    servers = family([web.program.pid])
    used, own, began, moment = cpu_seconds(servers), _own_cpu(), time.monotonic(), now()
    if people:
        page = web.get(path).body
        asyncio.run(_all_look(web, page, people, site.plan.viewer_seconds, watch))
    else:
        time.sleep(site.plan.viewer_seconds)
    seconds = time.monotonic() - began
    watch.cpu_seconds = cpu_seconds(servers) - used
    watch.cores = watch.cpu_seconds / seconds
    watch.client_cores = (_own_cpu() - own) / seconds
    watch.rate = _ended_since(site, moment) / seconds
    if people and not watch.ms:
        raise NotMeasured("No viewer got an answer in time.")
    return watch


async def _all_look(web: Web, page: bytes, people: int, seconds: float, watch: Watch) -> None:
    deadline = time.monotonic() + seconds
    await asyncio.gather(*(_look(web, page, deadline, watch) for _ in range(people)))


async def _look(web: Web, page: bytes, deadline: float, watch: Watch) -> None:
    """Poll as the page does: where and when the last answer said."""
    address, pause = _next(page)
    dice = random.Random()
    await asyncio.sleep(ARRIVAL_SECONDS * dice.random())
    browser = Line(web.port, {"Cookie": web.cookie, "HX-Request": "true"})
    try:
        while time.monotonic() < deadline:
            began = time.monotonic()
            body = await _poll(browser, address)
            watch.ms.append(1000 * (time.monotonic() - began))
            if body:
                address, pause = _next(body)
            await asyncio.sleep(pause)
    finally:
        browser.close()


async def _poll(browser: Line, address: str) -> bytes:
    """Return the body; empty for 204."""
    status, body = await browser.ask("GET", address)
    if status not in (200, 204):
        raise WentWrong(f"A poll was answered with {status}.")
    return body


def _next(body: bytes) -> tuple[str, float]:
    """Return the address to poll and the seconds until then, as a page or a part of one says."""
    address, interval = ADDRESS.search(body), INTERVAL.search(body)
    if address is None or interval is None:
        raise WentWrong("The live result ended, or its page does not poll.")
    return html.unescape(address[1].decode()), int(interval[1]) / 1000


def _ended_since(site: Site, moment: datetime) -> int:
    query = select(func.count()).where(JobResult.queue == "apart", JobResult.finished_at > moment)
    with site.platform.reading() as db:
        return db.scalar(query) or 0


def _own_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
