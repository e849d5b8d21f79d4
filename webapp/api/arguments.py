"""The query string: known names, each given once, of the right type."""

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

from flask import request

from webapp.api.errors import InvalidRequest

#: No sequence number and no page is larger; the databases' integers are.
LARGEST_NUMBER = 2**31 - 1


def check_names(known: Collection[str], repeated: Collection[str] = ()) -> None:
    """Refuse a misspelt filter instead of answering as if it had not been there.

    repeated: those of `known` that may come several times.
    """
    errors = {}
    for name, values in request.args.lists():
        if name not in known:
            errors[name] = [f"There is no such parameter; there are {', '.join(sorted(known))}."]
        elif len(values) > 1 and name not in repeated:
            errors[name] = ["Give this once."]
        elif not all(map(storable, values)):
            errors[name] = ["This holds a character that cannot be stored."]
    if errors:
        raise InvalidRequest(errors)


def storable(text: str) -> bool:
    """Tell whether both databases can hold this text: no NUL, no half of a surrogate pair."""
    return "\x00" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def text(name: str) -> str:
    return request.args.get(name, "")


def whole_number(given: Any, *, least: int = 0) -> int:
    """Return a number as a query string has it. Raises ValueError with a sentence."""
    text = str(given)
    # isdecimal alone would let digits of every script through.
    if text.isascii() and text.isdecimal() and len(text) <= 10 and least <= int(text) <= LARGEST_NUMBER:
        return int(text)
    raise ValueError(f"Give a whole number from {least} to {LARGEST_NUMBER}.")


def number(name: str, default: int, *, least: int = 0) -> int:
    given = request.args.get(name)
    if given is None:
        return default
    try:
        return whole_number(given, least=least)
    except ValueError as error:
        raise InvalidRequest({name: [str(error)]}) from None


def page_size(default: int, most: int) -> int:
    """Return the `limit`; a larger one than `most` gets pages of `most`."""
    return min(number("limit", default, least=1), most)


def choices(name: str, allowed: Collection[str]) -> list[str]:
    given = request.args.getlist(name)
    if unknown := [value for value in given if value not in allowed]:
        sentence = f"There is no {unknown[0]!r}; there are {', '.join(allowed)}."
        raise InvalidRequest({name: [sentence]})
    return given


def moment_of(given: Any) -> datetime:
    """Return a time as a query string has it. Raises ValueError with a sentence."""
    try:
        value = datetime.fromisoformat(given)
        if value.tzinfo is not None:
            return value.astimezone(UTC)
    except (ValueError, OverflowError, TypeError):
        pass
    raise ValueError("Give a time with its zone, like 2026-01-31T09:30:00Z.")
