"""Workers and queues: who works on what, what waits, and what a superuser may do about it."""

import uuid
from collections.abc import Sequence
from typing import Any, Literal

from flask import current_app
from pydantic import Field
from sqlalchemy import select
from werkzeug.exceptions import NotFound

from store.models import JobResult, WorkerProcess
from store.permissions import require, visible
from webapp.api import arguments
from webapp.api.calls import Listing, Query, call
from webapp.api.given import Text
from webapp.api.listing import Order, Sorted, part
from webapp.api.paging import page
from webapp.api.shapes import Page
from webapp.api.shapes.places import (
    QueueHistoryShape,
    QueueShape,
    WorkerShape,
    queue,
    queue_history,
    worker,
)
from webapp.api.tokens import user
from webapp.database import db
from webapp.queue_history import MOST_QUEUES, minutes_of_last, queues_of, samples_of
from worker.pausing import pause_queue, resume_queue
from worker.presence import drain_worker
from worker.queue_facts import QueueFacts, known_queues, present_workers, queue_facts


class Places(Listing):
    most = 1000
    limit: int = Field(200, ge=1, le=arguments.LARGEST_NUMBER, description="How many at most.")


class Workers(Sorted):
    most = 1000
    limit: int = Field(200, ge=1, le=arguments.LARGEST_NUMBER, description="How many at most.")
    kind: list[Literal["worker", "scheduler"]] = []


class Hours(Query):
    hours: int = Field(24, ge=1, le=7 * 24, description="How far back: up to a week.")
    queue: list[Text] = Field([], max_length=MOST_QUEUES, description="Instead of those with most to do.")


#: So many samples of a queue are answered, whatever the hours: each is the most of a few minutes.
POINTS = 288

ORDER = Order(
    {"name": WorkerProcess.name, "started_at": WorkerProcess.created_at}, WorkerProcess.name, "name"
)


@call(query=Workers, answers={200: Page[WorkerShape]}, tag="workers")
def workers(query: Workers) -> Any:
    """List workers and schedulers, also those that were gone within the last day."""
    require(user(), "view", WorkerProcess)
    wanted = visible(select(WorkerProcess), user(), WorkerProcess)
    if query.kind:
        wanted = wanted.where(WorkerProcess.kind.in_(query.kind))
    rows, more = part(db.session(), wanted, query, ORDER)
    return page(_shapes(rows), more)


@call(answers={200: WorkerShape}, tag="workers")
def drain(query: Query, name: str) -> Any:
    """Have a worker end after its run."""
    return _drain(name, on=True)


@call(answers={200: WorkerShape}, tag="workers")
def keep(query: Query, name: str) -> Any:
    """Have a worker not end after all."""
    return _drain(name, on=False)


@call(query=Places, answers={200: Page[QueueShape]}, tag="queues")
def queues(query: Places) -> Any:
    """List queues by name."""
    require(user(), "view", WorkerProcess)
    rows = [facts for facts in _facts() if facts.name > query.after]
    more = rows[query.limit - 1].name if len(rows) > query.limit else None
    return page([queue(facts) for facts in rows[: query.limit]], more)


@call(query=Hours, answers={200: QueueHistoryShape}, tag="queues")
def queues_history(query: Hours) -> Any:
    """Tell what waited on queues, and who worked, within the last hours. What was not sampled is left out."""
    require(user(), "view", WorkerProcess)
    step = max(1, query.hours * 60 // POINTS)
    since, until = minutes_of_last(query.hours, step)
    names = query.queue or queues_of(since, until)[:MOST_QUEUES]
    found = samples_of(names, since, until, step)
    return queue_history(since, until, step, {key: found[key] for key in sorted(found)})


@call(answers={200: QueueShape}, tag="queues")
def pause(query: Query, name: str) -> Any:
    """Let the runs of a queue wait."""
    require(user(), "change", WorkerProcess)
    pause_queue(db.session(), _known(name), user())
    return _queue(name)


@call(answers={200: QueueShape}, tag="queues")
def resume(query: Query, name: str) -> Any:
    """Have the runs of a queue taken again."""
    require(user(), "change", WorkerProcess)
    resume_queue(db.session(), _known(name), user())
    return _queue(name)


def _drain(name: str, *, on: bool) -> WorkerShape:
    require(user(), "change", WorkerProcess)
    if not arguments.storable(name) or not drain_worker(db.session(), name, user(), on=on):
        raise NotFound("There is no such worker now.")
    return _shapes(db.session.scalars(select(WorkerProcess).where(WorkerProcess.name == name)).all())[0]


def _known(name: str) -> str:
    if name not in known_queues(db.session()):
        raise NotFound("There is no such queue.")
    return name


def _queue(name: str) -> QueueShape:
    # A queue that only its pause spoke of is gone with it.
    facts = {facts.name: facts for facts in _facts()}
    return queue(facts.get(name, QueueFacts(name)))


def _facts() -> list[QueueFacts]:
    session = db.session()
    facts, _ = queue_facts(session, current_app.extensions["errand"].settings, present_workers(session))
    return facts


def _shapes(rows: Sequence[WorkerProcess]) -> list[WorkerShape]:
    seen = _visible_runs(row.result_id for row in rows if row.result_id)
    return [worker(row, row.result_id if row.result_id in seen else None) for row in rows]


def _visible_runs(ids: Any) -> set[uuid.UUID]:
    query = visible(select(JobResult.id), user(), JobResult).where(JobResult.id.in_(list(ids)))
    return set(db.session.scalars(query))
