"""The front door, the first steps, what runs now, and whether all is well."""

import hashlib
from collections.abc import Sequence
from http import HTTPStatus

from flask import (
    Blueprint,
    Response,
    current_app,
    make_response,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from sqlalchemy import exists, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import load_only

from store.models import JobRecord, JobResult, JobSource, Status
from store.permissions import visible
from webapp import htmx
from webapp.advance import advance
from webapp.auth import allowed, current_user, polled, public, require, signed_in_user
from webapp.database import db, reading
from webapp.notifications import unseen
from worker.queue_facts import listening_workers, present_workers
from worker.queues import queue_reachable

blueprint = Blueprint("home", __name__)

MOST_RUNNING_SHOWN = 5


@blueprint.get("/")
def show() -> Response:
    require("view")
    new = not _has_completed() and allowed("change", JobSource)
    return make_response(redirect(url_for("home.welcome" if new else "jobs.index")))


@blueprint.get("/welcome")
@polled
def welcome() -> str:
    """Show the way to the first run. The page asks for itself again until there is one."""
    require("view", JobRecord)
    settings = current_app.extensions["errand"].settings
    workers = listening_workers(present_workers(db.session()))
    steps = {
        "workers": workers,
        "worker_count": max(workers.values(), default=0),
        "queue_reachable": queue_reachable(settings),
        "first_job": _first_job(),
        "completed": _has_completed(),
        "jobs_folder": str(settings.jobs_roots[0])
        if settings.jobs_roots and allowed("change", JobSource)
        else "",
    }
    return render_template("home/_steps.html" if htmx.wants_fragment() else "home/welcome.html", **steps)


@blueprint.get("/now")
@polled
def now_running() -> Response:
    """Show the runs that run now, for the rail."""
    require("view", JobResult)
    if not htmx.wants_fragment():
        return make_response(redirect(url_for("results.index", status="running")))
    running = running_now()
    # Every open page asks every few seconds, and mostly for what it shows already.
    if request.args.get("shown") == what_runs(running):
        return htmx.nothing_new()
    return make_response(render_template("home/_now.html", now_running=running))


@blueprint.get("/healthz")
@public
def healthz() -> Response:
    return Response("ok\n", mimetype="text/plain")


@blueprint.get("/readyz")
@public
def readyz() -> Response:
    ready = _database_answers() and queue_reachable(current_app.extensions["errand"].settings)
    return Response(
        "ready\n" if ready else "not ready\n",
        HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE,
        mimetype="text/plain",
    )


@blueprint.app_context_processor
def offer_running() -> dict[str, object]:
    return {"running_now": running_now, "what_runs": what_runs, "percent_of": _percent}


def running_now() -> list[JobResult]:
    query = visible(select(JobResult), current_user(), JobResult).where(JobResult.status == Status.RUNNING)
    query = query.options(
        load_only(
            JobResult.name, JobResult.status, JobResult.started_at, JobResult.finished_at, JobResult.progress
        )
    )
    return list(db.session.scalars(query.order_by(JobResult.created_at.desc()).limit(MOST_RUNNING_SHOWN)))


def what_runs(runs: Sequence[JobResult]) -> str:
    """Return what the rail depends on, in short: these runs, what is to be said, the reader and the session's token."""
    parts = [session.get("csrf_token", ""), str(signed_in_user().id)]
    parts += [f"{run.id}{run.started_at}{_percent(run)}" for run in runs]
    parts += [f"notice {each.id}" for each in unseen()]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _percent(run: JobResult) -> int | None:
    """Return how much of a run is done, where its job tells."""
    made = advance(run)
    return made.percent if made else None


def _has_completed() -> bool:
    return bool(db.session.scalar(select(exists().where(JobResult.status == Status.COMPLETED))))


def _first_job() -> JobRecord | None:
    query = visible(select(JobRecord), current_user(), JobRecord).where(
        JobRecord.installed, ~JobRecord.hidden
    )
    enabled_first = query.order_by(JobRecord.enabled.desc(), JobRecord.source, JobRecord.name)
    return db.session.scalars(enabled_first.limit(1)).first()


def _database_answers() -> bool:
    try:
        with reading() as session:
            session.execute(text("SELECT 1"))
    except SQLAlchemyError:
        return False
    return True
