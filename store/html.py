"""The one place that makes HTML from what jobs, users and objects wrote.

Markdown is rendered first and sanitized last, on the final HTML, by a list of what is allowed. bleach, which our
customer named, is no longer maintained since June 2026; nh3 can take its place behind `sanitize`.
"""

import json
import re
import threading
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache
from html import escape
from typing import Any

import bleach
from bleach.html5lib_shim import Filter  # type: ignore[attr-defined]
from json2html import Json2Html

from store.colours import Span, classes
from store.markdown_converter import convert
from store.markdown_cost import too_costly
from store.plain_line import paragraph
from store.recent_texts import RecentTexts
from store.text import entry_text

ALLOWED_TAGS = frozenset(
    [
        "a",
        "abbr",
        "b",
        "blockquote",
        "br",
        "code",
        "dd",
        "del",
        "div",
        "dl",
        "dt",
        "em",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "hr",
        "i",
        "kbd",
        "li",
        "ol",
        "p",
        "pre",
        "s",
        "samp",
        "span",
        "strong",
        "sub",
        "sup",
        "table",
        "tbody",
        "td",
        "th",
        "thead",
        "tr",
        "ul",
        "var",
    ]
)
ALLOWED_ATTRIBUTES = {
    "a": ["href", "title", "rel"],
    "abbr": ["title"],
    "td": ["align", "colspan", "rowspan"],
    "th": ["align", "colspan", "rowspan"],
    "ol": ["start"],
}
#: What scripts and styles find elements by.
MARKS = ["class", "id"]
ALLOWED_SCHEMES = frozenset({"http", "https", "mailto"})

#: A value nested deeper, of more members or of longer texts, is cut for display: a page takes half a second for as
#: much as this. The API still has all of it.
DEEPEST_JSON = 50
MOST_JSON_ITEMS = 2_000
MOST_JSON_CHARACTERS = 100_000

#: Elements around a form lie within each other no deeper. Those that HTML lets end by themselves do not count.
DEEPEST_HTML = 50
_ELEMENT = re.compile(r"<(/?)([a-z][^\s/>]*)")
_NOT_COUNTED = frozenset(
    ["br", "dd", "dt", "hr", "img", "input", "li", "p", "tbody", "td", "th", "thead", "tr"]
)

#: The tags of colours, and of nothing else that takes up room.
_SPAN = r'</?span(?: class="[a-z -]*+")?+>'
_COLOURS = re.compile(f"({_SPAN})")

#: A whole tag other than these: its attributes may hold anything within their quotes, `>` too.
_TAG = re.compile(rf"""((?!{_SPAN})<(?:[^<>"']++|"[^"]*+"|'[^']*+')*+>)""")

#: What markdown has around code, in a text with colours.
_FENCE = re.compile(r"^```\w*+(?=\n|</span>|\Z)\n?", re.MULTILINE)

#: How characters may stand in sanitized text that markup has a use for.
_WRITTEN = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "(?:>|&gt;)",
    '"': r'(?:"|&quot;|&\#34;)',
    "'": r"(?:'|&\#39;|&\#x27;)",
    "\N{NO-BREAK SPACE}": "(?:\N{NO-BREAK SPACE}|&nbsp;)",
}

#: Rich lines that come again, such as a table's head or `**ok**`, are looked up.
_recent = RecentTexts(most_bytes=1_000_000, longest=1_000)
_local = threading.local()


class TooDeep(Exception):
    """Elements within elements beyond what a page needs: a sentence."""


#: A link to a page of the portal, in HTML that was sanitized: there each `<` in a text is escaped.
_OWN_LINK = re.compile(r'(<a [^<>]*?\bhref=")/(?!/)')


def render(text: str) -> str:
    """Turn markdown into sanitized HTML; what markdown would choke on is shown as it was written."""
    html = paragraph(text)
    if html is not None:
        return html
    text = entry_text(text)
    html = paragraph(text)  # Without its colours it may be plain.
    if html is None:
        html = _recent.get(text)
    if html is None:
        html = _render_markdown(text)
        _recent.keep(text, html)
    return html


