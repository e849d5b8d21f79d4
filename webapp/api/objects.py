"""The objects that jobs work on, as the selects of a form search them."""

from typing import Any

from flask import current_app, request
from sqlalchemy.orm import Session
from werkzeug.exceptions import NotFound

from store import objects as registry
from store.permissions import require
from webapp.api import arguments, shapes
from webapp.api.errors import InvalidRequest
from webapp.api.paging import page
from webapp.api.tokens import user

#: What is not a condition on the objects themselves.
OWN = ("after", "limit", "q")


def objects(model: str) -> dict[str, Any]:
    """Search the objects of one model; every other parameter narrows them as a variable's query_params do."""
    try:
        kind = registry.get_model(model)
    except registry.UnknownModel:
        raise NotFound("There is no such kind of object.") from None
    require(user(), "view", kind)
    arguments.check_names(tuple(request.args), repeated=[name for name in request.args if name not in OWN])
    limit = arguments.page_size(default=50, most=200)
    params = {name: values for name, values in request.args.lists() if name not in OWN}
    with current_app.extensions["errand"].data.session() as session:
        found = _search(session, model, params, limit)
        return page([shapes.data_object(instance) for instance in found.objects], found.next)


def _search(session: Session, model: str, params: dict[str, list[str]], limit: int) -> registry.Page:
    after = request.args.get("after")
    try:
        return registry.search(session, model, arguments.text("q"), params, limit, after)
    except registry.SearchRefused as error:
        raise InvalidRequest([str(error)]) from None
