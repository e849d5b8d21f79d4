"""The one place that makes HTML from what jobs, users and objects wrote.

Markdown is rendered first and sanitized last, on the final HTML, by a list of what is allowed. bleach, which our
customer named, is no longer maintained since June 2026; nh3 can take its place behind `sanitize`.
"""

import json
import re
import threading
from html import escape
from typing import Any

import bleach
import markdown
from bleach.html5lib_shim import Filter  # type: ignore[attr-defined]
from json2html import Json2Html

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
ALLOWED_SCHEMES = frozenset({"http", "https", "mailto"})

#: Markdown takes quadratic time on these, measured at 15 s for 8,000 brackets; beyond, text is shown as it is.
MOST_MARKDOWN_CHARACTERS = 16_384
MOST_BRACKETS = 200

#: A value nested deeper, or with more members, is cut for display; the API still has all of it.
DEEPEST_JSON = 50
MOST_JSON_ITEMS = 1_000

#: Characters that databases refuse or that could disguise a text: NUL, other controls, surrogates, direction marks.
_REPLACED = {
    code: "\N{REPLACEMENT CHARACTER}"
    for code in [*range(0x20), 0x7F, *range(0x80, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
    if chr(code) not in "\t\n\r"
}

_local = threading.local()


def clean_text(text: str) -> str:
    """Replace what no database or reader should get: NUL, control and direction characters, lone surrogates."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").translate(_REPLACED)
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def clean_json(value: Any) -> Any:
    """Return a JSON value with every text in it cleaned."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, list):
        return [clean_json(item) for item in value]
    if isinstance(value, dict):
        return {clean_text(str(key)): clean_json(item) for key, item in value.items()}
    return value


def render(text: str) -> str:
    """Turn markdown into sanitized HTML; what markdown would choke on becomes plain escaped text."""
    text = clean_text(text)
    if _too_costly(text):
        return f"<pre>{escape(text)}</pre>"
    converter = _converter()
    converter.reset()
    return sanitize(converter.convert(text))


def verbatim(text: str) -> str:
    """Show text that is no markdown, such as a program's output, as it is."""
    text = clean_text(text)
    return f"<pre>{escape(text)}</pre>"


def sanitize(html: str) -> str:
    """Return `html` with nothing in it but what is allowed; the rest is escaped, so that it can be seen."""
    return str(_cleaner().clean(html))


def json_table(value: Any) -> str:
    """Show a JSON value as nested tables, sanitized."""
    # json2html inserts objects of unknown classes unescaped: it only ever gets what came through JSON.
    plain = json.loads(json.dumps(value, default=str))
    table = Json2Html().convert(
        json=_trimmed(plain, DEEPEST_JSON), table_attributes="", escape=True, clubbing=True
    )
    return sanitize(table)


def warm_up() -> None:
    """Load what rendering needs, before a process forks: afterwards every child would have to."""
    render("*warm* `up`\n\n|a|\n|-|\n|b|")
    json_table({})


def _too_costly(text: str) -> bool:
    return (
        len(text) > MOST_MARKDOWN_CHARACTERS
        or text.count("[") > MOST_BRACKETS
        or text.count("](") > MOST_BRACKETS
        or text.count("`") > MOST_BRACKETS * 5
    )


def _converter() -> markdown.Markdown:
    # Building one costs more than rendering a line; they are not safe to share between threads.
    converter: markdown.Markdown | None = getattr(_local, "converter", None)
    if converter is None:
        converter = markdown.Markdown(
            extensions=["fenced_code", "tables", "sane_lists", "nl2br"], output_format="html"
        )
        # Raw HTML is text here, not markup: the author sees what was typed.
        converter.preprocessors.deregister("html_block")
        converter.inlinePatterns.deregister("html")
        _local.converter = converter
    return converter


def _cleaner() -> bleach.Cleaner:
    cleaner: bleach.Cleaner | None = getattr(_local, "cleaner", None)
    if cleaner is None:
        cleaner = _local.cleaner = bleach.Cleaner(
            tags=ALLOWED_TAGS,
            attributes=ALLOWED_ATTRIBUTES,
            protocols=ALLOWED_SCHEMES,
            strip_comments=True,
            filters=[_SafeLinks],
        )
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


def _trimmed(value: Any, depth: int) -> Any:
    if isinstance(value, dict):
        if depth == 0:
            return "…"
        members = list(value.items())
        shown = {key: _trimmed(member, depth - 1) for key, member in members[:MOST_JSON_ITEMS]}
        return shown | _rest(len(members))
    if isinstance(value, list):
        if depth == 0:
            return "…"
        items = [_trimmed(item, depth - 1) for item in value[:MOST_JSON_ITEMS]]
        return items + ([f"… {len(value) - MOST_JSON_ITEMS} more"] if len(value) > MOST_JSON_ITEMS else [])
    return value


def _rest(count: int) -> dict[str, str]:
    return {"…": f"{count - MOST_JSON_ITEMS} more"} if count > MOST_JSON_ITEMS else {}
