"""The front door, the first steps, what runs now, and whether all is well."""

from http import HTTPStatus
from typing import Any

from flask import (
    Blueprint,
    Response,
    current_app,
    make_response,
    redirect,
    render_template,
    url_for,
)
from sqlalchemy import exists, select
from sqlalchemy.exc import SQLAlchemyError

from store.models import JobRecord, JobResult, JobSource, Status, User
from store.permissions import visible
from store.platform import SCHEMA
from store.schema import revision_in
from webapp import htmx, live
from webapp.auth import allowed, current_user, polled, public, require
from webapp.database import db, reading
from worker.queue_facts import listening_workers, present_workers
from worker.queues import queue_reachable

blueprint = Blueprint("home", __name__)


@blueprint.get("/")
def show() -> Response:
    require("view")
    new = not _has_completed() and allowed("change", JobSource)
    return make_response(redirect(url_for("home.welcome" if new else "jobs.index")))


@blueprint.get("/welcome")
def welcome() -> str:
    """Show the way to the first run, as far as it has been gone."""
    steps = _steps()
    return render_template("home/welcome.html", **steps, live=live.Live("welcome", _facts(steps)))


def _steps() -> dict[str, Any]:
    require("view", JobRecord)
    settings = current_app.extensions["errand"].settings
    workers = listening_workers(present_workers(db.session()))
    return {
        "workers": workers,
        "worker_count": max(workers.values(), default=0),
        "queue_reachable": queue_reachable(settings),
        "first_job": _first_job(),
        "completed": _has_completed(),
        "jobs_folder": str(settings.jobs_roots[0])
        if settings.jobs_roots and allowed("change", JobSource)
        else "",
        "may_invite": allowed("change", User),
    }


def _facts(steps: dict[str, Any]) -> Any:
    job = steps["first_job"]
    return {**steps, "first_job": (job.class_path, job.name, job.runnable) if job else None}


def _read_steps() -> live.Region:
    steps = _steps()
    return live.Region(_facts(steps), lambda: render_template("home/_steps.html", **steps, swap=True))


live.region("welcome", _read_steps)


@blueprint.get("/now")
@polled
def now_running() -> Response:
    """Give what is new of a page: of what is around it and, where it names one, of its region."""
    require("view", JobResult)
    if not htmx.wants_fragment():
        return make_response(redirect(url_for("results.index", status="running")))
    # Every open page asks every few seconds, and mostly for what it shows already.
    news = live.answer()
    return htmx.nothing_new() if news is None else make_response(news)


@blueprint.get("/healthz")
@public
def healthz() -> Response:
    return Response("ok\n", mimetype="text/plain")


@blueprint.get("/readyz")
@public
def readyz() -> Response:
    fault = _fault()
    return Response(
        f"{fault or 'ready'}\n",
        HTTPStatus.SERVICE_UNAVAILABLE if fault else HTTPStatus.OK,
        mimetype="text/plain",
    )


def _has_completed() -> bool:
    return bool(db.session.scalar(select(exists().where(JobResult.status == Status.COMPLETED))))


def _first_job() -> JobRecord | None:
    query = visible(select(JobRecord), current_user(), JobRecord).where(
        JobRecord.installed, ~JobRecord.hidden
    )
    enabled_first = query.order_by(JobRecord.enabled.desc(), JobRecord.source, JobRecord.name)
    return db.session.scalars(enabled_first.limit(1)).first()


def _fault() -> str:
    """Say what keeps the portal from working; empty: nothing."""
    try:
        with reading() as session:
            behind = revision_in(session.connection()) < SCHEMA
    except SQLAlchemyError:
        return "not ready"
    if behind:
        return "not ready: run ./errand db upgrade"
    return "" if queue_reachable(current_app.extensions["errand"].settings) else "not ready"
