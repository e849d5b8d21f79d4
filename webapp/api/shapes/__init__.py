"""What the API shows of each thing. Every field is named here: nothing else of a row ever goes out.

Each shape is a typed dictionary, which the type checker holds the code to and the OpenAPI document is made from.
"""

import uuid
from datetime import UTC, datetime
from typing import Generic, TypeVar

from typing_extensions import TypedDict

Row = TypeVar("Row")


class Page(TypedDict, Generic[Row]):
    """A part of a list."""

    results: list[Row]
    #: The address of the next part; null: this is the last.
    next: str | None


def time(value: datetime | None) -> str | None:
    """ISO 8601, always UTC, always with microseconds: these texts sort as the times do."""
    if value is None:
        return None
    return moment(value)


def moment(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def text_id(value: uuid.UUID | None) -> str | None:
    return None if value is None else str(value)
