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
from sqlalchemy.exc import IntegrityError

from store import audit
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
    fill_in,
    input_of,
    read_form,
    times_shown,
    told,
    values_of,
)
from worker.presence import SCHEDULER, is_silent
from worker.syncs import add, ask, forget, latest

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
    errors = db.session.scalars(
        visible(select(LoadError), user, LoadError).order_by(LoadError.source, LoadError.path)
    ).all()
    counted = select(JobRecord.source, func.count()).where(JobRecord.installed).group_by(JobRecord.source)
    return render_template(
        "sources/index.html",
        rows=rows,
        repositories=repositories,
        syncs=latest(db.session()),
        errors=errors,
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
    source = GitSource(slug=form.text("slug"))
    if not form.errors:
        # Somebody may have leave for some sources only.
        require("change", source)
        _fill_in(source, form)
        add(db.session(), source)
        audit.note(db.session(), "source.create", source.name, after=told(source))
        try:
            db.session.flush()
        except IntegrityError:
            form.refuse("slug", "There is a source of this name already.")
    if form.errors:
        db.session.rollback()
        return make_response(_page(None, form), HTTPStatus.UNPROCESSABLE_ENTITY)
    ask(db.session(), source, via="page", by=signed_in_user().username)
    db.session.commit()
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
    if form.errors:
        db.session.rollback()
        return make_response(_page(_find(slug), form), HTTPStatus.UNPROCESSABLE_ENTITY)
    before = told(source)
    moved = _fill_in(source, form)
    audit.note(db.session(), "source.change", source.name, before=before, after=told(source))
    if moved:
        ask(db.session(), source, via="page", by=signed_in_user().username)
    db.session.commit()
    flash(f"Saved {source.name}.")
    return _to(source)


@blueprint.post("/<slug>/sync")
def sync(slug: str) -> Response:
    """Have the scheduler look at it; with `anyway`, use a commit that was refused for some of its files."""
    source = _find(slug)
    require("change", source)
    anyway = clean_text(request.form.get("anyway", ""))[:64]
    ask(db.session(), source, via="page", by=signed_in_user().username, anyway=anyway)
    audit.note(db.session(), "source.sync", source.name, after={"anyway": anyway} if anyway else None)
    db.session.commit()
    return _to(source)


@blueprint.post("/<slug>/test")
def test(slug: str) -> Response:
    """Have the scheduler ask the server what it has: this process has neither git nor the login."""
    source = _find(slug)
    require("change", source)
    ask(db.session(), source, via="page", by=signed_in_user().username, test=True)
    audit.note(db.session(), "source.test", source.name)
    db.session.commit()
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
    audit.note(db.session(), "source.delete", name, before=told(source))
    forget(db.session(), source)
    db.session.commit()
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


def _fill_in(source: GitSource, form: AdminForm) -> bool:
    return fill_in(source, form, current_app.extensions["errand"].settings.secret_key)


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
