"""Where jobs come from, where they run, and what they work on."""

import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from typing_extensions import TypedDict

from store.models import GitSource, JobSource, LoadError, SourceSync, WorkerProcess, moment_of
from store.objects import text_of
from webapp.api.shapes import moment, text_id, time
from webapp.queue_history import Sample
from worker.presence import is_silent
from worker.queue_facts import QueueFacts


class ObjectShape(TypedDict):
    """An object of DATA, with the text that the selects of a form show."""

    pk: Any
    text: str
    url: str


class LoadErrorShape(TypedDict):
    """A job file that could not be loaded, a class in it that cannot be a job, or advice on one that is."""

    module: str
    path: str
    message: str
    traceback: str
    #: The job is there, and its author had better change something.
    advice: bool
    seen_at: str


class SyncShape(TypedDict):
    """One sync of a git repository, or a try whether it can be reached."""

    id: str
    #: The server is only asked what it has: nothing changes.
    test: bool
    #: A username, or "".
    asked_by: str
    #: "page", "api", "command", "webhook" or "interval".
    asked_via: str
    state: str
    outcome: str
    from_commit: str | None
    to_commit: str | None
    created_at: str
    finished_at: str | None
    load_errors: list[Any]


class SourceShape(TypedDict):
    """A place that jobs come from."""

    name: str
    kind: str
    location: str
    snapshot: str | None
    commit: str | None
    #: Of a git repository, its newest sync.
    sync: SyncShape | None
    note: str | None
    refreshed_at: str
    load_errors: list[LoadErrorShape]


class RepositoryShape(TypedDict):
    """A git repository that jobs come from. What opens it never goes out."""

    slug: str
    url: str
    #: A branch or a tag; "": its main branch.
    ref: str
    #: The folder of job files in it; "": its top.
    path: str
    username: str
    host_keys: str
    enabled: bool
    #: Minutes between two looks at it; 0: only when somebody asks, or the calendar does.
    interval_minutes: int
    cron: str
    zone: str
    next_sync_at: str | None
    checked_at: str | None
    #: Which of token, private_key and webhook_secret there are.
    secrets: list[str]


class FullSourceShape(SourceShape):
    """A place that jobs come from; `repository` is null for folders and plugins."""

    repository: RepositoryShape | None


class WorkerShape(TypedDict):
    """A worker or scheduler."""

    name: str
    kind: str
    host: str
    pid: int
    version: str
    queues: list[str]
    labels: list[str]
    state: str
    #: It should have been heard from by now, whatever its state says; nobody has found it gone yet.
    silent: bool
    drain: bool
    #: The run that it has in hand, if the reader may know of it.
    result: str | None
    memory_bytes: int
    done: int
    failed: int
    started_at: str
    seen_at: str | None
    reconciled_at: str | None
    ended_at: str | None


class QueueShape(TypedDict):
    """A queue."""

    name: str
    paused: bool
    paused_by: str | None
    paused_at: str | None
    waiting: int
    later: int
    oldest_wait_seconds: float | None
    running: int
    started_per_minute: float
    workers: int
    #: Ids that Redis holds; null while it does not answer.
    queued: int | None


class QueueSampleShape(TypedDict):
    """The most that there was on a queue within `step_minutes` from `at` on."""

    queue: str
    at: str
    waiting: int
    running: int
    workers: int
    busy: int


class QueueHistoryShape(TypedDict):
    """Queues over some hours. There is no sample of minutes in which no scheduler ran."""

    since: str
    until: str
    step_minutes: int
    results: list[QueueSampleShape]


def data_object(instance: Any) -> ObjectShape:
    return {"pk": instance.pk, "text": text_of(instance), "url": instance.get_absolute_url()}


def source(row: JobSource, errors: Iterable[LoadError], last: SourceSync | None = None) -> SourceShape:
    """last: of a git repository, its newest sync."""
    return {
        "name": row.name,
        "kind": row.kind,
        "location": row.location,
        "snapshot": row.digest or None,
        "commit": row.code_commit or None,
        "sync": sync(last) if last is not None else None,
        "note": row.note or None,
        "refreshed_at": moment(row.refreshed_at),
        "load_errors": [load_error(error) for error in errors],
    }


def repository(row: GitSource) -> RepositoryShape:
    return {
        "slug": row.slug,
        "url": row.url,
        "ref": row.ref,
        "path": row.path,
        "username": row.username,
        "host_keys": row.host_keys,
        "enabled": row.enabled,
        "interval_minutes": row.interval_minutes,
        "cron": row.cron,
        "zone": row.zone,
        "next_sync_at": time(row.next_sync_at),
        "checked_at": time(row.checked_at),
        "secrets": list(row.secret_names),
    }


def sync(row: SourceSync) -> SyncShape:
    return {
        "id": str(row.id),
        "test": row.test,
        "asked_by": row.asked_by,
        "asked_via": row.asked_via,
        "state": row.state,
        "outcome": row.outcome,
        "from_commit": row.from_commit or None,
        "to_commit": row.to_commit or None,
        "created_at": moment(row.created_at),
        "finished_at": time(row.finished_at),
        "load_errors": row.errors,
    }


def load_error(row: LoadError) -> LoadErrorShape:
    return {
        "module": row.module,
        "path": row.path,
        "message": row.message,
        "traceback": row.traceback,
        "advice": row.advice,
        "seen_at": moment(row.seen_at),
    }


def worker(row: WorkerProcess, result_id: uuid.UUID | None) -> WorkerShape:
    """result_id: of the run it has in hand, if the reader may know of it."""
    return {
        "name": row.name,
        "kind": row.kind,
        "host": row.host,
        "pid": row.pid,
        "version": row.version,
        "queues": row.queues,
        "labels": row.labels,
        "state": row.shown_state,
        "silent": is_silent(row),
        "drain": row.drain,
        "result": text_id(result_id),
        "memory_bytes": row.memory_bytes,
        "done": row.done,
        "failed": row.failed,
        "started_at": moment(row.created_at),
        "seen_at": time(row.seen_at),
        "reconciled_at": time(row.reconciled_at),
        "ended_at": time(row.ended_at),
    }


def queue(facts: QueueFacts) -> QueueShape:
    seconds = facts.oldest_seconds
    return {
        "name": facts.name,
        "paused": facts.paused,
        "paused_by": facts.paused_by,
        "paused_at": time(facts.paused_at),
        "waiting": facts.waiting,
        "later": facts.later,
        "oldest_wait_seconds": None if seconds is None else round(seconds, 3),
        "running": facts.running,
        "started_per_minute": facts.started_per_minute,
        "workers": facts.workers,
        "queued": facts.queued,
    }


def queue_history(
    since: int, until: int, step_minutes: int, samples: Mapping[tuple[str, int], Sample]
) -> QueueHistoryShape:
    """samples: as webapp.queue_history.samples_of gives them."""
    return {
        "since": moment(moment_of(since)),
        "until": moment(moment_of(until)),
        "step_minutes": step_minutes,
        "results": [
            {
                "queue": name,
                "at": moment(each.at),
                "waiting": each.waiting,
                "running": each.running,
                "workers": each.workers,
                "busy": each.busy,
            }
            for (name, _), each in samples.items()
        ],
    }
