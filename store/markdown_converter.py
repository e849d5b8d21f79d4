"""Our markdown: what Markdown understands, less what does not belong in a log.

Raw HTML is text, so that the author sees what was typed. A line such as `[eth0]: up` stays, though Markdown would
take it for the address of a link called "eth0" and show nothing.
"""

import re
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import markdown

EXTENSIONS = ("fenced_code", "tables", "sane_lists", "nl2br")

#: The kinds of links and images that Markdown knows; their words and addresses may be this long.
_LINKS = ("reference", "link", "image_link", "image_reference", "short_reference", "short_image_ref")
LONGEST_LINK_TEXT = 500
LONGEST_LINK_ADDRESS = 2_000

#: Markdown's own pattern, but for the address: `[name]: https://... "title"`.
_REFERENCE = re.compile(
    r"""^[ ]{0,3}\[([^\[\]]*)\]:[ ]*(?:\n[ ]*)?(<?(?:https?|mailto):\S+)[ ]*"""
    r"""(?:\n[ ]*)?((["'])(.*)\4[ ]*|\((.*)\)[ ]*)?$""",
    re.MULTILINE | re.IGNORECASE,
)

_local = threading.local()


def convert(text: str) -> str:
    """Turn markdown into HTML that nobody has sanitized. May fail on odd texts; the next one starts afresh."""
    # Building a converter costs more than rendering a line; threads cannot share one.
    converter: markdown.Markdown = getattr(_local, "converter", None) or _build()
    # Whatever a text that fails was in the middle of would show in the next: only what came through is kept.
    _local.converter = None
    html = converter.reset().convert(text)
    _local.converter = converter
    return html


def _build() -> markdown.Markdown:
    converter = markdown.Markdown(extensions=EXTENSIONS, output_format="html")
    converter.preprocessors.deregister("html_block")
    converter.inlinePatterns.deregister("html")
    references: Any = converter.parser.blockprocessors["reference"]
    references.RE = _REFERENCE
    for name in _LINKS:
        _look_only_near(converter.inlinePatterns[name])
    return converter


def _look_only_near(links: Any) -> None:
    # Each bracket that nothing closes would be read to the end of the text, several times.
    links.getText = partial(_read_near, links.getText, LONGEST_LINK_TEXT)
    links.getLink = partial(_read_near, links.getLink, LONGEST_LINK_ADDRESS)


def _read_near(read: Callable[[str, int], Any], most: int, data: str, index: int) -> Any:
    return read(data[: index + most], index)
