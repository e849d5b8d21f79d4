"""The forms of a page, as a browser would send them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser

#: Of a field that says nothing of itself.
FILLED = "x"


@dataclass(slots=True)
class PageForm:
    """A form that is posted: where to, and what is in it."""

    action: str
    #: {name: value}: as the page has it; something where it is empty.
    fields: dict[str, str] = field(default_factory=dict)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[PageForm] = []
        self._form: PageForm | None = None
        #: The list, or the long text, that is being read.
        self._within = ""

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._form = PageForm(given.get("action", ""))
            if given.get("method", "").lower() == "post":
                self.forms.append(self._form)
            return
        form = self._form
        if form is None:
            return
        name = given.get("name", "")
        if tag in ("select", "textarea") and name:
            self._within = name
            form.fields.setdefault(name, FILLED if tag == "textarea" else "")
        elif tag == "option" and self._within:
            if "selected" in given or not form.fields[self._within]:
                form.fields[self._within] = given.get("value", "")
        elif tag in ("input", "button") and name:
            chosen = given.get("type") in ("checkbox", "radio")
            if not chosen or "checked" in given or name not in form.fields:
                form.fields[name] = given.get("value") or ("true" if chosen else FILLED)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag in ("select", "textarea"):
            self._within = ""

    def handle_data(self, data: str) -> None:
        form = self._form
        if form is not None and form.fields.get(self._within) == FILLED and data.strip():
            form.fields[self._within] = data


def posted_forms(page: str) -> list[PageForm]:
    reader = _Reader()
    reader.feed(page)
    return reader.forms
