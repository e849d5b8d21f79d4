"""What runs, or should: workers, schedulers, queues, sources, keys."""

from collections.abc import Iterator, Sequence
from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from store.entry_search import entry_index
from store.models import GitSource, JobResult, LoadError, Schedule, TallyPlace, WorkerProcess, now
from store.platform import Platform
from store.settings import Settings, SettingsError
from worker.backup import last_backup
from worker.checkup.finding import BAD, OK, WARN, Finding
from worker.keyring import what_is_missing
from worker.presence import LOST, SCHEDULER, WORKER, is_silent, version
from worker.queue_facts import present_workers, queue_facts
from worker.retention import progress, rules
from worker.syncs import latest

START = {WORKER: "./errand worker", SCHEDULER: "./errand scheduler"}

#: Entries that were logged longer ago can be found, where a scheduler keeps up.
KEEPS_UP = timedelta(minutes=1)

#: What is due for longer, nobody removes; and what ended longer ago, nobody has counted.
REMOVES = timedelta(days=1)
COUNTS = timedelta(minutes=5)

#: More are only counted.
MOST_NAMES = 10

#: A backup that is older is worth a word.
FRESH = timedelta(days=2)

#: Who was lost before that is no news any more.
NEWS = timedelta(hours=1)


def running(settings: Settings, platform: Platform) -> Iterator[Finding]:
    with platform.reading() as db:
        rows = present_workers(db)
        yield from workers(rows)
        yield schedulers(rows, _schedules(db))
        yield from queues(db, settings, rows)
        yield from sources(db)
        yield keys(db, settings)
        yield search(db, settings)
        yield keeping(db, settings)
        yield numbers(db)
    yield backup(settings)


def workers(rows: Sequence[WorkerProcess]) -> Iterator[Finding]:
    here = [row for row in rows if row.kind == WORKER and row.here and not is_silent(row)]
    if here:
        yield Finding("workers", OK, f"{len(here):,} here: {_some([row.name for row in here])}")
    else:
        yield Finding("workers", BAD, "There is none, so nothing is executed.", START[WORKER])
    yield from _lost(rows)
    yield from _of_other_versions(rows)


def _lost(rows: Sequence[WorkerProcess]) -> Iterator[Finding]:
    silent = [row.name for row in rows if is_silent(row)]
    lost = [row.name for row in rows if row.state == LOST and row.ended_at and row.ended_at > now() - NEWS]
    if silent or lost:
        says = f"Not heard from, or lost within the hour: {_some([*silent, *lost])}."
        yield Finding("lost workers", WARN, says, "See their logs, and the memory of their machines.")


def _of_other_versions(rows: Sequence[WorkerProcess]) -> Iterator[Finding]:
    others = [
        f"{row.name} {row.version or '(unknown)'}"
        for row in rows
        if row.here and not is_silent(row) and row.version != version()
    ]
    if others:
        says = f"This is version {version()}, but there are {_some(others)}."
        yield Finding("versions", WARN, says, "Upgrade them, and start them anew.")


