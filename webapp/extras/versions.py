"""For which version of Nautobot a client was written, and answers as that version gives them."""

import re
from typing import Any, NamedTuple

from flask import Response, current_app, request


class Version(NamedTuple):
    major: int
    minor: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"


#: For clients that do not say.
DEFAULT = Version(1, 5)

#: What pynautobot expects since it names itself. It names the version where it asks for a run, and not where it looks
#: what became of it.
OF_PYNAUTOBOT = Version(2, 4)

#: Up to here, jobs are listed as classes.
LAST_OF_CLASSES = Version(1, 2)

_ASKED = re.compile(r"version=\"?([0-9]{1,3})\.([0-9]{1,3})")
_INDENT = re.compile(r"indent=\"?([0-9]{1,2})")
MOST_INDENT = 8


def version() -> Version:
    """Return the version that this request is meant for: whatever it says, it is not refused for it."""
    if found := _ASKED.search(request.headers.get("Accept", "")):
        return Version(int(found[1]), int(found[2]))
    named = request.headers.get("User-Agent", "").startswith("python-pynautobot/")
    return OF_PYNAUTOBOT if named else DEFAULT


def is_first() -> bool:
    """Tell whether that is a Nautobot 1: later ones call states, levels and some fields otherwise."""
    return version().major < 2


def lists_classes() -> bool:
    return version() <= LAST_OF_CLASSES


def say_version(response: Response) -> Response:
    response.headers["API-Version"] = str(version())
    return response


def as_json(data: Any, status: int = 200) -> Response:
    return Response(dumps(data), status, mimetype="application/json")


def dumps(data: Any) -> str:
    """Write JSON, indented as the request wants it."""
    found = _INDENT.search(request.headers.get("Accept", ""))
    indent = min(int(found[1]), MOST_INDENT) if found else None
    return str(current_app.json.dumps(data, indent=indent, sort_keys=False))
