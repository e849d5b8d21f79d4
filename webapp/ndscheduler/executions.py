"""Executions of ndscheduler: what became of the slots of its jobs, and of those that people had run at once."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from flask import jsonify
from sqlalchemy import Select, and_, or_, select
from sqlalchemy.orm import aliased, defer, joinedload

from store.models import FAMILIES, JobResult, LogEntry, MissedSlots, RunReport, Schedule, Status, now
from store.permissions import require, visible
from store.reports.files import IN_MAIL, fragment
from store.reports.page import IN_FILE
from store.timing.dialects import BOTS
from webapp.api.tokens import user
from webapp.database import db
from webapp.ndscheduler import shapes
from webapp.ndscheduler.errors import Refused
from webapp.ndscheduler.jobs import find, shown
from webapp.ndscheduler.requests import MOST_ROWS, id_of, settings, time_range
from worker import schedules as acts
from worker.awaited_jobs import problem_of

#: Levels of entries that say what went wrong.
_BAD = FAMILIES["failure"]

#: Of results, all that a list may have together.
MOST_CHARACTERS = 8_000_000

#: Results that are read at once: each may have returned a megabyte.
AT_ONCE = 20

_UNSHOWN = (
    JobResult.data,
    JobResult.kept_box,
    JobResult.sealed_data,
    JobResult.output,
    JobResult.results,
)


def list_executions() -> Any:
    """List what was scheduled between two times, what changed last coming first."""
    since, until = time_range()
    query = _results().where(JobResult.created_at >= since, JobResult.created_at <= until)
    lines = list(_lines(query))
    lines += [(row.noticed_at, shapes.missed(row, of)) for row, of in _missed(since, until)]
    lines.sort(key=lambda line: line[0], reverse=True)
    return jsonify({"executions": [line for _, line in lines[:MOST_ROWS]]})


def _lines(query: Select[Any]) -> Iterator[tuple[datetime, dict[str, Any]]]:
    """Yield executions with the time of their last change, the latest first, as long as they are not too much."""
    keys = query.with_only_columns(JobResult.id, JobResult.origin_id)
    found = db.session.execute(keys.order_by(JobResult.created_at.desc()).limit(MOST_ROWS)).all()
    schedules = _schedules({origin_id for _, origin_id in found if origin_id is not None})
    size = 0
    for start in range(0, len(found), AT_ONCE):
        ids = [key for key, _ in found[start : start + AT_ONCE]]
        part = select(JobResult).where(JobResult.id.in_(ids)).options(*map(defer, _UNSHOWN))
        reports = _reports(ids, IN_MAIL)
        for row in db.session.scalars(part.order_by(JobResult.created_at.desc())):
            line = shapes.execution(row, schedules.get(row.origin_id), reports.get(row.id, ""))
            size += len(line["result"])
            yield shapes.updated_at(row), line
        if size > MOST_CHARACTERS:
            return


def show_execution(execution_id: str) -> Any:
    key = id_of(execution_id)
    if key is not None and key.int < 2**63:
        return jsonify(_missed_one(key.int, execution_id))
    row = db.session.scalars(_results().where(JobResult.id == key)).one_or_none() if key else None
    if row is None:
        raise _unknown(execution_id)
    require(user(), "view", row)
    of = _schedules([row.origin_id] if row.origin_id else [])
    report = _reports([row.id], IN_FILE).get(row.id, "")
    shown_row = shapes.execution(row, of.get(row.origin_id), report)
    return jsonify({**shown_row, "result": _with_trace(row, shown_row["result"])})


def run_job(job_id: str) -> Any:
    """Run a job at once."""
    schedule = find(job_id)
    require(user(), "change", schedule)
    if schedule.job is None:
        return jsonify({"execution_id": _fail(schedule)})
    made = acts.run_now(db.session(), settings(), schedule, schedule.job, user())
    return jsonify({"execution_id": made.id.hex})


def stop_execution(execution_id: str) -> Any:
    raise Refused("Not implemented", 501)


def _results() -> Select[Any]:
    """Return the runs that its jobs have made, and those that are deleted: as far as the caller may see them."""
    schedule = aliased(Schedule)
    is_here = and_(schedule.interval == "custom", schedule.dialect == BOTS)
    return (
        visible(select(JobResult), user(), JobResult)
        .outerjoin(schedule, schedule.id == JobResult.origin_id)
        .where(JobResult.origin == "schedule", or_(schedule.id.is_(None), is_here))
    )


def _with_trace(row: JobResult, said: str) -> str:
    """Add to why a run failed what its log says last of that: mostly the stack trace."""
    if row.status not in (Status.FAILED, Status.ERRORED):
        return said
    last = select(LogEntry.message).where(LogEntry.result_id == row.id, LogEntry.level.in_(_BAD))
    trace = db.session.scalar(last.order_by(LogEntry.seq.desc()).limit(1))
    return "\n\n".join(filter(None, (said, trace)))


def _reports(ids: list[UUID], room: int) -> dict[UUID, str]:
    """Return what runs have reported as HTML, by their ids."""
    found = db.session.execute(
        select(RunReport.result_id, RunReport.data).where(RunReport.result_id.in_(ids))
    )
    return {row.result_id: fragment(row.data, room) for row in found}


def _schedules(ids: Iterable[UUID]) -> Mapping[UUID | None, Schedule]:
    query = shown(select(Schedule)).where(Schedule.id.in_(list(ids))).options(joinedload(Schedule.job))
    return {row.id: row for row in db.session.scalars(query)}


def _missed(since: datetime, until: datetime) -> list[tuple[MissedSlots, Schedule]]:
    """Return the slots that made no run because their job was not there."""
    query = shown(select(MissedSlots, Schedule).join(Schedule, Schedule.id == MissedSlots.schedule_id))
    query = query.where(
        Schedule.job_id.is_(None), MissedSlots.last_at >= since, MissedSlots.first_at <= until
    )
    query = query.options(joinedload(Schedule.job)).order_by(MissedSlots.id.desc()).limit(MOST_ROWS)
    return [(row[0], row[1]) for row in db.session.execute(query)]


def _missed_one(number: int, execution_id: str) -> dict[str, Any]:
    query = shown(select(MissedSlots, Schedule).join(Schedule, Schedule.id == MissedSlots.schedule_id))
    query = query.where(MissedSlots.id == min(number, 2**31 - 1)).options(joinedload(Schedule.job))
    found = db.session.execute(query).first()
    if found is None:
        raise _unknown(execution_id)
    return shapes.missed(found[0], found[1])


def _fail(schedule: Schedule) -> str:
    """Keep that a job was to run whose class is not there, and return the id of that."""
    at = now()
    row = MissedSlots(
        schedule_id=schedule.id,
        first_at=at,
        last_at=at,
        count=1,
        cause=problem_of(schedule.class_path),
        noticed_at=at,
    )
    db.session.add(row)
    db.session.flush()
    found = shapes.missed_id(row)
    acts.note_run(db.session(), schedule, user())
    db.session.commit()
    return found


def _unknown(execution_id: str) -> Refused:
    return Refused(f"Execution not found: {execution_id}")
