"""What clients of Nautobot see of each thing. Every field is named here: nothing else of a row ever goes out."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from flask import url_for

from store.models import Approval, JobRecord, JobResult, LogEntry, Schedule, Status
from webapp.api.shapes import moment, time
from webapp.extras.versions import is_first
from worker.overrides import SETTINGS

#: {ours: (state of Nautobot 1, state of later ones)}. One that was canceled must look ended to whoever waits for it.
STATES: Mapping[str, tuple[str, str]] = {
    Status.AWAITING_APPROVAL: ("pending", "PENDING"),
    Status.PENDING: ("pending", "PENDING"),
    Status.RUNNING: ("running", "STARTED"),
    Status.COMPLETED: ("completed", "SUCCESS"),
    Status.FAILED: ("failed", "FAILURE"),
    Status.ERRORED: ("errored", "FAILURE"),
    Status.CANCELED: ("errored", "REVOKED"),
    Status.DENIED: ("errored", "REVOKED"),
}

#: {ours: (level of Nautobot 1, level of later ones)}.
LEVELS: Mapping[str, tuple[str, str]] = {
    "debug": ("default", "debug"),
    "default": ("default", "info"),
    "info": ("info", "info"),
    "success": ("success", "success"),
    "warning": ("warning", "warning"),
    "failure": ("failure", "failure"),
    "error": ("failure", "error"),
    "critical": ("failure", "critical"),
}

INTERVALS = {
    "immediately": "Once immediately",
    "future": "Once in the future",
    "hourly": "Recurring hourly",
    "daily": "Recurring daily",
    "weekly": "Recurring weekly",
    "custom": "Recurring custom",
}

#: {what a setting is called there: here}.
SETTING_NAMES = {
    "task_queues" if each.name == "queues" else each.name: each.name
    for each in SETTINGS
    if each.name not in ("approval_expires", "keep_days", "keep_failed_days")
}


def status(state: str) -> dict[str, str]:
    first, later = STATES[state]
    return {"value": first, "label": first.capitalize()} if is_first() else {"value": later, "label": later}


def level(name: str) -> str:
    return LEVELS[name][0 if is_first() else 1]


def user(user_id: int | None, username: str) -> dict[str, Any] | None:
    if not username:
        return None
    return {"id": str(user_id) if user_id is not None else None, "display": username, "username": username}


def slug(class_path: str) -> str:
    return re.sub(r"[^a-z0-9_]+", "-", class_path.lower())


def _where(endpoint: str, key: UUID, display: str) -> dict[str, Any]:
    return {
        "display": display,
        "id": str(key),
        "url": url_for(f"extras.{endpoint}", reference=key, _external=True),
    }


# --- Jobs -----------------------------------------------------------------------------------------------------


def job_reference(record: JobRecord) -> dict[str, Any]:
    return {
        **_where("job", record.id, record.name),
        "source": record.source,
        "module_name": record.module,
        "job_class_name": record.class_name,
        "grouping": record.grouping,
        "name": record.name,
        "slug": slug(record.class_path),
    }


def job(record: JobRecord) -> dict[str, Any]:
    settings = {theirs: getattr(record, ours) for theirs, ours in SETTING_NAMES.items()}
    return {
        **job_reference(record),
        **settings,
        "task_queues": record.allowed_queues,
        **{f"{theirs}_override": ours in record.overrides for theirs, ours in SETTING_NAMES.items()},
        "class_path": record.class_path,
        "installed": record.installed,
        "enabled": record.enabled,
        "is_job_hook_receiver": record.receives == "hook",
        "is_job_button_receiver": record.receives == "button",
        "is_singleton": record.is_singleton,
        "git_repository": None,
        "tags": [],
        "custom_fields": {},
        "created": moment(record.created_at),
        "last_updated": moment(record.refreshed_at),
    }


#: {what a variable says here: what that is called there}.
_OPTIONS = {
    "label": "label",
    "description": "help_text",
    "default": "default",
    "required": "required",
    "min_length": "min_length",
    "max_length": "max_length",
    "min_value": "min_value",
    "max_value": "max_value",
    "choices": "choices",
    "model": "model",
}


def variable(described: Mapping[str, Any]) -> dict[str, Any]:
    told = {
        theirs: described[ours]
        for ours, theirs in _OPTIONS.items()
        if described.get(ours) is not None and described[ours] != ""
    }
    return {"name": described["name"], "type": described["type"], **told}


def job_class(record: JobRecord, result: JobResult | None) -> dict[str, Any]:
    """Return a job as Nautobot 1.1 has them. result: of its last run, if there is one to be seen."""
    path = (record.source, record.module, record.class_name)
    names = dict(zip(("source", "module", "class_name"), path, strict=True))
    return {
        "id": record.class_path,
        "url": url_for("extras.job_class", **names, _external=True),
        "name": record.name,
        "description": record.description,
        # A record does not know them.
        "test_methods": [],
        "vars": {each["name"]: each["type"] for each in record.variables},
        "result": None if result is None else result_reference(result),
    }


# --- Results --------------------------------------------------------------------------------------------------


def result_reference(row: JobResult) -> dict[str, Any]:
    return {
        **_where("job_result", row.id, row.name),
        "name": row.class_path,
        "created": moment(row.created_at),
        "completed": time(row.finished_at),
        "user": user(row.user_id, row.username),
        "status": status(row.status),
    }


def result(row: JobResult, schedule: Mapping[str, Any] | None) -> dict[str, Any]:
    """schedule: what it is of; of a run that was approved, the request."""
    inputs = {"data": row.data, "commit": row.commit, "task_queue": row.queue}
    return {
        **result_reference(row),
        "job_model": job_reference(row.job) if row.job else None,
        "obj_type": "extras.job",
        "job_id": str(row.id),
        "job_kwargs": inputs,
        "data": _data(row),
        "schedule": schedule,
        "tags": [],
        "custom_fields": {},
        **({} if is_first() else _later(row, schedule)),
    }


def _data(row: JobResult) -> dict[str, Any] | None:
    if not row.finished:
        return None
    counts = row.counts
    total = {
        name: sum(counts[ours] for ours, (first, _) in LEVELS.items() if first == name)
        for name in ("success", "info", "warning", "failure")
    }
    return {**row.results, "total": total, "output": row.output, "cause": row.cause}


def _later(row: JobResult, schedule: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what results have besides since Nautobot 2."""
    return {
        "name": row.name,
        "scheduled_job": schedule,
        "date_created": moment(row.created_at),
        "date_started": time(row.started_at),
        "date_done": time(row.finished_at),
        "result": row.return_value,
        "worker": row.worker,
        "task_kwargs": row.data,
        "traceback": row.cause if row.status in (Status.FAILED, Status.ERRORED) else None,
    }


