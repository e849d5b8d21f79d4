"""Tables: rows of values, with headers at the top and at the left, and a foot."""

from collections.abc import Iterable, Mapping
from typing import Any

from jobs.report.pieces import Piece
from jobs.report.values import value_of

#: Headers that are the numbers of the columns.
INDICES = "indices"


class Table(Piece):
    """Rows of values or pieces. flt_fmt: how numbers with a fraction are written.

    A row may be a dict; its names are the headers where none are given. Raises ValueError where headers or footers are
    more or fewer than what they stand at.
    """

    kind = "table"

    def __init__(
        self,
        data: Iterable[Any],
        column_headers: Any = INDICES,
        row_headers: Iterable[Any] | None = None,
        column_footers: Iterable[Any] | None = None,
        title: Any = None,
        flt_fmt: str = "%.2g",
        **options: Any,
    ) -> None:
        super().__init__(**options)
        rows = list(data)
        if rows and all(isinstance(row, Mapping) for row in rows):
            names = list(dict.fromkeys(name for row in rows for name in row))
            column_headers = names if isinstance(column_headers, str) else column_headers
            rows = [[row.get(name) for name in names] for row in rows]
        self.rows = [list(row) if isinstance(row, list | tuple) else [row] for row in rows]
        width = max((len(row) for row in self.rows), default=0)
        self.column_headers = _headers(column_headers, width)
        if not self.rows and self.column_headers:
            width = len(self.column_headers)
        self.row_headers = None if row_headers is None else list(row_headers)
        self.column_footers = None if column_footers is None else list(column_footers)
        self.title = title
        self.flt_fmt = flt_fmt
        self._check(width)

    def _check(self, width: int) -> None:
        # A foot, or a head, may also have a cell for the column of row headers.
        widths = (width, width + 1) if self.row_headers is not None else (width,)
        for what, given in (("column headers", self.column_headers), ("column footers", self.column_footers)):
            if given is not None and len(given) not in widths:
                raise ValueError(f"The table has {width} columns and {len(given)} {what}.")
        if self.row_headers is not None and len(self.row_headers) != len(self.rows):
            raise ValueError(f"The table has {len(self.rows)} rows and {len(self.row_headers)} row headers.")

    def facts(self) -> dict[str, Any]:
        return {
            "title": "" if self.title is None else value_of(self.title),
            "headers": self._cells(self.column_headers),
            "row_headers": self._cells(self.row_headers),
            "footers": self._cells(self.column_footers),
            "rows": [self._cells(row) for row in self.rows],
        }

    def _cells(self, row: list[Any] | None) -> list[Any] | None:
        return None if row is None else [self._cell(value) for value in row]

    def _cell(self, value: Any) -> Any:
        if isinstance(value, float) and self.flt_fmt:
            try:
                return self.flt_fmt % value
            except (TypeError, ValueError):
                return value_of(value)
        return value_of(value)


def _headers(given: Any, width: int) -> list[Any] | None:
    if given is None:
        return None
    if isinstance(given, str):
        return [str(number) for number in range(width)] if given == INDICES else [given]
    return list(given)
