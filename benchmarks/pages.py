"""How long pages take, and how large they are, when there is much to show."""

from collections.abc import Iterable

from benchmarks.figures import Figure, percentile
from benchmarks.history import REPORT_ROWS, add_jobs, add_report, add_result, add_results
from benchmarks.site import Site

MOST_MS = 25.0
MOST_KB = 60.0

ENTRIES = 10_000

#: A page with as large a report as is kept: most of the time goes into reading it.
REPORT_MS, REPORT_KB = 300.0, 300.0


def pages(site: Site) -> Iterable[Figure]:
    add_jobs(site, site.plan.jobs)
    add_results(site, site.plan.history)
    result_id = add_result(site, "Chatty", ENTRIES)
    reported = add_result(site, "Chatty", 100)
    add_report(site, reported)
    paths = {
        f"jobs list, {site.plan.jobs} jobs, {site.plan.history:,} results": "/jobs/",
        "run form, 12 variables": "/jobs/local/form/TwelveInputs/",
        "run form, 40 variables": "/jobs/local/form/FortyInputs/",
        f"result with {ENTRIES:,} entries": f"/results/{result_id}",
        f"results list, {site.plan.history:,} results": "/results/",
    }
    report = f"result with a report of {REPORT_ROWS:,} rows and 5 MB of code"
    paths[report] = f"/results/{reported}"
    web = site.start_web()
    answers = web.ask_in_turns(["/healthz", *paths.values()], site.plan.requests)
    times = {path: [answer.ms for answer in found] for path, found in answers.items()}
    for label, path in paths.items():
        most_ms, most_kb = (REPORT_MS, REPORT_KB) if label == report else (MOST_MS, MOST_KB)
        found, kilobytes = percentile(times[path], 50), len(answers[path][-1].body) / 1000
        yield Figure(
            label=f"{label}: p50",
            ours=found,
            unit="ms",
            bare=percentile(times["/healthz"], 50),
            bare_label="a page of one word",
            must=f"<= {most_ms:g} ms",
            held=found <= most_ms,
            details={"p95": percentile(times[path], 95)},
        )
        yield Figure(
            label=f"{label}: HTML",
            ours=kilobytes,
            unit="KB",
            must=f"<= {most_kb:g} KB",
            held=kilobytes <= most_kb,
        )
