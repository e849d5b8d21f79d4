"""How long pages take, and how large they are, when there is much to show."""

from collections.abc import Iterable

from benchmarks.figures import Figure, percentile
from benchmarks.history import add_jobs, add_result, add_results
from benchmarks.site import Site
from benchmarks.web import Web

MOST_MS = 25.0
MOST_KB = 60.0

ENTRIES = 10_000

#: Each process of the server has made each page once or twice.
WARM_REQUESTS = 4


def pages(site: Site) -> Iterable[Figure]:
    add_jobs(site, site.plan.jobs)
    add_results(site, site.plan.history)
    result_id = add_result(site, "Chatty", ENTRIES)
    paths = {
        f"jobs list, {site.plan.jobs} jobs, {site.plan.history:,} results": "/jobs/",
        "run form, 12 variables": "/jobs/local/form/TwelveInputs/",
        "run form, 40 variables": "/jobs/local/form/FortyInputs/",
        f"result with {ENTRIES:,} entries": f"/results/{result_id}",
        f"results list, {site.plan.history:,} results": "/results/",
    }
    web = site.start_web()
    times, sizes = _ask(web, ["/healthz", *paths.values()], site.plan.requests)
    for label, path in paths.items():
        found, kilobytes = percentile(times[path], 50), sizes[path] / 1000
        yield Figure(
            label=f"{label}: p50",
            ours=found,
            unit="ms",
            bare=percentile(times["/healthz"], 50),
            bare_label="a page of one word",
            must=f"<= {MOST_MS:g} ms",
            held=found <= MOST_MS,
            details={"p95": percentile(times[path], 95)},
        )
        yield Figure(
            label=f"{label}: HTML",
            ours=kilobytes,
            unit="KB",
            must=f"<= {MOST_KB:g} KB",
            held=kilobytes <= MOST_KB,
        )


def _ask(web: Web, paths: list[str], requests: int) -> tuple[dict[str, list[float]], dict[str, int]]:
    """Ask for the pages in turns; return milliseconds and bytes by path."""
    times: dict[str, list[float]] = {path: [] for path in paths}
    sizes: dict[str, int] = {}
    for number in range(WARM_REQUESTS + requests):
        for path in paths:
            answer = web.get(path)
            sizes[path] = len(answer.body)
            if number >= WARM_REQUESTS:
                times[path].append(answer.ms)
    return times, sizes
