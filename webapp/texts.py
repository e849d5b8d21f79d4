"""What texts say that were given for a variable by name: parts of a flat form, or `name=value` on the command line."""

from collections.abc import Sequence
from typing import Any

from jobs.errors import InvalidValue
from jobs.json_text import Unreadable, parse_json


def value_of(kind: str | None, texts: Sequence[str]) -> Any:
    """Return the JSON value that the texts given for one variable say; whether it fits is judged by `worker.submit`.

    kind: the variable's type; None for one that the job does not have. Only objects have values that text alone
    cannot name. Raises InvalidValue where one value is meant and several are given.
    """
    if kind in ("MultiChoiceVar", "MultiObjectVar"):
        return _several(texts, of_objects=kind == "MultiObjectVar")
    if len(texts) > 1 and kind is not None:
        raise InvalidValue("Give this once.")
    return _lookup(texts[0]) if kind == "ObjectVar" else texts[0]


def _several(texts: Sequence[str], *, of_objects: bool) -> list[Any]:
    """Read repeated texts, or one text that holds them all as a JSON list."""
    if len(texts) == 1 and isinstance(given := _json_or_text(texts[0], "["), list):
        return given
    return [_lookup(text) for text in texts] if of_objects else list(texts)


def _lookup(text: str) -> Any:
    return _json_or_text(text, "{")


def _json_or_text(text: str, opening: str) -> Any:
    if not text.lstrip().startswith(opening):
        return text
    try:
        return parse_json(text)
    except Unreadable:
        return text
