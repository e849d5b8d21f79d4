"""The buttons on the page of an object: which of them there are for whoever reads it, and what they ask for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from flask import current_app, url_for
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from store import permissions
from store.models import Button, JobRecord, JobResult
from store.objects import ModelInfo, ObjectModel
from store.permissions import NotVisible
from webapp.auth import allowed, current_user, require, signed_in_user
from webapp.button_texts import BadText, text_for
from webapp.database import db
from webapp.request_facts import request_facts
from worker.asked import NotRunnable, chosen_queue, readable, require_runnable
from worker.origins import Origin
from worker.submit import submit


@dataclass(frozen=True, slots=True)
class ShownButton:
    id: UUID
    text: str
    url: str
    css: str
    #: What whoever presses it is asked first; empty: nothing.
    question: str


@dataclass(slots=True)
class ButtonBar:
    """What stands in the head of an object's page."""

    #: In their order: what a menu is called, with its buttons; "" for a button that stands alone.
    places: list[tuple[str, list[ShownButton]]] = field(default_factory=list)
    #: Buttons that are shown to nobody, and why: for those who can mend that.
    problems: list[tuple[Button, str]] = field(default_factory=list)

    def add(self, group: str, shown: ShownButton) -> None:
        menu = next((buttons for name, buttons in self.places if group and name == group), None)
        if menu is None:
            self.places.append((group, [shown]))
        else:
            menu.append(shown)


def bar_of(info: ModelInfo, instance: ObjectModel) -> ButtonBar:
    bar = ButtonBar()
    query = select(Button).where(Button.enabled).options(joinedload(Button.job))
    for button in db.session.scalars(query.order_by(Button.weight, Button.name)):
        if info.name not in button.object_types:
            continue
        may_change = allowed("change", button)
        try:
            job = _job_of(button)
            if not may_change and not _may_press(job, info, instance):
                continue
            text = text_for(button.text, instance)
        except (BadText, NotRunnable) as problem:
            if may_change:
                bar.problems.append((button, str(problem)))
            continue
        if text and _may_press(job, info, instance):
            bar.add(button.group_name, _shown(button, job, text, info, instance))
    return bar


def find_pressed(button_id: UUID, info: ModelInfo, instance: ObjectModel) -> tuple[Button, JobRecord]:
    """Return a button of this object with what it runs. Raises NotVisible where its page has none for this person."""
    button = db.session.get(Button, button_id, options=[joinedload(Button.job)])
    if button is None or button.job is None or not button.enabled or info.name not in button.object_types:
        raise NotVisible
    require("run", button.job)
    try:
        if not text_for(button.text, instance):
            raise NotVisible
    except BadText:
        raise NotVisible from None
    return button, _job_of(button)


def press(button: Button, job: JobRecord, raw: Mapping[str, str]) -> JobResult:
    """Ask for what a button is for, as whoever asks. Raises InvalidData."""
    return submit(
        db.session(),
        current_app.extensions["errand"].settings,
        job=job,
        raw=raw,
        user=signed_in_user(),
        commit=True,
        request=request_facts(),
        origin=Origin(kind="button", id=button.id, name=button.name),
    )


def inputs_for(info: ModelInfo, instance: ObjectModel) -> dict[str, str]:
    """Return what a receiver is told of an object."""
    return {"object_pk": str(instance.pk), "object_model_name": info.name}


def _job_of(button: Button) -> JobRecord:
    """Return what a button runs. Raises NotRunnable."""
    if button.job is None:
        raise NotRunnable("Its job is gone.")
    require_runnable(button.job)
    if button.job.receives != "button":
        raise NotRunnable(f"{button.job.name} is no receiver of buttons any more.")
    return button.job


def _may_press(job: JobRecord, info: ModelInfo, instance: ObjectModel) -> bool:
    data = readable(job, inputs_for(info, instance))
    return allowed("view", job) and permissions.allowed(
        current_user(), "run", job, data=data, queue=chosen_queue(job, None)
    )


def _shown(button: Button, job: JobRecord, text: str, info: ModelInfo, instance: ObjectModel) -> ShownButton:
    url = url_for("objects.press", model=info.name, key=instance.pk, button_id=button.id)
    question = f"{text}? This runs {job.name} for {instance}." if button.confirm else ""
    return ShownButton(button.id, text, url, "" if button.style == "plain" else button.style, question)
