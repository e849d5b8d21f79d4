"""Jobs, and asking for a run of one."""

import uuid
from typing import Any

from flask import current_app, request, url_for
from pydantic import Field
from sqlalchemy import or_, select
from sqlalchemy.orm import Session
from werkzeug.exceptions import MethodNotAllowed, NotFound

from store.models import JobRecord, JobResult, class_path_of
from store.permissions import allowed, require, visible
from webapp.api import arguments
from webapp.api.bodies import RUN_BODIES, receive, values_for
from webapp.api.calls import Query, call
from webapp.api.given import Flag, Number, Text
from webapp.api.listing import Order, Sorted, part
from webapp.api.paging import page
from webapp.api.shapes import Page
from webapp.api.shapes import jobs as shapes
from webapp.api.shapes import results as result_shapes
from webapp.api.tokens import user
from webapp.api.waits import wait_for
from webapp.data_file_facts import data_file_choices
from webapp.database import db, reading
from webapp.fresh import fresh
from webapp.job_history import MOST_RUNS, days_of, runs_of
from webapp.request_facts import request_facts
from webapp.waiting import LONGEST_SECONDS
from worker.lookups import object_lookup
from worker.questions import Questions
from worker.submit import submit

ORDER = Order(
    {"class_path": JobRecord.class_path, "name": JobRecord.name, "refreshed_at": JobRecord.refreshed_at},
    JobRecord.class_path,
    "class_path",
)


#: What is answered to who asked for a run.
MADE = result_shapes.ResultShape | result_shapes.ReferenceShape


class Jobs(Sorted):
    most = 1000
    limit: int = Field(200, ge=1, le=arguments.LARGEST_NUMBER, description="How many at most.")
    q: Text = Field("", description="In their names, class paths or descriptions.")
    name: list[Text] = []
    source: list[Text] = []
    grouping: list[Text] = []
    enabled: Flag | None = None
    installed: Flag | None = None
    hidden: Flag | None = None
    read_only: Flag | None = None
    approval_required: Flag | None = None
    restricted: Flag | None = None


class History(Query):
    runs: int = Field(50, ge=1, le=MOST_RUNS, description="So many runs, the newest.")
    days: int = Field(0, ge=0, le=366, description="Those of so many days instead, today included.")


class Waits(Query):
    wait: Number = Field(0, description=f"Seconds to wait for the end of the run, up to {LONGEST_SECONDS}.")


@call(query=Jobs, answers={200: Page[shapes.JobShape]}, tag="jobs")
def jobs(query: Jobs) -> Any:
    """List jobs."""
    wanted = visible(select(JobRecord), user(), JobRecord)
    for name in ("name", "source", "grouping"):
        if given := getattr(query, name):
            wanted = wanted.where(getattr(JobRecord, name).in_(given))
    for name in ("enabled", "installed", "hidden", "read_only", "approval_required", "restricted"):
        if (flag := getattr(query, name)) is not None:
            wanted = wanted.where(getattr(JobRecord, name).is_(flag))
    if query.q:
        found = (JobRecord.name, JobRecord.class_path, JobRecord.description)
        wanted = wanted.where(or_(*(column.icontains(query.q, autoescape=True) for column in found)))
    records, more = part(db.session(), wanted, query, ORDER)
    return page([shapes.job(record) for record in records], more)


@call(answers={200: shapes.JobShape}, tag="jobs")
def job(query: Query, reference: str) -> Any:
    """Show a job, with what its code computes of its variables."""
    session = db.session()
    record = fresh(lambda: _find(reference, session))
    # The address of a run is an address of a job too: any class may be called `run`.
    if record is None and reference.endswith("/run") and _find(reference.removesuffix("/run"), session):
        raise MethodNotAllowed(["POST"])
    if record is None:
        raise _no_job()
    return shapes.job(record, *_computed(record))


@call(answers={200: Page[shapes.VariableShape]}, tag="jobs")
def variables(query: Query, reference: str) -> Any:
    """List the variables of a job, with what its code computes of them."""
    record = fresh(lambda: _find(reference, db.session()))
    if record is None:
        raise _no_job()
    described, problems = _computed(record)
    return page([shapes.variable(each, problems.get(each["name"])) for each in described])


@call(query=History, answers={200: shapes.HistoryShape}, tag="jobs")
def history(query: History, reference: str) -> Any:
    """Tell how a job did: its last runs that ended, or those of the last days, by outcome and duration."""
    found = find_job(reference, db.session())
    return shapes.history(days_of(found, query.days) if query.days else runs_of(found, query.runs))


def _computed(record: JobRecord) -> tuple[list[dict[str, Any]], dict[str, list[str]]]:
    """Return the variables with what only the job's code can say of them, and why it could not."""
    settings = current_app.extensions["errand"].settings
    questions = Questions(
        settings,
        record,
        username=user().username,
        data_files=lambda: data_file_choices(user()),
    )
    with object_lookup(settings) as objects:
        return questions.described(objects), questions.problems


@call(
    query=Waits,
    answers={201: MADE, 200: MADE},
    takes=RUN_BODIES,
    headers=("Idempotency-Key",),
    tag="jobs",
)
def run(query: Waits, reference: str) -> Any:
    """Ask for a run of a job."""
    asked = receive()
    # On a session that only reads: checking the data may take its time, and SQLite's write turn is for storing it.
    with reading() as session:
        record = fresh(lambda: _find(reference, session))
    if record is None:
        raise _no_job()
    require(user(), "run", record)
    result = submit(
        db.session(),
        current_app.extensions["errand"].settings,
        job=record,
        raw=values_for(asked, record.variables),
        user=user(),
        commit=asked.commit,
        queue=asked.queue,
        options=asked.options,
        idempotency_key=request.headers.get("Idempotency-Key"),
        request=request_facts(),
    )
    # The answer to the first request may have been lost on its way: the caller gets it now.
    status = 200 if result.repeated else 201
    headers = {"Location": url_for("api.result", result_id=result.id)}
    if query.wait and not result.finished:
        wait_for(result.id, query.wait)
        db.session.refresh(result)
    return shown(result), status, headers


def shown(row: JobResult) -> result_shapes.ResultShape | result_shapes.ReferenceShape:
    """Return what whoever asked for a run sees of it."""
    if allowed(user(), "view", row):
        return result_shapes.result(row)
    return result_shapes.result_reference(row)


def _find(reference: str, session: Session) -> JobRecord | None:
    """Find a job by its id or class path, if the user may see it."""
    record = _look(reference, session)
    return record if record is not None and allowed(user(), "view", record) else None


def _look(reference: str, session: Session) -> JobRecord | None:
    query = visible(select(JobRecord), user(), JobRecord)
    if "/" in reference:
        if not arguments.storable(reference):
            return None
        return session.scalars(query.where(JobRecord.class_path == class_path_of(reference))).one_or_none()
    try:
        key = uuid.UUID(reference)
    except ValueError:
        return None
    return session.scalars(query.where(JobRecord.id == key)).one_or_none()


def find_job(reference: str, session: Session) -> JobRecord:
    """Find a job by its id or class path. Raises NotFound, also when the user may not see it."""
    record = _find(reference, session)
    if record is None:
        raise _no_job()
    return record


def _no_job() -> NotFound:
    return NotFound("There is no such job, or you may not see it.")