def entry(row: LogEntry) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "display": row.created_at.isoformat(),
        "url": url_for("extras.job_log", reference=row.id, _external=True),
        "absolute_url": row.object_url or "",
        "created": moment(row.created_at),
        "grouping": row.grouping,
        "log_level": level(row.level),
        "log_object": row.object_text or "",
        "message": row.message,
        "job_result": str(row.result_id),
    }


# --- Scheduled jobs -------------------------------------------------------------------------------------------


def schedule_reference(key: UUID, name: str) -> dict[str, Any]:
    return {**_where("scheduled_job", key, name), "name": name}


def scheduled_job(subject: Schedule | JobResult, approval: Approval | None) -> dict[str, Any]:
    """Return a schedule, or a run that needs an approval: there, that is a schedule which runs once."""
    decided = approval if approval is not None and approval.decision == "approved" else None
    by = decided.decided_by if decided else None
    return {
        **schedule_reference(subject.id, subject.name),
        "user": user(subject.user_id, subject.username),
        "job_model": job_reference(subject.job) if subject.job else None,
        "task": "nautobot.extras.jobs.scheduled_job_handler",
        "job_class": subject.class_path,
        "description": "",
        "queue": subject.queue,
        "args": [],
        "kwargs": {"data": subject.data, "commit": subject.commit, "task_queue": subject.queue},
        "approval_required": approval is not None,
        "approved_by_user": user(None, by) if by else None,
        "approved_at": time(decided.decided_at) if decided else None,
        **(_of_schedule(subject) if isinstance(subject, Schedule) else _of_run(subject)),
    }


def _of_schedule(row: Schedule) -> dict[str, Any]:
    return {
        "interval": _interval(row.interval),
        "start_time": moment(row.start_at),
        "crontab": row.cron,
        "one_off": row.interval == "future",
        "enabled": row.enabled,
        "last_run_at": time(row.last_run_at),
        "total_run_count": row.total_run_count,
        "date_changed": moment(row.updated_at),
    }


def _of_run(row: JobResult) -> dict[str, Any]:
    changed: datetime = row.started_at or row.created_at
    return {
        "interval": _interval("immediately"),
        "start_time": moment(row.created_at),
        "crontab": "",
        "one_off": True,
        "enabled": row.status in (Status.AWAITING_APPROVAL, Status.PENDING),
        "last_run_at": time(row.started_at),
        "total_run_count": int(row.started_at is not None),
        "date_changed": moment(changed),
    }


def _interval(name: str) -> dict[str, str]:
    return {"value": name, "label": INTERVALS[name]}
