"""What the API shows of each thing. Every field is named here: nothing else of a row ever goes out."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from store.models import (
    JobRecord,
    JobResult,
    JobSource,
    LoadError,
    LogEntry,
    RunFile,
    SourceSync,
    WorkerProcess,
)
from store.objects import text_of
from worker.kept_values import Kept
from worker.queue_facts import QueueFacts

#: What a variable's description may say besides what every variable has.
VARIABLE_OPTIONS = (
    "min_length",
    "max_length",
    "regex",
    "min_value",
    "max_value",
    "decimal_places",
    "min_prefix_length",
    "max_prefix_length",
    "version",
    "choices",
    "model",
    "display_field",
    "query_params",
    "null_option",
    "max_bytes",
    "accept",
    "widget",
    "computed",
    "shown_if",
    "depends_on",
    "group",
)

UNREACHABLE = "The queue cannot be reached now: the run starts when Redis is back."


def time(value: datetime | None) -> str | None:
    """ISO 8601, always UTC, always with microseconds: these texts sort as the times do."""
    if value is None:
        return None
    return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def job(
    record: JobRecord,
    variables: Sequence[Mapping[str, Any]] | None = None,
    problems: Mapping[str, list[str]] | None = None,
) -> dict[str, Any]:
    """A job. variables: with what its code computes of them; in a list that would take long."""
    described = record.variables if variables is None else variables
    return {
        "id": str(record.id),
        "class_path": record.class_path,
        "url": f"/jobs/{record.class_path}/",
        "source": record.source,
        "name": record.name,
        "grouping": record.grouping,
        "description": record.description,
        "installed": record.installed,
        "enabled": record.enabled,
        "hidden": record.hidden,
        "read_only": record.read_only,
        "commit_default": record.commit_default,
        "dialect": record.dialect,
        "approval_required": record.approval_required,
        "has_sensitive_variables": record.has_sensitive_variables,
        "soft_time_limit": record.soft_time_limit,
        "time_limit": record.effective_time_limit,
        "queues": record.allowed_queues,
        "variables": [variable(each, (problems or {}).get(each["name"])) for each in described],
        "presets": record.presets,
        "code_digest": record.code_digest,
        "code_commit": record.code_commit or None,
        "refreshed_at": time(record.refreshed_at),
    }


def variable(description: Mapping[str, Any], problems: list[str] | None = None) -> dict[str, Any]:
    """A variable. `computed` names what its job's code computes; `problems` says why it could not."""
    return {
        "name": description["name"],
        "type": description["type"],
        **({"kind": description["kind"]} if "kind" in description else {}),
        "label": description.get("label"),
        "description": description.get("description", ""),
        "required": description.get("required", True),
        "default": description.get("default"),
        **{option: description[option] for option in VARIABLE_OPTIONS if option in description},
        **({"problems": problems} if problems else {}),
    }


def kept(row: Kept, *, hidden: bool) -> dict[str, Any]:
    """A value that a job keeps between its runs. hidden: only its key is shown."""
    return {
        "key": row.key,
        "hidden": hidden,
        "value": None if hidden else row.value,
        "size": None if hidden else row.size_bytes,
        "updated_at": time(row.updated_at),
        "result": _id(row.result_id),
    }


def result_reference(row: JobResult) -> dict[str, Any]:
    """A result for somebody who asked for its run, and may not see what comes of it."""
    return {"id": str(row.id), "url": f"/results/{row.id}", "status": str(row.status)}


def result_line(row: JobResult) -> dict[str, Any]:
    """A result in a list: without what may be large."""
    return {
        "id": str(row.id),
        "url": f"/results/{row.id}",
        "job": _id(row.job_id),
        "class_path": row.class_path,
        "name": row.name,
        "user": row.username,
        "status": str(row.status),
        "cause": row.cause,
        "commit": row.commit,
        "queue": row.queue,
        "created_at": time(row.created_at),
        "started_at": time(row.started_at),
        "finished_at": time(row.finished_at),
        "counts": row.counts,
        "attempt": row.attempt,
        "worker": row.worker,
        "origin": _origin(row),
    }


