"""The blocks of code in README.md and docs/: where each stands, in which language, and whether it is run."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from store.settings import PROJECT_ROOT

PAGES = (
    PROJECT_ROOT / "README.md",
    PROJECT_ROOT / "CONTRIBUTING.md",
    *sorted((PROJECT_ROOT / "docs").glob("*.md")),
    *sorted((PROJECT_ROOT / "examples").glob("**/README.md")),
)

#: Before a block that cannot be run, with why that is.
NOT_RUN = re.compile(r"<!-- not run: (.+?) -->")

_FENCE = re.compile(r"( *)(`{3,})(\w*)\s*$")
_BEGINS = (
    (re.compile(r"(\./errand|curl|export|git|rq|set|TOKEN=|[A-Z_]+=\S+ \./errand)\b"), "sh"),
    (re.compile(r"(from [\w.]+ import |import |class |def |@\w+(\(|\n))"), "python"),
    (re.compile(r"[A-Z][A-Z_]+=\S"), "env"),
)


@dataclass(frozen=True, slots=True)
class Block:
    page: str
    line: int
    language: str
    text: str
    #: Why it is not run; empty: it is.
    reason: str = ""

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"


def all_blocks() -> list[Block]:
    return [block for page in PAGES for block in blocks_of(page)]


def blocks_of(page: Path) -> Iterator[Block]:
    """Yield the blocks of a page, those between fences and those that are only indented."""
    lines = page.read_text("utf-8").split("\n")
    name, reason, number = page.relative_to(PROJECT_ROOT).as_posix(), "", 0
    while number < len(lines):
        if marked := NOT_RUN.search(lines[number]):
            reason = marked[1]
        fence = _FENCE.match(lines[number])
        begin = number
        if fence and fence[2]:
            number += 1
            while lines[number].strip() != fence[2]:
                number += 1
            text, language = _text(lines[begin + 1 : number]), fence[3] or "text"
        elif _begins_indented(lines, number):
            while number + 1 < len(lines) and (
                lines[number + 1].startswith("    ") or _is_gap(lines, number + 1)
            ):
                number += 1
            text = _text(lines[begin : number + 1])
            language = next((said for begins, said in _BEGINS if begins.match(text)), "text")
        else:
            number += 1
            continue
        yield Block(name, begin + 1, language, text, reason)
        reason = ""
        number += 1


def _begins_indented(lines: list[str], number: int) -> bool:
    """Tell whether code begins here: a paragraph of its own that is not the next one of an item of a list."""
    if number == 0 or lines[number - 1].strip() or not lines[number].startswith("    "):
        return False
    before = next((line for line in reversed(lines[:number]) if line and not line.startswith("   ")), "")
    return not re.match(r"\s*([-*]|\d+\.) ", before) or lines[number].startswith("       ")


def _is_gap(lines: list[str], number: int) -> bool:
    return not lines[number].strip() and number + 1 < len(lines) and lines[number + 1].startswith("    ")


def _text(lines: list[str]) -> str:
    least = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    return "\n".join(line[least:] for line in lines) + "\n"
