"""The JSON API: how many runs a second can be asked for, and what many who wait for runs cost those who read pages."""

import asyncio
import time
from collections.abc import Iterable
from itertools import count

from sqlalchemy import select

from benchmarks.figures import Figure, WentWrong, percentile
from benchmarks.site import USERNAME, Site
from benchmarks.web import Line, Web
from store.models import ApiToken, User
from store.secrets import new_token

#: Who ask at once; more would only wait for one another.
CLIENTS = 8

LEAST_RATE = 200.0

POLLS = 50

#: What a page may cost while they wait, beside what it costs without them.
MOST_TIMES = 2.0

RUN = "/api/v1/jobs/local/noop/NoOp/run"


def api(site: Site) -> Iterable[Figure]:
    headers = {"Authorization": f"Token {token_of(site, USERNAME)}"}
    # One process of a server, of which there are two otherwise.
    site.environment["GUNICORN_CMD_ARGS"] = "--workers 1"
    web = site.start_web()
    bare = _straight(site)
    times, seconds = asyncio.run(_submit_all(web, headers, site.plan.viewer_seconds))
    rate = len(times) / seconds
    yield Figure(
        label="submissions by the API, one web process",
        ours=rate,
        unit="runs/s",
        bare=bare,
        bare_label="the same, without the web",
        must=f">= {LEAST_RATE:g} runs/s",
        held=rate >= LEAST_RATE,
        details={f"p{percent}_ms": percentile(times, percent) for percent in (50, 95, 99)},
    )
    yield asyncio.run(_waiting(site, web, headers))


def token_of(site: Site, username: str) -> str:
    """Make a token of a user."""
    plain, token_hash = new_token("errand")
    with site.platform.session() as db:
        user = db.scalars(select(User).where(User.username == username)).one()
        db.add(ApiToken(user_id=user.id, prefix=plain[:12], token_hash=token_hash))
        db.commit()
    return plain


def _straight(site: Site) -> float:
    """Return how many a second the only door takes from one process that does nothing else."""
    with site.submitting("NoOp") as ask:
        ask()
        began = time.monotonic()
        for number in count(1):
            ask()
            if (seconds := time.monotonic() - began) >= site.plan.viewer_seconds / 2:
                return number / seconds
    raise AssertionError


async def _submit_all(web: Web, headers: dict[str, str], seconds: float) -> tuple[list[float], float]:
    """Ask for runs, one after the other on each of some connections; return the milliseconds of each, and the time."""
    times: list[float] = []
    began = time.monotonic()
    deadline = began + seconds
    await asyncio.gather(*(_submit(web, headers, deadline, times) for _ in range(CLIENTS)))
    return times, time.monotonic() - began


async def _submit(web: Web, headers: dict[str, str], deadline: float, times: list[float]) -> None:
    line = Line(web.port, headers)
    try:
        await line.ask("GET", "/api/v1/queues?fields=name")
        while time.monotonic() < deadline:
            began = time.monotonic()
            status, body = await line.ask("POST", RUN, b'{"data": {}}')
            if status != 201:
                raise WentWrong(f"A request was answered with {status}: {body[:200]!r}")
            times.append(1000 * (time.monotonic() - began))
    finally:
        line.close()


async def _waiting(site: Site, web: Web, headers: dict[str, str]) -> Figure:
    """Have many wait for a run that nobody executes, and look at a page meanwhile."""
    before = await asyncio.to_thread(_page_times, site, web)
    # Nobody works on this queue.
    result_id = site.submit("NoOp", queue="apart")
    seconds = 5 + 2 * site.plan.viewer_seconds
    lines = [Line(web.port, headers) for _ in range(POLLS)]
    address = f"/api/v1/results/{result_id}?fields=status&wait={int(seconds)}"
    polls = [asyncio.create_task(line.ask("GET", address)) for line in lines]
    await asyncio.sleep(1)
    times = await asyncio.to_thread(_page_times, site, web)
    held = sum(not poll.done() for poll in polls)
    answers = await asyncio.gather(*polls)
    for line in lines:
        line.close()
    if any(status != 200 for status, _ in answers):
        raise WentWrong("A long poll was refused.")
    alone, beside = percentile(before, 95), percentile(times, 95)
    return Figure(
        label=f"a page beside {POLLS} long polls, p95",
        ours=beside,
        unit="ms",
        bare=alone,
        bare_label="without them",
        must=f"all held, and <= {MOST_TIMES:g} x bare",
        held=held == POLLS and beside <= MOST_TIMES * alone,
        details={"held": float(held), "p50": percentile(times, 50)},
    )


def _page_times(site: Site, web: Web) -> list[float]:
    deadline = time.monotonic() + site.plan.viewer_seconds
    times: list[float] = []
    while time.monotonic() < deadline:
        times.append(web.get("/jobs/").ms)
    return times
