"""The audit log of ndscheduler: what people did with its jobs and files, out of the portal's own."""

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from flask import jsonify
from sqlalchemy import select

from store.models import AuditRecord, JobResult, Schedule, User
from store.permissions import require, visible
from store.timing.dialects import BOTS
from store.withdrawn import shown_audit
from webapp.api.tokens import user
from webapp.database import db
from webapp.ndscheduler import shapes
from webapp.ndscheduler.requests import MOST_ROWS, time_range

#: {action of ours: event of theirs}
EVENTS = {
    "schedule.create": "added",
    "schedule.edit": "modified",
    "schedule.take-over": "modified",
    "schedule.delete": "deleted",
    "schedule.pause": "paused",
    "schedule.resume": "resumed",
    "schedule.run": "custom_run",
    "data-file.add": "file added",
    "data-file.delete": "file deleted",
}


def list_logs() -> Any:
    """List what happened between two times, the latest first: for those who may read the audit."""
    require(user(), "view", User)
    since, until = time_range()
    query = select(AuditRecord).where(
        AuditRecord.action.in_(EVENTS),
        AuditRecord.created_at >= since,
        AuditRecord.created_at <= until,
        shown_audit(),
    )
    records = db.session.scalars(query.order_by(AuditRecord.id.desc()).limit(MOST_ROWS)).all()
    schedules = _schedules([record for record in records if record.action.startswith("schedule.")])
    lines = [_line(record, schedules.get(record.subject)) for record in records]
    return jsonify({"logs": [line for line in lines if line is not None]})


def _schedules(records: list[AuditRecord]) -> Mapping[str, Schedule]:
    ids = {UUID(record.subject) for record in records if len(record.subject) == 36}
    query = visible(select(Schedule), user(), Schedule).where(Schedule.id.in_(ids))
    return {str(row.id): row for row in db.session.scalars(query)}


def _line(record: AuditRecord, schedule: Schedule | None) -> dict[str, Any] | None:
    """Return a record as an event; None for one of a schedule that is no job here."""
    if schedule is not None and schedule.dialect != BOTS:
        return None
    is_file = record.action.startswith("data-file.")
    return {
        "job_id": "" if is_file else record.subject.replace("-", ""),
        "job_name": record.subject if is_file else _name(record, schedule),
        "event": EVENTS[record.action],
        "user": record.actor,
        "created_time": shapes.moment(record.created_at),
        "description": _description(record),
    }


def _name(record: AuditRecord, schedule: Schedule | None) -> str:
    said = {**(record.before or {}), **(record.after or {})}
    return schedule.name if schedule is not None else str(said.get("name", ""))


def _description(record: AuditRecord) -> str:
    before, after = record.before or {}, record.after or {}
    match EVENTS[record.action]:
        case "modified":
            return "\n".join(
                f"{name}: {before.get(name)} => {after.get(name)}" for name in {**before, **after}
            )
        case "deleted":
            return json.dumps(before, sort_keys=True, ensure_ascii=False)
        case "custom_run":
            return _execution_of(record)
    return ""


def _execution_of(record: AuditRecord) -> str:
    """Return the id of the run that somebody asked a schedule for: the first one after that."""
    if len(record.subject) != 36:
        return ""
    query = visible(select(JobResult.id), user(), JobResult).where(
        JobResult.origin_id == UUID(record.subject),
        JobResult.slot_at.is_(None),
        JobResult.created_at >= record.created_at,
    )
    found = db.session.scalar(query.order_by(JobResult.created_at).limit(1))
    return found.hex if found is not None else ""
