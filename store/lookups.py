"""What `device__status__slug__in=[...]` means: Django's lookups as SQL conditions."""

import re
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, cast

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    String,
    and_,
    bindparam,
    false,
    func,
    inspect,
    not_,
    true,
)
from sqlalchemy import cast as sql_cast
from sqlalchemy.exc import NoInspectionAvailable
from sqlalchemy.orm import InstrumentedAttribute, Mapper, RelationshipProperty

#: A surrogate without its other half: no encoding has it.
HALF_CHARACTER = re.compile(r"[\uD800-\uDFFF]")

WHOLE_NUMBER = re.compile(r"[+-]?[0-9]{1,20}")

#: More numbers than this go into the statement itself: databases limit its parameters, and its length.
MOST_PARAMETERS = 1000
MOST_NUMBERS = 100_000
MOST_VALUES = 30_000

#: SQLite refuses to look for a longer pattern than 50,000 bytes, with its wildcards escaped.
LONGEST_PATTERN = 5000


class FieldError(Exception):
    """A name that the model does not have."""


class BadValue(ValueError):
    """A value that cannot be one of the field's."""


class Relation(NamedTuple):
    """One step from a model to another."""

    attribute: InstrumentedAttribute[Any]
    target: type[Any]
    many: bool
    #: The column on this side that names the other; None where the other side has it.
    column: InstrumentedAttribute[Any] | None


def pk_of(model: type[Any]) -> InstrumentedAttribute[Any]:
    """Return the primary key column of a model."""
    mapper = _mapper(model)
    return _attribute(model, str(mapper.get_property_by_column(mapper.primary_key[0]).key))


def field_names(model: type[Any]) -> list[str]:
    """Return what a lookup on this model may begin with."""
    mapper = _mapper(model)
    return sorted({"pk", *mapper.column_attrs.keys(), *mapper.relationships.keys()})


def step(model: type[Any], name: str) -> Relation | InstrumentedAttribute[Any]:
    """Return the relation or the column `name` of a model. Raises FieldError."""
    mapper = _mapper(model)
    if name == "pk":
        return pk_of(model)
    if name in mapper.relationships:
        return _relation(model, mapper.relationships[name])
    if name in mapper.column_attrs:
        return _attribute(model, name)
    raise FieldError(
        f"{model.__name__} has no field {shown(name)}. Its fields are: {', '.join(field_names(model))}."
    )


def column_named(model: type[Any], name: str) -> InstrumentedAttribute[Any]:
    """Return the column that holds `name`; for a relation, the key of the other object."""
    found = step(model, name)
    if not isinstance(found, Relation):
        return found
    if found.column is None:
        raise FieldError(f"{model.__name__}.{name} is no column: many objects may be there.")
    return cast(InstrumentedAttribute[Any], found.column)


def condition(model: type[Any], lookup: str, value: object) -> ColumnElement[bool]:
    """Return the condition `lookup=value` on rows of `model`. Raises FieldError, BadValue.

    Each step to another model is an EXISTS of its own, so rows never multiply.
    """
    return _condition(model, lookup.split("__"), value)


def negated(conditions: Iterable[ColumnElement[bool]]) -> ColumnElement[bool]:
    """Return what is true where not all conditions are, an unknown one counting as untrue."""
    return not_(func.coalesce(and_(*conditions), false()))


def coerce(column: InstrumentedAttribute[Any], value: object) -> Any:
    """Return the value as this column holds it; an object stands for its key. Raises BadValue."""
    value = _key_of(value)
    try:
        kind = column.type.python_type
    except NotImplementedError:
        return value
    convert = CONVERSIONS.get(kind)
    if value is None or convert is None:
        return value
    try:
        return _fitting(column, convert(value))
    except (TypeError, ValueError, OverflowError):
        raise BadValue(f"{shown(value)} cannot be a value of {column.key!r}.") from None


def _mapper(model: type[Any]) -> Mapper[Any]:
    return cast(Mapper[Any], inspect(model))