def _origin(row: JobResult) -> dict[str, Any] | None:
    """What asked for the run; None: a person did."""
    if not row.origin:
        return None
    return {
        "kind": row.origin,
        "id": _id(row.origin_id),
        "name": row.origin_name,
        "slot_at": time(row.slot_at),
        "after": _id(row.parent_id),
    }


def result(row: JobResult) -> dict[str, Any]:
    return {
        **result_line(row),
        "profile": row.profile,
        "ignore_singleton_lock": row.ignore_singleton_lock,
        "data": row.data,
        # Of inputs that nobody may read: {name: {"fingerprint", of secrets "length"}}.
        "sealed": row.sealed_facts or {},
        "return_value": row.return_value,
        "output": row.output,
        "results": row.results,
        # In words, as the page says it: a run that waits for Redis is accepted, and nothing is wrong with it.
        "note": UNREACHABLE if row.unreached else None,
        "cancel_requested_at": time(row.cancel_requested_at),
        "canceled_by": row.canceled_by,
        "code_digest": row.code_digest,
        "code_commit": row.code_commit or None,
        "last_seq": row.last_seq,
        "progress": row.progress,
    }


def run_file(row: RunFile) -> dict[str, Any]:
    """A file that a run has made."""
    return {
        "id": row.id,
        "name": row.name,
        "size": row.size_bytes,
        "content_type": row.content_type or None,
        "created_at": time(row.created_at),
        "url": f"/api/v1/results/{row.result_id}/files/{row.id}",
    }


def entry(row: LogEntry) -> dict[str, Any]:
    return {**line(row), "html": row.html}


def line(row: Any) -> dict[str, Any]:
    """An entry as a program reads it: with what was logged, and without the HTML of it."""
    shown = None if row.object_text is None else {"text": row.object_text, "url": row.object_url}
    return {
        "seq": row.seq,
        "created_at": time(row.created_at),
        "level": row.level,
        "grouping": row.grouping,
        "message": row.message,
        "object": shown,
    }


def data_object(instance: Any) -> dict[str, Any]:
    """An object of DATA, with the text that the selects of a form show."""
    return {"pk": instance.pk, "text": text_of(instance), "url": instance.get_absolute_url()}


def source(row: JobSource, errors: Iterable[LoadError], last: SourceSync | None = None) -> dict[str, Any]:
    """A source. last: of a git repository, its newest sync."""
    return {
        "name": row.name,
        "kind": row.kind,
        "location": row.location,
        "snapshot": row.digest or None,
        "commit": row.code_commit or None,
        "sync": sync(last) if last is not None else None,
        "note": row.note or None,
        "refreshed_at": time(row.refreshed_at),
        "load_errors": [load_error(error) for error in errors],
    }


def sync(row: SourceSync) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "state": row.state,
        "outcome": row.outcome,
        "from_commit": row.from_commit or None,
        "to_commit": row.to_commit or None,
        "created_at": time(row.created_at),
        "finished_at": time(row.finished_at),
        "load_errors": row.errors,
    }


def load_error(row: LoadError) -> dict[str, Any]:
    return {
        "module": row.module,
        "path": row.path,
        "message": row.message,
        "traceback": row.traceback,
        "seen_at": time(row.seen_at),
    }


def worker(row: WorkerProcess, result_id: uuid.UUID | None) -> dict[str, Any]:
    """A worker or scheduler. result_id: of the run it has in hand, if the reader may know of it."""
    return {
        "name": row.name,
        "kind": row.kind,
        "host": row.host,
        "pid": row.pid,
        "version": row.version,
        "queues": row.queues,
        "state": row.shown_state,
        "drain": row.drain,
        "result": _id(result_id),
        "memory_bytes": row.memory_bytes,
        "done": row.done,
        "failed": row.failed,
        "started_at": time(row.created_at),
        "seen_at": time(row.seen_at),
        "reconciled_at": time(row.reconciled_at),
        "ended_at": time(row.ended_at),
    }


def queue(facts: QueueFacts) -> dict[str, Any]:
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


def _id(value: uuid.UUID | None) -> str | None:
    return None if value is None else str(value)
