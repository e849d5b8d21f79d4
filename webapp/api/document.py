"""The OpenAPI document of the API, as `webapp.api.calls` writes it down."""

import functools
import json
import re
from collections.abc import Iterator
from typing import Any

from flask import Flask, Response, current_app, jsonify
from pydantic import TypeAdapter

from webapp.api.calls import spec
from webapp.api.errors import PROBLEM, ProblemShape
from worker.presence import version

TITLE = "Errand"
ABOUT = "Jobs, their runs and all that belongs to them: what the pages do, by token. See docs/api.md."

_TOKEN = {
    "type": "apiKey",
    "in": "header",
    "name": "Authorization",
    "description": "`Token errand_...`, or `Bearer errand_...`",
}


def serve() -> Response:
    """Give the document. It says nothing of this portal but its version, so anybody may read it."""
    return jsonify(document(current_app))


def document(app: Flask) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of an app."""
    return _document(app)


@functools.lru_cache(maxsize=4)
def _document(app: Flask) -> dict[str, Any]:
    with app.app_context():
        written: dict[str, Any] = _named(spec.spec)
    written["info"] = {"title": TITLE, "version": version() or "0", "description": ABOUT}
    components = written["components"]
    components["securitySchemes"] = {"token": _TOKEN}
    components["schemas"]["Problem"] = TypeAdapter(ProblemShape).json_schema()
    written["security"] = [{"token": []}]
    views = {view.__name__: view for view in app.view_functions.values() if hasattr(view, "contents")}
    for operation in operations(written):
        _complete(operation, views[operation["operationId"]])
    _leave_out_unused(written)
    return written


def _named(spec: dict[str, Any]) -> dict[str, Any]:
    """Call schemas as people do: Job and JobPage."""
    text = re.sub(r"\bPage_(\w+?)_(?!\w)", r"\1Page", json.dumps(spec))
    named: dict[str, Any] = json.loads(re.sub(r"\b(\w+?)Shape(Page)?\b", r"\1\2", text))
    return named


def _leave_out_unused(written: dict[str, Any]) -> None:
    """Have no schemas of queries, which the library keeps beside the parameters made of them."""
    schemas = written["components"]["schemas"]
    while unused := schemas.keys() - _schemas_named_in(written):
        for name in unused:
            del schemas[name]


def _schemas_named_in(written: dict[str, Any]) -> set[str]:
    return set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(written)))


def operations(written: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path in written["paths"].values():
        yield from path.values()


def _complete(operation: dict[str, Any], view: Any) -> None:
    """Say what the library cannot know: kinds of addresses, of bodies and of answers, and how errors look."""
    operation["description"] = operation["description"].strip()
    for parameter in operation["parameters"]:
        parameter["schema"] = parameter["schema"] or {"type": "string"}
        if parameter["schema"].get("format") == "path":
            del parameter["schema"]["format"]
    for name in view.headers:
        operation["parameters"].append({"name": name, "in": "header", "schema": {"type": "string"}})
    if view.takes:
        operation["requestBody"] = {
            "content": {kind: {"schema": schema} for kind, schema in view.takes.items()}
        }
    responses = operation["responses"]
    # The library thinks that it would refuse requests itself.
    responses.pop("422", None)
    for status, kinds in view.contents.items():
        content = {kind: {"schema": {"type": "string"}} for kind in kinds}
        responses.setdefault(str(status), {"description": "OK"})
        responses[str(status)]["content"] = {**responses[str(status)].get("content", {}), **content}
    problem = {"content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
    responses["4XX"] = {"description": "The request cannot be met; `detail` says why.", **problem}
    responses["5XX"] = {"description": "Not now, or something went wrong here.", **problem}
