"""Code with its words marked by what they are. The colours are classes: a page has a light and a dark look."""

import time
from collections.abc import Collection, Iterator

from markupsafe import Markup, escape
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name
from pygments.token import Token, _TokenType
from pygments.util import ClassNotFound

MOST_CHARACTERS = 200_000
MOST_LINES = 2_000

#: Beyond this a text is shown in one colour: it takes as long as it is, and nobody reads so much of it.
MOST_MARKED = 60_000
LONGEST_LINE = 2_000
MOST_SECONDS = 0.1

_CLASSES = {
    Token.Keyword: "tk-k",
    Token.Operator.Word: "tk-k",
    Token.Literal.String: "tk-s",
    Token.Literal.Number: "tk-m",
    Token.Comment: "tk-c",
    Token.Name.Function: "tk-f",
    Token.Name.Class: "tk-f",
    Token.Name.Tag: "tk-f",
    Token.Name.Attribute: "tk-n",
    Token.Name.Decorator: "tk-n",
    Token.Name.Builtin: "tk-n",
    Token.Generic.Heading: "tk-f",
    Token.Generic.Subheading: "tk-f",
    Token.Generic.Deleted: "tk-del",
    Token.Generic.Inserted: "tk-ins",
}


def cut_code(code: str, most: int = MOST_CHARACTERS) -> tuple[str, int]:
    """Return what is shown of a code, and how many lines are not."""
    lines = code[:most].split("\n")
    if len(code) <= most and len(lines) <= MOST_LINES:
        return code, 0
    shown = "\n".join(lines[:MOST_LINES])
    return shown, max(1, code.count("\n") + 1 - min(len(lines), MOST_LINES))


def highlight(code: str, language: str, *, marked: Collection[int] = (), numbers: bool = False) -> Markup:
    """Return the code as HTML. marked: the numbers of lines that are to be seen first."""
    html = _in_colours(code, language)
    if not marked and not numbers:
        return html
    lines = html.split("\n")
    width = len(str(len(lines)))
    written = [
        _line(line, number, number in marked, width if numbers else 0) for number, line in enumerate(lines, 1)
    ]
    return Markup("\n").join(written)


def _line(line: Markup, number: int, marked: bool, width: int) -> Markup:
    text = Markup('<span class="tk-ln">{}</span>{}').format(f"{number:>{width}}  ", line) if width else line
    return Markup('<mark class="tk-hl">{}</mark>').format(text) if marked else text


def _in_colours(code: str, language: str) -> Markup:
    lexer = _lexer(language)
    if lexer is None or len(code) > MOST_MARKED or max(map(len, code.split("\n"))) > LONGEST_LINE:
        return escape(code)
    return Markup("").join(_spans(code, lexer))


def _lexer(language: str) -> Lexer | None:
    if not language:
        return None
    try:
        return get_lexer_by_name(language.lower(), stripnl=False, ensurenl=False)
    except ClassNotFound:
        return None


def _spans(code: str, lexer: Lexer) -> Iterator[Markup]:
    deadline, place = time.monotonic() + MOST_SECONDS, 0
    for kind, text in lexer.get_tokens(code):
        css = _class_of(kind)
        # No span goes over the end of a line: lines are marked one by one.
        pieces = [
            Markup('<span class="{}">{}</span>').format(css, part) if css and part else escape(part)
            for part in text.split("\n")
        ]
        yield Markup("\n").join(pieces)
        place += len(text)
        if time.monotonic() > deadline:
            yield escape(code[place:])
            return


def _class_of(kind: _TokenType) -> str:
    while kind is not None and kind is not Token:
        if kind in _CLASSES:
            return _CLASSES[kind]
        kind = kind.parent
    return ""
