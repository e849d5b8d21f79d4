"""Blocks, which Slack lays out its messages by, as markdown: what a command says in them can be read on its result's page, too."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

#: Between these, Slack shows a text as it is.
_AS_IT_IS = re.compile(r"(```.*?```|`[^`\n]+`)", re.DOTALL)

_LINK = re.compile(r"<((?:https?://|mailto:)[^<>|\s]+)(?:\|([^<>]*))?>")
_NAMED = re.compile(r"<[!@#][^<>|]*(?:\|([^<>]*))?>")
_BOLD = re.compile(r"(?<![\w*])\*(?=[^\s*])([^*\n]*[^\s*])\*(?![\w*])")
_STRUCK = re.compile(r"(?<![\w~])~(?=[^\s~])([^~\n]*[^\s~])~(?![\w~])")

#: What means something in markdown, in the order of nothing.
_SIGNS = re.compile(r"([\\`*_{}\[\]()<>#+.!|~-])")


def markdown_of(blocks: Any) -> str:
    """Return the text of blocks. Raises ValueError, with a sentence, where they are none."""
    if not isinstance(blocks, list) or not all(isinstance(block, Mapping) for block in blocks):
        raise ValueError("What the command said is no list of blocks.")
    return "\n\n".join(text for block in blocks for text in _block(block) if text.strip())


def _block(block: Mapping[str, Any]) -> Iterator[str]:
    kind = block.get("type")
    if kind == "divider":
        yield "---"
    elif kind == "header":
        yield f"### {_text(block.get('text')).strip()}"
    elif kind == "image":
        yield _image(block)
    elif kind in ("section", "markdown"):
        yield str(block.get("text") or "") if kind == "markdown" else _text(block.get("text"))
        yield from map(_text, _list(block.get("fields")))
    elif kind == "context":
        yield " ".join(_element(each) for each in _list(block.get("elements")))
    else:
        # Rich text, tables and whatever there will be: what is said in it, line by line.
        yield from map(_plain, _texts_within(block))


def _element(element: Any) -> str:
    is_image = isinstance(element, Mapping) and element.get("type") == "image"
    return _image(element) if is_image else _text(element)


def _image(block: Mapping[str, Any]) -> str:
    name, url = str(block.get("alt_text") or "image"), str(block.get("image_url") or "")
    return _link(url, name) if _LINK.fullmatch(f"<{url}>") else _plain(name)


def _text(given: Any) -> str:
    if not isinstance(given, Mapping):
        return ""
    text = str(given.get("text") or "")
    return _from_mrkdwn(text) if given.get("type") == "mrkdwn" else _plain(text)


def _plain(text: str) -> str:
    return _lines(_escaped(text))


def _escaped(text: str) -> str:
    return _SIGNS.sub(r"\\\1", text)


def _from_mrkdwn(text: str) -> str:
    parts = _AS_IT_IS.split(text)
    return "".join(_code(part) if number % 2 else _marked(part) for number, part in enumerate(parts))


def _code(text: str) -> str:
    for sign, entity in (("<", "&lt;"), (">", "&gt;"), ("&", "&amp;")):
        text = text.replace(entity, sign)
    return f"\n```\n{text[3:-3].strip(chr(10))}\n```\n" if text.startswith("```") else text


def _marked(text: str) -> str:
    text = _LINK.sub(lambda found: _link(found[1], found[2] or found[1]), text)
    text = _NAMED.sub(lambda found: _plain(found[1] or found[0].strip("<>!")), text)
    text = _STRUCK.sub(r"~~\1~~", _BOLD.sub(r"**\1**", text))
    # In Slack a sharp at the beginning of a line is one.
    return _lines(re.sub(r"^(#+)", r"\\\1", text, flags=re.MULTILINE))


def _link(url: str, name: str) -> str:
    return f"[{_escaped(name)}](<{url}>)"


def _lines(text: str) -> str:
    """Keep the ends of lines, which markdown takes for blanks."""
    return text.replace("\n", "  \n")


def _list(given: Any) -> list[Any]:
    return given if isinstance(given, list) else []


def _texts_within(value: Any) -> Iterator[str]:
    """Yield the texts in a block of another kind, those of one line together."""
    if isinstance(value, list):
        if value and all(isinstance(each, Mapping) and isinstance(each.get("text"), str) for each in value):
            yield "".join(each["text"] for each in value)
            return
        for each in value:
            yield from _texts_within(each)
    elif isinstance(value, Mapping):
        if isinstance(value.get("text"), str):
            yield value["text"]
        else:
            for each in value.values():
                yield from _texts_within(each)
