"""Values with references: what a chain hands on, and what a webhook takes out of a request: `{{ payload.ref }}`."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from store.models import JobResult
from worker.payloads import may_hold_secret
from worker.refusals import NoRun

_REFERENCE = re.compile(r"\{\{\s*([\w.-]+)\s*\}\}", re.ASCII)

LONGEST_TEXT = 100_000


class BadReference(NoRun):
    """A reference that leads nowhere, as a sentence."""


@dataclass(frozen=True, slots=True)
class Known:
    """What may be referred to."""

    #: {first word: the words of which one has to follow it; None: whatever does, or nothing}
    words: Mapping[str, Collection[str] | None]
    #: A reference that could be meant.
    example: str


_OF_RUN = (
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
OF_RUN = Known({"result": _OF_RUN}, "{{ result.return_value.name }}")
OF_DELIVERY = Known({"payload": None, "headers": None}, "{{ payload.name }}")


def facts_of_run(result: JobResult) -> dict[str, Any]:
    """Return what references of OF_RUN are looked up in."""
    facts = {name: getattr(result, name) for name in _OF_RUN}
    return {"result": {**facts, "id": str(result.id), "status": str(result.status)}}


def resolve(data: Mapping[str, Any], facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return inputs with values in place of references. facts: {first word: a JSON value}. Raises BadReference."""
    inputs = {}
    for name, value in data.items():
        try:
            inputs[name] = _resolved(value, facts)
        except BadReference as error:
            raise BadReference(f"{name}: {error}") from error
    return inputs


def is_reference(value: Any) -> bool:
    """Tell whether a value is nothing but a reference."""
    return isinstance(value, str) and _REFERENCE.fullmatch(value.strip()) is not None


def check(value: Any, known: Known) -> None:
    """Raise BadReference where a value refers to what cannot be there."""
    if isinstance(value, str):
        if "{{" in _REFERENCE.sub("", value):
            raise BadReference(f"Write references as {known.example}.")
        for path in _REFERENCE.findall(value):
            check_path(path, known)


def check_path(path: str, known: Known) -> None:
    """Raise BadReference for the path of a reference to what cannot be there."""
    root, _, rest = path.partition(".")
    words = known.words.get(root)
    if root not in known.words:
        raise BadReference(f"There is no {path}: it has to begin with {' or '.join(known.words)}.")
    if words is not None and rest.partition(".")[0] not in words:
        raise BadReference(f"There is no {path}: after {root}. comes one of {', '.join(words)}.")
    if root == "headers" and may_hold_secret(rest):
        raise BadReference(f"{rest} may hold a secret, so it is not looked at, nor kept.")


def look_up(path: str, facts: Mapping[str, Any]) -> Any:
    """Return what a path leads to: names of objects and numbers of lists, with dots between. Raises BadReference."""
    value: Any = facts
    for part in path.split("."):
        if isinstance(value, Mapping) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isdecimal() and len(part) < 10 and int(part) < len(value):
            value = value[int(part)]
        else:
            raise BadReference(f"{path[:200]} leads nowhere: there is no {part[:50]}.")
    return value


def _resolved(value: Any, facts: Mapping[str, Any]) -> Any:
    if not isinstance(value, str):
        return value
    # One that stands alone keeps the type of what it refers to.
    if alone := _REFERENCE.fullmatch(value.strip()):
        return look_up(alone[1], facts)
    text = _REFERENCE.sub(lambda found: str(look_up(found[1], facts)), value)
    if len(text) > LONGEST_TEXT:
        raise BadReference(f"What comes of it is longer than {LONGEST_TEXT:,} characters.")
    return text
