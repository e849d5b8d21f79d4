"""Numbers about the portal in the form of Prometheus, read from both databases and Redis at the time they are asked for.

Nothing here counts history: what ended is counted beforehand (see worker.tally), and what is counted here goes by the
indexes of what waits or runs now.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from sqlalchemy import func, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from store.entry_search import entry_index
from store.models import (
    FINAL,
    Approval,
    Delivery,
    JobResult,
    RunTally,
    Schedule,
    SlackRequest,
    Status,
    TallyPlace,
    WorkerProcess,
    now,
)
from store.models.approval import OPEN
from store.models.notice import DUE
from store.models.schedule import ON
from store.models.slack import UNANSWERED
from store.models.tally import ALL, BUCKET_SECONDS, OTHER
from store.platform import SCHEMA, Platform, make_engine
from store.settings import Settings
from worker import tally
from worker.presence import SCHEDULER, WORKER, is_silent, version
from worker.queue_facts import QueueFacts, RedisFacts, present_workers, queue_facts, redis_facts
from worker.retention import progress

#: A number for each of so many jobs, and queues; the others are one together.
MOST_JOBS = 20
MOST_QUEUES = 50

#: What a worker may be.
WORKER_STATES = ("idle", "busy", "draining", "silent")

ACTIVE = (Status.AWAITING_APPROVAL, Status.PENDING, Status.RUNNING)


def collect(settings: Settings, platform: Platform) -> list[Metric]:
    """Return all there is to say. What cannot be asked is missing, and `errand_up` says why."""
    metrics: list[Metric] = [_built()]
    up = {"database": 0, "data_database": _answers(settings.data_database_url), "redis": 0}
    redis: RedisFacts | None = None
    try:
        with platform.reading() as db:
            workers = present_workers(db)
            queues, redis = queue_facts(db, settings, workers)
            metrics += [
                *_runs(db),
                *_ended(db),
                *_queues(queues),
                *_workers(workers),
                *_log(db, settings),
                *_schedules(db),
                *_waiting(db),
                *_retention(db, settings),
            ]
        up["database"] = 1
    except SQLAlchemyError:
        redis = redis_facts(settings, ())
    up["redis"] = int(redis.reachable)
    return [_up(up), *redis_numbers(redis), *metrics]


def _gauge(name: str, help_text: str, values: Mapping[Any, float], *labels: str) -> Metric:
    family = GaugeMetricFamily(f"errand_{name}", help_text, labels=labels)
    for of, value in values.items():
        family.add_metric(of, value)
    return family


def _counter(name: str, help_text: str, values: Mapping[Any, float], *labels: str) -> Metric:
    family = CounterMetricFamily(f"errand_{name}", help_text, labels=labels)
    for of, value in values.items():
        family.add_metric(of, value)
    return family


def _built() -> Metric:
    said = {(version(), SCHEMA): 1.0}
    return _gauge(
        "build_info",
        "Which version of Errand this is, and which one of its database.",
        said,
        "version",
        "schema",
    )


def _up(parts: Mapping[str, int]) -> Metric:
    help_text = (
        "Whether a part answers, 1 or 0: `database`, `data_database`, `redis`. "
        "While the database is away, most of the others are missing."
    )
    return _gauge("up", help_text, {(name,): each for name, each in parts.items()}, "part")


def _answers(url: str) -> int:
    engine = make_engine(url)
    try:
        with engine.execution_options(sqlite_begin="DEFERRED").connect() as connection:
            connection.execute(text("SELECT 1"))
    except SQLAlchemyError:
        return 0
    finally:
        engine.dispose()
    return 1


def redis_numbers(facts: RedisFacts) -> Iterator[Metric]:
    if facts.reachable:
        seconds = {(): facts.milliseconds / 1000}
        yield _gauge("redis_answer_seconds", "How long Redis took to answer.", seconds)
        yield _gauge("redis_memory_bytes", "Memory that Redis uses.", {(): facts.memory_bytes})


def _runs(db: Session) -> Iterator[Metric]:
    query = select(JobResult.status, JobResult.class_path, func.count())
    query = query.where(JobResult.status.in_(ACTIVE)).group_by(JobResult.status, JobResult.class_path)
    rows = [(str(state), path, number) for state, path, number in db.execute(query)]
    busiest: Counter[str] = Counter()
    for _, path, number in rows:
        busiest[path] += number
    named = {path for path, _ in busiest.most_common(MOST_JOBS)}
    values: dict[tuple[str, ...], float] = {(state, OTHER): 0.0 for state in ACTIVE}
    for state, path, number in rows:
        key = (state, path if path in named else OTHER)
        values[key] = values.get(key, 0) + number
    help_text = f"Runs that have not ended; the {MOST_JOBS} busiest jobs have numbers of their own, the rest is `{OTHER}`."
    yield _gauge("runs", help_text, values, "state", "job")


def _ended(db: Session) -> Iterator[Metric]:
    tallies = db.scalars(select(RunTally).order_by(RunTally.job, RunTally.status)).all()
    totals: dict[tuple[str, ...], float] = {(state,): 0.0 for state in sorted(FINAL)}
    totals |= {(each.status,): each.runs for each in tallies if each.job == ALL}
    yield _counter("runs_ended", "Runs that have ended.", totals, "state")
    of_jobs = {(each.job, each.status): each.runs for each in tallies if each.job != ALL}
    help_text = (
        f"The same for up to {tally.MOST_JOBS} jobs; the rest is `{OTHER}`. A job that has not run for {tally.FORGOTTEN_AFTER.days} days "
        "makes room."
    )
    yield _counter("job_runs_ended", help_text, of_jobs, "job", "state")
    yield _durations(tallies)


def _durations(tallies: Sequence[RunTally]) -> Metric:
    family = HistogramMetricFamily(
        "errand_run_duration_seconds", "How long runs took, from start to end.", labels=["job"]
    )
    sums: dict[str, float] = defaultdict(float)
    counts: dict[str, list[int]] = defaultdict(lambda: [0] * (len(BUCKET_SECONDS) + 1))
    for each in tallies:
        if each.job != ALL:
            sums[each.job] += each.seconds
            counts[each.job] = [a + b for a, b in zip(counts[each.job], each.buckets, strict=True)]
    bounds = [*(f"{seconds:g}" for seconds in BUCKET_SECONDS), "+Inf"]
    for job, numbers in counts.items():
        so_far = [sum(numbers[: i + 1]) for i in range(len(numbers))]
        family.add_metric([job], buckets=list(zip(bounds, so_far, strict=True)), sum_value=sums[job])
    return family


def _queues(facts: Sequence[QueueFacts]) -> Iterator[Metric]:
    shown = sorted(facts, key=lambda each: (-each.waiting - each.running, each.name))[:MOST_QUEUES]
    numbers: tuple[tuple[str, str, Callable[[QueueFacts], float]], ...] = (
        ("queue_waiting_runs", "Runs that could start now.", lambda each: each.waiting),
        ("queue_later_runs", "Runs that may not start yet.", lambda each: each.later),
        ("queue_running_runs", "Runs that go on.", lambda each: each.running),
        (
            "queue_oldest_wait_seconds",
            "How long the first of those that could start has waited.",
            lambda each: each.oldest_seconds or 0.0,
        ),
        ("queue_workers", "Workers that take runs from the queue.", lambda each: each.workers),
        ("queue_paused", "Whether the queue is paused: 1 or 0.", lambda each: float(each.paused)),
    )
    for name, help_text, number in numbers:
        yield _gauge(name, help_text, {(each.name,): number(each) for each in shown}, "queue")
    beyond = {(): len(facts) - len(shown)}
    yield _gauge(
        "queues_left_out", f"Queues beyond the {MOST_QUEUES} with most to do, which have no numbers.", beyond
    )


def _workers(rows: Iterable[WorkerProcess]) -> Iterator[Metric]:
    values: dict[tuple[str, ...], float] = {(WORKER, state): 0 for state in WORKER_STATES}
    values |= {(SCHEDULER, "idle"): 0, (SCHEDULER, "silent"): 0}
    for row in rows:
        if row.here:
            key = (row.kind, "silent" if is_silent(row) else row.shown_state)
            values[key] = values.get(key, 0) + 1
    yield _gauge(
        "workers",
        "Processes: a `worker` is `idle`, `busy`, `draining` or `silent`, a `scheduler` the first or the last.",
        values,
        "kind",
        "state",
    )


def _log(db: Session, settings: Settings) -> Iterator[Metric]:
    place = db.get(TallyPlace, 1)
    yield _counter(
        "log_entries",
        "Entries that runs have logged, as the database numbers them.",
        {(): place.entries if place else 0},
    )
    behind = {(): entry_index(settings.database_url).backlog(db).entries}
    yield _gauge("search_behind_entries", "About how many entries the search does not find yet.", behind)


def _schedules(db: Session) -> Iterator[Metric]:
    late, first = db.execute(
        select(func.count(), func.min(Schedule.wakes_at)).where(ON, Schedule.wakes_at <= now())
    ).one()
    lag = max(0.0, (now() - first).total_seconds()) if first else 0.0
    yield _gauge("schedules_late", "Schedules whose time has come and that have not fired yet.", {(): late})
    yield _gauge("schedule_lag_seconds", "How late the latest of them is.", {(): lag})


def _waiting(db: Session) -> Iterator[Metric]:
    def number(model: type[Any], condition: Any) -> int:
        return db.scalar(select(func.count()).select_from(model).where(condition)) or 0

    waiting = {("messages",): number(Delivery, DUE), ("slack",): number(SlackRequest, UNANSWERED)}
    yield _gauge(
        "outbox_waiting", "Messages that have not been sent yet: `messages`, `slack`.", waiting, "outbox"
    )
    approvals = {(): number(Approval, OPEN)}
    yield _gauge("approvals_waiting", "Requests for an approval that nobody has decided on.", approvals)


def _retention(db: Session, settings: Settings) -> Iterator[Metric]:
    found = progress(db, settings)
    yield _counter("results_removed", "Results that were removed for their age.", {(): found.results})
    yield _counter("entries_removed", "Entries that were removed with them.", {(): found.entries})
    behind = {(): found.behind_seconds}
    yield _gauge("retention_behind_seconds", "How long the first of those to remove has been due.", behind)
