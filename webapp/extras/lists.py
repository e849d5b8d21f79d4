"""Lists: counted, in parts of `limit` from `offset` on, narrowed by filters with the names that clients know."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from flask import current_app, request, url_for
from sqlalchemy import ColumnElement, Select, func, or_, select

from webapp.api.arguments import LARGEST_NUMBER, storable
from webapp.counts import Counts
from webapp.database import db
from webapp.extras.errors import Refused

DEFAULT_LIMIT, MOST = 50, 1000

#: What is no filter: what clients say of the form of an answer.
_OF_FORM = frozenset(
    {"limit", "offset", "brief", "format", "depth", "include", "exclude_m2m", "api_version", "sort"}
)

#: Given what was asked for, returns the condition. Raises ValueError with a sentence.
Filter = Callable[[Sequence[str]], ColumnElement[bool]]
Filters = Mapping[str, Filter]


def is_brief() -> bool:
    return request.args.get("brief", "").lower() in ("1", "true", "yes", "on")


def narrow(filters: Filters) -> list[ColumnElement[bool]]:
    """Return what the query string asks for. Raises Refused: a misspelt filter is not ignored."""
    errors: dict[str, list[str]] = {}
    conditions = []
    for name, given in request.args.lists():
        values = [value for value in given if value]
        if name in _OF_FORM or (name in filters and not values):
            continue
        try:
            if name not in filters:
                raise ValueError("Unknown filter field")
            if not all(map(storable, values)):
                raise ValueError("This holds a character that cannot be stored.")
            conditions.append(filters[name](values))
        except ValueError as error:
            errors[name] = [str(error)]
    if errors:
        raise Refused(400, errors)
    return conditions


def window() -> tuple[int, int]:
    """Return limit and offset. What is no number counts as not given, and 0 as the most there is."""
    limit = _number("limit", DEFAULT_LIMIT)
    return min(limit or MOST, MOST), _number("offset", 0)


def _number(name: str, default: int) -> int:
    text = request.args.get(name, "")
    if text.isascii() and text.isdecimal() and len(text) <= 10 and int(text) <= LARGEST_NUMBER:
        return int(text)
    return default


def page(query: Select[Any], shape: Callable[[Sequence[Any]], list[Any]]) -> dict[str, Any]:
    """Return the part of a query's rows that was asked for.

    query: of whole rows, in their order. shape: makes of rows what the client sees.
    """
    limit, offset = window()
    bare = query.with_only_columns(query.column_descriptions[0]["entity"].id).order_by(None)
    count = counted(select(func.count()).select_from(bare.subquery()))
    return envelope(count, shape(db.session.scalars(query.limit(limit).offset(offset)).all()))


def counted(query: Select[Any]) -> int:
    counts: Counts = current_app.extensions["errand"].counts
    return counts.of(db.session(), query)


def envelope(count: int, rows: list[Any]) -> dict[str, Any]:
    limit, offset = window()
    after = offset + limit if offset + limit < count else None
    before = max(0, offset - limit) if offset > 0 else None
    return {"count": count, "next": _url(after), "previous": _url(before), "results": rows}


def _url(offset: int | None) -> str | None:
    if offset is None or request.endpoint is None:
        return None
    values: dict[str, Any] = {**request.args.to_dict(flat=False), "limit": window()[0], "offset": offset}
    return url_for(request.endpoint, _external=True, **(request.view_args or {}), **values)


# --- Kinds of filters -----------------------------------------------------------------------------------------


def texts(column: Any) -> Filter:
    return lambda values: column.in_(values)


def ids(column: Any) -> Filter:
    return lambda values: column.in_([_id(value) for value in values])


def flag(column: Any) -> Filter:
    def condition(values: Sequence[str]) -> ColumnElement[bool]:
        given = values[-1].lower()
        if given not in ("true", "false", "1", "0"):
            raise ValueError("Give true or false.")
        found: ColumnElement[bool] = column.is_(given in ("true", "1"))
        return found

    return condition


def search(*columns: Any) -> Filter:
    return lambda values: or_(*(column.icontains(values[-1], autoescape=True) for column in columns))


def _id(value: str) -> uuid.UUID:
    try:
        return uuid.UUID(value)
    except ValueError:
        raise ValueError(f"“{value}” is no id.") from None
