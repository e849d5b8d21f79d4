"""The order of a table's rows: numbers by their size, texts as people sort them, what is empty last."""

import re
from typing import Any

from jobs.report.writing import plain_text

_NUMBER = re.compile(
    r"\s*+([-+]?\d[\d,' ]*+(?:\.\d+)?(?:e[-+]?\d+)?)\s*+(?:%|[a-zA-Z]{0,3})?\s*+", re.IGNORECASE
)
_DIGITS = re.compile(r"(\d{1,18})")


def sorted_rows(rows: list[list[Any]], sort: int) -> list[list[Any]]:
    """Return the rows by a column, the first is 1; -1: by the first, the greatest at the top; 0: as they are."""
    if not sort:
        return rows
    column = abs(sort) - 1
    filled = [row for row in rows if column < len(row) and row[column] not in (None, "")]
    empty = [row for row in rows if column >= len(row) or row[column] in (None, "")]
    return sorted(filled, key=lambda row: _key(row[column]), reverse=sort < 0) + empty


def _key(value: Any) -> tuple[Any, ...]:
    if isinstance(value, int | float):
        return (0, float(value))
    text = plain_text(value).strip()
    found = _NUMBER.fullmatch(text) if len(text) < 40 else None
    if found is not None:
        try:
            return (0, float(re.sub("[,' ]", "", found[1])))
        except ValueError:
            pass
    # port-10 comes after port-9.
    parts = _DIGITS.split(text.casefold()[:200])
    return (1, [(0, int(part), "") if place % 2 else (1, 0, part) for place, part in enumerate(parts)])
