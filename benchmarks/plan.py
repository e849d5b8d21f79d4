"""How often each thing is done."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Plan:
    #: Ours and the bare limit take turns this often; the figures are medians.
    rounds: int = 3
    #: No-op runs in a round, and how many each worker does before the clock starts.
    runs: int = 400
    warm_runs: int = 10
    #: Runs on an idle worker, in a round.
    lone_runs: int = 60
    #: Lines of the chatty job.
    lines: int = 100_000
    #: Lines whose way to the reader is timed.
    ticks: int = 300
    #: Of each page, and what is there for it to show.
    requests: int = 60
    jobs: int = 200
    history: int = 100_000
    #: Job classes that are refreshed.
    classes: int = 500
    #: Schedules of which one slot each is due, in a round.
    slots: int = 1_000
    #: Entries of the big result.
    big: int = 1_000_000
    #: Results, job records, entries of one result and records of the audit, where pages are to hold at scale.
    scale: int = 1_000_000
    scale_jobs: int = 10_000
    #: How often each of some 150 pages is asked for then.
    scale_requests: int = 20
    viewers: int = 200
    viewer_seconds: float = 10.0
    kills: int = 5
    memory_runs: int = 10_000


FULL = Plan()
QUICK = Plan(
    runs=100,
    warm_runs=5,
    lone_runs=20,
    lines=20_000,
    slots=200,
    ticks=60,
    requests=20,
    scale=100_000,
    scale_requests=10,
    viewer_seconds=3.0,
    kills=2,
    memory_runs=1_000,
)
