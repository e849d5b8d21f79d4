"""Job hooks: which changes of objects run which receivers."""

from http import HTTPStatus
from uuid import UUID

from flask import Blueprint, Response, flash, make_response, redirect, render_template, request, url_for
from sqlalchemy import func, select
from sqlalchemy.orm import joinedload

from store.changes import CREATE, DELETE, UPDATE
from store.models import Hook, JobResult
from store.objects import models
from webapp.admin_forms import AdminForm, line
from webapp.auth import allowed, require
from webapp.database import db
from webapp.history import results_by
from webapp.hook_form import ACTIONS, find_hook, of_hook, receivers, remove, save

blueprint = Blueprint("hooks", __name__, url_prefix="/admin/hooks")

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
    return _save(None)


@blueprint.get("/<uuid:hook_id>")
def show(hook_id: UUID) -> str:
    hook = find_hook(hook_id)
    return _page(hook, of_hook(hook))


@blueprint.post("/<uuid:hook_id>")
def change(hook_id: UUID) -> Response:
    hook = find_hook(hook_id)
    require("change", hook)
    return _save(hook)


@blueprint.post("/<uuid:hook_id>/delete")
def delete(hook_id: UUID) -> Response:
    hook = find_hook(hook_id)
    name = hook.name
    remove(hook)
    flash(f"Deleted the hook {name}.")
    return make_response(redirect(url_for("hooks.index"), HTTPStatus.SEE_OTHER))


def _save(known: Hook | None) -> Response:
    form = AdminForm(
        {
            "name": line(request.form, "name"),
            "job": request.form.get("job", ""),
            "object_types": request.form.getlist("object_types"),
            "actions": request.form.getlist("actions"),
            "enabled": bool(request.form.get("enabled")),
        }
    )
    if save(form, known) is None:
        shown = db.session.get(Hook, known.id) if known is not None else None
        return make_response(_page(shown, form), HTTPStatus.UNPROCESSABLE_ENTITY)
    flash(f"Saved the hook {form.text('name')}.")
    return make_response(redirect(url_for("hooks.index"), HTTPStatus.SEE_OTHER))


def _page(hook: Hook | None, form: AdminForm) -> str:
    return render_template(
        "admin/hook.html",
        hook=hook,
        form=form,
        runs=results_by(hook.id) if hook is not None else (),
        receivers=receivers(hook),
        types=[(name, name) for name in models()],
        actions=[(action, ACTION_WORDS[action]) for action in ACTIONS],
        may_change=allowed("change", hook or Hook),
        may_delete=hook is not None and allowed("delete", hook),
    )
