"""What people do with the filters of a list: save one, delete one, have the list open with one."""

from collections.abc import Callable
from http import HTTPStatus

from flask import Blueprint, Response, make_response, redirect, render_template, request
from werkzeug.datastructures import MultiDict

from jobs.errors import InvalidData
from webapp import htmx, saved_filters
from webapp.auth import require
from webapp.saved_filters import Arguments, FilteredList, list_named

View = Callable[..., Response]

blueprint = Blueprint("filters", __name__)


def for_each_list(path: str) -> Callable[[View], View]:
    """Serve a view below each list. They are named one by one, or an address would be taken for that of a job."""

    def serve(view: View) -> View:
        for of in ("jobs", "results"):
            blueprint.add_url_rule(f"/{of}/filters{path}", None, view, methods=["POST"], defaults={"of": of})
        return view

    return serve


@for_each_list("")
def save(of: str) -> Response:
    """Keep the filter under a name of the reader's."""
    listed = _viewed(of)
    arguments, name = listed.read(request.form), request.form.get("name", "")
    try:
        saved_filters.save(of, arguments, name)
    except InvalidData as refusal:
        refused = saved_filters.views(of, arguments, name=name, error=str(refusal))
        fragment = htmx.wants_fragment()
        page = render_template("filters/_views.html", views=refused) if fragment else listed.page(refused)
        return make_response(page, HTTPStatus.UNPROCESSABLE_ENTITY)
    return _to_list(of, arguments)


@for_each_list("/<int(max=2147483647):filter_id>/delete")
def forget(of: str, filter_id: int) -> Response:
    listed = _viewed(of)
    # The list stays as it is, so that the filter can be saved again.
    return _to_list(of, listed.read(MultiDict(saved_filters.forget(of, filter_id))))


@for_each_list("/default")
def default(of: str) -> Response:
    """Have the list open with this filter, or with everything again."""
    arguments = _viewed(of).read(request.form)
    saved_filters.open_with(of, arguments, on=request.form.get("default") == "on")
    return _to_list(of, arguments, fresh=False)


def _viewed(of: str) -> FilteredList:
    listed = list_named(of)
    require("view", listed.model)
    return listed


def _to_list(of: str, arguments: Arguments, *, fresh: bool = True) -> Response:
    """Go to the list; `fresh`: a tab has just been added or taken away."""
    if htmx.wants_fragment():
        shown = saved_filters.views(of, arguments, fresh=fresh)
        return make_response(render_template("filters/_views.html", views=shown))
    return make_response(redirect(saved_filters.address(of, arguments), HTTPStatus.SEE_OTHER))
