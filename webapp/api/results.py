"""Results: what became of the runs."""

import uuid
from datetime import UTC, datetime
from typing import Any

from flask import Response, current_app, jsonify
from sqlalchemy import Select, and_, or_, select
from sqlalchemy.orm import defer
from werkzeug.exceptions import NotFound

from store.models import LEVELS, JobResult, LogEntry, Status, class_path_of
from store.permissions import allowed, require, visible
from webapp.api import arguments, shapes
from webapp.api.errors import InvalidRequest
from webapp.api.paging import page
from webapp.api.tokens import user
from webapp.database import db
from webapp.result_files import made_files, send_made_file
from worker import cancel as cancelling

#: What a list does not show and the database need not read for it.
LARGE = (
    JobResult.data,
    JobResult.kept_box,
    JobResult.sealed_data,
    JobResult.return_value,
    JobResult.output,
    JobResult.results,
)


def results() -> dict[str, Any]:
    """List results, the latest first."""
    arguments.check_names(("after", "job", "limit", "since", "status"), repeated=("status",))
    limit = arguments.page_size(default=50, most=200)
    query = _filtered(visible(select(JobResult), user(), JobResult))
    query = query.order_by(JobResult.created_at.desc(), JobResult.id.desc()).limit(limit + 1)
    rows = db.session.scalars(query.options(*(defer(column) for column in LARGE))).all()
    more = _cursor(rows[limit - 1]) if len(rows) > limit else None
    return page([shapes.result_line(row) for row in rows[:limit]], more)


def result(result_id: str) -> dict[str, Any]:
    arguments.check_names(())
    return shapes.result(_find(result_id))


def entries(result_id: str) -> dict[str, Any]:
    """List entries in the order they were logged; `after` is the number of the last one already known."""
    arguments.check_names(("after", "level", "limit"), repeated=("level",))
    limit = arguments.page_size(default=200, most=1000)
    row = _find(result_id)
    query = select(LogEntry).where(LogEntry.result_id == row.id, LogEntry.seq > arguments.number("after", 0))
    if levels := arguments.choices("level", LEVELS):
        query = query.where(LogEntry.level.in_(levels))
    found = db.session.scalars(query.order_by(LogEntry.seq).limit(limit + 1)).all()
    more = str(found[limit - 1].seq) if len(found) > limit else None
    return page([shapes.entry(entry) for entry in found[:limit]], more)


def files(result_id: str) -> dict[str, Any]:
    arguments.check_names(())
    return page([shapes.run_file(row) for row in made_files(_find(result_id).id)])


def file(result_id: str, file_id: int) -> Response:
    arguments.check_names(())
    return send_made_file(_find(result_id).id, file_id)


def report(result_id: str) -> dict[str, Any]:
    arguments.check_names(())
    _find(result_id)
    # No job can make a report yet, so no result has one.
    raise NotFound("This result has no report.")


def cancel(result_id: str) -> tuple[Response, int]:
    arguments.check_names(())
    row = _find(result_id)
    require(user(), "change", row)
    cancelling.cancel(db.session(), current_app.extensions["errand"].settings, row, user())
    return jsonify(shapes.result(row)), 202


def _find(result_id: str) -> JobResult:
    try:
        key = uuid.UUID(result_id)
    except ValueError:
        raise _no_result() from None
    query = visible(select(JobResult), user(), JobResult).where(JobResult.id == key)
    row: JobResult | None = db.session.scalars(query).one_or_none()
    if row is None or not allowed(user(), "view", row):
        raise _no_result()
    return row


def _no_result() -> NotFound:
    return NotFound("There is no such result, or you may not see it.")


def _filtered(query: Select[JobResult]) -> Select[JobResult]:
    if statuses := arguments.choices("status", list(Status)):
        query = query.where(JobResult.status.in_(statuses))
    if reference := arguments.text("job"):
        query = query.where(_of_job(reference))
    if since := arguments.moment("since"):
        query = query.where(JobResult.created_at >= since)
    if after := arguments.text("after"):
        created_at, key = _position(after)
        # The first condition says nothing new, but it is the one an index can serve.
        query = query.where(
            JobResult.created_at <= created_at,
            or_(
                JobResult.created_at < created_at,
                and_(JobResult.created_at == created_at, JobResult.id < key),
            ),
        )
    return query


def _of_job(reference: str) -> Any:
    # By class path even where the record is gone: its results stay.
    if "/" in reference:
        return JobResult.class_path == class_path_of(reference)
    try:
        return JobResult.job_id == uuid.UUID(reference)
    except ValueError:
        raise InvalidRequest({"job": ["Give a job's id or class path."]}) from None


def _cursor(row: JobResult) -> str:
    return f"{shapes.time(row.created_at)}_{row.id}"


def _position(cursor: str) -> tuple[datetime, uuid.UUID]:
    moment, _, key = cursor.partition("_")
    try:
        created_at = datetime.fromisoformat(moment)
        if created_at.tzinfo is None:
            raise ValueError("no zone")
        return created_at.astimezone(UTC), uuid.UUID(key)
    except (ValueError, OverflowError):
        raise InvalidRequest({"after": ["Take this from the `next` of an earlier page."]}) from None
