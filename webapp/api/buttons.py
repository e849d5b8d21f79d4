"""Job buttons: which receivers can be run from the pages of which objects."""

import uuid
from typing import Any, Literal

from flask import url_for
from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from store.models import Button
from store.objects import models
from store.permissions import require, visible
from webapp import button_form
from webapp.admin_forms import AdminForm
from webapp.api.calls import Body, Query, call
from webapp.api.forms import class_paths, given, saved
from webapp.api.given import Text
from webapp.api.listing import Order, part
from webapp.api.paging import page
from webapp.api.shapes import Page
from webapp.api.shapes import triggers as shapes
from webapp.api.tokens import user
from webapp.api.triggers import Triggers, narrowed
from webapp.database import db

ORDER = Order(
    {"weight": Button.weight, "name": Button.name, "created_at": Button.created_at}, Button.id, "weight"
)

StyleName = Literal["plain", "go", "bad"]


class NewButton(Body):
    name: Text
    job: Text = Field(description="The id or class path of a job that buttons run.")
    object_types: list[Text]
    text: Text = Field(description="What stands on it: a template.")
    weight: int = Field(100, description="The lighter ones come first.")
    group_name: Text = Field("", description="The menu that it is in; empty: it stands alone.")
    style: StyleName = "plain"
    confirm: bool = Field(True, description="Whether who presses it is asked once more.")
    enabled: bool = True


class ChangedButton(Body):
    """Only what is given is changed."""

    name: Text = ""
    job: Text = ""
    object_types: list[Text] = []
    text: Text = ""
    weight: int = 100
    group_name: Text = ""
    style: StyleName = "plain"
    confirm: bool = True
    enabled: bool = True


@call(query=Triggers, answers={200: Page[shapes.ButtonShape]}, tag="buttons")
def buttons(query: Triggers) -> Any:
    """List job buttons, the lightest first."""
    require(user(), "view", Button)
    wanted = narrowed(visible(select(Button), user(), Button), Button, query).options(joinedload(Button.job))
    rows, more = part(db.session(), wanted, query, ORDER)
    return page([shapes.button(row) for row in rows], more)


@call(answers={200: shapes.ButtonShape}, tag="buttons")
def button(query: Query, button_id: uuid.UUID) -> Any:
    """Show a job button."""
    return shapes.button(button_form.find_button(button_id))


@call(body=NewButton, answers={201: shapes.ButtonShape}, tag="buttons")
def create_button(query: Query, body: NewButton) -> Any:
    """Put a button on the pages of objects."""
    require(user(), "change", Button)
    defaults = {"weight": 100, "group_name": "", "style": "plain", "confirm": True, "enabled": True}
    made = _saved(AdminForm({**defaults, **given(body)}), None)
    return shapes.button(made), 201, {"Location": url_for("api.button", button_id=made.id)}


@call(body=ChangedButton, answers={200: shapes.ButtonShape}, tag="buttons")
def change_button(query: Query, button_id: uuid.UUID, body: ChangedButton) -> Any:
    """Change a job button."""
    row = button_form.find_button(button_id)
    require(user(), "change", row)
    return shapes.button(_saved(AdminForm({**button_form.of_button(row).values, **given(body)}), row))


@call(answers={204: None}, tag="buttons")
def delete_button(query: Query, button_id: uuid.UUID) -> Any:
    """Delete a job button; its results stay."""
    button_form.remove(button_form.find_button(button_id))
    return None, 204


def _saved(form: AdminForm, known: Button | None) -> Button:
    return saved(
        form,
        lambda form: button_form.save(form, known),
        choices=lambda: {"job": class_paths(button_form.receivers(known)), "object_types": models()},
    )
