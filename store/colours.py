"""The colours that programs write for a terminal, as classes of the stylesheet.

Our own and not a library's: rich breaks off at a number of 5,000 digits and takes `CSI > 4;2 m` for dim text, ansi2html
is under the LGPL and lets titles, links and sequences that are cut off through; both would need a second pass for a
palette that can be read in light and in dark.
"""

from collections.abc import Iterator
from functools import lru_cache
from itertools import groupby, islice
from typing import NamedTuple

from store.text import ANSI, clean_text, strip_ansi

#: Codes of SGR (ECMA-48, 8.3.117) that are on. Of each kind of colour there is at most one.
Style = frozenset[int]

PLAIN: Style = frozenset()

#: What one text may have; behind the last it is plain.
MOST_SPANS = 1_000

#: In the order of their codes: 30 to 37 as ink, 40 to 47 as paper; bright ones have 60 more.
COLOURS = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
NAMES = (*COLOURS, *(f"bright-{name}" for name in COLOURS))

_INKS = [*range(30, 38), *range(90, 98)]
_PAPERS = [*range(40, 48), *range(100, 108)]

_BOLD, _FAINT, _INVERSE = 1, 2, 7
_LOOKS = {_BOLD: "bold", _FAINT: "faint", 3: "italic", 4: "under", 9: "strike"}

#: Blinking, hidden text and the like are not among them: a log must not hide anything.
_KINDS = [frozenset(_INKS), frozenset(_PAPERS), *(frozenset([code]) for code in (*_LOOKS, _INVERSE))]
_TURNS_ON = {code: kind for kind in _KINDS for code in kind}
_TURNS_OFF = {
    0: frozenset(_TURNS_ON),
    22: frozenset([_BOLD, _FAINT]),
    **{code + 20: frozenset([code]) for code in (3, 4, _INVERSE, 9)},
    39: frozenset(_INKS),
    49: frozenset(_PAPERS),
}

#: Codes that a colour of a larger palette follows; the last is that of underlines, which have none of their own here.
_LARGER = {38: _INKS, 48: _PAPERS, 58: []}
_COLOUR_LENGTHS = {"5": 1, "2": 3}

#: Every class that `classes` gives.
CLASSES = frozenset(
    f"sgr-{name}" for name in (*_LOOKS.values(), "inverse", *NAMES, *(f"on-{name}" for name in NAMES))
)


class Span(NamedTuple):
    """A stretch of a text that is not plain, from `start` to before `end`."""

    start: int
    end: int
    style: Style


def read(text: str) -> tuple[str, list[Span]]:
    """Return what `entry_text` returns, and where it has which colours: in their order, MOST_SPANS at most."""
    spans: list[Span] = []
    style, place, at = PLAIN, 0, 0
    for found in ANSI.finditer(text):
        if found.start() > place:
            end = at + len(clean_text(text[place : found.start()]))
            if style:
                _add(spans, Span(at, end, style))
            at = end
        place = found.end()
        if len(spans) > MOST_SPANS:
            break
        if found[1] is not None:
            style = _after(style, found[1])
    else:
        if style and place < len(text):
            _add(spans, Span(at, at + len(clean_text(text[place:])), style))
    return clean_text(strip_ansi(text)), spans[:MOST_SPANS]


def style_after(style: Style, text: str) -> Style:
    """Return the style in which a terminal goes on that had `style` before this text."""
    for found in ANSI.finditer(text):
        if found[1] is not None:
            style = _after(style, found[1])
    return style


def sequence(style: Style) -> str:
    """Return what turns on a style."""
    return f"\x1b[{';'.join(map(str, sorted(style)))}m"


@lru_cache(maxsize=1_000)
def classes(style: Style) -> str:
    """Return the classes of a style, with blanks between them."""
    ink = next((NAMES[_INKS.index(code)] for code in _INKS if code in style), None)
    paper = next((NAMES[_PAPERS.index(code)] for code in _PAPERS if code in style), None)
    names = [name for code, name in _LOOKS.items() if code in style]
    if _INVERSE in style:
        if ink is paper is None:
            names.append("inverse")
        # What nobody has chosen is a colour too once it has to change sides.
        ink, paper = paper, ink or (paper and "white")
    names += [ink] if ink else []
    names += [f"on-{paper}"] if paper else []
    return " ".join(f"sgr-{name}" for name in names)


