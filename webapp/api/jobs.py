"""Jobs, and asking for a run of one."""

import uuid
from typing import Any

from flask import Response, current_app, jsonify, request, url_for
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.exceptions import MethodNotAllowed, NotFound

from store.models import JobRecord, class_path_of
from store.permissions import allowed, require, visible
from webapp.api import arguments, shapes
from webapp.api.bodies import receive, values_for
from webapp.api.paging import page
from webapp.api.tokens import user
from webapp.database import db, reading
from webapp.fresh import fresh
from webapp.request_facts import request_facts
from worker.lookups import object_lookup
from worker.questions import Questions
from worker.submit import submit


def jobs() -> dict[str, Any]:
    arguments.check_names(("after", "limit"))
    limit = arguments.page_size(default=200, most=1000)
    query = visible(select(JobRecord), user(), JobRecord).order_by(JobRecord.class_path)
    if after := arguments.text("after"):
        query = query.where(JobRecord.class_path > after)
    records = db.session.scalars(query.limit(limit + 1)).all()
    more = records[limit - 1].class_path if len(records) > limit else None
    return page([shapes.job(record) for record in records[:limit]], more)


def job(reference: str) -> dict[str, Any]:
    arguments.check_names(())
    session = db.session()
    record = fresh(lambda: _find(reference, session))
    # The address of a run is an address of a job too: any class may be called `run`.
    if record is None and reference.endswith("/run") and _find(reference.removesuffix("/run"), session):
        raise MethodNotAllowed(["POST"])
    if record is None:
        raise _no_job()
    settings = current_app.extensions["errand"].settings
    questions = Questions(settings, record, username=user().username)
    with object_lookup(settings) as objects:
        return shapes.job(record, questions.described(objects), questions.problems)


def run(reference: str) -> tuple[Response, int, dict[str, str]]:
    arguments.check_names(())
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
    shown = shapes.result(result) if allowed(user(), "view", result) else shapes.result_reference(result)
    return jsonify(shown), status, {"Location": url_for("api.result", result_id=result.id)}


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
