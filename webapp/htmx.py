"""HTMX, through htmx-flask, with what that one lacks.

htmx-flask 0.1.0 refuses `reswap` values that are right (a comma is missing in its list, and modifiers are unknown to
it), so `reswap` is not offered here; `Vary: HX-Request` is set in webapp.headers.
"""

from typing import Any

from flask import Flask, Response, request
from htmx_flask import Htmx, make_response

_htmx = Htmx()


def init_app(app: Flask) -> None:
    _htmx.init_app(app)


def wants_fragment() -> bool:
    """Tell whether HTMX asks for a part of a page; when it restores history it needs the whole."""
    htmx: Any = getattr(request, "htmx")  # noqa: B009
    return bool(htmx) and not htmx.history_restore_request


def go_to(url: str, status: int = 200) -> Response:
    """Have the browser load `url` in place of the page."""
    response: Response = make_response("", status, redirect=url)
    return response


def out_of_band(pieces: str) -> Response:
    """Answer with what is put elsewhere alone: what asked stays, which an answer without anything for it would take away."""
    response = Response(pieces)
    response.headers["HX-Reswap"] = "none"
    return response


def nothing_new() -> Response:
    return Response(status=204)
