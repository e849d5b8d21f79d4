"""The shape of a report's data: what is kept of it, and what is cut. Both ends of the line hold a report against it.

Only what is named here is kept, so nothing else that a job's code might have put into the data goes any further.
"""

import re
from collections.abc import Callable
from json.encoder import encode_basestring_ascii
from typing import Any

from jobs.report.figures import CHARTS
from jobs.report.images import DATA_URI, LARGEST_IMAGE_BYTES
from jobs.report.pieces import COLORS, SIZES, TEXT_TAGS

MOST_BYTES = 8_000_000
MOST_PIECES = 5_000
DEEPEST = 50

#: What stands around each value in JSON, about.
_AROUND = 4

SAFE_URL = re.compile(r"(/(?![/\\])|https?://)[^\x00-\x20\x7f-\x9f\\\"'<>\ud800-\udfff]*")

TOO_LARGE = f"The report was cut: it has more than {MOST_BYTES // 1_000_000} MB."
TOO_MANY = f"The report was cut: it has more than {MOST_PIECES:,} pieces."
TOO_DEEP = f"The report was cut: its pieces are nested more than {DEEPEST} deep."
TOO_LARGE_IMAGE = (
    f"An image was left out of the report: it has more than {LARGEST_IMAGE_BYTES // 1_000_000} MB."
)


def fit(data: Any, clean: Callable[[str], str] = str) -> tuple[dict[str, Any], list[str]]:
    """Return what is kept of a report's data, and sentences on what was cut.

    clean: what each text goes through on its way.
    """
    return _Fitting(clean).report(data)


