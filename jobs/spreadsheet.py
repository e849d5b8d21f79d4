"""CSV that a spreadsheet may open: no cell of it is a formula."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

#: What makes a spreadsheet take the rest of a cell for a formula, the last four in full width.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def csv_rows(rows: Iterable[Sequence[Any]]) -> str:
    """Return rows of CSV. A text that could be taken for a formula gets an apostrophe in front."""
    text = io.StringIO()
    csv.writer(text).writerows([_harmless(cell) for cell in row] for row in rows)
    return text.getvalue()


def _harmless(cell: Any) -> Any:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA_STARTS) else cell
