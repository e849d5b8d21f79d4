"""Results, and what their runs logged. A run that waits for an approval is a scheduled job there, and no result."""

import uuid
from collections.abc import Iterator, Sequence
from typing import Any

from flask import Response, current_app, request, stream_with_context
from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import defer, joinedload

from store.models import Approval, JobRecord, JobResult, LogEntry, Status
from store.permissions import allowed, require, visible
from webapp.api.tokens import user
from webapp.database import db, reading
from webapp.extras import shapes
from webapp.extras.bodies import receive_many
from webapp.extras.errors import not_found
from webapp.extras.lists import Filters, counted, envelope, ids, is_brief, narrow, page, search, window
from webapp.extras.shapes import LEVELS, STATES
from webapp.extras.versions import as_json, dumps
from worker.origins import PLAN
from worker.removal import NotEnded, remove

#: What scheduled jobs are there: waiting for an approval, or never approved.
NO_RESULTS = (Status.AWAITING_APPROVAL, Status.DENIED)

#: Entries that are read at once.
PIECE = 1_000

_IS_RESULT = (JobResult.status.not_in(NO_RESULTS), JobResult.origin != PLAN)

_UNSHOWN = (JobResult.kept_box, JobResult.sealed_data, JobResult.request, JobResult.hot_functions)
_LARGE = (*_UNSHOWN, JobResult.data, JobResult.results, JobResult.output, JobResult.return_value)


def _of_status(values: Sequence[str]) -> ColumnElement[bool]:
    known = {name for names in STATES.values() for name in names}
    if unknown := [value for value in values if value not in known]:
        raise ValueError(f"“{unknown[0]}” is not one of the available choices.")
    return JobResult.status.in_([ours for ours, names in STATES.items() if {*names} & {*values}])


def _of_user(values: Sequence[str]) -> ColumnElement[bool]:
    numbers = [int(value) for value in values if value.isascii() and value.isdecimal() and len(value) < 10]
    return or_(JobResult.username.in_(values), JobResult.user_id.in_(numbers))


def _of_job(values: Sequence[str]) -> ColumnElement[bool]:
    keys = []
    for value in values:
        try:
            keys.append(uuid.UUID(value))
        except ValueError:
            continue
    named = select(JobRecord.id).where(JobRecord.name.in_(values))
    return or_(JobResult.job_id.in_(keys), JobResult.job_id.in_(named))


def _of_schedule(values: Sequence[str]) -> ColumnElement[bool]:
    return or_(
        and_(ids(JobResult.origin_id)(values), JobResult.origin == "schedule"),
        and_(ids(JobResult.id)(values), _was_asked_for()),
    )


FILTERS: Filters = {
    "id": ids(JobResult.id),
    "name": lambda values: or_(JobResult.class_path.in_(values), JobResult.name.in_(values)),
    "job": _of_job,
    "job_model": _of_job,
    "job_id": ids(JobResult.id),
    "user": _of_user,
    "status": _of_status,
    "schedule": _of_schedule,
    "scheduled_job": _of_schedule,
    "q": search(JobResult.name, JobResult.class_path, JobResult.username),
}


def job_results() -> Response:
    """List results, the latest first."""
    query = known_results().where(*narrow(FILTERS)).order_by(JobResult.created_at.desc(), JobResult.id)
    if is_brief():
        return as_json(page(query, lambda rows: [shapes.result_reference(row) for row in rows]))
    return as_json(page(query, _shown))


def job_result(reference: str) -> Response:
    """Show a result."""
    return as_json(_shown([_find(reference)])[0])


def logs(reference: str) -> Response:
    """List all that a run has logged."""
    row = _find(reference)
    return Response(stream_with_context(_written(row.id, row.last_seq)), mimetype="application/json")


def job_logs() -> Response:
    """List what runs have logged."""
    return as_json(_entries())


def job_log(reference: str) -> Response:
    """Show one entry."""
    if not (reference.isascii() and reference.isdecimal() and len(reference) < 19):
        raise not_found()
    row = db.session.scalars(_known_entries().where(LogEntry.id == int(reference))).one_or_none()
    if row is None:
        raise not_found()
    return as_json(shapes.entry(row))


def delete(reference: str) -> Response:
    """Remove a result."""
    _remove([_find(reference)])
    return Response(status=204)


def delete_many() -> Response:
    """Remove several results: none, where one may not be removed."""
    _remove([_find(given["id"]) for given in receive_many()])
    return Response(status=204)


def _remove(rows: Sequence[JobResult]) -> None:
    for row in rows:
        require(user(), "delete", row)
        if not row.finished:
            raise NotEnded(f"The run {row.id} has not ended yet. Cancel it first.")
    for row in rows:
        remove(db.session(), current_app.extensions["errand"].settings, row, user())