class _Fitting:
    def __init__(self, clean: Callable[[str], str]) -> None:
        self._clean = clean
        self._bytes_left = MOST_BYTES
        self._pieces_left = MOST_PIECES
        self._cut: dict[str, None] = {}

    def report(self, data: Any) -> tuple[dict[str, Any], list[str]]:
        data = data if isinstance(data, dict) else {}
        kept = {
            "kind": "report",
            "title": self._text(data.get("title"), 200),
            "filename": self._text(data.get("filename"), 100),
        }
        given = data.get("pieces")
        pieces: list[dict[str, Any]] = []
        for piece in given if isinstance(given, list) else ():
            found = self._value(piece, DEEPEST)
            if isinstance(found, dict):
                pieces.append(found)
            if self._is_full():
                break
        return {**kept, "pieces": pieces}, list(self._cut)

    def _is_full(self) -> bool:
        return self._bytes_left <= 0 or self._pieces_left < 0

    def _value(self, value: Any, depth: int) -> Any:
        self._bytes_left -= _AROUND
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, dict):
            return self._piece(value, depth)
        if isinstance(value, list):
            if depth <= 0:
                self._cut[TOO_DEEP] = None
                return "…"
            return self._values(value, depth - 1)
        return _number(value)

    def _values(self, given: Any, depth: int) -> list[Any]:
        found: list[Any] = []
        for value in given if isinstance(given, list) else ():
            if self._bytes_left <= 0:
                self._cut[TOO_LARGE] = None
                break
            found.append(self._value(value, depth))
        return found

    def _piece(self, piece: dict[str, Any], depth: int) -> Any:
        make = _KINDS.get(str(piece.get("kind")))
        if make is None:
            return None
        if depth <= 0:
            self._cut[TOO_DEEP] = None
            return "…"
        # Links stand in the cells of long tables.
        if make not in (_Fitting._object, _Fitting._file):
            self._pieces_left -= 1
            if self._pieces_left < 0:
                self._cut[TOO_MANY] = None
                return None
        self._bytes_left -= 60
        if self._bytes_left <= 0:
            self._cut[TOO_LARGE] = None
            return None
        return {"kind": piece["kind"], **make(self, piece, depth - 1), **self._looks(piece)}

    def _looks(self, piece: dict[str, Any]) -> dict[str, Any]:
        looks: dict[str, Any] = {}
        if piece.get("name"):
            looks["name"] = self._text(piece["name"], 100)
        if piece.get("size") in SIZES:
            looks["size"] = piece["size"]
        if isinstance(piece.get("color"), str) and piece["color"] in COLORS:
            looks["color"] = piece["color"]
        return looks

    # Kinds

    def _heading(self, piece: dict[str, Any], depth: int) -> dict[str, Any]:
        level = piece.get("level")
        return {"level": level if level in (1, 2, 3, 4, 5, 6) else 2, **self._holder(piece, depth)}

    def _holder(self, piece: dict[str, Any], depth: int) -> dict[str, Any]:
        return {"content": self._value(piece.get("content"), depth)}

    def _written(self, piece: dict[str, Any], _: int) -> dict[str, Any]:
        return {"content": self._text(piece.get("content"))}

    def _paragraph(self, piece: dict[str, Any], depth: int) -> dict[str, Any]:
        tag = piece.get("tag")
        return {
            **self._holder(piece, depth),
            "tag": tag if isinstance(tag, str) and tag in TEXT_TAGS else "p",
        }

    def _code(self, piece: dict[str, Any], depth: int) -> dict[str, Any]:
        lines = piece.get("hl_lines")
        marked = [line for line in lines[:1_000] if type(line) is int] if isinstance(lines, list) else []
        return {
            **self._written(piece, depth),
            "language": self._text(piece.get("language"), 40),
            "hl_lines": marked,
            "line_numbers": piece.get("line_numbers") is True,
        }

    def _data(self, piece: dict[str, Any], depth: int) -> dict[str, Any]:
        return {"content": self._plain(piece.get("content"), depth)}

    def _plain(self, value: Any, depth: int) -> Any:
        self._bytes_left -= _AROUND
        if isinstance(value, str):
            return self._text(value)
        if not isinstance(value, dict | list):
            return _number(value)
        if depth <= 0:
            self._cut[TOO_DEEP] = None
            return "…"
        kept: list[tuple[str, Any]] = []
        for key, inner in value.items() if isinstance(value, dict) else (("", item) for item in value):
            if self._bytes_left <= 0:
                self._cut[TOO_LARGE] = None
                break
            kept.append((self._text(str(key)), self._plain(inner, depth - 1)))
        return dict(kept) if isinstance(value, dict) else [inner for _, inner in kept]

    def _table(self, piece: dict[str, Any], depth: int) -> dict[str, Any]:
        title = self._value(piece.get("title") or "", depth)
        headers, footers = (
            self._values(piece[name], depth) if isinstance(piece.get(name), list) else None
            for name in ("headers", "footers")
        )
        given, at_left = piece.get("rows"), piece.get("row_headers")
        at_left = at_left if isinstance(at_left, list) else None
        rows: list[list[Any]] = []
        row_headers: list[Any] = []
        for number, row in enumerate(given if isinstance(given, list) else ()):
            if self._bytes_left <= 0 or self._pieces_left < 0:
                self._cut[TOO_LARGE if self._bytes_left <= 0 else TOO_MANY] = None
                break
            if at_left is not None:
                row_headers.append(self._value(at_left[number], depth) if number < len(at_left) else "")
            rows.append(self._values(row, depth))
        return {
            "title": title,
            "headers": headers,
            "row_headers": None if at_left is None else row_headers,
            "footers": footers,
            "rows": rows,
        }

    def _list(self, piece: dict[str, Any], depth: int) -> dict[str, Any]:
        return {"ordered": piece.get("ordered") is True, "items": self._values(piece.get("items"), depth)}

    def _image(self, piece: dict[str, Any], _: int) -> dict[str, Any]:
        width, height = (
            size if type(size := piece.get(name)) is int and 0 < size <= 4_000 else None
            for name in ("width", "height")
        )
        return {
            "source": self._source(piece.get("source")),
            "title": self._text(piece.get("title"), 500),
            "alt": self._text(piece.get("alt"), 500),
            "width": width,
            "height": height,
        }

    def _source(self, source: Any) -> str:
        if not isinstance(source, str):
            return ""
        if source.startswith("data:"):
            if len(source) > LARGEST_IMAGE_BYTES * 4 / 3 + 40:
                self._cut[TOO_LARGE_IMAGE] = None
                return ""
            if not DATA_URI.fullmatch(source) or len(source) > self._bytes_left:
                return ""
            self._bytes_left -= len(source)
            return source
        return self._address(source, 2_000)

    def _rule(self, *_: Any) -> dict[str, Any]:
        return {}

    def _edge(self, piece: dict[str, Any], depth: int) -> dict[str, Any]:
        return {side: self._value(piece.get(side), depth) for side in ("left", "center", "right")}

    def _metric(self, piece: dict[str, Any], _: int) -> dict[str, Any]:
        value = piece.get("value")
        return {
            "label": self._text(piece.get("label"), 200),
            "value": self._text(value, 200) if isinstance(value, str) else _number(value),
            "unit": self._text(piece.get("unit"), 40),
            "note": self._text(piece.get("note"), 500),
        }

    def _chart(self, piece: dict[str, Any], depth: int) -> dict[str, Any]:
        chart = piece.get("chart")
        labels = [self._text(label, 200) for label in _listed(piece.get("labels"))[:5_000]]
        return {
            "chart": chart if chart in CHARTS else CHARTS[0],
            "title": self._value(piece.get("title") or "", depth),
            "labels": labels,
            "series": [self._series(series, len(labels)) for series in _listed(piece.get("series"))[:20]],
            "unit": self._text(piece.get("unit"), 40),
        }

    def _series(self, series: Any, length: int) -> dict[str, Any]:
        series = series if isinstance(series, dict) else {}
        values = [_finite(value) for value in _listed(series.get("values"))[:length]]
        self._bytes_left -= 20 * length
        return {
            "name": self._text(series.get("name"), 200),
            "values": values + [None] * (length - len(values)),
        }

    def _object(self, piece: dict[str, Any], _: int) -> dict[str, Any]:
        return {"text": self._text(piece.get("text"), 200), "url": self._address(piece.get("url"), 255)}

    def _file(self, piece: dict[str, Any], _: int) -> dict[str, Any]:
        return {"source": self._text(piece.get("source"), 255), "text": self._text(piece.get("text"), 200)}

    # What they are made of

    def _address(self, url: Any, longest: int) -> str:
        fits = isinstance(url, str) and len(url) <= longest and SAFE_URL.fullmatch(url)
        return self._text(url, longest) if fits else ""

    def _text(self, given: Any, longest: int = MOST_BYTES) -> str:
        text = given if isinstance(given, str) else "" if given is None else str(_number(given) or "")
        text = self._clean(text[:longest])
        size = len(encode_basestring_ascii(text))
        if size > max(0, self._bytes_left):
            self._cut[TOO_LARGE] = None
            # Six bytes is the most that a character takes.
            text = text[: max(0, self._bytes_left) * len(text) // max(1, size)]
        self._bytes_left -= size
        return text


_KINDS: dict[str, Callable[[_Fitting, dict[str, Any], int], dict[str, Any]]] = {
    "heading": _Fitting._heading,
    "text": _Fitting._paragraph,
    "code": _Fitting._code,
    "data": _Fitting._data,
    "table": _Fitting._table,
    "list": _Fitting._list,
    "image": _Fitting._image,
    "blockquote": _Fitting._holder,
    "markdown": _Fitting._written,
    "html": _Fitting._written,
    "rule": _Fitting._rule,
    "header": _Fitting._edge,
    "footer": _Fitting._edge,
    "metric": _Fitting._metric,
    "chart": _Fitting._chart,
    "object": _Fitting._object,
    "file": _Fitting._file,
}


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _number(value: Any) -> Any:
    """Return a number, a yes or no, or None; what is none of these is nothing."""
    if isinstance(value, bool):
        return value
    return _finite(value)


def _finite(value: Any) -> int | float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # Beyond this the readers of JSON disagree.
    return value if value == value and abs(value) < (2**63 if isinstance(value, int) else 1e308) else None
