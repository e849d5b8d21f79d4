"""What a chain hands on: values, and texts that refer to the run before: `{{ result.return_value.site }}`."""

import re
from collections.abc import Mapping
from typing import Any

from store.models import JobResult
from worker.refusals import NoRun

_REFERENCE = re.compile(r"\{\{\s*([\w.-]+)\s*\}\}", re.ASCII)

#: What of a run may be referred to.
KNOWN = (
    "id",
    "status",
    "cause",
    "name",
    "class_path",
    "username",
    "commit",
    "output",
    "return_value",
    "data",
)

LONGEST_TEXT = 100_000


class BadReference(NoRun):
    """A reference that leads nowhere, as a sentence."""


def resolve(data: Mapping[str, Any], result: JobResult) -> dict[str, Any]:
    """Return the inputs for the next run. Raises BadReference."""
    return {name: _resolved(value, result) for name, value in data.items()}


def is_reference(value: Any) -> bool:
    """Tell whether a value is nothing but a reference."""
    return isinstance(value, str) and _REFERENCE.fullmatch(value.strip()) is not None


def check(value: Any) -> None:
    """Raise BadReference where a value refers to what no run has."""
    if isinstance(value, str):
        if "{{" in _REFERENCE.sub("", value):
            raise BadReference("Write references as {{ result.return_value.name }}.")
        for path in _REFERENCE.findall(value):
            _first(path)


def _resolved(value: Any, result: JobResult) -> Any:
    if not isinstance(value, str):
        return value
    # One that stands alone keeps the type of what it refers to.
    if alone := _REFERENCE.fullmatch(value.strip()):
        return _value(alone[1], result)
    text = _REFERENCE.sub(lambda found: str(_value(found[1], result)), value)
    if len(text) > LONGEST_TEXT:
        raise BadReference(f"What comes of it is longer than {LONGEST_TEXT:,} characters.")
    return text


def _first(path: str) -> tuple[str, list[str]]:
    root, _, rest = path.partition(".")
    first, *parts = rest.split(".")
    if root != "result" or first not in KNOWN:
        raise BadReference(f"There is no {path}: after result. comes one of {', '.join(KNOWN)}.")
    return first, parts


def _value(path: str, result: JobResult) -> Any:
    first, parts = _first(path)
    value: Any = getattr(result, first)
    if first in ("id", "status"):
        value = str(value)
    for part in parts:
        if isinstance(value, Mapping) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isdecimal() and len(part) < 10 and int(part) < len(value):
            value = value[int(part)]
        else:
            raise BadReference(f"{path[:200]} leads nowhere: the run has no {part[:50]} there.")
    return value
