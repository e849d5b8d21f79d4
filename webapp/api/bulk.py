"""One act for many results: those that are named, or all that match."""

import base64
import json
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from pydantic import Field
from sqlalchemy import Select, and_, func, or_, select
from typing_extensions import TypedDict

from store.models import JobResult, now
from store.permissions import require
from webapp.api.arguments import moment_of
from webapp.api.calls import Body, Query, call
from webapp.api.errors import InvalidRequest
from webapp.api.listing import BAD_AFTER
from webapp.api.results import Chosen, chosen
from webapp.api.tokens import user
from webapp.bulk_acts import ACTS, RESULTS, attempt, seen
from webapp.database import db
from worker.cancel import AlreadyFinished

#: Results that one request deals with; the rest by the next one.
MOST_AT_ONCE = 200


class BulkAct(Body):
    action: Literal["cancel", "rerun", "delete"]
    ids: list[uuid.UUID] | None = Field(None, max_length=MOST_AT_ONCE, description="These results.")
    matching: Chosen | None = Field(
        None, description="All results that fit, as the list of results knows them."
    )
    expect: int | None = Field(None, ge=0, description="Do nothing where it is another number that match.")
    after: str = Field("", description="`next` of the answer before: go on with the same act.")


class Refusal(TypedDict):
    """Why nothing was done with a result."""

    id: str
    detail: str


class BulkShape(TypedDict):
    """What came of it."""

    #: The results that were canceled or deleted; or the new ones.
    done: list[str]
    refused: list[Refusal]
    #: Give it as `after` to go on; null: that was all.
    next: str | None


@call(body=BulkAct, answers={200: BulkShape}, tag="results")
def bulk(query: Query, body: BulkAct) -> Any:
    """Cancel, run again or delete many results."""
    act = ACTS[body.action]
    # Who may do it to none is told so at once.
    require(user(), *act.asked)
    rows, following = _wanted(body)
    done: list[str] = []
    refused: list[Refusal] = []
    for row in rows:
        result_id = str(row.id)
        made, refusal = attempt(RESULTS, act, row, user())
        if made:
            done.append(made)
        else:
            refused.append({"id": result_id, "detail": refusal})
    return {"done": done, "refused": refused, "next": following}


def _wanted(body: BulkAct) -> tuple[Sequence[JobResult], str | None]:
    """Return the results to deal with now, and where to go on."""
    if (body.ids is None) == (body.matching is None):
        raise InvalidRequest({"ids": ["Give ids, or what the results are matching."]})
    query = seen(user())
    if body.matching is None:
        return db.session.scalars(query.where(JobResult.id.in_(body.ids or ()))).all(), None
    if body.matching.input and not (body.matching.job or body.matching.since):
        # Else each result there ever was would be looked at.
        raise InvalidRequest({"matching": ["Name a job or a time (since), too, where inputs are to match."]})
    query = chosen(query, body.matching)
    # What is made meanwhile, by this act itself above all, is left alone.
    until, last = _read(body.after) if body.after else (now(), None)
    query = query.where(JobResult.created_at < until)
    if last is None and body.expect is not None:
        _expect(query, body.expect)
    if last is not None:
        at, key = last
        query = query.where(
            or_(JobResult.created_at > at, and_(JobResult.created_at == at, JobResult.id > key))
        )
    rows = db.session.scalars(
        query.order_by(JobResult.created_at, JobResult.id).limit(MOST_AT_ONCE + 1)
    ).all()
    if len(rows) <= MOST_AT_ONCE:
        return rows, None
    rows = rows[:MOST_AT_ONCE]
    return rows, _write(until, rows[-1])


def _expect(query: Select[Any], expected: int) -> None:
    found = db.session.scalar(select(func.count()).select_from(query.order_by(None).subquery())) or 0
    if found != expected:
        raise AlreadyFinished(f"{found:,} results match, not {expected:,}: nothing was done.")


def _write(until: datetime, last: JobResult) -> str:
    said = json.dumps([until.isoformat(), last.created_at.isoformat(), str(last.id)])
    return base64.urlsafe_b64encode(said.encode()).decode()


def _read(after: str) -> tuple[datetime, tuple[datetime, uuid.UUID]]:
    try:
        until, at, key = json.loads(base64.urlsafe_b64decode(after))
        return moment_of(until), (moment_of(at), uuid.UUID(key))
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise InvalidRequest({"after": [BAD_AFTER]}) from None
