"""All calls of the API, as its OpenAPI document has them."""

import tempfile
from typing import Any

from store.settings import load_settings
from webapp.cli.reference.tables import table

METHODS = ("get", "post", "put", "patch", "delete")


def text() -> str:
    written = _document()
    groups: dict[str, list[tuple[str, str, str]]] = {}
    for path, operations in written["paths"].items():
        for method in METHODS:
            if method in operations:
                groups.setdefault(path.split("/")[3], []).append(_row(method, path, operations[method]))
    parts = [
        f"## {group}\n\n" + table(("call", "does", "answers"), rows) for group, rows in sorted(groups.items())
    ]
    return "\n".join(parts)


def _row(method: str, path: str, operation: dict[str, Any]) -> tuple[str, str, str]:
    does = operation.get("summary") or operation.get("description", "").partition("\n")[0]
    return f"`{method.upper()} {path}`", does, ", ".join(sorted(operation["responses"]))


def _document() -> dict[str, Any]:
    """Read the document off an app that serves nobody."""
    from webapp.api.document import document
    from webapp.app import create_app

    with tempfile.TemporaryDirectory() as instance:
        return document(create_app(load_settings(instance, {})))
