"""Texts as others wrote them, made fit for databases and readers. What becomes HTML of them is store.html's."""

import re
from typing import Any

#: Characters that databases refuse or that could disguise a text: NUL, other controls, surrogates, direction marks.
_REPLACED = {
    code: "\N{REPLACEMENT CHARACTER}"
    for code in [*range(0x20), 0x7F, *range(0x80, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
    if chr(code) not in "\t\n\r"
}

_UNCLEAN = re.compile("[\r\ud800-\udfff" + "".join(map(chr, _REPLACED)) + "]")

#: What a terminal obeys and does not show: colours, cursor moves, titles, the addresses of links. Of what sets colours
#: (SGR) the first group is the parameters; no program writes so many that they are longer.
ANSI = re.compile(
    r"""
      (?:\x1b\[|\x9b)([0-9:;]{0,100}+)m                # SGR
    | \x1b\][^\x07\x1b\x9c\n]*+(?:\x07|\x1b\\|\x9c)  # OSC, up to its end; without one, its text stays.
    | \x1b[PX^_][^\x1b\x9c]*+(?:\x1b\\|\x9c)          # DCS, SOS, PM, APC
    | (?:\x1b\[|\x9b)[0-?]*+[ -/]*+[@-~]?              # CSI, even cut off
    | \x1b(?:[ -/]{1,2}[0-~]|[0-~])?
    """,
    re.VERBOSE,
)


def clean_text(text: str) -> str:
    """Replace what no database or reader should get: NUL, control and direction characters, lone surrogates."""
    # Nearly every text is clean, and telling so is ten times as fast as going through it.
    if (text.isascii() and text.isprintable()) or _UNCLEAN.search(text) is None:
        return text
    text = text.replace("\r\n", "\n").replace("\r", "\n").translate(_REPLACED)
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def has_sequences(text: str) -> bool:
    """Tell whether there may be something for a terminal in a text."""
    return "\x1b" in text or "\x9b" in text


def strip_ansi(text: str) -> str:
    """Return `text` without the sequences that only a terminal understands."""
    return ANSI.sub("", text) if has_sequences(text) else text


def entry_text(text: str) -> str:
    """Return what the log keeps of a text that was logged or captured: no terminal sequences, and cleaned."""
    return clean_text(strip_ansi(text))


def clean_json(value: Any) -> Any:
    """Return a JSON value with every text in it cleaned."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, list):
        return [clean_json(item) for item in value]
    if isinstance(value, dict):
        return {clean_text(str(key)): clean_json(item) for key, item in value.items()}
    return value
