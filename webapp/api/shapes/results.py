"""Results, their entries and files."""

from typing import Any

from typing_extensions import TypedDict

from store.models import JobResult, LogEntry, RunFile, RunReport
from webapp.api.shapes import moment, text_id, time

UNREACHABLE = "The queue cannot be reached now: the run starts when Redis is back."


class ReferenceShape(TypedDict):
    """A result for somebody who asked for its run, and may not see what comes of it."""

    id: str
    url: str
    status: str


class OriginShape(TypedDict):
    """What asked for a run."""

    kind: str
    id: str | None
    name: str
    slot_at: str | None
    after: str | None


class ResultLine(TypedDict):
    """A result in a list: without what may be large."""

    id: str
    url: str
    job: str | None
    class_path: str
    name: str
    user: str
    status: str
    #: Why it ended as it did, in a sentence; of a pending one what it waits for.
    cause: str | None
    commit: bool
    queue: str
    created_at: str
    started_at: str | None
    finished_at: str | None
    #: {level: number of entries}.
    counts: dict[str, int]
    attempt: int
    worker: str | None
    #: Null: a person did.
    origin: OriginShape | None


class ResultShape(ResultLine):
    """A result."""

    profile: bool
    ignore_singleton_lock: bool
    #: The inputs, but for those that nobody may read.
    data: dict[str, Any]
    #: Of those: {name: {"fingerprint", of secrets "length"}}.
    sealed: dict[str, Any]
    return_value: Any
    output: str
    results: dict[str, Any]
    #: In words, as the page says it: a run that waits for Redis is accepted, and nothing is wrong with it.
    note: str | None
    cancel_requested_at: str | None
    canceled_by: str | None
    code_digest: str | None
    code_commit: str | None
    #: The number of the last entry.
    last_seq: int
    progress: dict[str, Any] | None
    #: "waiting" for the runs that it has asked for, or "ready" to be told of them, or told; empty: it asked for none.
    gathers: str


class ChildLine(ResultLine):
    """A run that another one has asked for."""

    #: 1 for the first that was asked for.
    number: int
    #: The inputs, but for those that nobody may read.
    data: dict[str, Any]
    return_value: Any


class ChildPage(TypedDict):
    """A part of what a run has asked for."""

    results: list[ChildLine]
    next: str | None
    #: {state: how many of all of them}.
    counts: dict[str, int]
    #: How many it has asked for: some may still have to be made.
    asked: int
    #: The run whose completed ones count as its own, too.
    again_of: str | None


class ObjectReference(TypedDict):
    text: str
    url: str | None


class LineShape(TypedDict):
    """An entry as a program reads it: with what was logged, and without the HTML of it."""

    seq: int
    created_at: str
    level: str
    grouping: str
    message: str
    object: ObjectReference | None


class EntryShape(LineShape):
    """An entry of a log."""

    #: The message, rendered and sanitized.
    html: str


class EntryPage(TypedDict):
    """A part of a log."""

    results: list[EntryShape]
    next: str | None
    #: What to ask after the next time: all up to this number was looked at.
    last_seq: int
    #: Whether the run has ended, and nothing more comes.
    finished: bool


class FileShape(TypedDict):
    """A file that a run has made."""

    id: int
    name: str
    size: int
    content_type: str | None
    created_at: str
    url: str


def result_reference(row: JobResult) -> ReferenceShape:
    return {"id": str(row.id), "url": f"/results/{row.id}", "status": str(row.status)}


def result_line(row: JobResult) -> ResultLine:
    return {
        "id": str(row.id),
        "url": f"/results/{row.id}",
        "job": text_id(row.job_id),
        "class_path": row.class_path,
        "name": row.name,
        "user": row.username,
        "status": str(row.status),
        "cause": row.cause,
        "commit": row.commit,
        "queue": row.queue,
        "created_at": moment(row.created_at),
        "started_at": time(row.started_at),
        "finished_at": time(row.finished_at),
        "counts": row.counts,
        "attempt": row.tries,
        "worker": row.worker,
        "origin": _origin(row),
    }


def child(row: JobResult) -> ChildLine:
    return {
        **result_line(row),
        "number": row.map_number or 0,
        "data": row.data,
        "return_value": row.return_value,
    }


def _origin(row: JobResult) -> OriginShape | None:
    if not row.origin:
        return None
    return {
        "kind": row.origin,
        "id": text_id(row.origin_id),
        "name": row.origin_name,
        "slot_at": time(row.slot_at),
        "after": text_id(row.parent_id),
    }


def result(row: JobResult) -> ResultShape:
    return {
        **result_line(row),
        "profile": row.profile,
        "ignore_singleton_lock": row.ignore_singleton_lock,
        "data": row.data,
        "sealed": row.sealed_facts or {},
        "return_value": row.return_value,
        "output": row.output,
        "results": row.results,
        "note": UNREACHABLE if row.unreached else None,
        "cancel_requested_at": time(row.cancel_requested_at),
        "canceled_by": row.canceled_by,
        "code_digest": row.code_digest,
        "code_commit": row.code_commit or None,
        "last_seq": row.last_seq,
        "progress": row.progress,
        "gathers": row.gathers,
    }


def run_file(row: RunFile) -> FileShape:
    return {
        "id": row.id,
        "name": row.name,
        "size": row.size_bytes,
        "content_type": row.content_type or None,
        "created_at": moment(row.created_at),
        "url": f"/api/v1/results/{row.result_id}/files/{row.id}",
    }


def entry(row: LogEntry) -> EntryShape:
    return {**line(row), "html": row.html}


def line(row: Any) -> LineShape:
    shown: ObjectReference | None = (
        None if row.object_text is None else {"text": row.object_text, "url": row.object_url}
    )
    return {
        "seq": row.seq,
        "created_at": moment(row.created_at),
        "level": row.level,
        "grouping": row.grouping,
        "message": row.message,
        "object": shown,
    }


class FoundIn(TypedDict):
    """The run that logged an entry."""

    id: str
    class_path: str
    name: str
    status: str


class HitShape(EntryShape):
    """An entry of any run that was looked for."""

    result: FoundIn
    #: The page that shows it in its log.
    url: str


class Behind(TypedDict):
    """What was logged and cannot be found yet: about how many entries, and since when."""

    entries: int
    since: str | None


class HitPage(TypedDict):
    """A part of the entries that were looked for."""

    results: list[HitShape]
    next: str | None
    behind: Behind


class ReportShape(TypedDict):
    """What a run reports: pieces, each with its `kind` and what it holds (docs/reports.md)."""

    kind: str
    title: str
    filename: str
    pieces: list[dict[str, Any]]


def report(row: RunReport) -> ReportShape:
    data = row.data
    return {
        "kind": "report",
        "title": data["title"],
        "filename": data["filename"],
        "pieces": data["pieces"],
    }
