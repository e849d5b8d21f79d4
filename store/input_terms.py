"""What is asked of the inputs of runs, such as `site:Bern`, `count>=5` or `site`, and how a database answers it.

Sealed inputs are never found: they are not among the data of a run.
"""

import json
import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Numeric,
    Text,
    and_,
    case,
    cast,
    column,
    exists,
    false,
    func,
    literal_column,
    or_,
    select,
    type_coerce,
)
from sqlalchemy.types import UserDefinedType

LONGEST_TERM = 200

#: A name, as authors may give one to a variable, and what its value is held against.
_TERM = re.compile(r"([^\W\d][\w-]{0,99})\s*(?:(>=|<=|[:=<>])\s*(.*))?", re.DOTALL)
_NUMBER = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9:.]{1,20}(Z|[+-][0-9:]{4,6})?)?")

_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}

_TRUTHS = {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}


@dataclass(frozen=True, slots=True)
class InputTerm:
    """`operator`: "" asks whether the input was given at all; ":" whether it holds the value, or is it."""

    name: str
    operator: str = ""
    value: str = ""

    def __str__(self) -> str:
        return f"{self.name}{self.operator}{self.value}"

    @property
    def number(self) -> Decimal | None:
        return Decimal(self.value) if _NUMBER.fullmatch(self.value) else None


def read_term(text: str) -> InputTerm | None:
    """Return what a text asks for; None for one that makes no sense."""
    found = _TERM.fullmatch(text.strip()) if len(text) <= LONGEST_TERM else None
    if found is None:
        return None
    name, way, value = (part or "" for part in found.groups())
    term = InputTerm(name, way, value.strip())
    if way and not term.value:
        return None
    return None if way in _COMPARE and term.number is None and not _DATE.fullmatch(term.value) else term


def fits(data: Any, term: InputTerm, dialect: str, also: Sequence[str] = ()) -> ColumnElement[bool]:
    """Return the condition that a run's `data` fits a term; of a list, that one of its members does.

    also: other values that are meant, such as the keys of objects that are called so.
    """
    source, value = _members(data, term.name, dialect)
    return exists(select(literal_column("1")).select_from(source).where(value.fits(term, also)))


@dataclass(frozen=True, slots=True)
class _Value:
    """One value of an input. Both databases name its kind, in words of their own."""

    kind: Any
    text: Any
    number: Any

    def fits(self, term: InputTerm, also: Sequence[str]) -> ColumnElement[bool]:
        if not term.operator:
            empty = and_(self._of("text", "string"), self.text == "")
            return and_(~self._of("null"), ~empty)
        if term.operator in (":", "="):
            return self._is(term, also)
        compare = _COMPARE[term.operator]
        if term.number is not None:
            return and_(self._of_number(), compare(self.number, _decimal(term.number)))
        # Days and times are kept as texts that sort as they do.
        return and_(self._of("text", "string"), self.text.like("____-__-__%"), compare(self.text, term.value))

    def _is(self, term: InputTerm, also: Sequence[str]) -> ColumnElement[bool]:
        texts = self._of("text", "string", "object")
        alike = self.text == term.value
        if term.operator == ":":
            alike = self.text.icontains(term.value, autoescape=True)
        meant = [and_(texts, alike)]
        if term.number is not None:
            meant.append(and_(self._of_number(), self.number == _decimal(term.number)))
        truth = _TRUTHS.get(term.value.lower())
        if truth is not None:
            word = "true" if truth else "false"
            meant.append(or_(self.kind == word, and_(self.kind == "boolean", self.text == word)))
        if also:
            meant.append(and_(~self._of("null"), cast(self.text, Text).in_(also)))
        return or_(false(), *meant)

    def _of(self, *kinds: str) -> Any:
        return self.kind.in_(kinds)

    def _of_number(self) -> Any:
        return self._of("integer", "real", "number")


class _Json(UserDefinedType[Any]):
    """PostgreSQL's own, as it is: what SQLAlchemy makes of JSON in Python is not wanted here."""

    cache_ok = True

    def get_col_spec(self, **options: Any) -> str:
        return "JSON"


def _members(data: Any, name: str, dialect: str) -> tuple[Any, _Value]:
    """Return what has a row for each value of an input, each member of a list one, and what is asked of such a row."""
    return _in_sqlite(data, name) if dialect == "sqlite" else _in_postgresql(data, name)


def _in_sqlite(data: Any, name: str) -> tuple[Any, _Value]:
    # As the data have been written: SQLite compares names before it reads what is escaped in them.
    whole, path = type_coerce(data, Text), f"$.{json.dumps(name)}"
    is_list = func.json_type(whole, path) == "array"
    alone = func.json_array(func.json(whole.op("->")(path)))
    rows = func.json_each(case((is_list, func.json_extract(whole, path)), else_=alone)).table_valued(
        column("value", Text), column("type", Text), name="given"
    )
    value, kind = rows.c.value, rows.c.type
    # A file is known by its name.
    file_name = case((kind == "object", func.json_extract(value, "$.name")))
    return rows, _Value(kind, func.coalesce(file_name, value), type_coerce(value, Numeric))


def _in_postgresql(data: Any, name: str) -> tuple[Any, _Value]:
    # JSON may write a character that no text of PostgreSQL can hold; it would refuse the whole value.
    readable = cast(func.replace(cast(data, Text), r"\u0000", r"\ufffd"), _Json)
    found = func.json_extract_path(readable, cast(name, Text))
    members = case((func.json_typeof(found) == "array", found), else_=func.json_build_array(found))
    rows = func.json_array_elements(members).table_valued(column("value", _Json), name="given")
    value = rows.c.value
    kind = func.json_typeof(value)
    file_name = case((kind == "object", func.json_extract_path_text(value, literal_column("'name'"))))
    plain = value.op("#>>", return_type=Text())(literal_column("'{}'"))
    # Only where it is one: PostgreSQL refuses to take anything else for a number.
    number = case((kind == "number", cast(plain, Numeric)))
    return rows, _Value(kind, func.coalesce(file_name, plain), number)


def _decimal(number: Decimal) -> ColumnElement[Any]:
    return literal_column(f"{number:f}", Numeric)