def _attribute(model: type[Any], key: str) -> InstrumentedAttribute[Any]:
    return cast(InstrumentedAttribute[Any], getattr(model, key))


def _relation(model: type[Any], relation: RelationshipProperty[Any]) -> Relation:
    column = None
    local = list(relation.local_columns)
    if relation.direction.name == "MANYTOONE" and len(local) == 1:
        column = _attribute(model, relation.parent.get_property_by_column(local[0]).key)
    return Relation(_attribute(model, relation.key), relation.entity.class_, bool(relation.uselist), column)


def _condition(model: type[Any], names: list[str], value: object) -> ColumnElement[bool]:
    found = step(model, names[0])
    rest = names[1:]
    if not isinstance(found, Relation):
        return _compare(found, rest, value)
    if rest and rest[0] not in LOOKUPS:
        return _through(found, rest, value)
    if found.column is not None:
        return _compare(found.column, rest, value)
    if rest == ["isnull"]:
        return negated([_any(found)]) if _truth(value) else _any(found)
    return _any(found, _compare(pk_of(found.target), rest, value))


def _through(relation: Relation, rest: list[str], value: object) -> ColumnElement[bool]:
    if rest[-1] == "isnull" and _truth(value):
        # Where there is nothing at the other end, its fields are null too.
        return negated([_any(relation, _condition(relation.target, rest, False))])
    return _any(relation, _condition(relation.target, rest, value))


def _any(relation: Relation, *criteria: ColumnElement[bool]) -> ColumnElement[bool]:
    test = relation.attribute.any if relation.many else relation.attribute.has
    return cast(ColumnElement[bool], test(and_(true(), *criteria)))


def _compare(column: InstrumentedAttribute[Any], lookups: list[str], value: object) -> ColumnElement[bool]:
    name = "__".join(lookups) or "exact"
    if name not in LOOKUPS:
        raise FieldError(f"{shown(name)} is no lookup of {column.key!r}. Lookups are: {', '.join(LOOKUPS)}.")
    return LOOKUPS[name](column, value)


# --- Lookups ---


def _exact(column: InstrumentedAttribute[Any], value: object) -> ColumnElement[bool]:
    value = coerce(column, value)
    return column.is_(None) if value is None else column == value


def _in(column: InstrumentedAttribute[Any], values: object) -> ColumnElement[bool]:
    subquery = getattr(values, "as_subquery", None)
    if subquery is not None:
        return column.in_(subquery())
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise BadValue(f"{shown(values)} is no list of values for {column.key!r}.")
    members = [coerce(column, value) for value in values]
    members = [member for member in members if member is not None]
    numbers = isinstance(column.type, Integer)
    if len(members) > (MOST_NUMBERS if numbers else MOST_VALUES):
        raise BadValue(f"{len(members)} values are too many for {column.key!r}.")
    if numbers and len(members) > MOST_PARAMETERS:
        return column.in_(bindparam(None, members, expanding=True, literal_execute=True))
    return column.in_(members)


def _isnull(column: InstrumentedAttribute[Any], value: object) -> ColumnElement[bool]:
    return column.is_(None) if _truth(value) else column.is_not(None)


def _range(column: InstrumentedAttribute[Any], value: object) -> ColumnElement[bool]:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise BadValue(f"The range of {column.key!r} is two values, not {shown(value)}.")
    return column.between(_given(column, value[0]), _given(column, value[1]))


def _given(column: InstrumentedAttribute[Any], value: object) -> Any:
    value = coerce(column, value)
    if value is None:
        raise BadValue(f"{column.key!r} can only be compared with a value; use isnull for none.")
    return value


def _iexact(column: InstrumentedAttribute[Any], value: object) -> ColumnElement[bool]:
    if value is None:
        return column.is_(None)
    return func.lower(_text(column)) == func.lower(_plain_text(value))


Lookup = Callable[[InstrumentedAttribute[Any], object], ColumnElement[bool]]


