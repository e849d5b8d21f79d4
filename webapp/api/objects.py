"""The objects that jobs work on, as the selects of a form search them."""

from typing import Any

from flask import current_app, request
from pydantic import ConfigDict, Field
from sqlalchemy.orm import Session
from werkzeug.exceptions import NotFound

from store import objects as registry
from store.permissions import require
from webapp.api import arguments
from webapp.api.calls import Listing, call
from webapp.api.errors import InvalidRequest
from webapp.api.given import Text
from webapp.api.paging import page
from webapp.api.shapes import Page
from webapp.api.shapes.places import ObjectShape, data_object
from webapp.api.tokens import user


class Objects(Listing):
    """Every other parameter narrows the objects as a variable's query_params do."""

    model_config = ConfigDict(extra="allow")

    q: Text = Field("", description="In their texts.")


@call(query=Objects, answers={200: Page[ObjectShape]}, tag="objects")
def objects(query: Objects, model: str) -> Any:
    """Search the objects of one model."""
    try:
        kind = registry.get_model(model)
    except registry.UnknownModel:
        raise NotFound("There is no such kind of object.") from None
    require(user(), "view", kind)
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
