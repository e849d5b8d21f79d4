"""`Report`, the list of what a run reports."""

import json
from collections.abc import Iterable
from typing import Any, SupportsIndex

from jobs.report import writing
from jobs.report.pieces import Piece, Text
from jobs.report.values import Inside


class Report(list[Any], Inside):
    """Pieces in their order. What is no piece becomes a Text; another report's pieces are taken one by one."""

    def __init__(self, *pieces: Any, title: Any = None, filename: Any = None, **_: Any) -> None:
        super().__init__()
        self.title = title
        #: What downloads are called, without an extension.
        self.filename = filename
        self.append(*pieces)

    def append(self, *pieces: Any) -> None:
        super().extend(_pieces(pieces))

    def prepend(self, *pieces: Any) -> None:
        self[:0] = _pieces(pieces)

    def insert(self, index: SupportsIndex, *pieces: Any) -> None:
        self[index:index] = _pieces(pieces)

    def extend(self, pieces: Iterable[Any]) -> None:
        self.append(*pieces)

    def as_data(self) -> dict[str, Any]:
        """Return the report as JSON has it. A piece that cannot be said so, such as one within itself, says that instead."""
        return {
            "kind": "report",
            "title": "" if self.title is None else str(self.title),
            "filename": "" if self.filename is None else str(self.filename)[:100],
            "pieces": [_data_of(piece) for piece in self],
        }

    def inside_data(self) -> Any:
        return [piece.as_data() for piece in self]

    def html(self, **_: Any) -> str:
        return writing.html(self.as_data())

    def json(self, **_: Any) -> str:
        return json.dumps(self.as_data()["pieces"], indent=2)

    def md(self, **_: Any) -> str:
        return writing.markdown(self.as_data())

    def csv(self, **_: Any) -> str:
        """Return its tables as CSV, with an empty line between them."""
        return "\n".join(map(writing.csv, writing.tables(self.as_data())))

    def xml(self, **_: Any) -> str:
        return writing.xml(self.as_data())


def report_of(value: Any) -> Report | None:
    """Return what a job returned as a report: a Report, a piece, or a list or tuple with a piece in it; else None."""
    if isinstance(value, Report):
        return value
    if isinstance(value, Piece):
        return Report(value)
    if isinstance(value, list | tuple) and any(isinstance(item, Piece | Report) for item in value):
        return Report(*value)
    return None


def _pieces(given: Iterable[Any]) -> list[Piece]:
    found: list[Piece] = []
    for piece in given:
        if isinstance(piece, Report):
            found += list(piece)
        elif isinstance(piece, list | tuple) and any(isinstance(item, Piece | Report) for item in piece):
            found += _pieces(piece)
        elif piece is not None:
            found.append(piece if isinstance(piece, Piece) else Text(piece))
    return found


def _data_of(piece: Any) -> dict[str, Any]:
    try:
        return dict(piece.as_data()) if isinstance(piece, Piece) else Text(piece).as_data()
    except RecursionError:
        return Text("(This part is nested too deeply to be shown.)").as_data()
