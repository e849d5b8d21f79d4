"""Job buttons as forms and calls give them: the checks, and what is stored."""

from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from store import audit
from store.models import Button, JobRecord
from store.objects import models
from store.permissions import NotVisible, visible
from webapp.admin_forms import LONGEST_NAME, AdminForm, check_name
from webapp.auth import current_user, require
from webapp.button_texts import BadText
from webapp.button_texts import check as check_text
from webapp.database import db

STYLES = {"plain": "Plain", "go": "Stands out", "bad": "Warns"}
MOST_WEIGHT = 32_767

#: What is told of a button, and noted, as it stands in the row.
_FACTS = ("name", "object_types", "text", "weight", "group_name", "style", "confirm", "enabled")


def find_button(button_id: UUID) -> Button:
    button: Button | None = db.session.get(Button, button_id)
    if button is None:
        raise NotVisible
    require("view", button)
    return button


def of_button(button: Button) -> AdminForm:
    return AdminForm({**_told(button), "job": str(button.job_id or "")})


def receivers(button: Button | None) -> dict[str, JobRecord]:
    """Return what a button may run, and this person may see, by id; and what it runs now."""
    query = visible(select(JobRecord), current_user(), JobRecord).where(JobRecord.receives == "button")
    found = {str(job.id): job for job in db.session.scalars(query.order_by(JobRecord.name))}
    if button is not None and button.job is not None:
        found.setdefault(str(button.job_id), button.job)
    return found


def save(form: AdminForm, known: Button | None) -> Button | None:
    """Have a button, a new one or `known`, be as a form says. None: it cannot, and the form says why."""
    button = known or Button()
    with db.session.no_autoflush:
        job = _check(form, known)
    if not form.errors and job is not None:
        _write(button, known, form, job)
    if form.errors:
        db.session.rollback()
        return None
    return button


def remove(button: Button) -> None:
    require("delete", button)
    audit.note(db.session(), "button.delete", button.name, before=_told(button))
    db.session.delete(button)
    db.session.commit()


def _check(form: AdminForm, known: Button | None) -> JobRecord | None:
    check_name(form, "name")
    job = receivers(known).get(form.text("job"))
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


def _told(button: Button) -> dict[str, Any]:
    facts = {name: getattr(button, name) for name in _FACTS}
    return {**facts, "job": button.job.class_path if button.job else None}