# --- What is found --------------------------------------------------------------------------------------------


def known_results() -> Select[Any]:
    """Return the query for what is a result there, of which the caller may know."""
    query = visible(select(JobResult), user(), JobResult)
    return query.where(*_IS_RESULT).options(
        joinedload(JobResult.job), *(defer(column) for column in _UNSHOWN)
    )


def last_results(jobs: Sequence[uuid.UUID]) -> dict[uuid.UUID | None, JobResult]:
    """Return the latest result of each of these jobs, of which the caller may know."""
    # One step into the index of each job, however long its history is.
    latest = visible(select(JobResult.id), user(), JobResult).where(*_IS_RESULT)
    latest = latest.where(JobResult.job_id == JobRecord.id).correlate(JobRecord)
    newest = latest.order_by(JobResult.created_at.desc()).limit(1).scalar_subquery()
    wanted = select(newest).select_from(JobRecord).where(JobRecord.id.in_(jobs))
    query = select(JobResult).where(JobResult.id.in_(wanted)).options(*(defer(each) for each in _LARGE))
    return {row.job_id: row for row in db.session.scalars(query)}


def _find(reference: str) -> JobResult:
    try:
        key = uuid.UUID(reference)
    except ValueError:
        raise not_found() from None
    row: JobResult | None = db.session.scalars(known_results().where(JobResult.id == key)).one_or_none()
    if row is None or not allowed(user(), "view", row):
        raise not_found()
    return row


def _shown(rows: Sequence[JobResult]) -> list[dict[str, Any]]:
    keys = [row.id for row in rows]
    asked = set(db.session.scalars(select(JobResult.id).where(JobResult.id.in_(keys), _was_asked_for())))
    return [shapes.result(row, _schedule_of(row, asked=row.id in asked)) for row in rows]


def _schedule_of(row: JobResult, *, asked: bool) -> dict[str, Any] | None:
    if asked:
        return shapes.schedule_reference(row.id, row.name)
    if row.origin == "schedule" and row.origin_id is not None:
        return shapes.schedule_reference(row.origin_id, row.origin_name)
    return None


def _was_asked_for() -> ColumnElement[bool]:
    """Return what holds for a run that somebody had to approve by itself."""
    own = (Approval.result_id == JobResult.id, Approval.schedule_id.is_(None))
    return and_(select(Approval.id).where(*own).exists(), JobResult.origin != "approval")


# --- Entries --------------------------------------------------------------------------------------------------


def _of_level(values: Sequence[str]) -> list[str]:
    return [ours for ours, names in LEVELS.items() if {*names} & {*values}]


ENTRY_FILTERS: Filters = {
    "job_result": ids(JobResult.id),
    "log_level": lambda values: LogEntry.level.in_(_of_level(values)),
}


def _known_entries() -> Select[Any]:
    query = select(LogEntry).join(JobResult, JobResult.id == LogEntry.result_id)
    return visible(query, user(), JobResult).where(*_IS_RESULT)


def _entries() -> dict[str, Any]:
    limit, offset = window()
    query = _known_entries().where(*narrow(ENTRY_FILTERS)).order_by(LogEntry.id)
    rows = db.session.scalars(query.limit(limit).offset(offset)).all()
    return envelope(_count_entries(), [shapes.entry(row) for row in rows])


def _count_entries() -> int:
    """Count by what is kept with each result: there may be millions of entries."""
    given = {name: [value for value in values if value] for name, values in request.args.lists()}
    levels = _of_level(given["log_level"]) if given.get("log_level") else list(LEVELS)
    columns = [getattr(JobResult, f"count_{level}") for level in levels]
    if not columns:
        return 0
    query = visible(select(func.sum(sum(columns[1:], columns[0]))), user(), JobResult)
    query = query.where(*_IS_RESULT)
    if given.get("job_result"):
        query = query.where(ENTRY_FILTERS["job_result"](given["job_result"]))
    return counted(query)


def _written(result_id: uuid.UUID, last_seq: int) -> Iterator[str]:
    """Write a list in pieces. Nothing stays open between two of them: the reader may be slow, or gone."""
    db.session.rollback()
    yield "["
    first = True
    for since in range(0, last_seq, PIECE):
        span = (LogEntry.result_id == result_id, LogEntry.seq > since, LogEntry.seq <= since + PIECE)
        with reading() as session:
            rows = session.scalars(select(LogEntry).where(*span).order_by(LogEntry.seq)).all()
        if rows:
            yield ("" if first else ",") + ",".join(dumps(shapes.entry(row)) for row in rows)
            first = False
    yield "]"
