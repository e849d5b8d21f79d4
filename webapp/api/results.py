"""Results: what became of the runs."""

import uuid
from typing import Any, Literal

from flask import Response, current_app, url_for
from pydantic import Field
from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.orm import defer, joinedload
from werkzeug.exceptions import NotFound

from store.input_terms import read_term
from store.models import JobRecord, JobResult, Schedule, class_path_of
from store.permissions import allowed, require, visible
from webapp.api.calls import Content, Query, call
from webapp.api.errors import InvalidRequest
from webapp.api.given import Moment, Text
from webapp.api.jobs import MADE, Waits, shown
from webapp.api.listing import Order, Sorted, part
from webapp.api.paging import page
from webapp.api.shapes import Page
from webapp.api.shapes import results as shapes
from webapp.api.tokens import user
from webapp.api.waits import wait_for
from webapp.database import db
from webapp.request_facts import request_facts
from webapp.result_files import made_files, send_made_file
from webapp.result_inputs import MOST_TERMS, conditions
from webapp.result_list import MOST_LOOKED_THROUGH
from webapp.result_list import of_job as runs_of
from worker import cancel as cancelling
from worker.again import run_again
from worker.removal import remove

#: What a list does not show and the database need not read for it.
LARGE = (
    JobResult.data,
    JobResult.kept_box,
    JobResult.sealed_data,
    JobResult.return_value,
    JobResult.output,
    JobResult.results,
)

ORDER = Order({"created_at": JobResult.created_at, "name": JobResult.name}, JobResult.id, "-created_at")

StatusName = Literal[
    "awaiting_approval", "pending", "running", "completed", "failed", "errored", "canceled", "denied"
]


class Chosen(Query):
    """Which results are meant."""

    job: Text = Field("", description="The id or class path of their job.")
    status: list[StatusName] = []
    user: list[Text] = Field([], description="Who asked for them.")
    queue: list[Text] = []
    origin: list[Text] = Field([], description='What asked for them: "schedule", "hook", ...; "person".')
    parent: uuid.UUID | None = Field(None, description="The run that led to them.")
    q: Text = Field("", description="In the names of their jobs, or why they ended as they did.")
    since: Moment | None = Field(None, description="Asked for at this time or later.")
    until: Moment | None = Field(None, description="Asked for before this time.")
    input: list[Text] = Field(
        [],
        max_length=MOST_TERMS,
        description="What is asked of their inputs, all of it: `site:Bern`, `count>=5`, `site` (it was given). Sealed ones are never found.",
    )

    @property
    def indexed(self) -> bool:
        """Whether indexes help to find them; else each result is looked at."""
        return not (self.input or self.queue)


class Results(Chosen, Sorted):
    pass


@call(query=Results, answers={200: Page[shapes.ResultLine]}, tag="results")
def results(query: Results) -> Any:
    """List results, the latest first."""
    wanted = chosen(visible(select(JobResult), user(), JobResult), query)
    among = None
    if not query.indexed:
        plain = query.model_copy(update={"input": [], "queue": []})
        among = chosen(visible(select(JobResult), user(), JobResult), plain)
    shown_of = wanted.options(*(defer(column) for column in LARGE))
    rows, more = part(db.session(), shown_of, query, ORDER, among=among, most=MOST_LOOKED_THROUGH)
    return page([shapes.result_line(row) for row in rows], more)


@call(query=Waits, answers={200: shapes.ResultShape}, tag="results")
def result(query: Waits, result_id: str) -> Any:
    """Show a result; with `wait`, once it has ended."""
    row = find_result(result_id)
    if query.wait and not row.finished:
        wait_for(row.id, query.wait)
        row = find_result(result_id)
    return shapes.result(row)


@call(answers={200: Page[shapes.FileShape]}, tag="results")
def files(query: Query, result_id: str) -> Any:
    """List the files that a run has made."""
    return page([shapes.run_file(row) for row in made_files(find_result(result_id).id)])


