"""How long pages take, and how large they are, when there is much to show."""

from collections.abc import Iterable

from benchmarks.figures import Figure, percentile
from benchmarks.history import add_jobs, add_result, add_results
from benchmarks.site import Site

MOST_MS = 25.0
MOST_KB = 60.0

ENTRIES = 10_000


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
    answers = web.ask_in_turns(["/healthz", *paths.values()], site.plan.requests)
    times = {path: [answer.ms for answer in found] for path, found in answers.items()}
    for label, path in paths.items():
        found, kilobytes = percentile(times[path], 50), len(answers[path][-1].body) / 1000
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
