"""Lists: sorted as they are asked for, in parts that follow a key, so that none is left out or repeated while rows are
added."""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import Field
from sqlalchemy import ColumnElement, Select, and_, not_, or_, true
from sqlalchemy.orm import Session

from store.columns import UtcDateTime
from webapp.api.arguments import moment_of, storable
from webapp.api.calls import Listing
from webapp.api.errors import InvalidRequest

BAD_AFTER = "Follow the `next` of an answer: this is no place in this list."


class Sorted(Listing):
    """What the query string of a list may say that can be sorted."""

    sort: str = Field(
        "", description="The name of a field to sort by; with a minus before it, the other way round."
    )


@dataclass(frozen=True, slots=True)
class Order:
    """What a list can be sorted by."""

    #: {name of the field: column}; none of them is ever null.
    columns: Mapping[str, Any]
    #: What no two rows share.
    key: Any
    #: As `sort` says it.
    default: str

    def read(self, given: str) -> tuple[str, bool]:
        """Return the name of the field, and whether the largest comes first. Raises InvalidRequest."""
        text = given or self.default
        name = text.removeprefix("-")
        if name not in self.columns:
            raise InvalidRequest(
                {"sort": [f"There is no {name!r} to sort by; there are {', '.join(self.columns)}."]}
            )
        return name, text.startswith("-")


def part(
    session: Session,
    query: Select[Any],
    asked: Sorted,
    order: Order,
    *,
    among: Select[Any] | None = None,
    most: int = 0,
) -> tuple[Sequence[Any], str | None]:
    """Return the rows of the part that was asked for, and where the next one begins; None: this is the last.

    among: where no index finds what `query` wants, what it is looked for among; at most `most` of these are looked at
    for one part, which may hold fewer than were asked for, or none, though there is a next one.
    """
    name, falling = order.read(asked.sort)
    column = order.columns[name]
    ways = [each.desc() if falling else each.asc() for each in dict.fromkeys((column, order.key))]
    beyond = _beyond(asked.after, name, column, order.key, falling=falling) if asked.after else true()
    query, edge = query.where(beyond), None
    if among is not None:
        places = among.where(beyond).with_only_columns(column, order.key).order_by(*ways)
        last_ones = session.execute(places.offset(most - 1).limit(2)).all()
        edge = last_ones[0] if len(last_ones) == 2 else None
    if edge is not None:
        query = query.where(not_(_past(edge[0], edge[1], column, order.key, falling=falling)))
        query = query.where(column >= edge[0] if falling else column <= edge[0])
    rows = session.scalars(query.order_by(*ways).limit(asked.limit + 1)).all()
    if len(rows) <= asked.limit:
        return rows, None if edge is None else _cursor(name, *edge)
    last = rows[asked.limit - 1]
    return rows[: asked.limit], _cursor(name, getattr(last, column.key), getattr(last, order.key.key))


def _beyond(after: str, name: str, column: Any, key: Any, *, falling: bool) -> ColumnElement[bool]:
    value, last = _read_cursor(after, name, column, key)
    return _past(value, last, column, key, falling=falling)


def _past(value: Any, last: Any, column: Any, key: Any, *, falling: bool) -> ColumnElement[bool]:
    """Return what holds for the rows behind this place."""
    if column is key:
        beyond: ColumnElement[bool] = column < value if falling else column > value
        return beyond
    further = column < value if falling else column > value
    level = key < last if falling else key > last
    # The first condition says nothing new, but it is the one that an index can serve.
    near = column <= value if falling else column >= value
    return and_(near, or_(further, and_(column == value, level)))


def _cursor(name: str, value: Any, key: Any) -> str:
    said = json.dumps([name, _written(value), _written(key)], separators=(",", ":"))
    return base64.urlsafe_b64encode(said.encode()).decode().rstrip("=")


def _written(value: Any) -> Any:
    return (
        value.isoformat() if isinstance(value, datetime) else value if isinstance(value, int) else str(value)
    )


def _read_cursor(after: str, name: str, column: Any, key: Any) -> tuple[Any, Any]:
    try:
        said = json.loads(base64.urlsafe_b64decode(after + "=" * (-len(after) % 4)))
        sorted_by, value, last = said
        if sorted_by == name:
            return _value(value, column), _value(last, key)
    except (ValueError, TypeError, OverflowError, RecursionError):
        pass
    raise InvalidRequest({"after": [BAD_AFTER]})


def _value(given: Any, column: Any) -> Any:
    """Return what a cursor says as its column has it. Raises ValueError."""
    if isinstance(column.type, UtcDateTime):
        return moment_of(given)
    kind = column.type.python_type
    if kind is UUID:
        return UUID(given)
    if kind is int:
        if isinstance(given, bool) or not isinstance(given, int) or abs(given) >= 2**63:
            raise ValueError
        return given
    if not isinstance(given, str) or not storable(given):
        raise ValueError
    return given
