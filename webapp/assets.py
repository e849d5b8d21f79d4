"""Static files under addresses that change with their content, so that browsers may keep them for ever."""

import gzip
import hashlib
from functools import cache
from pathlib import Path

from flask import Flask, Response, g, request, send_from_directory, url_for

from store.settings import PROJECT_ROOT
from webapp.auth import public

FOLDER = PROJECT_ROOT / "static"
YEAR_SECONDS = 365 * 24 * 3600
#: What is smaller when it is packed.
PACKED = (".css", ".js", ".svg")


def init_app(app: Flask) -> None:
    app.add_url_rule("/static/<digest>/<path:name>", "static", serve)
    app.jinja_env.globals["static"] = static


def static(name: str) -> str:
    """Return the address of a file of `static/`; FileNotFoundError when there is none."""
    # A page names its icons a hundred times.
    known: dict[str, str] = g.setdefault("static_addresses", {})
    if name not in known:
        known[name] = url_for("static", digest=_digest(name, _changed_at(name)), name=name)
    return known[name]


@public
def serve(digest: str, name: str) -> Response:
    response = send_from_directory(FOLDER, name, conditional=True)
    if name.endswith(PACKED):
        response.vary.add("Accept-Encoding")
        if response.status_code == 200 and request.accept_encodings["gzip"] > 0:
            response = _packed(response, name)
    if digest == _digest(name, _changed_at(name)):
        response.headers["Cache-Control"] = f"public, max-age={YEAR_SECONDS}, immutable"
    else:
        # A page of another version asks: give what there is, and let nobody keep it under that name.
        response.headers["Cache-Control"] = "no-cache"
    return response


def _packed(response: Response, name: str) -> Response:
    """Send the file packed. Pages never are: they hold a secret (the CSRF token) beside words that others chose, and
    the length of what is packed would give the secret away (the attack is called BREACH)."""
    # It was opened to be sent as it is.
    response.close()
    headers = {key: response.headers[key] for key in ("Content-Type", "Last-Modified", "Vary")}
    packed = Response(_pack(name, _changed_at(name)), headers={**headers, "Content-Encoding": "gzip"})
    packed.set_etag(f"{_digest(name, _changed_at(name))}-gzip")
    packed.make_conditional(request)
    return packed


def _changed_at(name: str) -> int:
    return (FOLDER / name).stat().st_mtime_ns


@cache
def _digest(name: str, _changed_at: int) -> str:
    return hashlib.sha256(Path(FOLDER / name).read_bytes()).hexdigest()[:6]


@cache
def _pack(name: str, _changed_at: int) -> bytes:
    return gzip.compress(Path(FOLDER / name).read_bytes(), mtime=0)
