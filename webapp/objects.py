"""Objects: what there is, and what jobs said about each."""

from http import HTTPStatus
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, current_app, make_response, redirect, render_template, request, url_for
from sqlalchemy import select
from sqlalchemy.orm import Session, load_only

from store import objects as registry
from store.models import JobResult, LogEntry
from store.permissions import NotVisible, visible
from store.text import clean_text
from webapp import htmx, object_buttons
from webapp.auth import allowed, current_user, require
from webapp.database import db
from webapp.object_buttons import bar_of, find_pressed, inputs_for
from webapp.object_changes import changes_of

blueprint = Blueprint("objects", __name__, url_prefix="/objects")

PAGE_SIZE = 50
RELATED_SHOWN = 8
LINES_SHOWN = 50
CHANGES_SHOWN = 50
LONGEST_SEARCH = 100

#: The parts of an object's page, of which one is shown.
VIEWS = {"lines": "objects/_lines.html", "changes": "objects/_changes.html"}

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
        given = request.args.get("before", "")
        before = int(given) if given.isascii() and given.isdecimal() and len(given) < 18 else None
        view = "changes" if request.args.get("view") == "changes" else "lines"
        page = {
            "info": info,
            "instance": instance,
            "view": view,
            **(_changes(info, instance, data, before) if view == "changes" else _lines(instance, before)),
        }
        if htmx.wants_fragment():
            return render_template(VIEWS[view], **page)
        return render_template(
            "objects/show.html",
            **page,
            part=VIEWS[view],
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


def _lines(instance: Any, before: int | None) -> dict[str, Any]:
    entries = _entries(instance, before)
    return {
        "runs": _by_run(entries[:LINES_SHOWN]),
        "older": entries[LINES_SHOWN - 1].id if len(entries) > LINES_SHOWN else None,
    }


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


def _entries(instance: Any, before: int | None) -> list[LogEntry]:
    """Return the newest entries that mention the object, one more than a page shows."""
    query = select(LogEntry).where(LogEntry.object_url == instance.get_absolute_url())
    if before is not None:
        query = query.where(LogEntry.id < before)
    return list(db.session.scalars(query.order_by(LogEntry.id.desc()).limit(LINES_SHOWN + 1)))


def _by_run(entries: list[LogEntry]) -> list[tuple[JobResult, list[LogEntry]]]:
    """Group entries by their run, the newest run first, its lines in the order they were logged."""
    lines: dict[Any, list[LogEntry]] = {}
    for entry in entries:
        lines.setdefault(entry.result_id, []).insert(0, entry)
    query = visible(select(JobResult), current_user(), JobResult).where(JobResult.id.in_(lines))
    shown = load_only(JobResult.name, JobResult.status, JobResult.count_warning, JobResult.created_at)
    results = {result.id: result for result in db.session.scalars(query.options(shown))}
    return [(results[result_id], found) for result_id, found in lines.items() if result_id in results]