@call(answers={200: Content("application/octet-stream")}, tag="results")
def file(query: Query, result_id: str, file_id: int) -> Response:
    """Give a file that a run has made."""
    return send_made_file(find_result(result_id).id, file_id)


@call(answers={202: shapes.ResultShape}, tag="results")
def cancel(query: Query, result_id: str) -> Any:
    """Stop a run, or have it not start."""
    row = find_result(result_id)
    require(user(), "change", row)
    cancelling.cancel(db.session(), current_app.extensions["errand"].settings, row, user())
    return shapes.result(row), 202


@call(answers={204: None}, tag="results")
def delete_result(query: Query, result_id: str) -> Any:
    """Delete the result of a run that has ended, with its log and its files."""
    remove(db.session(), current_app.extensions["errand"].settings, find_result(result_id), user())
    return None, 204


@call(answers={201: MADE}, tag="results")
def rerun(query: Query, result_id: str) -> Any:
    """Run a job again with the inputs of a run."""
    settings = current_app.extensions["errand"].settings
    made = run_again(db.session(), settings, find_result(result_id), user(), request=request_facts())
    return shown(made), 201, {"Location": url_for("api.result", result_id=made.id)}


def find_result(result_id: str) -> JobResult:
    """Raises NotFound, also when the user may not see it."""
    try:
        key = uuid.UUID(result_id)
    except ValueError:
        raise _no_result() from None
    query = visible(select(JobResult), user(), JobResult).where(JobResult.id == key)
    query = query.options(joinedload(JobResult.job))
    row: JobResult | None = db.session.scalars(query).one_or_none()
    if row is None or not allowed(user(), "view", row):
        raise _no_result()
    return row


def _no_result() -> NotFound:
    return NotFound("There is no such result, or you may not see it.")


def chosen(query: Select[Any], asked: Chosen) -> Select[Any]:
    """Narrow a query to the results that are meant."""
    if asked.status:
        query = query.where(JobResult.status.in_(asked.status))
    if asked.job:
        query = query.where(of_job(JobResult, asked.job))
    if asked.user:
        query = query.where(JobResult.username.in_(asked.user))
    if asked.queue:
        query = query.where(JobResult.queue.in_(asked.queue))
    if asked.origin:
        query = query.where(JobResult.origin.in_(["" if each == "person" else each for each in asked.origin]))
    if asked.parent:
        query = query.where(JobResult.parent_id == asked.parent)
    if asked.q:
        found = JobResult.name.icontains(asked.q, autoescape=True)
        query = query.where(found | JobResult.cause.icontains(asked.q, autoescape=True))
    if asked.since:
        query = query.where(JobResult.created_at >= asked.since)
    if asked.until:
        query = query.where(JobResult.created_at < asked.until)
    if asked.input:
        query = query.where(*_of_inputs(asked))
    return query


def _of_inputs(asked: Chosen) -> list[ColumnElement[bool]]:
    """Raises InvalidRequest."""
    if unread := [term for term in asked.input if read_term(term) is None]:
        raise InvalidRequest(
            {"input": [f"{unread[0]!r} asks for nothing; say it like site:Bern, count>=5 or site."]}
        )
    return conditions(db.session(), asked.input, _job_meant(asked.job) if asked.job else None)


def _job_meant(reference: str) -> JobRecord | None:
    records = visible(select(JobRecord), user(), JobRecord)
    by_path = "/" in reference
    key = (
        JobRecord.class_path == class_path_of(reference) if by_path else JobRecord.id == uuid.UUID(reference)
    )
    found: JobRecord | None = db.session.scalars(records.where(key)).one_or_none()
    return found


def of_job(model: type[JobResult] | type[Schedule], reference: str) -> Any:
    """Return what holds for the rows that are about a job. Raises InvalidRequest."""
    # By class path even where the record is gone: its results stay.
    if "/" in reference:
        path = class_path_of(reference)
        return runs_of(path) if model is JobResult else model.class_path == path
    try:
        return model.job_id == uuid.UUID(reference)
    except ValueError:
        raise InvalidRequest({"job": ["Give a job's id or class path."]}) from None
