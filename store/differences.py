"""Where two logs part, and which of their groupings took longer: what two runs of one job always differ in is masked."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import NamedTuple

#: Of a message so much is compared.
LONGEST = 500

#: A grouping is told of when it took so many times as long, and so many seconds longer.
TIMES, SECONDS = 2.0, 1.0

#: Verbs, which end as nouns do of which there are many: "port 22 fails" does not count anything.
_NO_NOUN = r"(?!(?:does|exists|fails|gets|goes|has|holds|is|needs|runs|says|takes|this|was|always)\b)"
_NOUNS = rf"{_NO_NOUN}(?:[a-z]{{2,20}} )?{_NO_NOUN}[a-z]{{2,20}}(?<![su])s\b"
_COUNT = r"\d[\d,_]{0,15}"

#: What differs each time. Each kind has a mark of its own.
_VARYING = re.compile(
    r"(?P<time>\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?: ?(?:Z\b|UTC\b|[+-]\d\d:?\d\d))?)?"
    r"|\b\d{1,2}:\d\d:\d\d(?:[.,]\d{1,9})?\b|\b\d\d?/[A-Z][a-z]{2}/\d{4}(?::\d\d:\d\d:\d\d(?: [+-]\d{4})?)?)"
    r"|(?P<id>\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b"
    r"|\b(?=[a-f]{0,40}\d)(?=\d{0,40}[a-f])[0-9a-f]{12,128}\b|(?<!\w)#[0-9a-f]{6}\b"
    r"|\b(?:pid|PID|id|ID)[ =:#]{1,2}\d+\b|\b\d{7,}\b|/tmp/[\w.-]+)"
    r"|(?P<address>\b0x[0-9a-fA-F]{4,16}\b)"
    r"|(?P<port>(?<=\d:)(?:3[2-9]|[456]\d)\d{3}\b)"
    # Not what names something: a version, a host, a port, the code of an answer.
    rf"|(?P<number>(?<![\w.:/-]){_COUNT}(?:\.\d{{1,9}})?(?=\s?(?:%|[µmn]?s\b|min\b|h\b|[kKMGT]i?B\b|bytes?\b))"
    rf"|(?<![\w.:/-]){_COUNT}(?=\s?(?:/|of)\s?\d)|(?<![\w.:/-]){_COUNT}(?= {_NOUNS})"
    rf"|(?<=\d of ){_COUNT}\b|(?<=\d/){_COUNT}\b)"
)


class Line(NamedTuple):
    """An entry as far as it is compared."""

    seq: int
    level: str
    grouping: str
    message: str
    about: str | None = None


@dataclass(frozen=True, slots=True)
class Parting:
    """The first entries that differ; None: that log had ended there."""

    before: Line | None
    after: Line | None


@dataclass(frozen=True, slots=True)
class Stretch:
    """How long a grouping took in either run, in seconds; None: it is not there."""

    name: str
    before: float | None
    after: float | None


def mask(message: str) -> str:
    """Return the message with a mark in place of each time, id, address and count."""
    return _VARYING.sub(lambda found: f"<{found.lastgroup}>", message[:LONGEST])


def first_difference(before: Iterable[Line], after: Iterable[Line]) -> tuple[int, Parting | None]:
    """Return how many entries are the same, and where the logs part; None: they do not.

    Neither is read any further than that.
    """
    same, (earlier, later) = 0, (iter(before), iter(after))
    while True:
        one, other = next(earlier, None), next(later, None)
        if one is None and other is None:
            return same, None
        if one is None or other is None or not _alike(one, other):
            return same, Parting(one, other)
        same += 1


def _alike(one: Line, other: Line) -> bool:
    if one[1:] == other[1:]:
        return True
    if (one.level, one.grouping, one.about) != (other.level, other.grouping, other.about):
        return False
    return mask(one.message) == mask(other.message)


def up_to(most: int, read: Callable[[int], Sequence[Line]]) -> Iterator[Line]:
    """Yield at most so many entries. read: gives some of those that follow a number, or none."""
    seq, given = 0, 0
    while given < most and (lines := read(seq)):
        yield from lines[: most - given]
        given, seq = given + len(lines), lines[-1].seq


def seconds_by_grouping(
    starts: Sequence[tuple[str, datetime]], ended_at: datetime | None
) -> dict[str, float]:
    """Return how long each grouping took in all: from each of its headings to the next one, or to the end."""
    found: dict[str, float] = {}
    ends = chain((moment for _, moment in starts[1:]), (ended_at,))
    for (name, began_at), until in zip(starts, ends, strict=False):
        lasted = (until - began_at).total_seconds() if until else 0.0
        found[name] = found.get(name, 0.0) + max(0.0, lasted)
    return found


def notable(before: dict[str, float], after: dict[str, float]) -> list[Stretch]:
    """Return the groupings that took much longer, are missing or are new, the longest first."""
    found = [Stretch(name, before.get(name), after.get(name)) for name in {**before, **after}]
    told = [each for each in found if _is_notable(each)]
    return sorted(told, key=lambda each: -max(each.before or 0.0, each.after or 0.0))


def _is_notable(stretch: Stretch) -> bool:
    if stretch.before is None or stretch.after is None:
        return True
    longer = stretch.after - stretch.before
    return longer >= SECONDS and stretch.after >= TIMES * stretch.before
