"""Job hooks: which changes of objects run which receivers."""

import uuid
from typing import Any, Literal

from flask import url_for
from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from store.models import Hook
from store.objects import models
from store.permissions import require, visible
from webapp import hook_form
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

ORDER = Order({"name": Hook.name, "created_at": Hook.created_at}, Hook.id, "name")

ActionName = Literal["create", "update", "delete"]


class NewHook(Body):
    name: Text
    job: Text = Field(description="The id or class path of a job that hooks run.")
    object_types: list[Text]
    actions: list[ActionName]
    enabled: bool = True


class ChangedHook(Body):
    """Only what is given is changed."""

    name: Text = ""
    job: Text = ""
    object_types: list[Text] = []
    actions: list[ActionName] = []
    enabled: bool = True


@call(query=Triggers, answers={200: Page[shapes.HookShape]}, tag="hooks")
def hooks(query: Triggers) -> Any:
    """List job hooks."""
    require(user(), "view", Hook)
    wanted = narrowed(visible(select(Hook), user(), Hook), Hook, query).options(joinedload(Hook.job))
    rows, more = part(db.session(), wanted, query, ORDER)
    return page([shapes.hook(row) for row in rows], more)


@call(answers={200: shapes.HookShape}, tag="hooks")
def hook(query: Query, hook_id: uuid.UUID) -> Any:
    """Show a job hook."""
    return shapes.hook(hook_form.find_hook(hook_id))


@call(body=NewHook, answers={201: shapes.HookShape}, tag="hooks")
def create_hook(query: Query, body: NewHook) -> Any:
    """Have changes of objects run a job."""
    require(user(), "change", Hook)
    made = _saved(AdminForm({"enabled": True, **given(body)}), None)
    return shapes.hook(made), 201, {"Location": url_for("api.hook", hook_id=made.id)}


@call(body=ChangedHook, answers={200: shapes.HookShape}, tag="hooks")
def change_hook(query: Query, hook_id: uuid.UUID, body: ChangedHook) -> Any:
    """Change a job hook."""
    row = hook_form.find_hook(hook_id)
    require(user(), "change", row)
    return shapes.hook(_saved(AdminForm({**hook_form.of_hook(row).values, **given(body)}), row))


@call(answers={204: None}, tag="hooks")
def delete_hook(query: Query, hook_id: uuid.UUID) -> Any:
    """Delete a job hook; its results stay."""
    hook_form.remove(hook_form.find_hook(hook_id))
    return None, 204


def _saved(form: AdminForm, known: Hook | None) -> Hook:
    return saved(
        form,
        lambda form: hook_form.save(form, known),
        choices=lambda: {
            "job": class_paths(hook_form.receivers(known)),
            "object_types": models(),
            "actions": hook_form.ACTIONS,
        },
    )
