"""Windows of the week in which nothing is to start."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from store.timing.words import clock_time, weekdays_in_words


class BadBlackout(ValueError):
    """A window that cannot be, as a sentence."""


@dataclass(frozen=True)
class Blackout:
    """Some hours of some weekdays, on the clocks of a schedule's zone: both passes of an hour that comes twice."""

    #: The days it begins on; 0 is Monday, as in `datetime`.
    weekdays: frozenset[int]
    begins: time
    #: The first time that is free again. It is on the next day where it is not after `begins`.
    ends: time

    def __post_init__(self) -> None:
        if not self.weekdays or not self.weekdays <= frozenset(range(7)):
            raise BadBlackout(
                "A blackout window needs at least one weekday, each from 0 (Monday) to 6 (Sunday)."
            )
        if self.begins.tzinfo or self.ends.tzinfo:
            raise BadBlackout("The times of a blackout window are local, without a time zone.")

    def end_of(self, local: datetime) -> datetime | None:
        """Return when the window around a local time (naive) is over, None where none is."""
        for days_ago in (0, 1):
            day = local.date() - timedelta(days=days_ago)
            begin, end = datetime.combine(day, self.begins), datetime.combine(day, self.ends)
            if end <= begin:
                end += timedelta(days=1)
            if day.weekday() in self.weekdays and begin <= local < end:
                return end
        return None

    def in_words(self) -> str:
        """Return the window for a page: "Saturday and Sunday, 22:00 to 06:00"."""
        days = weekdays_in_words(frozenset((day + 1) % 7 for day in self.weekdays))
        return f"{days}, {clock_time(self.begins)} to {clock_time(self.ends)}"


def end_of_all(blackouts: Iterable[Blackout], local: datetime) -> datetime | None:
    """Return when the longest of the windows around a local time (naive) is over, None where none is."""
    return max(filter(None, (blackout.end_of(local) for blackout in blackouts)), default=None)


_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_LINE = re.compile(
    r"(?P<days>[a-z,\s-]*+)(?P<begins>\d{1,2}:\d\d)\s*(?:-|to)\s*(?P<ends>\d{1,2}:\d\d)", re.ASCII
)

MOST_WINDOWS = 50


def read_windows(text: str) -> tuple[Blackout, ...]:
    """Read windows as people write them, one a line: "mon-fri 08:00-18:00"; without days it is every day.

    Raises BadBlackout, naming the line.
    """
    lines = [line.strip().lower() for line in text.splitlines()]
    windows = [_window(line, number) for number, line in enumerate(lines, 1) if line]
    if len(windows) > MOST_WINDOWS:
        raise BadBlackout(f"Write at most {MOST_WINDOWS} windows.")
    return tuple(windows)


def written(windows: Iterable[Blackout]) -> str:
    """Return windows as `read_windows` takes them."""
    return "\n".join(
        f"{','.join(_DAYS[day] for day in sorted(window.weekdays))} {window.begins:%H:%M}-{window.ends:%H:%M}"
        for window in windows
    )


def _window(line: str, number: int) -> Blackout:
    found = _LINE.fullmatch(line)
    if found is None:
        raise BadBlackout(f"Line {number}: write days and times such as mon-fri 08:00-18:00.")
    try:
        begins, ends = (time.fromisoformat(found[name].zfill(5)) for name in ("begins", "ends"))
    except ValueError:
        raise BadBlackout(f"Line {number}: times go from 00:00 to 23:59.") from None
    return Blackout(_weekdays(found["days"], number), begins, ends)


def _weekdays(text: str, number: int) -> frozenset[int]:
    days: set[int] = set()
    for part in text.replace(",", " ").split():
        first, _, last = part.partition("-")
        if first not in _DAYS or (last or first) not in _DAYS:
            raise BadBlackout(f"Line {number}: {part} is no day; write mon, tue, wed, thu, fri, sat, sun.")
        begin, end = _DAYS.index(first), _DAYS.index(last or first)
        days.update(day % 7 for day in range(begin, end + (7 if end < begin else 0) + 1))
    return frozenset(days) or frozenset(range(7))