def verbatim(text: str) -> str:
    """Turn text that is no markdown, such as a program's output, into HTML that shows its blanks and newlines."""
    text = entry_text(text).rstrip()
    return _as_written(text, escape(text, quote=False))


def entry_html(text: str, spans: Sequence[Span], *, markdown: bool) -> str:
    """Turn what `colours.read` gave of an entry into HTML. With colours it is no markdown: those begin and end anywhere."""
    if not spans:
        return render(text) if markdown else verbatim(text)
    text = text.rstrip()
    html = "".join(_in_colours(text, spans))
    return _as_written(text, _FENCE.sub("", html) if markdown else html)


def sanitize(html: str) -> str:
    """Return `html` with nothing in it but what is allowed; the rest is escaped, so that it can be seen."""
    return str(_cleaner().clean(html))


def sanitize_around_form(html: str, *, marks: bool) -> str:
    """Return the HTML of a form template with nothing in it but what is allowed. Raises TooDeep.

    marks: keep class and id, for a script or style that may be used, too.
    """
    if _depth(html) > DEEPEST_HTML:
        # To parse it takes time that grows with the depth.
        raise TooDeep(f"its HTML has elements within each other more than {DEEPEST_HTML} deep.")
    return str(_cleaner(marks=marks).clean(html))


def json_table(value: Any) -> str:
    """Show a JSON value as nested tables, sanitized."""
    # json2html inserts objects of unknown classes unescaped: it only ever gets what came through JSON.
    plain = json.loads(json.dumps(value, default=str))
    table = Json2Html().convert(json=_Trimmer().trim(plain), table_attributes="", escape=True, clubbing=True)
    return sanitize(table)


def links_below(html: str, portal: str) -> str:
    """Have links to pages of the portal, in sanitized HTML, begin with its address, or with its prefix."""
    return _OWN_LINK.sub(lambda found: f"{found[1]}{escape(portal)}/", html)


def marked(html: str, find: str) -> str:
    """Return sanitized `html` with each `find` in its text within <mark>, whether written large or small.

    Only what stands between tags is looked at, and there a character reference counts as the character it is. A hit
    may begin in one colour and end in another.
    """
    if not find:
        return html
    pattern = _finding(find)
    parts = _TAG.split(html)
    parts[::2] = [pattern.sub(_mark, part) if part else part for part in parts[::2]]
    return "".join(parts)


def warm_up() -> None:
    """Load what rendering needs, before a process forks: afterwards every child would have to."""
    _render_markdown("*warm* `up`\n\n|a|\n|-|\n|b|")
    json_table({})


def text_length(html: str) -> int:
    """Return how long the HTML of an entry is without its colours."""
    return len(html) if "<span" not in html else len(_COLOURS.sub("", html))


def _as_written(text: str, html: str) -> str:
    """Put the HTML of a text into a block in which its blanks and newlines are seen, if it has any to see."""
    if not text:
        return ""
    if not (text[0] == " " or "  " in text or "\n" in text or "\t" in text):
        return f"<p>{html}</p>"
    # HTML drops a newline that follows <pre> at once.
    return f"<pre><span></span>{html}</pre>" if html.startswith("\n") else f"<pre>{html}</pre>"


def _in_colours(text: str, spans: Sequence[Span]) -> Iterator[str]:
    place = 0
    for span in spans:
        start, end = max(place, span.start), min(span.end, len(text))
        if start < end:
            yield escape(text[place:start], quote=False)
            yield f'<span class="{classes(span.style)}">{escape(text[start:end], quote=False)}</span>'
            place = end
    yield escape(text[place:], quote=False)


@lru_cache(maxsize=100)
def _finding(find: str) -> re.Pattern[str]:
    characters = [_WRITTEN.get(character) or re.escape(character) for character in find]
    wanted = f"(?:{_SPAN})*+".join(characters)
    # Any other reference is stepped over whole, and a colour: nobody reads the letters of `&lt;`.
    return re.compile(rf"({wanted})|&[^;&\s]{{1,32}};|{_SPAN}", re.IGNORECASE)