def _ordered(operator: str) -> Lookup:
    def compare(column: InstrumentedAttribute[Any], value: object) -> ColumnElement[bool]:
        return column.op(operator, is_comparison=True)(_given(column, value))

    return compare


def _pattern(method: str) -> Lookup:
    def compare(column: InstrumentedAttribute[Any], value: object) -> ColumnElement[bool]:
        text = _plain_text(value)
        if len(text) > LONGEST_PATTERN:
            raise BadValue(f"A text of {len(text)} characters is too long to look for.")
        test = getattr(_text(column), method)
        return cast(ColumnElement[bool], test(text, autoescape=True))

    return compare


LOOKUPS: Mapping[str, Lookup] = {
    "exact": _exact,
    "iexact": _iexact,
    "in": _in,
    "contains": _pattern("contains"),
    "icontains": _pattern("icontains"),
    "startswith": _pattern("startswith"),
    "istartswith": _pattern("istartswith"),
    "endswith": _pattern("endswith"),
    "iendswith": _pattern("iendswith"),
    "gt": _ordered(">"),
    "gte": _ordered(">="),
    "lt": _ordered("<"),
    "lte": _ordered("<="),
    "isnull": _isnull,
    "range": _range,
}


def _text(column: InstrumentedAttribute[Any]) -> ColumnElement[str]:
    return column.expression if isinstance(column.type, String) else sql_cast(column, String)


# --- Values ---


def _key_of(value: object) -> object:
    """Return the key of an object; any other value as it is."""
    try:
        state = inspect(value)
    except NoInspectionAvailable:
        return value
    if not getattr(state, "is_instance", False):
        return value
    if state.identity is None:
        raise BadValue(f"The {type(value).__name__} {value} is not saved yet; save it first.")
    return state.identity[0]


def _integer(value: object) -> int:
    if isinstance(value, float) and not value.is_integer():
        raise ValueError
    if isinstance(value, str) and not WHOLE_NUMBER.fullmatch(value.strip()):
        raise ValueError  # Python would read "1_000" and digits of any script.
    return int(value)  # type: ignore[call-overload, no-any-return]


def _fitting(column: InstrumentedAttribute[Any], value: object) -> object:
    """Refuse a number that the column cannot hold: PostgreSQL does not even compare it."""
    if isinstance(column.type, Integer) and isinstance(value, int):
        most = 2**63 if isinstance(column.type, BigInteger) else 2**31
        if not -most <= value < most:
            raise OverflowError
    return value


def _boolean(value: object) -> bool:
    words = {"true": True, "1": True, "false": False, "0": False}
    if isinstance(value, bool | int) and value in (0, 1):
        return bool(value)
    if isinstance(value, str) and value.strip().lower() in words:
        return words[value.strip().lower()]
    raise ValueError


def _plain_text(value: object) -> str:
    text = str(value)
    # PostgreSQL stores neither of the two, and SQLite only the first.
    if "\0" in text or HALF_CHARACTER.search(text):
        raise BadValue("A text cannot hold the character NUL or half a character.")
    return text


def _string(value: object) -> str:
    if isinstance(value, list | tuple | dict | set | bytes):
        raise TypeError
    return _plain_text(value)


def _number(value: object) -> float:
    return float(value)  # type: ignore[arg-type]


def _uuid(value: object) -> uuid.UUID:
    return value if isinstance(value, uuid.UUID) else uuid.UUID(str(value))


CONVERSIONS: Mapping[type, Callable[[object], object]] = {
    int: _integer,
    bool: _boolean,
    str: _string,
    float: _number,
    uuid.UUID: _uuid,
}


def _truth(value: object) -> bool:
    try:
        return _boolean(value)
    except ValueError:
        raise BadValue(f"isnull is True or False, not {shown(value)}.") from None


def shown(value: object) -> str:
    """Return a value as an error may repeat it: whoever sent it may have sent a lot."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
