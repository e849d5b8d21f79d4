"""What may stand inside a piece, as data: a text, a number, a yes or no, nothing, another piece, or a list of these."""

import math
from collections.abc import Mapping
from typing import Any

from jobs.errors import text_of

#: What JSON carries of itself.
PLAIN = (str, bool, int, type(None))

#: Python makes no text of a longer integer.
_LARGEST = 2**63

#: Mappings and lists within each other beyond this are shown as their text.
DEEPEST_PLAIN = 60


def value_of(value: Any) -> Any:
    """Return what stands in a cell, an item or a text, as data."""
    if isinstance(value, Inside):
        return value.inside_data()
    if isinstance(value, list | tuple):
        return [value_of(item) for item in value]
    return number_or_text(value)


def number_or_text(value: Any) -> Any:
    if isinstance(value, str):
        return str(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value) if abs(value) < _LARGEST else text_of(value, hex)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(value)
    return text_of(value)


def plain(value: Any, depth: int = DEEPEST_PLAIN) -> Any:
    """Return a value of dicts and lists as JSON has it; sets become lists, what JSON does not know its text."""
    if isinstance(value, Inside) or depth == 0:
        return text_of(value)
    if isinstance(value, Mapping):
        return {text_of(key): plain(inner, depth - 1) for key, inner in value.items()}
    if isinstance(value, set | frozenset):
        return [plain(inner, depth - 1) for inner in sorted(value, key=text_of)]
    if isinstance(value, list | tuple):
        return [plain(inner, depth - 1) for inner in value]
    return number_or_text(value)


class Inside:
    """What knows itself how it stands inside a piece."""

    def inside_data(self) -> Any:
        raise NotImplementedError
