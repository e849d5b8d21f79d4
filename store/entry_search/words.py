"""The words of a text, the same for both databases, for what is looked through and for what is looked for."""

import re
import unicodedata
from collections.abc import Iterator
from html import unescape
from typing import NamedTuple

#: What is looked through of an entry, in characters of HTML; PostgreSQL counts no further than so many words.
LONGEST_TEXT = 100_000
MOST_WORDS = 16_000

#: What a longer word is known by.
LONGEST_WORD = 64

#: An underscore joins names and is no letter: `port_up` are two words, as `port-up` are.
_WORD = re.compile(r"[^\W_]+(?:[\u0300-\u036f]+[^\W_]*)*")

#: Where HTML begins another line, and where another cell; what else is markup leaves nothing behind.
_LINE = re.compile(r"<br\b[^<>]*>|</(?:p|div|li|tr|pre|blockquote|h[1-6]|dt|dd)>", re.IGNORECASE)
_CELL = re.compile(r"</t[dh]>", re.IGNORECASE)
_TAG = re.compile(r"""<(?:[^<>"']++|"[^"]*+"|'[^']*+')*+>""")


class Word(NamedTuple):
    """A word as it is looked for, and where it stands in its text."""

    folded: str
    start: int
    end: int


def plain_text(html: str) -> str:
    """Return what a reader of an entry's HTML sees."""
    if "<" in html:
        html = _TAG.sub("", _CELL.sub(" ", _LINE.sub("\n", html)))
    return unescape(html) if "&" in html else html


def words_of(text: str) -> list[str]:
    """Return the words of a text in their order, written small and without accents."""
    return [fold(found) for found in _WORD.findall(text)[:MOST_WORDS]]


def placed_words(text: str) -> Iterator[Word]:
    for found in _WORD.finditer(text):
        yield Word(fold(found[0]), found.start(), found.end())


def fold(word: str) -> str:
    if word.isascii():
        return word[:LONGEST_WORD].lower()
    apart = unicodedata.normalize("NFKD", word).casefold()
    return "".join(letter for letter in apart if letter.isalnum())[:LONGEST_WORD] or word[:LONGEST_WORD]
