"""Made-up texts for as long as one likes: what is rendered fast, is it what the long way makes of it?

It also asks of each text that it neither fails nor comes out as what the sanitizer would change.
"""

import random
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from store.html import render, sanitize, verbatim
from store.markdown_converter import convert
from store.markdown_cost import too_costly
from store.plain_line import paragraph
from store.text import clean_text, entry_text, strip_ansi

WORDS = ["word", "snake_case", "10.0.0.1/24", "sw-1.example", "[eth0]", "(60%)", "18:00:01", "x", "C:\\temp"]
LINE_STARTS = [
    "1. ",
    "- ",
    "+ ",
    "* ",
    "> ",
    "# ",
    "--",
    "___",
    "===",
    "~~~",
    "```",
    "|",
    "    ",
    "[a]: ",
    "0.",
]
SPANS = [
    "**",
    "__",
    "](",
    "][",
    "(b)",
    "<a",
    "</",
    "<!--",
    "<a@b>",
    "a@b",
    "<http://a>",
    "://",
    "https://x",
    "-->",
]
ENTITIES = ["&amp", "&copy", "&copy=", "&notit;", "&x=1", "&lt;", "&#x41;", "&#", "\\*", "\\a", "\\"]
ODD = [
    "\x1b[31m",
    "\x1b]8;;x\x07",
    *"\u00a0\u3000\u2028\u200b\u202e\u2066\ufffe\x00\x1b\x85\ud800€éǅ٣ª\U0001f600",
]
ATOMS = [
    *(WORDS * 3),
    *LINE_STARTS,
    *SPANS,
    *ENTITIES,
    *ODD,
    *(chr(code) for code in range(0x20, 0x7F)),
    *("     " * 3),
    "\t",
    "\n",
]


@dataclass
class Figures:
    texts: int = 0
    fast: int = 0
    problems: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.texts:,} texts, {self.fast:,} of them rendered fast, {len(self.problems)} problems"


def main(seconds: float, seed: int, say: Callable[[str], None] = print) -> Figures:
    """Try texts for so long, after every character there is; say what went wrong and return the figures."""
    figures = Figures()
    for text in characters():
        examine(text, figures)
    chance = random.Random(seed)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        examine(made_up(chance), figures)
    say("\n".join([*figures.problems[:20], f"seed {seed}: {figures}"]))
    return figures


def characters() -> Iterator[str]:
    """Yield lines that hold every character that may be in one, inside words, and between them."""
    for start in range(0, sys.maxunicode + 1, 100):
        yield "".join(f"a{clean(code)}b {clean(code)} " for code in range(start, start + 100)) + "."
    for code in range(0x3100):
        yield chr(code) + "a"
        yield "a" + chr(code)


def clean(code: int) -> str:
    """Return the character, or none that a line must not hold or that is markdown's."""
    character = chr(code) if code <= sys.maxunicode else ""
    return "" if paragraph(f"a{character}b {character} .") is None else character


def made_up(chance: random.Random) -> str:
    # A few of them again and again make what takes two or three of a kind, such as emphasis or a rule.
    atoms = ATOMS if chance.random() < 0.5 else chance.sample(ATOMS, 4)
    most = chance.choice([3, 6, 12, 30])
    return "".join(chance.choice(atoms) for _ in range(chance.randint(1, most)))


def examine(text: str, figures: Figures) -> None:
    figures.texts += 1
    fast = paragraph(text)
    figures.fast += fast is not None
    figures.problems.extend(f"{text!r}: {problem}" for problem in problems(text, fast))


def problems(text: str, fast: str | None) -> Iterator[str]:
    if fast is not None and fast != the_long_way(text):
        yield f"{fast!r} is not {the_long_way(text)!r}"
    if fast is not None and entry_text(text) != text:
        yield "rendered fast, but not clean"
    rendered, shown = render(text), verbatim(text)
    if fast is None and not too_costly(text) and rendered != (the_long_way(text) or shown):
        yield f"rendered {rendered!r}, not {the_long_way(text)!r}"
    if sanitize(shown) != shown:
        yield f"the sanitizer changes {shown!r}"
    if "\x1b" in strip_ansi(text) or clean_text(rendered) != rendered:
        yield "something unclean came through"


def the_long_way(text: str) -> str:
    """Return what markdown and the sanitizer make of a text, whatever it takes; what they raise is a finding."""
    return sanitize(convert(entry_text(text)))


if __name__ == "__main__":
    raise SystemExit(bool(main(float(sys.argv[1]), int(sys.argv[2])).problems))
