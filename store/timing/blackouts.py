"""Windows of the week in which nothing is to start."""

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
