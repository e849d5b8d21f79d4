"""Asking for a run, in the order in which Nautobot checks what is asked (NB-97 to NB-102)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from flask import current_app
from sqlalchemy.orm import Session

from jobs.errors import InvalidData
from store.models import JobRecord, JobResult, Schedule, Status, now
from store.permissions import require
from store.settings import Settings
from store.timing.checks import checked
from store.timing.recurrence import INTERVALS
from webapp.api.tokens import user
from webapp.database import db, reading
from webapp.extras.bodies import Body, boolean, receive, values_of
from webapp.extras.errors import Refused, invalid, not_found, of_inputs
from webapp.fresh import fresh
from webapp.request_facts import request_facts
from worker.asked import NotRunnable
from worker.origins import A_PERSON
from worker.queue_facts import listening_workers, present_workers
from worker.schedules import Timetable, checked_name, create
from worker.submit import submit

Find = Callable[[Session], JobRecord | None]

NOT_ENABLED = "This job is not enabled to be run."
NOT_INSTALLED = "This job is not installed, so it cannot be run."
SENSITIVE = "Unable to schedule job: Job may have sensitive input variables"
SENSITIVE_AND_APPROVED = (
    "Unable to run job: it may have sensitive input variables, and it requires approval. It cannot be both."
)

#: {what a field of a schedule is called here: there}.
_FIELDS = {"start": "start_time", "cron": "crontab"}


@dataclass(frozen=True)
class Asked:
    """What is asked for: judged, but for the inputs."""

    commit: bool | None
    queue: str | None
    #: None: it is to run now.
    timetable: Timetable | None


def ask(find: Find) -> tuple[JobRecord, JobResult | Schedule]:
    """Have a job run now or at set times, as the body of this request says. Raises Refused, and stores nothing then."""
    body = receive()
    # On a session that only reads: checking the data may take its time, and SQLite's write turn is for storing it.
    with reading() as session:
        record = fresh(lambda: find(session))
    if record is None:
        raise not_found()
    require(user(), "run", record)
    _require_runnable(record, body)
    settings = current_app.extensions["errand"].settings
    asked = _read(body, record, settings)
    raw = values_of(body, record.variables)
    try:
        return record, _store(record, asked, raw, settings)
    except InvalidData as error:
        raise Refused(400, of_inputs(error.errors)) from None


def _require_runnable(record: JobRecord, body: Body) -> None:
    if not record.enabled:
        raise Refused(403, {"detail": NOT_ENABLED})
    if not record.installed:
        raise Refused(405, {"detail": NOT_INSTALLED})
    if not record.has_sensitive_variables:
        return
    interval = body.schedule.get("interval") if isinstance(body.schedule, dict) else None
    if interval not in (None, "immediately"):
        raise invalid(schedule={"interval": [SENSITIVE]})
    if record.approval_required:
        raise Refused(400, {"errors": [SENSITIVE_AND_APPROVED]})


def _read(body: Body, record: JobRecord, settings: Settings) -> Asked:
    timetable = _timetable(body.schedule, settings.time_zone)
    try:
        commit = None if body.commit is None else boolean(body.commit)
    except ValueError as error:
        raise invalid(commit=[str(error)]) from None
    if len(body.queues) > 1 and body.queues[0] != body.queues[1]:
        raise invalid(task_queue=["Give task_queue or job_queue, not both."])
    queue = body.queues[0] if body.queues else None
    if queue is not None and queue not in record.allowed_queues:
        raise invalid(task_queue=[f'"{queue}" is not a valid choice.'])
    return Asked(commit, queue, timetable)


def _timetable(given: Any, zone: str) -> Timetable | None:
    """Return what a schedule says; None for a run at once."""
    if given is None:
        return None
    if not isinstance(given, dict):
        raise invalid(schedule={"non_field_errors": ["Give an object."]})
    interval = given.get("interval")
    if interval is None:
        raise invalid(schedule={"interval": ["This field is required."]})
    if interval not in INTERVALS:
        raise invalid(schedule={"interval": [f'"{interval}" is not a valid choice.']})
    if interval == "immediately":
        return None
    try:
        name = checked_name(_text(given, "name"))
        start = _moment(_text(given, "start_time"))
        times = checked(
            interval=interval, now=now(), zone=zone, start=start, cron=_text(given, "crontab").strip()
        )
    except InvalidData as error:
        raise invalid(schedule=_by_field(error.errors)) from None
    return Timetable(name, times)


def _by_field(errors: Any) -> dict[str, list[str]]:
    found: dict[str, Any] = dict(errors)
    return {
        _FIELDS.get(name, name): [said] if isinstance(said, str) else list(said)
        for name, said in found.items()
    }


def _text(given: Mapping[str, Any], name: str) -> str:
    value = given.get(name)
    if value is None or isinstance(value, str):
        return value or ""
    raise InvalidData({name: ["Not a valid string."]})


def _moment(text: str) -> datetime | None:
    if not text:
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise InvalidData({"start_time": ["Write a time such as 2030-05-15T22:00:00Z."]}) from None


def _store(
    record: JobRecord, asked: Asked, raw: Mapping[str, Any], settings: Settings
) -> JobResult | Schedule:
    chosen: dict[str, Any] = {
        "job": record,
        "raw": raw,
        "user": user(),
        "commit": asked.commit,
        "queue": asked.queue,
    }
    if asked.timetable is None:
        origin = replace(A_PERSON, claim=lambda session, result: _require_worker(session, result.queue))
        return submit(db.session(), settings, **chosen, origin=origin, request=request_facts())
    try:
        return create(db.session(), settings, **chosen, timetable=asked.timetable, may_store=_require_worker)
    except NotRunnable as error:
        raise invalid(schedule={"interval": [str(error)]}) from None


def _require_worker(session: Session, queue: str) -> tuple[JobResult, ...]:
    """Raise Refused where nobody would take a run from its queue: clients count on being told."""
    if not listening_workers(present_workers(session))[queue]:
        told = f"Unable to process request: No celery workers running on queue {queue}."
        raise Refused(503, {"detail": told})
    return ()


def waits(result: JobResult | Schedule) -> bool:
    """Tell whether this is what clients know as a scheduled job."""
    return isinstance(result, Schedule) or result.status == Status.AWAITING_APPROVAL
