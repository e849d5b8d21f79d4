"""Search across all runs: how long a page of it takes, and whether runs that log are slower for it."""

from collections.abc import Iterable
from urllib.parse import quote_plus

from benchmarks.chatty import log_lines
from benchmarks.figures import Figure, median, percentile
from benchmarks.history import add_result, settle
from benchmarks.site import Site
from benchmarks.waiting import until
from store.entry_search import entry_index
from worker.entry_search import index_all

MOST_MS = 150.0

#: Of the rate without a search. Runs and the search share the machine, and never a lock.
LEAST_RATIO = 0.85

CATCH_UP_SECONDS = 300.0

#: Results over which the entries are spread.
RESULTS = 20


def searching(site: Site) -> Iterable[Figure]:
    yield _logging(site)
    yield from _finding(site)


def _logging(site: Site) -> Figure:
    """Log with a scheduler that keeps the search, and without one, in turns."""
    index = entry_index(site.settings.database_url)

    def caught_up() -> bool:
        with site.platform.reading() as db:
            return not index.backlog(db).entries

    site.start_worker()
    log_lines(site, lines=100)
    with_search, without = [], []
    for _ in range(site.plan.rounds):
        without.append(log_lines(site, lines=site.plan.lines)[1])
        scheduler = site.start("scheduler")
        # To start a process takes more of the machine than all that it does then.
        until(caught_up, "the search has caught up", seconds=CATCH_UP_SECONDS, pause=0.1)
        with_search.append(log_lines(site, lines=site.plan.lines)[1])
        scheduler.end()
    ours, bare = median(with_search), median(without)
    return Figure(
        label="one chatty job, while its lines are added to the search",
        ours=ours,
        unit="entries/s",
        bare=bare,
        bare_label="without",
        must=f">= {LEAST_RATIO:g} x bare",
        held=ours >= LEAST_RATIO * bare,
    )


def _finding(site: Site) -> Iterable[Figure]:
    for _ in range(RESULTS):
        add_result(site, "Chatty", site.plan.big // RESULTS)
    count = index_all(site.platform, entry_index(site.settings.database_url))
    settle(site)
    web = site.start_web()
    queries = {
        "a word of every line": "answered",
        "a word of few lines": str(site.plan.big // RESULTS - 7),
        "three words": "step 4711 host",
        "a phrase": '"host has answered"',
        "a beginning": "ans*",
        "a word, and not another": "host -failed",
        "a word of no line": "nowhere",
    }
    paths = {what: f"/results/search?q={quote_plus(query)}" for what, query in queries.items()}
    paths["a word of every line, in failures alone, of which there is none"] = (
        "/results/search?q=answered&level=failure"
    )
    answers = web.ask_in_turns(list(paths.values()), site.plan.requests)
    for what, path in paths.items():
        times = [answer.ms for answer in answers[path]]
        found = percentile(times, 95)
        yield Figure(
            label=f"search, {count:,} entries: {what}, p95",
            ours=found,
            unit="ms",
            must=f"<= {MOST_MS:g} ms",
            held=found <= MOST_MS,
            details={"p50": percentile(times, 50)},
        )
