"""What a job keeps between its runs."""

from typing import Any

from flask import url_for
from pydantic import Field
from werkzeug.exceptions import NotFound

from store.models import JobRecord
from store.permissions import Forbidden, require
from webapp.api.calls import Body, Listing, Query, call
from webapp.api.given import Text
from webapp.api.jobs import find_job
from webapp.api.paging import page
from webapp.api.shapes import Page
from webapp.api.shapes.jobs import KeptShape, kept
from webapp.api.tokens import user
from webapp.database import db
from worker.kept_values import HIDDEN, Kept, are_hidden, find_kept, forget, keep, list_kept


class Values(Listing):
    # Each may have 64 KB.
    after: Text = Field("", description="The key that comes before.")


class NewValue(Body):
    value: Any


@call(query=Values, answers={200: Page[KeptShape]}, tag="values")
def values(query: Values, reference: str) -> Any:
    """List what a job keeps, by key."""
    job = find_job(reference, db.session())
    hidden = are_hidden(job)
    characters = 0 if hidden else None
    rows, more = list_kept(
        db.session(), job.class_path, after=query.after, limit=query.limit, characters=characters
    )
    return page([kept(row, hidden=hidden) for row in rows], more)


@call(answers={200: KeptShape}, tag="values")
def value(query: Query, reference: str, key: str) -> Any:
    """Show a value."""
    job = find_job(reference, db.session())
    row = _find(job, key)
    if are_hidden(job):
        raise Forbidden(HIDDEN)
    return kept(row, hidden=False)


@call(body=NewValue, answers={200: KeptShape, 201: KeptShape}, tag="values")
def put_value(query: Query, reference: str, key: str, body: NewValue) -> Any:
    """Set a value."""
    job = find_job(reference, db.session())
    require(user(), "change", job)
    new = keep(db.session(), job.class_path, key, body.value)
    answer = kept(_find(job, key), hidden=are_hidden(job))
    return answer, 201 if new else 200, {"Location": url_for("api.value", reference=reference, key=key)}


@call(answers={204: None}, tag="values")
def delete_value(query: Query, reference: str, key: str) -> Any:
    """Delete a value."""
    job = find_job(reference, db.session())
    require(user(), "change", job)
    if not forget(db.session(), job.class_path, key):
        raise _no_value(job)
    return None, 204


def _find(job: JobRecord, key: str) -> Kept:
    row = find_kept(db.session(), job.class_path, key)
    if row is None:
        raise _no_value(job)
    return row


def _no_value(job: JobRecord) -> NotFound:
    return NotFound(f"{job.name} keeps no value of that key.")
