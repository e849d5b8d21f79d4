"""Single values on their way in: text, numbers and lists as browsers and JSON give them, or a sentence why not."""

import re
from decimal import Decimal, InvalidOperation
from typing import Any

from jobs.errors import InvalidValue

#: Seconds a job's regular expression may take on one value.
REGEX_SECONDS = 0.5

#: Longest text that is shown inside a message.
LONGEST_SHOWN = 80

_SURROGATE = re.compile("[\ud800-\udfff]")

NOT_AN_INTEGER = "Enter a whole number."
MOST_BITS = 64

NOT_A_NUMBER = "Enter a number."
MOST_DIGITS = 100


def text_of(raw: Any) -> str:
    if isinstance(raw, bool) or not isinstance(raw, str | int | float):
        raise InvalidValue("Enter text.")
    text = str(raw)
    if "\x00" in text:
        raise InvalidValue("Null characters are not allowed.")
    if not text.isascii() and _SURROGATE.search(text):
        raise InvalidValue("This text has characters that are not valid Unicode.")
    return text


def integer_of(raw: Any) -> int:
    if isinstance(raw, bool) or not isinstance(raw, str | int | float):
        raise InvalidValue(NOT_AN_INTEGER)
    if isinstance(raw, float) and not raw.is_integer():
        raise InvalidValue(NOT_AN_INTEGER)
    try:
        # Python itself refuses texts of thousands of digits with a ValueError.
        number = int(raw)
    except ValueError as error:
        raise InvalidValue(NOT_AN_INTEGER) from error
    if number.bit_length() > MOST_BITS:
        raise InvalidValue(f"Enter a whole number with at most {MOST_BITS} bits.")
    return number


def decimal_of(raw: Any) -> Decimal:
    if isinstance(raw, bool) or not isinstance(raw, str | int | float | Decimal):
        raise InvalidValue(NOT_A_NUMBER)
    try:
        number = Decimal(str(raw).strip())
    except (InvalidOperation, ValueError) as error:
        raise InvalidValue(NOT_A_NUMBER) from error
    if not number.is_finite():
        raise InvalidValue(NOT_A_NUMBER)
    # Written out in full, "1e999999999" would fill the memory.
    if max(abs(number.adjusted()), -int(number.as_tuple().exponent)) > MOST_DIGITS:
        raise InvalidValue(f"Enter a number with at most {MOST_DIGITS} digits.")
    return number


def list_of(raw: Any) -> list[Any]:
    if raw is None or raw == "":
        return []
    if not isinstance(raw, list | tuple):
        raise InvalidValue("Enter a list of values.")
    return [value for value in raw if value not in (None, "")]


def matches(pattern: str, text: str) -> bool:
    # A pattern that takes exponential time must not stall the web: this engine can be stopped. Imported here,
    # because only those who check inputs need its memory.
    import regex as timed_regex

    try:
        return timed_regex.search(pattern, text, timeout=REGEX_SECONDS) is not None
    except TimeoutError as error:
        raise InvalidValue(f"This value could not be checked in time against the regex: {pattern}") from error


def characters(count: int) -> str:
    return "1 character" if count == 1 else f"{count} characters"


def is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def shortened(text: str) -> str:
    return text if len(text) <= LONGEST_SHOWN else text[: LONGEST_SHOWN - 1] + "…"
