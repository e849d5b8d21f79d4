"""HTML as a browser reads it: what in it acts, and its skeleton, which no text may change."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from bleach._vendor import html5lib

from store.html import ALLOWED_ATTRIBUTES, ALLOWED_TAGS

#: Not the product's own list: whoever adds one there has to add it here, too.
SCHEMES = ("http", "https", "mailto")

#: What browsers drop before they look for a scheme.
_IGNORED = re.compile(r"[\x00-\x20\x7f-\xa0\u1680\u180e\u2000-\u200d\u2028-\u202f\u205f\u3000\ufeff]")
_SCHEME = re.compile(r"([a-zA-Z][a-zA-Z0-9+.\-]*):")
ADDRESSES = {"href", "src", "action", "formaction", "data", "poster", "xlink:href", "srcdoc", "background"}
#: Colours of a terminal are classes.
_COLOURS = re.compile(r"[a-z0-9 -]*")


def parsed(html: str, *, fragment: bool = False) -> Any:
    parse = html5lib.parseFragment if fragment else html5lib.parse
    return parse(html, treebuilder="dom", namespaceHTMLElements=False)


def elements(node: Any) -> Iterator[Any]:
    for child in node.childNodes:
        if child.nodeType == child.ELEMENT_NODE:
            yield child
            yield from elements(child)


def active(html: str) -> list[str]:
    """Return what a sanitized fragment has beyond what is allowed; read, written and read again."""
    tree = parsed(html, fragment=True)
    written = html5lib.serialize(
        tree, tree="dom", quote_attr_values="always", omit_optional_tags=False, alphabetical_attributes=False
    )
    return [*_not_allowed(tree), *_not_allowed(parsed(written, fragment=True))]


def _not_allowed(tree: Any) -> Iterator[str]:
    for node in tree.childNodes:
        if node.nodeType == node.COMMENT_NODE:
            yield "comment"
    for each in elements(tree):
        tag = each.tagName
        if tag not in ALLOWED_TAGS:
            yield f"<{tag}>"
        for name, value in each.attributes.items():
            if name == "class" and tag == "span" and _COLOURS.fullmatch(value):
                continue
            if name not in ALLOWED_ATTRIBUTES.get(tag, []):
                yield f"{tag} {name}"
            elif scheme_of(name, value) not in (None, *SCHEMES):
                yield f"{tag} {name}={value}"


def scheme_of(name: str, value: str) -> str | None:
    found = _SCHEME.match(_IGNORED.sub("", value)) if name in ADDRESSES else None
    return found[1].lower() if found else None


def skeleton(html: str) -> tuple["Counter[Any]", list[str]]:
    """Return how often each kind of element is in a page, by its attributes, and what acts in rendered texts.

    Rendered texts are what stands in `hx-disable`: their elements are not counted, but must be allowed.
    """
    counted: Counter[Any] = Counter()
    problems: list[str] = []
    _count(parsed(html), counted, problems)
    return counted, problems


def _count(node: Any, counted: "Counter[Any]", problems: list[str]) -> None:
    for child in node.childNodes:
        if child.nodeType != child.ELEMENT_NODE:
            continue
        counted[child.tagName, tuple(sorted(child.attributes.keys()))] += 1
        for name, value in child.attributes.items():
            if scheme_of(name, value) not in (None, "http", "https", "mailto"):
                problems.append(f"{child.tagName} {name}={value[:60]}")
        if child.hasAttribute("hx-disable"):
            problems += _not_allowed(child)
        else:
            _count(child, counted, problems)
