"""One field of a cron expression: from its text to the numbers it stands for."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

#: As this package counts them: from Sunday, which is 0.
WEEKDAY_NAMES = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
MONTH_NAMES = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
WEEKDAYS = {name[:3].lower(): day for day, name in enumerate(WEEKDAY_NAMES)}
WEEKDAYS_WRITTEN_OUT = WEEKDAYS | {name.lower(): day for day, name in enumerate(WEEKDAY_NAMES)}
MONTHS = {name[:3].lower(): month for month, name in enumerate(MONTH_NAMES, 1)}

#: More digits than any number of a calendar has are no number.
_TERM = re.compile(
    r"(?:\*|(?P<first>[0-9]{1,4}|[a-z]+)(?:-(?P<last>[0-9]{1,4}|[a-z]+))?)(?:/(?P<step>[0-9]{1,4}))?"
)


class BadCron(ValueError):
    """A cron expression that cannot be, as a sentence that names the field and what it may hold."""


@dataclass(frozen=True)
class Field:
    #: As sentences call it.
    name: str
    low: int
    #: The last number of `*`.
    top: int
    #: What its values may be, for sentences.
    holds: str
    names: Mapping[str, int] = field(default_factory=dict)
    #: The highest number it takes: weekdays know a 7 that is another 0.
    high: int = -1
    #: Whether 22-2 is 22, 23, 0, 1, 2.
    wraps: bool = True
    #: Whether 5/20 is 5, 25, 45.
    lone_steps: bool = True
    #: Whether a step must be within its range.
    tight_steps: bool = False

    def numbers(self, text: str) -> list[int]:
        """Return what a list of terms stands for. Raises BadCron."""
        return [number for term in text.split(",") for number in self.term(term)]

    def term(self, term: str) -> list[int]:
        """Return what one term stands for, such as `*/5`, `1-5` or `mon`. Raises BadCron."""
        match = _TERM.fullmatch(term.lower())
        if match is None:
            raise self.refusal(term)
        span = self._span(match, term)
        step = int(match["step"] or 1)
        if step == 0 or (self.tight_steps and step > max(len(span) - 1, 1)):
            raise self.refusal(term)
        return span[::step]

    def _span(self, match: re.Match[str], term: str) -> list[int]:
        if match["first"] is None:
            return list(range(self.low, self.top + 1))
        first = self._number(match["first"], term)
        if match["last"] is not None:
            last = self._number(match["last"], term)
        elif match["step"] is None:
            last = first
        elif self.lone_steps:
            last = self.top
        else:
            raise self.refusal(term)
        if first <= last:
            return list(range(first, last + 1))
        if not self.wraps:
            raise self.refusal(term)
        return [*range(first, self.top + 1), *range(self.low, last + 1)]

    def _number(self, text: str, term: str) -> int:
        number = self.names.get(text, -1) if text.isalpha() else int(text)
        if not self.low <= number <= max(self.top, self.high):
            raise self.refusal(term)
        return number

    def refusal(self, text: str) -> BadCron:
        return BadCron(f"The {self.name} cannot be {text[:40]!r}; it may hold {self.holds}.")

    def is_all(self, numbers: frozenset[int] | tuple[int, ...]) -> bool:
        return len(numbers) == self.top - self.low + 1
