"""Job buttons: which receivers can be run from the pages of which objects."""

from http import HTTPStatus
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, flash, make_response, redirect, render_template, request, url_for
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import joinedload

from store import audit
from store.models import Button, JobRecord, JobResult
from store.objects import models
from store.permissions import NotVisible, visible
from store.text import clean_text
from webapp.admin_forms import LONGEST_NAME, AdminForm, check_name, line
from webapp.auth import allowed, current_user, require
from webapp.button_texts import BadText
from webapp.button_texts import check as check_text
from webapp.database import db
from webapp.history import results_by

blueprint = Blueprint("buttons", __name__, url_prefix="/admin/buttons")

STYLES = {"plain": "Plain", "go": "Stands out", "bad": "Warns"}
MOST_WEIGHT = 32_767

#: What is told of a button, and noted, as it stands in the row.
_FACTS = ("name", "object_types", "text", "weight", "group_name", "style", "confirm", "enabled")


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
    return _save(Button(), None)


@blueprint.get("/<uuid:button_id>")
def show(button_id: UUID) -> str:
    button = _find(button_id)
    require("view", button)
    return _page(button, AdminForm({**_told(button), "job": str(button.job_id or "")}))


@blueprint.post("/<uuid:button_id>")
def change(button_id: UUID) -> Response:
    button = _find(button_id)
    require("change", button)
    return _save(button, button)


@blueprint.post("/<uuid:button_id>/delete")
def delete(button_id: UUID) -> Response:
    button = _find(button_id)
    require("delete", button)
    name = button.name
    audit.note(db.session(), "button.delete", name, before=_told(button))
    db.session.delete(button)
    db.session.commit()
    flash(f"Deleted the button {name}.")
    return make_response(redirect(url_for("buttons.index"), HTTPStatus.SEE_OTHER))


def _find(button_id: UUID) -> Button:
    button: Button | None = db.session.get(Button, button_id)
    if button is None:
        raise NotVisible
    return button


def _told(button: Button) -> dict[str, Any]:
    facts = {name: getattr(button, name) for name in _FACTS}
    return {**facts, "job": button.job.class_path if button.job else None}


def _receivers(button: Button | None) -> dict[str, JobRecord]:
    """Return what a button may run, and this person may see, by id; and what it runs now."""
    query = visible(select(JobRecord), current_user(), JobRecord).where(JobRecord.receives == "button")
    found = {str(job.id): job for job in db.session.scalars(query.order_by(JobRecord.name))}
    if button is not None and button.job is not None:
        found.setdefault(str(button.job_id), button.job)
    return found


def _save(button: Button, known: Button | None) -> Response:
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
    with db.session.no_autoflush:
        job = _check(form, known)
    if not form.errors and job is not None:
        _write(button, known, form, job)
    if form.errors:
        db.session.rollback()
        shown = db.session.get(Button, known.id) if known is not None else None
        return make_response(_page(shown, form), HTTPStatus.UNPROCESSABLE_ENTITY)
    flash(f"Saved the button {form.text('name')}.")
    return make_response(redirect(url_for("buttons.index"), HTTPStatus.SEE_OTHER))


def _check(form: AdminForm, known: Button | None) -> JobRecord | None:
    check_name(form, "name")
    job = _receivers(known).get(form.text("job"))
    if job is None:
        form.refuse("job", "Choose one of these jobs.")
    types = form.values["object_types"]
    if not types or not set(types) <= models().keys():
        form.refuse("object_types", "Choose at least one of these.")
    if not form.text("text"):
        form.refuse("text", "This field is required.")
    try:
        check_text(form.text("text"))
    except BadText as problem:
        form.refuse("text", str(problem))
    weight = form.text("weight")
    if not (weight.isascii() and weight.isdecimal() and len(weight) <= 5 and int(weight) <= MOST_WEIGHT):
        form.refuse("weight", f"Give a whole number from 0 to {MOST_WEIGHT:,}.")
    if len(form.text("group_name")) > LONGEST_NAME:
        form.refuse("group_name", f"Ensure this value has at most {LONGEST_NAME} characters.")
    if form.text("style") not in STYLES:
        form.refuse("style", "Choose one of these.")
    return job


def _write(button: Button, known: Button | None, form: AdminForm, job: JobRecord) -> None:
    before = _told(button) if known is not None else None
    for name in _FACTS:
        setattr(button, name, form.values[name])
    button.weight, button.job = int(form.text("weight")), job
    button.object_types = sorted(set(form.values["object_types"]))
    db.session.add(button)
    audit.note(
        db.session(),
        "button.create" if known is None else "button.change",
        button.name,
        before=before,
        after=_told(button),
    )
    try:
        db.session.commit()
    except IntegrityError:
        db.session.rollback()
        form.refuse("name", "There is a button of this name already.")


def _page(button: Button | None, form: AdminForm) -> str:
    return render_template(
        "admin/button.html",
        button=button,
        form=form,
        runs=results_by(button.id) if button is not None else (),
        receivers=_receivers(button),
        types=[(name, name) for name in models()],
        styles=STYLES,
        may_change=allowed("change", button or Button),
        may_delete=button is not None and allowed("delete", button),
    )
