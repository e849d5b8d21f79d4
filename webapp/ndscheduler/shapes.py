"""What clients of ndscheduler are shown of schedules, results, missed slots, audit records and data files."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from store.models import DataFile, JobResult, MissedSlots, Schedule, Status
from store.positional import to_args
from store.timing.dialects import bots_fields
from store.timing.fields import BadCron
from worker.awaited_jobs import ARGUMENTS, PREFIX

SCHEDULED, RUNNING, STOPPING, STOPPED = "scheduled", "running", "stopping", "stopped"
FAILED, SUCCEEDED, TIMEOUT, SCHEDULED_ERROR = "failed", "succeeded", "timeout", "scheduled error"

#: What the cause of a run says that was ended at its limit (see worker.supervisor).
_AT_ITS_LIMIT = "at its time limit"

#: What that of a run says whose class could not be had (see worker.child, jobs.loading).
_NOT_HAD = ("cannot be loaded", "Unable to locate job", " has no job ")


def moment(value: datetime | None) -> str:
    """ISO 8601 with its offset; "" where there is none."""
    return value.astimezone(UTC).isoformat() if value is not None else ""


def class_string(schedule: Schedule) -> str:
    """Return the class as it is named here: `jobs.<module>.<Class>`; one that is not there as it was named."""
    source, _, rest = schedule.class_path.partition("/")
    return f"{PREFIX}{rest.replace('/', '.')}" if rest else source


def arguments(schedule: Schedule) -> list[Any]:
    """Return the positional arguments; of a schedule with sealed inputs those that are open."""
    data = schedule.data or {}
    if schedule.job is None:
        given = data.get(ARGUMENTS)
        return given if isinstance(given, list) else list(data.values())
    return to_args(schedule.job.variables, data)


def job(schedule: Schedule) -> dict[str, Any]:
    return {
        "job_id": schedule.id.hex,
        "name": schedule.name,
        "next_run_time": moment(schedule.next_slot_at) if schedule.enabled else "",
        "job_class_string": class_string(schedule),
        "pub_args": arguments(schedule),
        **_times(schedule),
    }


def _times(schedule: Schedule) -> dict[str, str]:
    try:
        return {"week": "*", **bots_fields(schedule.cron)}
    except BadCron:
        return {"week": "*", "month": "", "day": "", "day_of_week": "", "hour": "", "minute": ""}


def _job_of(schedule: Schedule | None) -> dict[str, Any]:
    """Return the part of an execution that is about its job: nothing, where that was deleted."""
    if schedule is None:
        return {}
    return {
        "job": {
            "job_id": schedule.id.hex,
            "name": schedule.name,
            "task_name": class_string(schedule),
            "pub_args": arguments(schedule),
            **_times(schedule),
        }
    }


def execution(result: JobResult, schedule: Schedule | None, report: str = "") -> dict[str, Any]:
    """report: what it has reported, as HTML."""
    return {
        "execution_id": result.id.hex,
        "state": state(result),
        "hostname": (result.worker_host or "").partition("/")[0],
        "pid": result.worker_pid or 0,
        "task_id": result.id.hex,
        "description": result.cause or "",
        "result": _outcome(result, report),
        "scheduled_time": moment(result.slot_at or result.created_at),
        "updated_time": moment(updated_at(result)),
        **_job_of(schedule),
    }


def updated_at(result: JobResult) -> datetime:
    return result.finished_at or result.started_at or result.created_at


def state(result: JobResult) -> str:
    match result.status:
        case Status.AWAITING_APPROVAL | Status.PENDING:
            return SCHEDULED
        case Status.RUNNING:
            return STOPPING if result.cancel_requested_at is not None else RUNNING
        case Status.COMPLETED:
            return SUCCEEDED
        case Status.CANCELED | Status.DENIED:
            return STOPPED
        case Status.ERRORED if _AT_ITS_LIMIT in (result.cause or ""):
            return TIMEOUT
        case Status.ERRORED if result.began_at is None or any(
            said in (result.cause or "") for said in _NOT_HAD
        ):
            return SCHEDULED_ERROR
    return FAILED


def _outcome(result: JobResult, report: str) -> str:
    if result.status != Status.COMPLETED:
        return result.cause or ""
    return json.dumps(report or result.return_value, indent=4, sort_keys=True, ensure_ascii=False)


def missed_id(missed: MissedSlots) -> str:
    """Return the id of what made no result: a number, which no random id is."""
    return UUID(int=missed.id).hex


def missed(row: MissedSlots, schedule: Schedule) -> dict[str, Any]:
    """Show slots whose job was not there as the execution that ndscheduler makes of that."""
    return {
        "execution_id": missed_id(row),
        "state": SCHEDULED_ERROR,
        "hostname": "",
        "pid": 0,
        "task_id": missed_id(row),
        "description": row.cause,
        "result": row.cause,
        "scheduled_time": moment(row.last_at),
        "updated_time": moment(row.noticed_at),
        **_job_of(schedule),
    }


def data_file(row: DataFile) -> dict[str, Any]:
    return {
        "filename": row.name,
        "user": row.username,
        "created_time": moment(row.created_at),
        "entries": row.entries,
        "description": row.description,
    }