def _some(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMES
    return ", ".join(names[:MOST_NAMES]) + (f" and {more:,} more" if more > 0 else "")


def schedulers(rows: Sequence[WorkerProcess], schedules: int) -> Finding:
    here = [row for row in rows if row.kind == SCHEDULER and row.here and not is_silent(row)]
    if here:
        return Finding("schedulers", OK, f"{len(here)} here: {', '.join(row.name for row in here)}")
    if schedules:
        says = f"There is none, so {schedules:,} schedule{'' if schedules == 1 else 's'} make no runs."
        return Finding("schedulers", BAD, says, START[SCHEDULER])
    return Finding("schedulers", WARN, "There is none: schedules, hooks and messages wait.", START[SCHEDULER])


def _schedules(db: Session) -> int:
    on = (
        select(func.count()).select_from(Schedule).where(Schedule.enabled, Schedule.next_slot_at.is_not(None))
    )
    return db.scalar(on) or 0


def queues(db: Session, settings: Settings, rows: Sequence[WorkerProcess]) -> Iterator[Finding]:
    facts, _ = queue_facts(db, settings, rows)
    troubled = False
    for queue in facts:
        part, waits = f"queue {queue.name}", queue.waiting + queue.later
        if not queue.workers:
            state = BAD if waits else WARN
            says = (
                f"No worker listens; {waits:,} wait." if waits else "No worker listens; jobs may ask for it."
            )
            yield Finding(part, state, says, f"./errand worker --queues {queue.name}")
        elif queue.paused:
            by = f" by {queue.paused_by}" if queue.paused_by else ""
            yield Finding(
                part, WARN, f"It is paused{by}; {waits:,} wait.", f"./errand queues resume {queue.name}"
            )
        else:
            continue
        troubled = True
    if facts and not troubled:
        yield Finding("queues", OK, ", ".join(f"{queue.name} ({queue.waiting:,} wait)" for queue in facts))


def sources(db: Session) -> Iterator[Finding]:
    errors = db.scalars(select(LoadError).order_by(LoadError.path)).all()
    for error in errors[:20]:
        first = error.message.strip().partition("\n")[0]
        said = first if error.path in first else f"{error.path}: {first}"
        yield Finding("sources", WARN, said, "Mend the file, then ./errand jobs refresh")
    syncs = latest(db)
    failed = False
    for source in db.scalars(select(GitSource).order_by(GitSource.slug)):
        sync = syncs.get(source.id)
        if sync is not None and sync.state == "failed":
            failed = True
            advice = f"./errand sources sync {source.slug} --test"
            yield Finding(f"source {source.name}", WARN, f"Its last sync failed: {sync.outcome}", advice)
    if not errors and not failed:
        yield Finding("sources", OK, "all files load")


def keys(db: Session, settings: Settings) -> Finding:
    try:
        missing = what_is_missing(db, settings)
    except SettingsError as error:
        advice = "Workers need it whole, as a file of their own user."
        return Finding("worker key", BAD, str(error), advice)
    if missing:
        return Finding("worker key", WARN, missing, "Copy the file worker_key here, or set WORKER_KEY.")
    return Finding("worker key", OK, "what is sealed can be opened here")


def search(db: Session, settings: Settings) -> Finding:
    behind = entry_index(settings.database_url).backlog(db)
    if behind.since is None or now() - behind.since < KEEPS_UP:
        return Finding("search", OK, "what was logged can be found")
    since = f"{behind.since:%Y-%m-%d %H:%M} UTC"
    says = f"About {behind.entries:,} entries since {since} cannot be found yet."
    return Finding("search", WARN, says, "A scheduler adds them; ./errand search rebuild makes it anew.")


def keeping(db: Session, settings: Settings) -> Finding:
    if not rules(db, settings).shortest:
        return Finding("retention", OK, "results are kept for good")
    found = progress(db, settings)
    if found.due_since is not None and now() - found.due_since > REMOVES:
        since = f"{found.due_since:%Y-%m-%d %H:%M} UTC"
        says = f"At least {found.due:,} results are to be removed, the first since {since}."
        return Finding(
            "retention", WARN, says, "A scheduler removes them; ./errand results prune does it now."
        )
    return Finding("retention", OK, f"old results are removed; {found.results:,} so far")


def numbers(db: Session) -> Finding:
    """Tell whether a scheduler still counts what /metrics says has ended."""
    place = db.get(TallyPlace, 1)
    since = place.finished_at if place is not None else now() - timedelta(days=1)
    uncounted = select(JobResult.id).where(
        JobResult.finished_at > since, JobResult.finished_at < now() - COUNTS
    )
    if db.scalar(uncounted.limit(1)) is not None:
        return Finding("metrics", WARN, "Ended runs are not counted for /metrics.", START[SCHEDULER])
    return Finding("metrics", OK, "what has ended is counted")


def backup(settings: Settings) -> Finding:
    advice = "./errand backup FILE, and keep that file elsewhere."
    last = last_backup(settings)
    if last is None:
        return Finding("backup", WARN, "None was made from here.", advice)
    at, path = last
    when = f"{at:%Y-%m-%d %H:%M} UTC, {path}"
    if now() - at > FRESH:
        return Finding("backup", WARN, f"The last one is of {when}.", advice)
    return Finding("backup", OK, when)
