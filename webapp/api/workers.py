"""Workers and queues: who works on what, what waits, and what a superuser may do about it."""

import uuid
from collections.abc import Sequence
from typing import Any

from flask import current_app
from sqlalchemy import select
from werkzeug.exceptions import NotFound

from store.models import JobResult, WorkerProcess
from store.permissions import require, visible
from webapp.api import arguments, shapes
from webapp.api.paging import page
from webapp.api.tokens import user
from webapp.database import db
from worker.pausing import pause_queue, resume_queue
from worker.presence import drain_worker
from worker.queue_facts import QueueFacts, known_queues, present_workers, queue_facts


def workers() -> dict[str, Any]:
    """List workers and schedulers by name, also those that were gone within the last day."""
    arguments.check_names(("after", "limit"))
    require(user(), "view", WorkerProcess)
    limit = arguments.page_size(default=200, most=1000)
    query = visible(select(WorkerProcess), user(), WorkerProcess).order_by(WorkerProcess.name)
    if after := arguments.text("after"):
        query = query.where(WorkerProcess.name > after)
    rows = db.session.scalars(query.limit(limit + 1)).all()
    more = rows[limit - 1].name if len(rows) > limit else None
    return page(_shapes(rows[:limit]), more)


def drain(name: str) -> dict[str, Any]:
    return _drain(name, on=True)


def keep(name: str) -> dict[str, Any]:
    return _drain(name, on=False)


def queues() -> dict[str, Any]:
    arguments.check_names(("after", "limit"))
    require(user(), "view", WorkerProcess)
    limit = arguments.page_size(default=200, most=1000)
    after = arguments.text("after")
    rows = [facts for facts in _facts() if facts.name > after]
    more = rows[limit - 1].name if len(rows) > limit else None
    return page([shapes.queue(facts) for facts in rows[:limit]], more)


def pause(name: str) -> dict[str, Any]:
    arguments.check_names(())
    require(user(), "change", WorkerProcess)
    pause_queue(db.session(), _known(name), user())
    return _queue(name)


def resume(name: str) -> dict[str, Any]:
    arguments.check_names(())
    require(user(), "change", WorkerProcess)
    resume_queue(db.session(), _known(name), user())
    return _queue(name)


def _drain(name: str, *, on: bool) -> dict[str, Any]:
    arguments.check_names(())
    require(user(), "change", WorkerProcess)
    if not arguments.storable(name) or not drain_worker(db.session(), name, user(), on=on):
        raise NotFound("There is no such worker now.")
    return _shapes(db.session.scalars(select(WorkerProcess).where(WorkerProcess.name == name)).all())[0]


def _known(name: str) -> str:
    if name not in known_queues(db.session()):
        raise NotFound("There is no such queue.")
    return name


def _queue(name: str) -> dict[str, Any]:
    # A queue that only its pause spoke of is gone with it.
    facts = {facts.name: facts for facts in _facts()}
    return shapes.queue(facts.get(name, QueueFacts(name)))


def _facts() -> list[QueueFacts]:
    session = db.session()
    facts, _ = queue_facts(session, current_app.extensions["errand"].settings, present_workers(session))
    return facts


def _shapes(rows: Sequence[WorkerProcess]) -> list[dict[str, Any]]:
    seen = _visible_runs(row.result_id for row in rows if row.result_id)
    return [shapes.worker(row, row.result_id if row.result_id in seen else None) for row in rows]


def _visible_runs(ids: Any) -> set[uuid.UUID]:
    query = visible(select(JobResult.id), user(), JobResult).where(JobResult.id.in_(list(ids)))
    return set(db.session.scalars(query))
