"""JSON as its standard has it, from people and programs that are not trusted; and the variable that takes it."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from jobs.errors import InvalidValue
from jobs.values import text_of
from jobs.variables import Variable

#: Far more than anybody writes, far less than what exhausts a stack.
DEEPEST_NESTING = 64

#: Characters of one input.
LONGEST_JSON = 1024 * 1024


class Unreadable(ValueError):
    """Text that is not the JSON we take, as a sentence."""


class JSONVar(Variable):
    """Any JSON value. The job gets it as Python has it: a dict, a list, a number..."""

    seldom = ("place", "listed", "mapping")
    #: True: it is a list. Text that is no JSON stands for a list of that text alone, and so does any other value.
    listed: bool | None = None
    #: True: it is an object, and nothing else.
    mapping: bool | None = None

    def is_empty(self, raw: Any) -> bool:
        # An empty list is a value like others.
        return raw is None or (isinstance(raw, str) and not raw.strip())

    def parse(self, raw: Any) -> Any:
        try:
            if isinstance(raw, str):
                text = text_of(raw)
                if len(text) > LONGEST_JSON:
                    raise InvalidValue(f"Enter at most {LONGEST_JSON:,} characters.")
                raw = self._read(text)
            if self.listed and not isinstance(raw, list):
                raw = [raw]
            if self.mapping and not isinstance(raw, dict):
                raise InvalidValue('Enter a JSON object, such as {"name": "value"}.')
            check_depth(raw)
        except Unreadable as error:
            raise InvalidValue(f"Enter valid JSON: {error}") from error
        for text in _texts(raw):
            text_of(text)  # Its escapes may name what no database takes.
        return raw

    def _read(self, text: str) -> Any:
        try:
            return parse_json(text)
        except Unreadable:
            if not self.listed:
                raise
            return text.strip()


def parse_json(text: str) -> Any:
    """Parse JSON: no NaN, no name twice, nothing that would exhaust memory or stack. Raises Unreadable."""
    try:
        value = json.loads(
            text, object_pairs_hook=_unique_names, parse_constant=_refuse_constant, parse_float=_finite
        )
    except Unreadable:
        raise
    except RecursionError:
        raise Unreadable(f"it is nested more than {DEEPEST_NESTING} deep.") from None
    except json.JSONDecodeError as error:
        raise Unreadable(f"{error.msg} (line {error.lineno}, column {error.colno}).") from None
    except ValueError:
        # Python converts no integer of more than 4300 digits.
        raise Unreadable("it holds a number that is too long.") from None
    check_depth(value)
    return value


def check_depth(value: Any) -> None:
    """Raise Unreadable for a value that is nested too deep."""
    level = [value]
    for _ in range(DEEPEST_NESTING):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return
    raise Unreadable(f"it is nested more than {DEEPEST_NESTING} deep.")


def _unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise Unreadable(f"the name {name!r} appears twice in one object.")
        found[name] = value
    return found


def _refuse_constant(name: str) -> Any:
    raise Unreadable(f"{name} is not a JSON value.")


def _finite(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise Unreadable(f"the number {text[:40]} is too large.")
    return value


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from (str(name) for name in value)
    for inner in _inside(value):
        yield from _texts(inner)


def _inside(value: Any) -> Sequence[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else ()
