"""What a run has to show, as data: pieces, nested at will."""

from collections.abc import Mapping
from typing import Any, ClassVar


class Piece:
    """A part of a report."""

    kind: ClassVar[str] = ""

    def __init__(self, *content: Any, **options: Any) -> None:
        self.content = content
        self.options: dict[str, Any] = {
            name: options[name] for name in ("size", "color", "style", "name") if name in options
        }

    def as_data(self) -> dict[str, Any]:
        return {"kind": self.kind, "content": [_data(each) for each in self.content], **self.options}


def _data(value: Any) -> Any:
    if isinstance(value, Piece):
        return value.as_data()
    if isinstance(value, list | tuple | set):
        return [_data(each) for each in value]
    if isinstance(value, Mapping):
        return {str(name): _data(each) for name, each in value.items()}
    return value


def _kind(name: str, base: type[Piece] = Piece) -> type[Piece]:
    return type(name, (base,), {"kind": name.lower(), "__module__": __name__})


class Title(Piece):
    kind = "title"


class Section(Title):
    kind = "section"


class Subsection(Title):
    kind = "subsection"


class Subsubsection(Title):
    kind = "subsubsection"


class Subsubsubsection(Title):
    kind = "subsubsubsection"


Text, Code, Data, Table, List = map(_kind, ("Text", "Code", "Data", "Table", "List"))
Image, Blockquote, Rule, Header, Footer = map(_kind, ("Image", "Blockquote", "Rule", "Header", "Footer"))
Chart, Metric, Markdown, ObjectLink, File, Html = map(
    _kind, ("Chart", "Metric", "Markdown", "ObjectLink", "File", "Html")
)


class Report(list[Any]):
    """Pieces in their order; what is none becomes a Text."""

    def __init__(self, *pieces: Any, **_: Any) -> None:
        super().__init__(each if isinstance(each, Piece) else Text(each) for each in pieces)

    def as_data(self) -> list[dict[str, Any]]:
        return [each.as_data() for each in self]


def report_of(value: Any) -> Report | None:
    """Return what `run` returned as a report; None: it is none."""
    if isinstance(value, Report):
        return value
    if isinstance(value, Piece):
        return Report(value)
    if isinstance(value, list | tuple) and any(isinstance(each, Piece) for each in value):
        return Report(*value)
    return None