def moved(spans: list[Span], before: str, after: str, replacement: str) -> list[Span]:
    """Return the spans of a text as they lie in `after`: the same text with `replacement` for some parts of it.

    What stands for a part has the style in which that began. Where the two texts are not alike otherwise, what follows
    is plain.
    """
    styles = [PLAIN] * len(before)
    for span in spans:
        styles[span.start : span.end] = [span.style] * (min(span.end, len(before)) - span.start)
    carried: list[Style] = []
    place = 0
    *pieces, last = after.split(replacement)
    for piece in pieces:
        found = before.find(piece, place)
        if found == -1:
            break
        place = found + len(piece)
        carried += styles[found:place]
        carried += [styles[place] if place < len(styles) else PLAIN] * len(replacement)
    else:
        if before.endswith(last) and place <= len(before) - len(last):
            carried += styles[len(before) - len(last) :]
    return list(_stretches(carried))[:MOST_SPANS]


def _stretches(styles: list[Style]) -> Iterator[Span]:
    at = 0
    for style, same in groupby(styles):
        end = at + sum(1 for _ in same)
        if style:
            yield Span(at, end, style)
        at = end


def _add(spans: list[Span], span: Span) -> None:
    if spans and spans[-1].end == span.start and spans[-1].style == span.style:
        span = Span(spans.pop().start, span.end, span.style)
    spans.append(span)


@lru_cache(maxsize=4_000)
def _after(style: Style, parameters: str) -> Style:
    """Return the style after `style` and a sequence with these parameters."""
    given = iter(parameters.split(";"))
    for parameter in given:
        first, *others = parameter.split(":")
        code = _number(first)
        if code in _LARGER:
            if not others:
                kind = next(given, "")
                others = [kind, *islice(given, _COLOUR_LENGTHS.get(kind, 0))]
            number = _nearest(others)
            if number is not None and _LARGER[code]:
                style = style - _TURNS_ON[_LARGER[code][0]] | {_LARGER[code][number]}
        elif code == 4 and others[:1] == ["0"]:
            style -= {4}
        elif code in _TURNS_OFF:
            style -= _TURNS_OFF[code]
        else:
            code = 4 if code == 21 else code  # Underlined twice.
            style = style - _TURNS_ON[code] | {code} if code in _TURNS_ON else style
    return style


def _number(text: str) -> int:
    """Return a parameter; -1 for one that is larger than any that means something."""
    return int(text or 0) if len(text) <= 4 else -1


def _nearest(colour: list[str]) -> int | None:
    """Return which of the 16 colours is nearest to one of 256 (`5`, n) or of all (`2`, r, g, b); None for none."""
    numbers = [_number(text) for text in colour]
    if not all(0 <= number <= 255 for number in numbers):
        return None
    match numbers:
        case [5, number]:
            return number if number < 16 else _nearest_to(*_of_256(number))
        # With colons, the number of a colour space may stand before them, and more behind them.
        case [2, red, green, blue] | [2, _, red, green, blue, *_]:
            return _nearest_to(red, green, blue)
    return None


def _of_256(number: int) -> tuple[int, int, int]:
    """Return red, green and blue of the colours 16 to 255: a cube, and shades of grey."""
    if number >= 232:
        grey = 8 + 10 * (number - 232)
        return grey, grey, grey
    steps = (0, 95, 135, 175, 215, 255)
    number -= 16
    return steps[number // 36], steps[number // 6 % 6], steps[number % 6]


def _nearest_to(red: int, green: int, blue: int) -> int:
    """Return the colour of the same hue, or the shade of grey: a distance would take every pale red for white."""
    least, most = min(red, green, blue), max(red, green, blue)
    if most - least < 32 or most - least < most / 5:
        return next((grey for grey, below in ((0, 64), (8, 144), (7, 208)) if most < below), 15)
    # One bit for each of the three, as the eight colours are numbered.
    middle = (least + most) / 2
    hue = (red > middle) + 2 * (green > middle) + 4 * (blue > middle)
    return hue + 8 if most > 208 else hue
