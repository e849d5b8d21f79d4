"""Objects: what there is, and what jobs said about each."""

from http import HTTPStatus
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, current_app, make_response, redirect, render_template, request, url_for
from sqlalchemy.orm import Session

from store import objects as registry
from store.permissions import NotVisible
from store.text import clean_text
from webapp import htmx, object_buttons
from webapp.auth import allowed, require
from webapp.log import read_filter
from webapp.object_buttons import bar_of, find_pressed, inputs_for
from webapp.object_changes import changes_of
from webapp.object_entries import entries_about
from webapp.object_runs import RunsAbout, runs_about, takers_of

blueprint = Blueprint("objects", __name__, url_prefix="/objects")

PAGE_SIZE = 50
RELATED_SHOWN = 8
RESULTS_SHOWN = 50
CHANGES_SHOWN = 50
LONGEST_SEARCH = 100

#: The parts of an object's page, of which one is shown.
LINES, RESULTS, CHANGES = "lines", "results", "changes"
VIEWS = {LINES: "objects/_lines.html", RESULTS: "objects/_results.html", CHANGES: "objects/_changes.html"}

#: What is not a condition on the objects themselves.
OWN = ("after", "q")


@blueprint.get("/")
def index() -> str:
    require("view")
    with current_app.extensions["errand"].data.session() as data:
        kinds = [
            (info, registry.search(data, info.name, limit=1).total)
            for info in registry.models().values()
            if allowed("view", info.model)
        ]
        return render_template("objects/index.html", kinds=kinds)


@blueprint.get("/<model>/")
def search(model: str) -> str:
    """List the objects of one model; every parameter but ours narrows them as a variable's query_params do."""
    info = _info(model)
    require("view", info.model)
    q = clean_text(request.args.get("q", "")).strip()[:LONGEST_SEARCH]
    params: dict[str, Any] = {
        name: [clean_text(value) for value in values]
        for name, values in request.args.lists()
        if name not in OWN
    }
    with current_app.extensions["errand"].data.session() as data:
        problem, page = "", registry.Page([], None, 0)
        try:
            page = registry.search(
                data, info.name, q=q, params=params, limit=PAGE_SIZE, after=request.args.get("after")
            )
        except registry.SearchRefused as refusal:
            problem = str(refusal)
        template = "objects/_table.html" if htmx.wants_fragment() else "objects/search.html"
        return render_template(template, info=info, page=page, q=q, params=params, problem=problem)


@blueprint.get("/<model>/<key>")
def show(model: str, key: str) -> str:
    info = _info(model)
    with current_app.extensions["errand"].data.session() as data:
        instance = _find(info, key, data)
        view = request.args.get("view", "")
        view = view if view in VIEWS else LINES
        fragment = htmx.wants_fragment()
        # What lines follow, and what changes, says nothing of the runs.
        about = runs_about(info, instance) if view == RESULTS or not fragment else None
        page = {"info": info, "instance": instance, "view": view, "about": about}
        page.update(_part(view, info, instance, data, about))
        if fragment:
            return render_template(VIEWS[view], **page)
        return render_template(
            "objects/show.html",
            **page,
            part=VIEWS[view],
            takers=takers_of(info, instance),
            bar=bar_of(info, instance),
            related=_related(info, instance, data),
            change_count=registry.count_changes(data, info.name, instance.pk),
        )


@blueprint.post("/<model>/<key>/buttons/<uuid:button_id>")
def press(model: str, key: str, button_id: UUID) -> Response:
    """Run what a button on the page of an object is for."""
    info = _info(model)
    with current_app.extensions["errand"].data.session() as data:
        instance = _find(info, key, data)
        button, job = find_pressed(button_id, info, instance)
        raw = inputs_for(info, instance)
    result = object_buttons.press(button, job, raw)
    page = url_for("results.show", result_id=result.id)
    if htmx.wants_fragment():
        return htmx.go_to(page)
    return make_response(redirect(page, HTTPStatus.SEE_OTHER))


def _find(info: registry.ModelInfo, key: str, data: Session) -> Any:
    try:
        instance = registry.ObjectLookup(data).load(info.name, key)
    except registry.LookupFailed:
        raise NotVisible from None
    require("view", instance)
    return instance


def _part(
    view: str, info: registry.ModelInfo, instance: Any, data: Session, about: RunsAbout | None
) -> dict[str, Any]:
    """Return what the part of the page that is shown tells."""
    if view == CHANGES:
        return _changes(info, instance, data, _number("before"))
    if about is not None and view == RESULTS:
        return _results(about, _number("skip") or 0)
    wanted = read_filter(request.args)
    return {"said": entries_about(instance.get_absolute_url(), wanted, _number("before")), "wanted": wanted}


def _results(about: RunsAbout, skip: int) -> dict[str, Any]:
    shown = about.runs[skip : skip + RESULTS_SHOWN]
    left = len(about.runs) > skip + RESULTS_SHOWN
    return {"results": shown, "skip": skip + RESULTS_SHOWN if left else None}


def _number(name: str) -> int | None:
    given = request.args.get(name, "")
    return int(given) if given.isascii() and given.isdecimal() and len(given) < 18 else None


def _changes(info: registry.ModelInfo, instance: Any, data: Session, before: int | None) -> dict[str, Any]:
    changes = changes_of(info, instance.pk, data, before_id=before, limit=CHANGES_SHOWN + 1)
    return {
        "changes": changes[:CHANGES_SHOWN],
        "older": changes[CHANGES_SHOWN - 1].id if len(changes) > CHANGES_SHOWN else None,
    }


def _info(model: str) -> registry.ModelInfo:
    try:
        return registry.model_info(model)
    except registry.UnknownModel:
        raise NotVisible from None


def _related(
    info: registry.ModelInfo, instance: Any, data: Session
) -> list[tuple[registry.ModelInfo, str, registry.Page]]:
    """Return the objects that refer to this one: their model, by which parameter, and the first of them."""
    found = [
        (
            other,
            parameter,
            registry.search(data, other.name, params={parameter: instance.pk}, limit=RELATED_SHOWN),
        )
        for other, parameter in registry.referring(info)
        if allowed("view", other.model)
    ]
    return [(other, parameter, page) for other, parameter, page in found if page.objects]
