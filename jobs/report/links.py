"""Pieces that lead elsewhere: to the page of an object, to a file that the run made."""

from typing import Any

from jobs.report.pieces import Piece


class ObjectLink(Piece):
    """A link to an object's page, as entries of the log have it. text: what it says; by default the object's own text."""

    kind = "object"

    def __init__(self, obj: Any, text: Any = None, **options: Any) -> None:
        super().__init__(**options)
        self.obj, self.text = obj, text

    def facts(self) -> dict[str, Any]:
        text = str(self.obj if self.text is None else self.text)
        return {"text": text[:200], "url": _address(self.obj)}


class File(Piece):
    """A file that the run made, by the name that `create_file` was given, or by the address that it returned."""

    kind = "file"

    def __init__(self, name_or_url: Any, text: Any = None, **options: Any) -> None:
        super().__init__(**options)
        self.source, self.text = str(name_or_url), text

    def facts(self) -> dict[str, Any]:
        return {"source": self.source[:255], "text": "" if self.text is None else str(self.text)[:200]}


def _address(obj: Any) -> str:
    """Return the object's page; whether it is safe to link is looked at where it is kept."""
    try:
        return str(obj.get_absolute_url())[:255]
    except Exception:  # The object has none, or its own code broke: the text is shown without a link.
        return ""
