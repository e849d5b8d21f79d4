"""Job hooks: which changes of objects run which receivers."""

from http import HTTPStatus
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, flash, make_response, redirect, render_template, request, url_for
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import joinedload

from store import audit
from store.changes import CREATE, DELETE, UPDATE
from store.models import Hook, JobRecord, JobResult, now
from store.objects import models
from store.permissions import NotVisible, visible
from webapp.admin_forms import AdminForm, check_name, line
from webapp.auth import allowed, current_user, require
from webapp.database import db
from webapp.history import results_by

blueprint = Blueprint("hooks", __name__, url_prefix="/admin/hooks")

ACTIONS = (CREATE, UPDATE, DELETE)
ACTION_WORDS = {CREATE: "Created", UPDATE: "Updated", DELETE: "Deleted"}


@blueprint.get("/")
def index() -> str:
    require("view", Hook)
    count = select(func.count()).where(JobResult.origin_id == Hook.id).scalar_subquery()
    query = select(Hook, count).options(joinedload(Hook.job)).order_by(Hook.name)
    return render_template(
        "admin/hooks.html", rows=db.session.execute(query).all(), may_change=allowed("change", Hook)
    )


@blueprint.get("/new")
def new() -> str:
    require("change", Hook)
    return _page(None, AdminForm({"enabled": True}))


@blueprint.post("/new")
def create() -> Response:
    require("change", Hook)
    return _save(Hook(), None)


@blueprint.get("/<uuid:hook_id>")
def show(hook_id: UUID) -> str:
    hook = _find(hook_id)
    require("view", hook)
    return _page(hook, AdminForm({**_told(hook), "job": str(hook.job_id or "")}))


@blueprint.post("/<uuid:hook_id>")
def change(hook_id: UUID) -> Response:
    hook = _find(hook_id)
    require("change", hook)
    return _save(hook, hook)


@blueprint.post("/<uuid:hook_id>/delete")
def delete(hook_id: UUID) -> Response:
    hook = _find(hook_id)
    require("delete", hook)
    name = hook.name
    audit.note(db.session(), "hook.delete", name, before=_told(hook))
    db.session.delete(hook)
    db.session.commit()
    flash(f"Deleted the hook {name}.")
    return make_response(redirect(url_for("hooks.index"), HTTPStatus.SEE_OTHER))


def _find(hook_id: UUID) -> Hook:
    hook: Hook | None = db.session.get(Hook, hook_id)
    if hook is None:
        raise NotVisible
    return hook


def _told(hook: Hook) -> dict[str, Any]:
    return {
        "name": hook.name,
        "job": hook.job.class_path if hook.job else None,
        "object_types": hook.object_types,
        "actions": hook.actions,
        "enabled": hook.enabled,
    }


def _receivers() -> dict[str, JobRecord]:
    """Return what a hook may run, and this person may see, by id."""
    query = visible(select(JobRecord), current_user(), JobRecord).where(JobRecord.receives == "hook")
    return {str(job.id): job for job in db.session.scalars(query.order_by(JobRecord.name))}


def _save(hook: Hook, known: Hook | None) -> Response:
    form = AdminForm(
        {
            "name": line(request.form, "name"),
            "job": request.form.get("job", ""),
            "object_types": request.form.getlist("object_types"),
            "actions": request.form.getlist("actions"),
            "enabled": bool(request.form.get("enabled")),
        }
    )
    with db.session.no_autoflush:
        job = _check(form, known)
    if not form.errors and job is not None:
        _write(hook, known, form, job)
    if form.errors:
        db.session.rollback()
        shown = db.session.get(Hook, known.id) if known is not None else None
        return make_response(_page(shown, form), HTTPStatus.UNPROCESSABLE_ENTITY)
    flash(f"Saved the hook {form.text('name')}.")
    return make_response(redirect(url_for("hooks.index"), HTTPStatus.SEE_OTHER))


def _check(form: AdminForm, known: Hook | None) -> JobRecord | None:
    check_name(form, "name")
    receivers = _receivers()
    if known is not None and known.job is not None:
        receivers.setdefault(str(known.job_id), known.job)
    job = receivers.get(form.text("job"))
    if job is None:
        form.refuse("job", "Choose one of these jobs.")
    types, actions = form.values["object_types"], form.values["actions"]
    if not types or not set(types) <= models().keys():
        form.refuse("object_types", "Choose at least one of these.")
    if not actions or not set(actions) <= set(ACTIONS):
        form.refuse("actions", "Choose at least one of these.")
    others = db.session.scalars(select(Hook).where(Hook.job_id == job.id)).all() if job is not None else ()
    for other in others:
        if other is not known and set(types) & {*other.object_types} and set(actions) & {*other.actions}:
            form.refuse("object_types", f"The hook {other.name} runs this job already for such a change.")
    return job


def _write(hook: Hook, known: Hook | None, form: AdminForm, job: JobRecord) -> None:
    before = _told(hook) if known is not None else None
    hook.name, hook.job, hook.enabled = form.text("name"), job, form.values["enabled"]
    hook.object_types = sorted(form.values["object_types"])
    hook.on_create, hook.on_update, hook.on_delete = (one in form.values["actions"] for one in ACTIONS)
    after = _told(hook)
    if before is None or {**before, "name": ""} != {**after, "name": ""}:
        # What was changed before it was so is not what was asked for.
        hook.since = now()
    db.session.add(hook)
    audit.note(
        db.session(), "hook.create" if known is None else "hook.change", hook.name, before=before, after=after
    )
    try:
        db.session.commit()
    except IntegrityError:
        db.session.rollback()
        form.refuse("name", "There is a hook of this name already.")


def _page(hook: Hook | None, form: AdminForm) -> str:
    receivers = _receivers()
    if hook is not None and hook.job is not None:
        receivers.setdefault(str(hook.job_id), hook.job)
    return render_template(
        "admin/hook.html",
        hook=hook,
        form=form,
        runs=results_by(hook.id) if hook is not None else (),
        receivers=receivers,
        types=[(name, name) for name in models()],
        actions=[(action, ACTION_WORDS[action]) for action in ACTIONS],
        may_change=allowed("change", hook or Hook),
        may_delete=hook is not None and allowed("delete", hook),
    )
