"""A result as one file of HTML that is read without the portal: sent in pieces, however long its log is."""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from flask import Response, current_app, render_template, request, stream_with_context
from sqlalchemy import Row, select
from sqlalchemy.orm import undefer

from store import audit
from store.files import CHUNK_BYTES, FileGone, file_store
from store.models import Approval, JobResult, LogEntry, now
from webapp.auth import signed_in_user
from webapp.database import db, reading, writing
from webapp.export_looks import POLICY
from webapp.inputs import shown_inputs
from webapp.log_download import text_line
from webapp.looks import look
from webapp.origins import origin_of
from webapp.result_files import made_files
from webapp.result_output import told_output, told_return_value
from webapp.result_report import standing_alone

#: Entries in a file: of a longer log the first and the last half of them. So many are read together.
MOST_ENTRIES, PIECE = 100_000, 500
MOST_OUTPUT, MOST_PLAN = 1_000_000, 5_000
#: Of larger files together no hash is made: it would take too long.
MOST_HASHED_BYTES = 500_000_000


def answer(result: JobResult) -> Response:
    """Answer with the file, and note who took it. Whether the reader may see the result is asked before."""
    exported_at = now()
    with writing() as session:
        audit.note(
            session, "result.export", f"{result.name} #{result.short_id}", after={"id": str(result.id)}
        )
    head = render_template("results/export_head.html", **_head(result, exported_at))
    pieces = _pieces(head, _files_of(result), _Log(result))
    response = Response(stream_with_context(pieces), mimetype="text/html")
    response.headers["Content-Disposition"] = f"attachment; filename={result.short_id}-result.html"
    return response


class _File(NamedTuple):
    key: str
    name: str
    size_bytes: int


class _Log:
    """What is needed of a log once the request's own session is closed."""

    def __init__(self, result: JobResult) -> None:
        self.result_id: UUID = result.id
        self.count = result.last_seq
        half = MOST_ENTRIES // 2
        cut = self.count > MOST_ENTRIES
        self.ranges = [(0, half), (self.count - half, self.count)] if cut else [(0, self.count)]
        self.left_out = self.count - MOST_ENTRIES if cut else 0
        self.hash = hashlib.sha256()


def _files_of(result: JobResult) -> list[_File]:
    return [_File(file.key, file.name, file.size_bytes) for file in made_files(result.id)]


def _head(result: JobResult, exported_at: datetime) -> dict[str, Any]:
    with current_app.extensions["errand"].data.session() as data:
        inputs = shown_inputs(result, result.job, data)
    plan = db.session.scalar(
        select(JobResult).options(undefer(JobResult.plan)).where(JobResult.id == result.id)
    )
    output = told_output(result)
    return {
        "result": result,
        "look_of": look(result),
        "origin": origin_of(result),
        "inputs": inputs,
        "approvals": _approvals(result),
        "report": standing_alone(result) if result.finished else None,
        "plan": (plan.plan or [])[:MOST_PLAN] if plan else [],
        "output": output[:MOST_OUTPUT],
        "output_cut": len(output) > MOST_OUTPUT,
        "return_value": told_return_value(result),
        "by": signed_in_user().username,
        "exported_at": exported_at,
        "portal": _portal(),
        "policy": POLICY,
    }


def _approvals(result: JobResult) -> Sequence[Approval]:
    return db.session.scalars(
        select(Approval).where(Approval.result_id == result.id).order_by(Approval.id)
    ).all()


def _portal() -> str:
    return request.url_root.rstrip("/")


def _pieces(head: str, files: Sequence[_File], log: _Log) -> Iterator[str]:
    portal = _portal()
    # The request has read all it needs: a slow reader must not keep its transaction open.
    db.session.rollback()
    yield head
    yield from _files(files)
    yield render_template("results/export_log.html", log=log)
    yield from _rows(log, portal)
    yield render_template("results/export_end.html", log=log, digest=log.hash.hexdigest())


def _files(files: Sequence[_File]) -> Iterator[str]:
    room = MOST_HASHED_BYTES
    for number, file in enumerate(files, 1):
        room -= file.size_bytes
        digest = _digest(file) if room >= 0 else "not made: these files are too large"
        yield render_template(
            "results/export_file.html", file=file, digest=digest, first=number == 1, last=number == len(files)
        )


def _digest(file: _File) -> str:
    """Return the SHA-256 of what a file holds, read in pieces."""
    found = hashlib.sha256()
    try:
        with file_store(current_app.extensions["errand"].settings, db.engine).open(file.key) as content:
            while piece := content.read(CHUNK_BYTES):
                found.update(piece)
    except FileGone:
        return "the file is gone"
    return found.hexdigest()


def _rows(log: _Log, portal: str) -> Iterator[str]:
    grouping: str | None = None
    for number, (since, until) in enumerate(log.ranges):
        if number:
            yield render_template("results/export_gap.html", left_out=log.left_out)
        for after in range(since, until, PIECE):
            rows = _read(log.result_id, after, min(until, after + PIECE))
            log.hash.update("".join(map(text_line, rows)).encode())
            if rows:
                yield render_template("results/export_rows.html", rows=rows, grouping=grouping, portal=portal)
                grouping = rows[-1].grouping


def _read(result_id: UUID, after: int, until: int) -> Sequence[Row[Any]]:
    columns: list[Any] = [
        LogEntry.seq,
        LogEntry.created_at,
        LogEntry.level,
        LogEntry.grouping,
        LogEntry.message,
        LogEntry.html,
        LogEntry.object_text,
    ]
    query = select(*columns).where(
        LogEntry.result_id == result_id, LogEntry.seq > after, LogEntry.seq <= until
    )
    with reading() as session:
        return session.execute(query.order_by(LogEntry.seq)).all()