def _mark(found: re.Match[str]) -> str:
    if found[1] is None:
        return found[0]
    parts = _COLOURS.split(found[0])
    parts[::2] = [f"<mark>{part}</mark>" if part else part for part in parts[::2]]
    return "".join(parts)


def _render_markdown(text: str) -> str:
    if too_costly(text):
        return verbatim(text)
    try:
        # What markdown makes nothing of, such as the address of a link alone, is shown all the same.
        return sanitize(convert(text)) or verbatim(text)
    except Exception:
        # Deep nesting ends in a RecursionError; and no text may end a run because a library trips over it.
        return verbatim(text)


def _depth(html: str) -> int:
    """Return how deep elements may lie within each other; an end tag ends none of another name."""
    opened: Counter[str] = Counter()
    deepest = 0
    for slash, name in _ELEMENT.findall(html.lower()):
        if name in _NOT_COUNTED:
            continue
        if not slash:
            opened[name] += 1
            deepest = max(deepest, opened.total())
        elif opened[name]:
            opened[name] -= 1
            if not opened[name]:
                del opened[name]
        if deepest > DEEPEST_HTML:
            break
    return deepest


def _cleaner(*, marks: bool = False) -> bleach.Cleaner:
    name = "marking_cleaner" if marks else "cleaner"
    cleaner: bleach.Cleaner | None = getattr(_local, name, None)
    if cleaner is None:
        cleaner = bleach.Cleaner(
            tags=ALLOWED_TAGS,
            attributes={**ALLOWED_ATTRIBUTES, "*": MARKS} if marks else ALLOWED_ATTRIBUTES,
            protocols=ALLOWED_SCHEMES,
            strip_comments=True,
            filters=[_SafeLinks],
        )
        setattr(_local, name, cleaner)
    return cleaner


class _SafeLinks(Filter):  # type: ignore[misc]
    """Links get `rel="noopener nofollow"`: what a job links to learns nothing and gains nothing."""

    def __iter__(self) -> Any:
        for token in super().__iter__():
            if token["type"] in ("StartTag", "EmptyTag") and token["name"] == "a":
                token["data"][(None, "rel")] = "noopener nofollow"
                # bleach takes `javascript:123` for a host and its port: look again, and more strictly.
                if not _may_link_to(token["data"].get((None, "href"), "")):
                    del token["data"][(None, "href")]
            yield token


def _may_link_to(address: str) -> bool:
    """Tell whether the address has an allowed scheme, or none that anybody could see in it."""
    scheme, colon, _ = re.split(r"[/?#]", address, maxsplit=1)[0].partition(":")
    return not colon or scheme.lower() in ALLOWED_SCHEMES


class _Trimmer:
    """Cuts a JSON value to what a page can show: as deep, as wide and as long, and not too much of it in all."""

    def __init__(self) -> None:
        self._items_left = MOST_JSON_ITEMS
        self._characters_left = MOST_JSON_CHARACTERS

    def trim(self, value: Any, depth: int = DEEPEST_JSON) -> Any:
        if isinstance(value, str):
            return self._text(value)
        if not isinstance(value, dict | list):
            return value
        if depth == 0 and value:
            return "…"
        if isinstance(value, list):
            items = [self.trim(item, depth - 1) for item in self._some(value)]
            return items + ([f"… {len(value) - len(items)} more"] if len(items) < len(value) else [])
        members = {self._text(name): self.trim(value[name], depth - 1) for name in self._some(value)}
        return members | ({"…": f"{len(value) - len(members)} more"} if len(members) < len(value) else {})

    def _some(self, values: Collection[Any]) -> Iterator[Any]:
        """Yield values for as long as there is room for one more."""
        for value in values:
            if self._items_left <= 0:
                return
            self._items_left -= 1
            yield value

    def _text(self, text: str) -> str:
        shown = text[: max(0, self._characters_left)]
        self._characters_left -= len(shown)
        return shown if len(shown) == len(text) else f"{shown}… ({len(text) - len(shown)} more characters)"
