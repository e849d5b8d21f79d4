"""Finding objects: for lists, for the choices of a form, and for the values a run was given."""

import base64
import binascii
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, false, func, or_, select, true, tuple_
from sqlalchemy.orm import Session

from store.lookups import BadValue, FieldError, Relation, coerce, condition, negated, pk_of, shown
from store.object_model import ObjectModel
from store.queryset import Joins, QuerySet
from store.registry import ModelInfo, last_step, model_info

#: Beyond this many, a search says that there are more instead of counting on.
MOST_COUNTED = 10_000
LARGEST_PAGE = 1000

#: A search looks for at most so many words.
MOST_WORDS = 8

#: A filter other than for equal values takes at most so many.
MOST_VALUES = 100

#: The parameter value that means "has none".
NULL = "null"

#: How a parameter may name another object, besides by its key.
NATURAL_KEYS = ("slug", "name")

#: What may follow a parameter's name, as in `name__ic=branch`: (lookup, whether it is negated).
SUFFIXES = {
    "n": ("in", True),
    "ie": ("iexact", False),
    "ic": ("icontains", False),
    "nic": ("icontains", True),
    "isw": ("istartswith", False),
    "iew": ("iendswith", False),
    "gt": ("gt", False),
    "gte": ("gte", False),
    "lt": ("lt", False),
    "lte": ("lte", False),
}


class SearchRefused(Exception):
    """A search that cannot be made, as a sentence."""


class UnknownParameter(SearchRefused):
    """A filter that the model does not have."""


@dataclass(frozen=True, slots=True)
class Page:
    objects: list[ObjectModel]
    #: What to give as `after` for the next page; None on the last.
    next: str | None
    #: None when there are more than are worth counting, or nobody wants to know.
    total: int | None


def search(
    session: Session,
    name: str,
    q: str = "",
    params: Mapping[str, Any] | None = None,
    limit: int = 50,
    after: str | None = None,
    *,
    counted: bool = True,
) -> Page:
    """Return one page of the objects of a model that hold all words of `q` and fit `params`.

    params: as in the field's REST API: {"manufacturer_id": ["3", "4"], "status": "active"};
    several values mean any of them, "null" means none, an empty one is ignored. counted: how many there are is asked, too.
    Raises UnknownModel, UnknownParameter, SearchRefused.
    """
    info = model_info(name)
    given = dict(params or {})
    words = f"{q} {' '.join(_values(given.pop('q', '')))}".split()
    conditions = [_contains(info, word) for word in words[:MOST_WORDS]]
    conditions += [fits(info.model, parameter, value) for parameter, value in given.items()]
    limit = max(1, min(limit, LARGEST_PAGE))
    objects, following = _page(session, info, conditions, limit, after)
    return Page(objects, following, _total(session, info, conditions) if counted else None)


def fits(model: type[ObjectModel], name: str, value: Any) -> ColumnElement[bool]:
    """Return the condition that the parameter `name=value` sets. Raises SearchRefused."""
    values = _values(value)
    base, _, suffix = name.partition("__")
    try:
        if not values:
            return true()
        if not suffix:
            return _any_of(model, base, values)
        lookup, negate = SUFFIXES[suffix]
        if lookup == "in":
            return negated([_any_of(model, base, values)])
        if len(values) > MOST_VALUES:
            raise SearchRefused(f"The filter {shown(name)} takes at most {MOST_VALUES} values.")
        found = or_(*(condition(model, f"{_column_path(model, base)}__{lookup}", one) for one in values))
        return negated([found]) if negate else found
    except (KeyError, FieldError):
        raise UnknownParameter(
            f"{shown(name)} is no filter of {model.object_type}. Filters are: {', '.join(_parameters(model))}."
        ) from None
    except BadValue as error:
        raise SearchRefused(f"The filter {shown(name)} cannot be used: {error}") from None


def text_of(obj: Any, field: str = "display") -> str:
    """Return what a choice shows for an object: its `field`, else its `display`."""
    value = obj
    for name in field.replace("__", ".").split("."):
        value = None if name.startswith("_") else getattr(value, name, None)
    if value is None or callable(value):
        value = getattr(obj, "display", obj)
    return str(value)


# --- Parameters ---


def _values(value: Any) -> list[str]:
    """Return the values of a parameter as text: it may be one, a list, or nothing at all."""
    given = value if isinstance(value, list | tuple | set | frozenset) else [value]
    return [_text(one) for one in given if one != ""]


def _text(value: Any) -> str:
    if value is None:
        return NULL
    if isinstance(value, bool):
        return str(value).lower()
    return str(value.pk if isinstance(value, ObjectModel) else value)


