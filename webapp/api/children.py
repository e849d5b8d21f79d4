"""What a run has asked for of other jobs: its children."""

from typing import Any

from flask import current_app, url_for
from pydantic import Field

from store.models import Gathering, JobResult
from webapp.api import arguments
from webapp.api.calls import Listing, Query, call
from webapp.api.given import Number
from webapp.api.jobs import MADE, shown
from webapp.api.paging import next_url
from webapp.api.results import StatusName, find_result
from webapp.api.shapes import results as shapes
from webapp.api.shapes import text_id
from webapp.api.tokens import user
from webapp.children import counted, of_parent
from webapp.database import db
from webapp.request_facts import request_facts
from worker.children_again import run_children_again


class Children(Listing):
    most = 1000
    after: Number = Field(0, description="The number of the last one that is known already.")  # type: ignore[assignment]
    limit: int = Field(200, ge=1, le=arguments.LARGEST_NUMBER, description="How many at most.")
    status: list[StatusName] = []


@call(query=Children, answers={200: shapes.ChildPage}, tag="results")
def children(query: Children, result_id: str) -> Any:
    """List the runs that a run has asked for, by their numbers, and count them by their states."""
    row = find_result(result_id)
    found = of_parent(row.id).where(JobResult.map_number > query.after)
    if query.status:
        found = found.where(JobResult.status.in_(query.status))
    rows = db.session.scalars(found.order_by(JobResult.map_number).limit(query.limit + 1)).all()
    shown_rows = rows[: query.limit]
    gathering = db.session.get(Gathering, row.id) if row.gathers else None
    return {
        "results": [shapes.child(each) for each in shown_rows],
        "next": next_url(str(shown_rows[-1].map_number)) if len(rows) > query.limit else None,
        "counts": counted(row.id),
        "asked": gathering.size if gathering else 0,
        "again_of": text_id(gathering.again_of) if gathering else None,
    }


@call(answers={201: MADE}, tag="results")
def children_again(query: Query, result_id: str) -> Any:
    """Run those again that did not complete of the runs that a run has asked for.

    It is a run of the same job, which is told of these and of those that had completed.
    """
    settings = current_app.extensions["errand"].settings
    made = run_children_again(db.session(), settings, find_result(result_id), user(), request=request_facts())
    return shown(made), 201, {"Location": url_for("api.result", result_id=made.id)}
