"""Job buttons: which receivers can be run from the pages of which objects."""

from http import HTTPStatus
from uuid import UUID

from flask import Blueprint, Response, flash, make_response, redirect, render_template, request, url_for
from sqlalchemy import func, select
from sqlalchemy.orm import joinedload

from store.models import Button, JobResult
from store.objects import models
from store.text import clean_text
from webapp.admin_forms import AdminForm, line
from webapp.auth import allowed, require
from webapp.button_form import STYLES, find_button, of_button, receivers, remove, save
from webapp.database import db
from webapp.history import results_by

blueprint = Blueprint("buttons", __name__, url_prefix="/admin/buttons")


@blueprint.get("/")
def index() -> str:
    require("view", Button)
    count = select(func.count()).where(JobResult.origin_id == Button.id).scalar_subquery()
    query = select(Button, count).options(joinedload(Button.job)).order_by(Button.weight, Button.name)
    return render_template(
        "admin/buttons.html", rows=db.session.execute(query).all(), may_change=allowed("change", Button)
    )


@blueprint.get("/new")
def new() -> str:
    require("change", Button)
    return _page(None, AdminForm({"enabled": True, "confirm": True, "weight": "100", "style": "plain"}))


@blueprint.post("/new")
def create() -> Response:
    require("change", Button)
    return _save(None)


@blueprint.get("/<uuid:button_id>")
def show(button_id: UUID) -> str:
    button = find_button(button_id)
    return _page(button, of_button(button))


@blueprint.post("/<uuid:button_id>")
def change(button_id: UUID) -> Response:
    button = find_button(button_id)
    require("change", button)
    return _save(button)


@blueprint.post("/<uuid:button_id>/delete")
def delete(button_id: UUID) -> Response:
    button = find_button(button_id)
    name = button.name
    remove(button)
    flash(f"Deleted the button {name}.")
    return make_response(redirect(url_for("buttons.index"), HTTPStatus.SEE_OTHER))


def _save(known: Button | None) -> Response:
    form = AdminForm(
        {
            "name": line(request.form, "name"),
            "job": request.form.get("job", ""),
            "object_types": request.form.getlist("object_types"),
            "text": clean_text(request.form.get("text", "")).strip(),
            "weight": line(request.form, "weight"),
            "group_name": line(request.form, "group_name"),
            "style": request.form.get("style", ""),
            "confirm": bool(request.form.get("confirm")),
            "enabled": bool(request.form.get("enabled")),
        }
    )
    if save(form, known) is None:
        shown = db.session.get(Button, known.id) if known is not None else None
        return make_response(_page(shown, form), HTTPStatus.UNPROCESSABLE_ENTITY)
    flash(f"Saved the button {form.text('name')}.")
    return make_response(redirect(url_for("buttons.index"), HTTPStatus.SEE_OTHER))


def _page(button: Button | None, form: AdminForm) -> str:
    return render_template(
        "admin/button.html",
        button=button,
        form=form,
        runs=results_by(button.id) if button is not None else (),
        receivers=receivers(button),
        types=[(name, name) for name in models()],
        styles=STYLES,
        may_change=allowed("change", button or Button),
        may_delete=button is not None and allowed("delete", button),
    )
