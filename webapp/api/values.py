"""What a job keeps between its runs."""

from typing import Any

from flask import url_for
from werkzeug.exceptions import NotFound

from store.models import JobRecord
from store.permissions import Forbidden, require
from webapp.api import arguments, shapes
from webapp.api.bodies import receive_value
from webapp.api.jobs import find_job
from webapp.api.paging import page
from webapp.api.tokens import user
from webapp.database import db
from worker.kept_values import HIDDEN, Kept, are_hidden, find_kept, forget, keep, list_kept


def values(reference: str) -> dict[str, Any]:
    arguments.check_names(("after", "limit"))
    # Each may have 64 KB.
    limit = arguments.page_size(default=50, most=200)
    job = find_job(reference, db.session())
    hidden = are_hidden(job)
    rows, more = list_kept(
        db.session(),
        job.class_path,
        after=arguments.text("after"),
        limit=limit,
        characters=0 if hidden else None,
    )
    return page([shapes.kept(row, hidden=hidden) for row in rows], more)


def value(reference: str, key: str) -> dict[str, Any]:
    arguments.check_names(())
    job = find_job(reference, db.session())
    row = _find(job, key)
    if are_hidden(job):
        raise Forbidden(HIDDEN)
    return shapes.kept(row, hidden=False)


def put(reference: str, key: str) -> tuple[dict[str, Any], int, dict[str, str]]:
    arguments.check_names(())
    given = receive_value()
    job = find_job(reference, db.session())
    require(user(), "change", job)
    new = keep(db.session(), job.class_path, key, given)
    answer = shapes.kept(_find(job, key), hidden=are_hidden(job))
    return answer, 201 if new else 200, {"Location": url_for("api.value", reference=reference, key=key)}


def delete(reference: str, key: str) -> tuple[str, int]:
    arguments.check_names(())
    job = find_job(reference, db.session())
    require(user(), "change", job)
    if not forget(db.session(), job.class_path, key):
        raise _no_value(job)
    return "", 204


def _find(job: JobRecord, key: str) -> Kept:
    row = find_kept(db.session(), job.class_path, key)
    if row is None:
        raise _no_value(job)
    return row


def _no_value(job: JobRecord) -> NotFound:
    return NotFound(f"{job.name} keeps no value of that key.")
