"""The pieces of a report that are words. Each takes what the report objects of Bots Scheduler take."""

from typing import Any, ClassVar

from jobs.report.values import Inside, plain, value_of

HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")

#: What a text may be called in HTML; anything else is a paragraph.
TEXT_TAGS = (
    "p",
    "div",
    "span",
    "b",
    "strong",
    "i",
    "em",
    "u",
    "s",
    "small",
    "sub",
    "sup",
    "code",
    "pre",
    *HEADINGS,
)

#: Colours by what they mean: a page has a light and a dark look, and both must be readable.
COLORS = {
    "bad": ("red", "darkred", "crimson", "firebrick", "#f00", "#ff0000"),
    "warn": ("orange", "darkorange", "yellow", "gold", "amber", "#ffa500", "#ff8c00"),
    "ok": ("green", "darkgreen", "lime", "limegreen", "forestgreen", "#0f0", "#00ff00", "#008000"),
    "info": ("blue", "navy", "darkblue", "steelblue", "dodgerblue", "#00f", "#0000ff"),
    "dim": ("gray", "grey", "lightgray", "lightgrey", "silver", "darkgray", "darkgrey", "#808080"),
}
SIZES = ("small", "large", "larger")


class Piece(Inside):
    """A part of a report.

    Every piece takes `name`, `size` (pixels, or small, large, larger) and `color` (a common name, or ok, warn, bad,
    info, dim); `style` and whatever else is given changes nothing.
    """

    kind: ClassVar[str] = ""

    def __init__(self, *, name: Any = None, size: Any = None, color: Any = None, **_: Any) -> None:
        self.name = name
        self.size = size
        self.color = color

    def as_data(self) -> dict[str, Any]:
        """Return the piece as JSON has it: its kind, and what it holds."""
        looks = {
            "name": "" if self.name is None else str(self.name)[:100],
            "size": _size(self.size),
            "color": _color(self.color),
        }
        return {"kind": self.kind, **self.facts(), **{key: look for key, look in looks.items() if look}}

    def facts(self) -> dict[str, Any]:
        return {}

    def inside_data(self) -> Any:
        return self.as_data()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class _Holder(Piece):
    """A piece around one value."""

    def __init__(self, content: Any = "", **options: Any) -> None:
        super().__init__(**options)
        self.content = content

    def facts(self) -> dict[str, Any]:
        return {"content": value_of(self.content)}

    def __str__(self) -> str:
        return str(self.content)


class Title(_Holder):
    """A heading. Raises ValueError for a tag other than h1 to h6."""

    kind = "heading"
    _tag: ClassVar[str] = "h1"

    def __init__(self, title: Any = "", tag: str = "", **options: Any) -> None:
        super().__init__(title, **options)
        self.tag = str(tag or self._tag).lower()
        if self.tag not in HEADINGS:
            raise ValueError(f"The tag of a title is one of {', '.join(HEADINGS)}, not {tag!r}.")

    def facts(self) -> dict[str, Any]:
        return {"level": int(self.tag[1]), **super().facts()}


class Section(Title):
    """A heading of the second level, h2."""

    _tag = "h2"


class Subsection(Title):
    """A heading of the third level, h3."""

    _tag = "h3"


class Subsubsection(Title):
    """A heading of the fourth level, h4."""

    _tag = "h4"


class Subsubsubsection(Title):
    """A heading of the fifth level, h5."""

    _tag = "h5"


class Text(_Holder):
    """A paragraph, or what else `tag` says."""

    kind = "text"

    def __init__(self, content: Any = "", tag: str = "p", **options: Any) -> None:
        super().__init__(content, **options)
        self.tag = tag if tag in TEXT_TAGS else "p"

    def facts(self) -> dict[str, Any]:
        return {**super().facts(), "tag": self.tag}


class Blockquote(_Holder):
    """Somebody else's words."""

    kind = "blockquote"


class Markdown(_Holder):
    """Text that is markdown, as in entries of the log."""

    kind = "markdown"

    def facts(self) -> dict[str, Any]:
        return {"content": str(self.content)}


class Html(_Holder):
    """What a job has as HTML already; shown with what is allowed in it, and nothing else."""

    kind = "html"

    def facts(self) -> dict[str, Any]:
        return {"content": str(self.content)}


class Code(_Holder):
    """A program's text. hl_lines: numbers of lines, or a text of them, that are marked; the first is 1."""

    kind = "code"

    def __init__(
        self,
        code: Any = "",
        language: str | None = None,
        hl_lines: Any = None,
        line_numbers: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(code, **options)
        self.language = language
        self.hl_lines = hl_lines
        self.line_numbers = bool(line_numbers)

    def facts(self) -> dict[str, Any]:
        return {
            "content": str(self.content),
            "language": str(self.language or "")[:40],
            "hl_lines": _numbers(self.hl_lines),
            "line_numbers": self.line_numbers,
        }


class Data(_Holder):
    """Named values within each other. Raises ValueError for anything but a dict, a list, a set or a tuple."""

    kind = "data"

    def __init__(self, data: Any, **options: Any) -> None:
        if not isinstance(data, dict | list | set | frozenset | tuple):
            raise ValueError(f"Data takes a dict, a list, a set or a tuple, not {type(data).__name__}.")
        super().__init__(data, **options)

    def facts(self) -> dict[str, Any]:
        return {"content": plain(self.content)}


class List(Piece):
    """Items, each a value or a piece; a lone list is the list of items."""

    kind = "list"

    def __init__(self, *items: Any, ordered: bool = False, **options: Any) -> None:
        super().__init__(**options)
        alone = items[0] if len(items) == 1 else None
        self.items = list(alone) if isinstance(alone, list | tuple | set | frozenset) else list(items)
        self.ordered = bool(ordered)

    def facts(self) -> dict[str, Any]:
        return {"ordered": self.ordered, "items": [value_of(item) for item in self.items]}


class Rule(Piece):
    """A line across."""

    kind = "rule"


class _Edge(Piece):
    def __init__(self, left: Any = None, center: Any = None, right: Any = None, **options: Any) -> None:
        super().__init__(**options)
        self.left, self.center, self.right = left, center, right

    def facts(self) -> dict[str, Any]:
        return {"left": value_of(self.left), "center": value_of(self.center), "right": value_of(self.right)}


class Header(_Edge):
    """What stands above the whole report."""

    kind = "header"


class Footer(_Edge):
    """What stands below it."""

    kind = "footer"


def _size(size: Any) -> str:
    if size in SIZES:
        return str(size)
    try:
        pixels = float(str(size).removesuffix("px"))
    except ValueError:
        return ""
    return "small" if pixels < 13 else "" if pixels < 18 else "large" if pixels < 26 else "larger"


def _color(color: Any) -> str:
    wanted = str(color or "").strip().lower()
    return next((meant for meant, names in COLORS.items() if wanted == meant or wanted in names), "")


def _numbers(lines: Any) -> list[int]:
    """Return line numbers, however they were written: 3, [1, 3], "1 3", "1,3", "2-5"."""
    found: list[int] = []
    for part in (
        [lines] if isinstance(lines, int) else str(lines or "").strip("[]()").replace(",", " ").split()
    ):
        first, _, last = str(part).partition("-")
        if first.isdecimal() and (last or first).isdecimal() and len(first + last) < 15:
            found += range(int(first), min(int(last or first), int(first) + 1_000) + 1)
    return sorted(set(found))[:1_000]
