"""The measures there are. Light: the command reads it for its help, before anything is imported."""

from collections.abc import Mapping
from typing import NamedTuple


class Measure(NamedTuple):
    """Where a measure is defined, and what `--help` says of it."""

    module: str
    function: str
    help: str


#: In the order in which they are taken.
MEASURES: Mapping[str, Measure] = {
    "noop": Measure("benchmarks.rates", "noop", "No-op runs a second, one worker, beside bare RQ."),
    "two-workers": Measure("benchmarks.rates", "two_workers", "Two workers against one, beside bare RQ."),
    "latency": Measure("benchmarks.latency", "latency", "From submit to the first line of the job's code."),
    "chatty": Measure("benchmarks.chatty", "chatty", "Entries a second of one job that logs plain lines."),
    "poll": Measure("benchmarks.news", "poll", "From log_info to a line that can be polled."),
    "browser": Measure("benchmarks.news", "browser", "From log_info to a line seen in Chromium."),
    "pages": Measure("benchmarks.pages", "pages", "Times and sizes of pages with much to show."),
    "scale": Measure("benchmarks.scale", "scale", "Every page, with a million results and 10,000 jobs."),
    "people": Measure("benchmarks.people", "people", "What permissions cost among many people and rules."),
    "firing": Measure("benchmarks.firing", "firing", "Due slots of schedules that become runs, a second."),
    "api": Measure(
        "benchmarks.api", "api", "Submissions by the JSON API a second, and long polls beside pages."
    ),
    "refresh": Measure("benchmarks.refreshing", "refreshing", "Looking at five hundred job classes again."),
    "big-result": Measure("benchmarks.big_result", "big_result", "A result with a million entries."),
    "search": Measure(
        "benchmarks.searching",
        "searching",
        "Finding lines among a million entries, and what that costs runs.",
    ),
    "viewers": Measure("benchmarks.viewers", "viewers", "Two hundred people look at one live result."),
    "kill": Measure("benchmarks.kill", "kill", "From kill -9 of a worker to the truthful end of its run."),
    "memory": Measure("benchmarks.memory", "memory", "Memory of all processes, idle and after many runs."),
}

DATABASES = ("sqlite", "postgres")
