"""Pages that follow a key instead of counting rows: none is left out or repeated while rows are added."""

from typing import Any

from flask import request, url_for


def next_url(cursor: str | None) -> str | None:
    """Return this request's own URL, with its filters, for what comes after `cursor`."""
    if cursor is None or request.endpoint is None:
        return None
    values: dict[str, Any] = {**request.args.to_dict(flat=False), "after": cursor}
    return url_for(request.endpoint, **(request.view_args or {}), **values)


def page(rows: list[Any], cursor: str | None = None) -> dict[str, Any]:
    return {"results": rows, "next": next_url(cursor)}
