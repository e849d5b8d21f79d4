"""What pages show live: one poll for each page, which names what it shows and is answered only when that changed.

A page's part that stays fresh is its region. Together with the frame it has one version, so a page asks one question.
"""

import hashlib
from collections.abc import Callable
from typing import Any, NamedTuple

from flask import Flask, render_template, request, url_for

from webapp.frame import frame

#: Milliseconds between polls while the reader is there (static/errand.js asks less often when nobody is).
EVERY = 5000

#: Arguments of the poll itself; all others are those of its page.
OF, SHOWN, LINES = "of", "shown", "lines"
_OWN = frozenset({OF, SHOWN, LINES})


class Region(NamedTuple):
    """A part of a page, read but not yet made."""

    #: All that it shows of what the reader may see, as far as it changes.
    facts: Any
    #: Makes its pieces, each to be swapped out of band.
    pieces: Callable[[], str]
    every: int = EVERY


Reader = Callable[[], Region]

#: {name of a region: what reads it for the arguments of the request, and asks whether the reader may see it}.
_readers: dict[str, Reader] = {}


class Live(NamedTuple):
    """How a page asks for its news."""

    of: str = ""
    facts: Any = None
    every: int = EVERY

    @property
    def version(self) -> str:
        told = repr((self.of, self.facts, frame().facts))
        return hashlib.sha256(told.encode()).hexdigest()[:16]

    @property
    def url(self) -> str:
        arguments: dict[str, Any] = {
            name: values for name, values in request.args.lists() if name not in _OWN
        }
        # The poll of a page without a region is the same for all of them.
        arguments = {**arguments, OF: self.of} if self.of else {}
        return url_for("home.now_running", **{**arguments, SHOWN: self.version})


def init_app(app: Flask) -> None:
    app.jinja_env.globals["no_region"] = Live


def region(name: str, read: Reader) -> None:
    """Say what reads the region of that name."""
    _readers[name] = read


def answer() -> str | None:
    """Return the news for the poll of this request; None: there are none."""
    name = request.args.get(OF, "")
    read = _readers.get(name)
    found = read() if read else None
    live = Live(name, found.facts, found.every) if found else Live()
    if request.args.get(SHOWN) == live.version:
        return None
    pieces = found.pieces() if found else ""
    return render_template("home/_now.html", live=live, with_frame=True) + pieces
