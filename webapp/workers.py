"""Workers: who works, on which queues, what waits there, and whether all is well."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, current_app, flash, make_response, redirect, render_template, url_for
from sqlalchemy import select, text
from sqlalchemy.orm import load_only

from store.models import JobResult, WorkerProcess, now
from store.permissions import NotVisible, visible
from webapp.auth import allowed, current_user, require, signed_in_user
from webapp.database import db
from webapp.formats import age, plural
from webapp.frame import LOST_IS_NEWS
from webapp.live import Live, Region, region
from webapp.looks import Look
from webapp.queue_history import last_day
from webapp.queue_hour import NOTHING, last_hour
from worker.pausing import pause_queue, resume_queue
from worker.presence import (
    BUSY,
    DRAINING,
    IDLE,
    LOST,
    SCHEDULER,
    SILENT_AFTER,
    STOPPED,
    WORKER,
    drain_worker,
    is_silent,
    version,
)
from worker.queue_facts import QueueFacts, RedisFacts, known_queues, present_workers, queue_facts
from worker.queues import MAY_EVICT

blueprint = Blueprint("workers", __name__, url_prefix="/workers")

STATE_LOOKS = {
    IDLE: Look("is-ok", "ok", "Idle"),
    BUSY: Look("is-run", "run", "Busy"),
    DRAINING: Look("is-hold", "pause", "Draining"),
    STOPPED: Look("is-wait", "off", "Stopped"),
    LOST: Look("is-bad", "bad", "Lost"),
}
SILENT = Look("is-warn", "warn", "Silent")

#: Milliseconds between polls of this page.
EVERY = 3000

#: A queue whose first run has waited for longer is slow.
SLOW_SECONDS = 60.0

FULL = (
    "It refuses what is new (command not allowed when used memory > 'maxmemory'). Runs are kept, and start when there "
    "is room: raise its maxmemory, or have Errand alone use it."
)

#: How long those who are gone are shown.
STOPPED_SHOWN = timedelta(minutes=5)
LOST_SHOWN = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Problem:
    """What somebody should look at, and what mends it."""

    css: str
    icon: str
    title: str
    sentence: str
    #: What to type.
    command: str = ""
    #: The run that was hit.
    run: JobResult | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """One worker or scheduler in the table."""

    row: WorkerProcess
    look: Look
    run: JobResult | None


@blueprint.get("/")
def index() -> str:
    require("view", WorkerProcess)
    facts = _now()
    return render_template("workers/index.html", **facts, live=_asks(facts), day=last_day())


def _asks(facts: dict[str, Any]) -> Live:
    # Beats and times go on: there are news each time.
    return Live("workers", facts["moment"], EVERY)


def _read_live() -> Region:
    require("view", WorkerProcess)
    facts = _now()
    return Region(facts["moment"], lambda: render_template("workers/_live.html", **facts, swap=True), EVERY)


region("workers", _read_live)


@blueprint.post("/queues/<path:name>/pause")
def pause(name: str) -> Response:
    require("change", WorkerProcess)
    pause_queue(db.session(), _known(name), signed_in_user())
    return _back(f"Queue {name} is paused: its runs wait.")


@blueprint.post("/queues/<path:name>/resume")
def resume(name: str) -> Response:
    require("change", WorkerProcess)
    resume_queue(db.session(), _known(name), signed_in_user())
    return _back(f"Queue {name} goes on.")


@blueprint.post("/<path:name>/drain")
def drain(name: str) -> Response:
    if not drain_worker(db.session(), name, signed_in_user()):
        return _back("That worker has already ended.")
    return _back(f"{name} takes no new run, and ends after its current one.")


@blueprint.post("/<path:name>/resume")
def keep(name: str) -> Response:
    if not drain_worker(db.session(), name, signed_in_user(), on=False):
        return _back("That worker has already ended.")
    return _back(f"{name} goes on.")


def _known(queue: str) -> str:
    if queue not in known_queues(db.session()):
        raise NotVisible
    return queue


def _back(message: str) -> Response:
    flash(message)
    return make_response(redirect(url_for("workers.index"), HTTPStatus.SEE_OTHER))


# --- What the page shows --------------------------------------------------------------------------------------


def _now() -> dict[str, Any]:
    database_milliseconds = _ask_database()
    processes = present_workers(db.session())
    queues, redis = queue_facts(db.session(), current_app.extensions["errand"].settings, processes)
    lines, hours = _lines([row for row in processes if _is_shown(row)]), last_hour()
    here = [row for row in processes if row.here]
    beats = [row.seen_at for row in here if row.kind == SCHEDULER]
    reconciled_at = max((row.reconciled_at for row in processes if row.reconciled_at), default=None)
    return {
        "database_milliseconds": database_milliseconds,
        "redis": redis,
        "scheduler_seen_at": max(beats, default=None),
        "scheduler_silent": _scheduler_silent(processes),
        "reconciled_at": reconciled_at,
        "reconciler_silent": reconciled_at is None or now() - reconciled_at > SILENT_AFTER,
        "versions": sorted({version(), *(row.version for row in here)} - {""}),
        "queues": [(queue, queue_look(queue), hours.get(queue.name, NOTHING)) for queue in queues],
        "lines": lines,
        "any_worker": any(row.kind == WORKER for row in here),
        "problems": [*_of_redis(redis), *_of_scheduler(processes), *_of_workers(lines), *_of_queues(queues)],
        "may_act": allowed("change", WorkerProcess),
        "moment": now(),
    }


def _ask_database() -> float:
    asked_at = time.perf_counter()
    db.session.execute(text("SELECT 1"))
    return (time.perf_counter() - asked_at) * 1000


def _is_shown(row: WorkerProcess) -> bool:
    if row.ended_at is None:
        return True
    return now() - row.ended_at < (LOST_SHOWN if row.state == LOST else STOPPED_SHOWN)


def _lines(rows: Sequence[WorkerProcess]) -> list[Line]:
    """Return workers before schedulers, and who is here before who is gone."""
    runs = _runs(row.result_id for row in rows if row.result_id)
    ordered = sorted(rows, key=lambda row: (not row.here, row.kind != WORKER, row.name))
    return [
        Line(row, worker_look(row), runs.get(row.result_id) if row.result_id else None) for row in ordered
    ]


def _runs(ids: Iterable[UUID]) -> dict[UUID, JobResult]:
    query = visible(select(JobResult), current_user(), JobResult).where(JobResult.id.in_(list(ids)))
    shown = load_only(
        JobResult.name, JobResult.status, JobResult.count_warning, JobResult.started_at, JobResult.progress
    )
    return {run.id: run for run in db.session.scalars(query.options(shown))}


def worker_look(row: WorkerProcess) -> Look:
    return SILENT if is_silent(row) else STATE_LOOKS[row.shown_state]


def queue_look(queue: QueueFacts) -> Look:
    if queue.paused:
        return Look("is-wait", "pause", "Paused")
    if not queue.workers:
        return Look("is-warn", "warn", "No worker") if queue.waiting else Look("is-wait", "off", "No worker")
    if (queue.oldest_seconds or 0) > SLOW_SECONDS:
        return Look("is-warn", "warn", "Slow")
    return Look("is-ok", "ok", "Open")


# --- What is wrong --------------------------------------------------------------------------------------------


def _of_redis(redis: RedisFacts) -> list[Problem]:
    if not redis.reachable:
        return [
            Problem("is-bad", "bad", "Redis does not answer", "Runs are kept, and start when it is back.")
        ]
    if redis.full:
        return [Problem("is-bad", "bad", "Redis is full", FULL)]
    if redis.eviction_policy:
        sentence = MAY_EVICT.format(policy=redis.eviction_policy)
        return [Problem("is-warn", "warn", "Redis may throw things away", sentence)]
    return []


def _scheduler_silent(processes: Iterable[WorkerProcess]) -> bool:
    return all(is_silent(row) for row in processes if row.here and row.kind == SCHEDULER)


def _of_scheduler(processes: Iterable[WorkerProcess]) -> list[Problem]:
    if not _scheduler_silent(processes):
        return []
    seen: datetime | None = max((row.seen_at for row in processes if row.kind == SCHEDULER), default=None)
    since = "none has been heard from yet" if seen is None else f"the last beat was {age(seen)} ago"
    sentence = "Without one, runs that were lost or forgotten are noticed late. Start it with"
    return [Problem("is-warn", "warn", f"No scheduler: {since}", sentence, command="./errand scheduler")]


def _of_workers(lines: Iterable[Line]) -> list[Problem]:
    return [_loss(line) for line in lines if _is_lost_lately(line.row) or line.look is SILENT]


def _is_lost_lately(row: WorkerProcess) -> bool:
    return row.state == LOST and row.ended_at is not None and now() - row.ended_at < LOST_IS_NEWS


def _loss(line: Line) -> Problem:
    row = line.row
    silence = f"{row.name} has not been heard from for {age(row.seen_at)}"
    if line.look is SILENT:
        return Problem("is-warn", "warn", silence, "It may be stopped, or slow.", run=line.run)
    return Problem("is-bad", "bad", silence, "It died, or cannot reach the database.", run=line.run)


def _of_queues(queues: Iterable[QueueFacts]) -> list[Problem]:
    return [
        Problem(
            "is-warn",
            "warn",
            f"No worker listens on {queue.name}",
            f"{plural(queue.waiting, 'run waits', 'runs wait')}. Start a worker with",
            command=f"./errand worker --queues {queue.name}",
        )
        for queue in queues
        if queue.waiting and not queue.workers and not queue.paused
    ]