def _any_of(model: type[ObjectModel], name: str, values: list[str]) -> ColumnElement[bool]:
    path, by_key = _path(model, name)
    named = [value for value in values if value != NULL]
    choices = [condition(model, f"{path}__isnull", True)] if NULL in values else []
    found = last_step(model, path)
    if not named:
        pass
    elif by_key or not isinstance(found, Relation):
        choices.append(condition(model, f"{path}__in", named))
    else:
        choices += _by_natural_key(model, path, found, named)
    return or_(false(), *choices)


def _by_natural_key(
    model: type[ObjectModel], path: str, relation: Relation, values: list[str]
) -> list[ColumnElement[bool]]:
    columns = relation.target.__mapper__.column_attrs
    choices = [condition(model, f"{path}__{key}__in", values) for key in NATURAL_KEYS if key in columns]
    keys = [value for value in values if _may_be_key(relation.target, value)]
    return [*choices, condition(model, f"{path}__in", keys)] if keys else choices


def _may_be_key(model: type[Any], value: str) -> bool:
    try:
        coerce(pk_of(model), value)
    except BadValue:
        return False
    return True


def _path(model: type[ObjectModel], name: str) -> tuple[str, bool]:
    """Return the lookup path of a parameter, and whether its values are keys for certain."""
    filters = model.options.filters
    if name in filters:
        return filters[name], False
    if name.removesuffix("_id") in filters:
        return filters[name.removesuffix("_id")], True
    last_step(model, name)
    return name, False


def _column_path(model: type[ObjectModel], name: str) -> str:
    path, _ = _path(model, name)
    if isinstance(last_step(model, path), Relation):
        raise FieldError(f"{shown(name)} is another object.")
    return path


def _parameters(model: type[ObjectModel]) -> list[str]:
    mapper = model.__mapper__
    extra = [name for key in model.options.filters for name in (key, f"{key}_id")]
    return sorted({"q", *mapper.column_attrs.keys(), *mapper.relationships.keys(), *extra})


# --- Words and pages ---


def _contains(info: ModelInfo, word: str) -> ColumnElement[bool]:
    try:
        matches = [condition(info.model, f"{path}__icontains", word) for path in info.search_fields]
        return or_(false(), *matches)
    except BadValue:
        return false()  # A text that no database stores is nowhere to be found.


def _page(
    session: Session, info: ModelInfo, conditions: list[ColumnElement[bool]], limit: int, after: str | None
) -> tuple[list[ObjectModel], str | None]:
    joins = Joins(info.model)
    order = [joins.column(name) for name in info.model.options.ordering]
    order.append(pk_of(info.model))
    statement = joins.added_to(select(info.model, *order)).where(*conditions)
    if after is not None:
        # Row values compare like the order itself, so the page begins right after the last row.
        statement = statement.where(tuple_(*order) > tuple_(*_decoded(after, order)))
    statement = statement.order_by(*order).limit(limit + 1).options(*_loads(info, session))
    rows = session.execute(statement).unique().all()
    following = _encoded(rows[limit - 1][1:]) if len(rows) > limit else None
    return [row[0] for row in rows[:limit]], following


def _loads(info: ModelInfo, session: Session) -> tuple[Any, ...]:
    """Return what to load along, so that a list asks the database once and not for each row."""
    paths = list(info.model.options.loads)
    for column in info.list_columns:
        relations, _, _ = column.path.rpartition("__")
        if _is_relation(info.model, column.path):
            relations = column.path
        if relations:
            paths.append(relations)
    return QuerySet(info.model, session=session).select_related(*paths).loading_options if paths else ()


def _is_relation(model: type[Any], path: str) -> bool:
    try:
        return isinstance(last_step(model, path), Relation)
    except FieldError:
        return False  # A property of the model.


def _total(session: Session, info: ModelInfo, conditions: list[ColumnElement[bool]]) -> int | None:
    some = select(pk_of(info.model)).where(*conditions).limit(MOST_COUNTED + 1)
    counted = session.scalar(select(func.count()).select_from(some.subquery())) or 0
    return counted if counted <= MOST_COUNTED else None


def _encoded(values: Iterable[Any]) -> str:
    text = json.dumps([value if isinstance(value, int | float) else str(value) for value in values])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decoded(after: str, columns: list[Any]) -> list[Any]:
    try:
        values = json.loads(base64.urlsafe_b64decode(after.encode() + b"=" * (-len(after) % 4)))
        if isinstance(values, list) and len(values) == len(columns) and None not in values:
            return [coerce(column, value) for column, value in zip(columns, values, strict=True)]
    except (binascii.Error, ValueError, RecursionError):
        pass
    raise SearchRefused("This is no place in the list; begin at its first page.")
