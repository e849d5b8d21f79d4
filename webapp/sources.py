"""Sources of jobs: folders, plugins and git repositories, with what became of looking at them."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from flask import (
    Blueprint,
    Response,
    current_app,
    flash,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from sqlalchemy import func, select

from jobs.errors import InvalidData
from store.models import GitSource, JobRecord, JobSource, LoadError, Schedule, SourceSync, WorkerProcess
from store.permissions import NotVisible, visible
from store.text import clean_text
from webapp import htmx
from webapp.admin_forms import AdminForm
from webapp.auth import allowed, current_user, polled, require, signed_in_user
from webapp.database import db
from webapp.source_form import (
    CRON,
    SECRETS,
    ZONE,
    ask_for_sync,
    ask_for_test,
    drop,
    input_of,
    read_form,
    save_changes,
    save_new,
    times_shown,
    values_of,
)
from worker.presence import SCHEDULER, is_silent
from worker.syncs import latest

blueprint = Blueprint("sources", __name__, url_prefix="/admin/sources")

SYNCS_SHOWN = 20

#: {state of a sync: (class, icon, word)}
LOOKS = {
    "pending": ("is-wait", "wait", "Waits"),
    "running": ("is-run", "run", "Running"),
    "changed": ("is-ok", "ok", "In use"),
    "reached": ("is-ok", "ok", "Reached"),
    "unchanged": ("is-ok", "ok", "Nothing new"),
    "failed": ("is-bad", "bad", "Failed"),
}


@blueprint.get("/")
def index() -> str:
    require("view", JobSource)
    user = current_user()
    rows = db.session.scalars(visible(select(JobSource), user, JobSource).order_by(JobSource.name)).all()
    repositories = {row.name: row for row in db.session.scalars(visible(select(GitSource), user, GitSource))}
    told = db.session.scalars(
        visible(select(LoadError), user, LoadError).order_by(LoadError.source, LoadError.path)
    ).all()
    counted = select(JobRecord.source, func.count()).where(JobRecord.installed).group_by(JobRecord.source)
    return render_template(
        "sources/index.html",
        rows=rows,
        repositories=repositories,
        syncs=latest(db.session()),
        errors=[row for row in told if not row.advice],
        advice=[row for row in told if row.advice],
        jobs=dict(db.session.execute(counted).all()),
        looks=LOOKS,
        may_add=allowed("change", JobSource),
    )


@blueprint.get("/new")
def new() -> str:
    require("change", JobSource)
    zone = current_app.extensions["errand"].settings.time_zone
    return _page(None, AdminForm({"path": "jobs", "enabled": True, "interval_minutes": "0", ZONE: zone}))


@blueprint.post("/new")
def create() -> Response:
    require("change", JobSource)
    form = _read_form(None)
    try:
        source = save_new(db.session(), form, _secret_key(), via="page", by=signed_in_user())
    except InvalidData:
        return make_response(_page(None, form), HTTPStatus.UNPROCESSABLE_ENTITY)
    return _to(source)


@blueprint.get("/<slug>")
def show(slug: str) -> str:
    source = _find(slug)
    require("view", source)
    form = AdminForm(values_of(source))
    last = next((row for row in _syncs(source) if row.finished), None)
    if last is not None and last.state == "failed" and last.field:
        # What the last sync found wrong with an input stands beside it.
        form.refuse(input_of(last.field, source), last.outcome)
    return _page(source, form)


@blueprint.post("/<slug>")
def change(slug: str) -> Response:
    source = _find(slug)
    require("change", source)
    form = _read_form(source)
    try:
        save_changes(db.session(), source, form, _secret_key(), via="page", by=signed_in_user())
    except InvalidData:
        return make_response(_page(_find(slug), form), HTTPStatus.UNPROCESSABLE_ENTITY)
    flash(f"Saved {source.name}.")
    return _to(source)


@blueprint.post("/<slug>/sync")
def sync(slug: str) -> Response:
    """Have the scheduler look at it; with `anyway`, use a commit that was refused for some of its files."""
    source = _find(slug)
    require("change", source)
    anyway = clean_text(request.form.get("anyway", ""))[:64]
    ask_for_sync(db.session(), source, via="page", by=signed_in_user(), anyway=anyway)
    return _to(source)


@blueprint.post("/<slug>/test")
def test(slug: str) -> Response:
    """Have the scheduler ask the server what it has: this process has neither git nor the login."""
    source = _find(slug)
    require("change", source)
    ask_for_test(db.session(), source, via="page", by=signed_in_user())
    return _to(source)


@blueprint.get("/<slug>/syncs")
@polled
def syncs(slug: str) -> Response:
    """Show how the syncs stand, for as long as one is at work."""
    source = _find(slug)
    require("view", source)
    if not htmx.wants_fragment():
        return _to(source)
    return make_response(render_template("sources/_syncs.html", source=source, **_history(source)))


@blueprint.post("/<slug>/delete")
def delete(slug: str) -> Response:
    source = _find(slug)
    require("delete", source)
    name = source.name
    drop(db.session(), source)
    flash(f"Deleted {name}. Its jobs are not installed any more; their results stay.")
    return make_response(redirect(url_for("sources.index"), HTTPStatus.SEE_OTHER))


def _find(slug: str) -> GitSource:
    query = visible(select(GitSource), current_user(), GitSource).where(GitSource.slug == clean_text(slug))
    source: GitSource | None = db.session.scalars(query).one_or_none()
    if source is None:
        raise NotVisible
    return source


def _to(source: GitSource) -> Response:
    return make_response(redirect(url_for("sources.show", slug=source.slug), HTTPStatus.SEE_OTHER))


def _read_form(source: GitSource | None) -> AdminForm:
    return read_form(request.form, source, current_app.extensions["errand"].settings.git_allow)


def _secret_key() -> str:
    key: str = current_app.extensions["errand"].settings.secret_key
    return key


def _page(source: GitSource | None, form: AdminForm) -> str:
    return render_template(
        "sources/show.html",
        source=source,
        form=form,
        sent=request.method == "POST",
        secrets=SECRETS,
        shown=None if form.errors.keys() & {CRON, ZONE} else times_shown(form),
        may_preview=allowed("view", Schedule),
        hook=url_for("webhooks.sync_source", slug=source.slug, _external=True) if source is not None else "",
        may_delete=source is not None and allowed("delete", source),
        **(_history(source) if source is not None else {"may_change": allowed("change", JobSource)}),
    )


def _syncs(source: GitSource) -> list[SourceSync]:
    query = select(SourceSync).where(SourceSync.source_id == source.id)
    return list(db.session.scalars(query.order_by(SourceSync.created_at.desc()).limit(SYNCS_SHOWN)))


def _history(source: GitSource) -> Mapping[str, Any]:
    rows = _syncs(source)
    return {
        "rows": rows,
        "row": db.session.scalars(select(JobSource).where(JobSource.name == source.name)).one_or_none(),
        "at_work": any(not row.finished for row in rows),
        "looks": LOOKS,
        "no_scheduler": any(row.state == "pending" for row in rows) and not _has_scheduler(),
        "may_change": allowed("change", source),
    }


def _has_scheduler() -> bool:
    schedulers = select(WorkerProcess).where(WorkerProcess.kind == SCHEDULER)
    return any(row.here and not is_silent(row) for row in db.session.scalars(schedulers))
