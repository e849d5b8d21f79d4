"""The objects that jobs work on: searched as the selects of a form do, and shown as their pages do."""

from typing import Any
from uuid import UUID

from flask import current_app, request, url_for
from pydantic import ConfigDict, Field, field_validator
from sqlalchemy.orm import Session
from werkzeug.exceptions import NotFound

from store import objects as registry
from store.permissions import allowed, require
from webapp import object_buttons as buttons
from webapp.api import arguments
from webapp.api.calls import Listing, Query, call
from webapp.api.errors import InvalidRequest
from webapp.api.given import Text
from webapp.api.jobs import MADE, shown
from webapp.api.paging import page
from webapp.api.shapes import Page
from webapp.api.shapes import objects as shapes
from webapp.api.shapes.places import ObjectShape, data_object
from webapp.api.tokens import user
from webapp.object_changes import changes_of


class Objects(Listing):
    """Every other parameter narrows the objects as a variable's query_params do."""

    model_config = ConfigDict(extra="allow")

    q: Text = Field("", description="In their texts.")


class Changes(Listing):
    after: str = Field("", description="The number of the change before.")

    @field_validator("after")
    @classmethod
    def _is_number(cls, given: str) -> str:
        return given and str(arguments.whole_number(given))


@call(answers={200: Page[shapes.ModelShape]}, tag="objects")
def models(query: Query) -> Any:
    """List the kinds of objects, and how many there are of each."""
    require(user(), "view")
    with current_app.extensions["errand"].data.session() as session:
        return page(
            [
                shapes.model(info, registry.search(session, info.name, limit=1).total)
                for info in registry.models().values()
                if allowed(user(), "view", info.model)
            ]
        )


@call(query=Objects, answers={200: Page[ObjectShape]}, tag="objects")
def objects(query: Objects, model: str) -> Any:
    """Search the objects of one model."""
    require(user(), "view", _info(model).model)
    own = tuple(Objects.model_fields)
    arguments.check_names(tuple(request.args), repeated=[name for name in request.args if name not in own])
    params = {name: values for name, values in request.args.lists() if name not in own}
    with current_app.extensions["errand"].data.session() as session:
        found = _search(session, model, params, query)
        return page([data_object(instance) for instance in found.objects], found.next)


def _search(session: Session, model: str, params: dict[str, list[str]], query: Objects) -> registry.Page:
    after = query.after or None
    try:
        return registry.search(session, model, query.q, params, query.limit, after)
    except registry.SearchRefused as error:
        raise InvalidRequest([str(error)]) from None


@call(answers={200: shapes.FullObjectShape}, tag="objects")
def show_object(query: Query, model: str, key: str) -> Any:
    """Show an object, with the facts that its page shows."""
    info = _info(model)
    with current_app.extensions["errand"].data.session() as session:
        return shapes.full_object(info, _find(info, key, session))


@call(query=Changes, answers={200: Page[shapes.ChangeShape]}, tag="objects")
def object_changes(query: Changes, model: str, key: str) -> Any:
    """List what jobs changed of an object, the latest first."""
    info = _info(model)
    with current_app.extensions["errand"].data.session() as session:
        instance = _find(info, key, session)
        rows = changes_of(
            info, instance.pk, session, before_id=int(query.after or 0) or None, limit=query.limit + 1
        )
        more = str(rows[query.limit - 1].id) if len(rows) > query.limit else None
        return page([shapes.change(row) for row in rows[: query.limit]], more)


@call(answers={200: Page[shapes.ObjectButtonShape]}, tag="objects")
def object_buttons(query: Query, model: str, key: str) -> Any:
    """List the buttons on the page of an object that you may press."""
    info = _info(model)
    with current_app.extensions["errand"].data.session() as session:
        bar = buttons.bar_of(info, _find(info, key, session))
    return page([shapes.button(each, group) for group, found in bar.places for each in found])


@call(answers={201: MADE}, tag="objects")
def press_button(query: Query, model: str, key: str, button_id: UUID) -> Any:
    """Run what a button on the page of an object is for."""
    info = _info(model)
    with current_app.extensions["errand"].data.session() as session:
        instance = _find(info, key, session)
        button, job = buttons.find_pressed(button_id, info, instance)
        raw = buttons.inputs_for(info, instance)
    result = buttons.press(button, job, raw)
    return shown(result), 201, {"Location": url_for("api.result", result_id=result.id)}


def _info(model: str) -> registry.ModelInfo:
    try:
        return registry.model_info(model)
    except registry.UnknownModel:
        raise NotFound("There is no such kind of object.") from None


def _find(info: registry.ModelInfo, key: str, session: Session) -> Any:
    try:
        instance = registry.ObjectLookup(session).load(info.name, key)
    except registry.LookupFailed:
        raise NotFound("There is no such object.") from None
    require(user(), "view", instance)
    return instance
