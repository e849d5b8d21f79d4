"""How soon a line that a job logs can be read: at the poll URL, and by somebody who looks at a browser."""

import re
import shutil
import time
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from benchmarks.browsers import BROWSERS
from benchmarks.figures import Figure, NotMeasured, WentWrong, percentile
from benchmarks.site import Site
from benchmarks.web import Web
from store.models import Status

MOST_POLL_MS = 150.0
MOST_SEEN_MS = 500.0

#: Between two lines: no multiple of any interval of ours, so that they meet each other in every way.
PAUSE_MS = 130

#: Between two polls of the impatient client.
POLL_SECONDS = 0.004

PATIENCE_SECONDS = 60.0

TICK = re.compile(rb"tick (\d+\.\d+)")
LINE = re.compile(rb'id="L(\d+)"')

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]

#: Notes, as soon as a new line has been drawn, what it says and when that was.
WATCH = """() => {
  window.seen = [];
  new MutationObserver(changes => requestAnimationFrame(() => {
    const at = (performance.timeOrigin + performance.now()) / 1000;
    for (const change of changes) for (const node of change.addedNodes) {
      const tick = /tick (\\d+\\.\\d+)/.exec(node.textContent || "");
      if (tick) window.seen.push([Number(tick[1]), at]);
    }
  })).observe(document.querySelector("#log"), {childList: true});
}"""


def poll(site: Site) -> Iterable[Figure]:
    result_id, web = _begin(site)
    waits, empty = _read(web, result_id, site.plan.ticks)
    found = percentile(waits, 95)
    yield Figure(
        label="log_info -> readable through the poll URL, p95",
        ours=found,
        unit="ms",
        bare=percentile(empty, 95),
        bare_label="a poll without news",
        must=f"<= {MOST_POLL_MS:g} ms",
        held=found <= MOST_POLL_MS,
        details={"p50": percentile(waits, 50), "lines": len(waits)},
    )


def browser(site: Site) -> Iterable[Figure]:
    playwright, binary = _browser()
    result_id, web = _begin(site)
    with playwright() as driver:
        chromium = driver.chromium.launch(executable_path=binary, args=FLAGS)
        try:
            page = chromium.new_page(base_url=web.url)
            page.goto(web.sign_in_path())
            page.goto(f"/results/{result_id}")
            page.evaluate(WATCH)
            enough = f"() => window.seen.length >= {site.plan.ticks}"
            page.wait_for_function(enough, timeout=1000 * _seconds(site.plan.ticks))
            seen = page.evaluate("() => window.seen")
        finally:
            chromium.close()
    waits = [1000 * (at - logged) for logged, at in seen]
    found = percentile(waits, 95)
    yield Figure(
        label="log_info -> seen in Chromium, p95",
        ours=found,
        unit="ms",
        must=f"<= {MOST_SEEN_MS:g} ms",
        held=found <= MOST_SEEN_MS,
        details={"p50": percentile(waits, 50), "lines": len(waits)},
    )


def _begin(site: Site) -> tuple[UUID, Web]:
    """Start a run that tells the time again and again, and the web server; return once both are there."""
    web = site.start_web()
    site.start_worker()
    # It goes on for as long as somebody may still be looking.
    many = 10 * site.plan.ticks + 1000
    result = site.wait_until_running(site.submit("Ticks", {"count": many, "pause_ms": PAUSE_MS}))
    return result.id, web


def _seconds(ticks: int) -> float:
    return PATIENCE_SECONDS + 3 * ticks * PAUSE_MS / 1000


def _read(web: Web, result_id: UUID, ticks: int) -> tuple[list[float], list[float]]:
    """Poll without a rest; return the age of each line in ms when it arrived, and how long polls without news took."""
    ages: list[float] = []
    empty: list[float] = []
    last = 0
    deadline = time.monotonic() + _seconds(ticks)
    while len(ages) < ticks:
        answer = web.get(
            f"/results/{result_id}/log?after={last}&state={Status.RUNNING}&every=300", fragment=True
        )
        arrived = time.time()
        lines = [int(number) for number in LINE.findall(answer.body)]
        # What was there before the first poll is old, and says nothing.
        if lines and last:
            ages += [1000 * (arrived - float(logged)) for logged in TICK.findall(answer.body)]
        elif not lines and last:
            empty.append(answer.ms)
        last = max(lines, default=last)
        if time.monotonic() > deadline:
            raise WentWrong(f"Only {len(ages)} lines arrived.")
        time.sleep(POLL_SECONDS)
    return ages, empty or [0.0]


def _browser() -> tuple[Any, str]:
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise NotMeasured("Playwright is not installed (see requirements-dev.txt).") from error
    binary = next(filter(None, map(shutil.which, BROWSERS)), None)
    if binary is None:
        raise NotMeasured("There is no Chromium on PATH.")
    return sync_playwright, binary
