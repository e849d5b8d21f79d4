"""Days of the calendar: the three day fields of a cron expression, whatever the dialect, as rules for cronsim.

cronsim walks the calendar and knows L and #. What is ours: each dialect's own way to combine the day of the month with the
day of the week (cronsim takes Debian's, which hangs on where a `*` stands), and everything within a day and about clocks
(`store.timing.cron` says why).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from cronsim import CronSim

#: Among days of the month: the last one. After a weekday: the last of the month.
LAST = 0

ALL_DAYS = frozenset(range(1, 32))
ALL_WEEKDAYS = frozenset(range(7))


@dataclass(frozen=True)
class DayRule:
    """Some days of months: those that fit both by their number and by their weekday, or, with `either`, one of them."""

    #: 1 to 31 and LAST.
    numbers: frozenset[int] = ALL_DAYS
    #: 0 is Sunday.
    weekdays: frozenset[int] = ALL_WEEKDAYS
    #: (weekday, which one of the month: 1 to 5 or LAST), besides `weekdays`.
    nths: frozenset[tuple[int, int]] = frozenset()
    either: bool = False

    @property
    def any_number(self) -> bool:
        return self.numbers >= ALL_DAYS

    @property
    def any_weekday(self) -> bool:
        return self.weekdays == ALL_WEEKDAYS

    def dates(self, first: date, months: frozenset[int]) -> Iterator[date]:
        """Yield the days of these months that fit, from `first` on; stop where there is none in 50 years."""
        walk = CronSim(self._expression(months), datetime.combine(first, time()) - timedelta(seconds=1))
        walk.day_and = not self.either
        try:
            for moment in walk:
                yield moment.date()
                # It steps on from here: to the next day, not through the 24 hours of this one.
                walk.dt = moment.replace(hour=23, minute=59, second=59)
        except OverflowError:
            return  # The calendar ends with year 9999.

    def _expression(self, months: frozenset[int]) -> str:
        # Every number is written out: on a field with a `*` cronsim has rules of its own.
        numbers = ["L" if number == LAST else str(number) for number in sorted(self.numbers)]
        weekdays = [str(weekday) for weekday in sorted(self.weekdays)]
        weekdays += [f"{day}L" if nth == LAST else f"{day}#{nth}" for day, nth in sorted(self.nths)]
        return f"* * {','.join(numbers)} {','.join(map(str, sorted(months)))} {','.join(weekdays)}"
