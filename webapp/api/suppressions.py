"""Times in which no run of a job begins."""

from datetime import datetime
from typing import Any

from pydantic import Field
from typing_extensions import TypedDict
from werkzeug.exceptions import NotFound

from store.models import Suppression, now
from store.permissions import require
from webapp.api.calls import Body, Query, call
from webapp.api.given import Moment
from webapp.api.jobs import find_job
from webapp.api.paging import page
from webapp.api.shapes import Page, moment
from webapp.api.tokens import user
from webapp.database import db
from worker.suppressions import active, suppress, unsuppress


class SuppressionShape(TypedDict):
    """A time in which no run of a job begins; those that wait start when it is over."""

    id: int
    starts_at: str
    ends_at: str
    #: Who said so; empty: somebody on the command line.
    user: str
    created_at: str


class SuppressionsEndedShape(TypedDict):
    """What was ended."""

    #: How many there were.
    ended: int


class NewSuppression(Body):
    starts_at: Moment | None = Field(None, description="Nothing, or null, stands for now.")
    ends_at: Moment


@call(answers={200: Page[SuppressionShape]}, tag="jobs")
def suppressions(query: Query, reference: str) -> Any:
    """List the suppressions of a job that hold now, and those to come."""
    job = find_job(reference, db.session())
    return page([shape(each) for each in active(db.session(), job=job)])


@call(body=NewSuppression, answers={201: SuppressionShape}, tag="jobs")
def create_suppression(query: Query, reference: str, body: NewSuppression) -> Any:
    """Have no run of a job begin for some time."""
    job = find_job(reference, db.session())
    require(user(), "change", job)
    starts_at: datetime = body.starts_at or now()
    return shape(suppress(db.session(), job, starts_at, body.ends_at, user(), permitted=True)), 201


@call(answers={200: SuppressionsEndedShape}, tag="jobs")
def delete_suppressions(query: Query, reference: str) -> Any:
    """End all suppressions of a job, those to come too."""
    job = find_job(reference, db.session())
    require(user(), "change", job)
    return SuppressionsEndedShape(ended=unsuppress(db.session(), job, user(), permitted=True))


@call(answers={204: None}, tag="jobs")
def delete_suppression(query: Query, reference: str, key: int) -> Any:
    """End a suppression."""
    job = find_job(reference, db.session())
    require(user(), "change", job)
    if not unsuppress(db.session(), job, user(), only=key, permitted=True):
        raise NotFound("There is no such suppression, or it is over.")
    return None, 204


def shape(row: Suppression) -> SuppressionShape:
    return {
        "id": row.id,
        "starts_at": moment(row.starts_at),
        "ends_at": moment(row.ends_at),
        "user": row.username,
        "created_at": moment(row.created_at),
    }
