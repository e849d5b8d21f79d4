"""Cron expressions: three dialects, one meaning, and one rule where clocks change.

Most clocks change twice a year: an hour is missing in spring and comes twice in autumn (half an hour on Lord Howe Island). As in
Debian's cron it depends on what an expression says:

=====================  ===================================  =======================================
                       its local time is missing            its local time comes twice
=====================  ===================================  =======================================
fixed: `30 2 * * *`    once, at the first moment after the  once, in the first pass
                       gap; several become that one
wildcard: `30 * * * *` not at all                           in both passes
or `*/5 2 * * *`
=====================  ===================================  =======================================

A wildcard is a `*` (with or without a step), or all there is, as the hour or as the minute. Why two rules: a fixed time is a
promise for each day, so it is kept exactly once on every day. A wildcard is a pace, so it goes on as time does: hour by
hour, with neither a run too many after the gap nor a pause during the second pass. (So `*/5 2 * * *` does rest on the day
without a two o'clock.) Seconds change nothing: an expression with them follows the same table.

cronsim knows the table, too, but only without seconds; asked in the second pass it answers with a time in the first, and where
clocks change by half an hour it can leave out the next one. So it finds the days (`store.timing.days`), and times are put on the
line of UTC here.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from heapq import merge
from itertools import product

from store.timing.dialects import DIALECTS, Expression
from store.timing.fields import BadCron
from store.timing.words import expression_in_words
from store.timing.zones import LAST_YEAR, placed, stretches

#: Longer ones are nobody's schedule.
LONGEST = 500

#: Where the search for a first day begins. 50 years from here hold every kind of year.
_SOME_DAY = date(2000, 1, 1)


@dataclass(frozen=True)
class Cron:
    expression: Expression
    dialect: str

    @property
    def text(self) -> str:
        return self.expression.text

    def slots(self, after: datetime, zone: tzinfo) -> Iterator[datetime]:
        """Yield the moments (aware, UTC) strictly after `after` (aware) at which this fires in a zone, without end."""
        if after.tzinfo is None:
            raise ValueError("Slots are after a moment with a time zone.")
        after = after.astimezone(UTC)
        return self._in_both_passes(after, zone) if self.expression.wildcard else self._once_each(after, zone)

    def _once_each(self, after: datetime, zone: tzinfo) -> Iterator[datetime]:
        last = after
        for local in self._local_times(after.astimezone(zone).replace(tzinfo=None)):
            slot = placed(local, zone)
            # All that is missing is placed at one moment, where another may be already.
            if slot > last:
                yield slot
                last = slot

    def _in_both_passes(self, after: datetime, zone: tzinfo) -> Iterator[datetime]:
        for begin, end, offset in stretches(after, zone):
            for local in self._local_times(begin.replace(tzinfo=None) + offset):
                slot = local.replace(tzinfo=UTC) - offset
                if slot >= end:
                    break
                yield slot

    def _local_times(self, after: datetime) -> Iterator[datetime]:
        """Yield the times on a clock that never changes, strictly after `after` (all of them naive)."""
        for day in self.dates(after.date()):
            today = day == after.date()
            hours = (
                [hour for hour in self.expression.hours if hour >= after.hour]
                if today
                else self.expression.hours
            )
            for hour, minute, second in product(hours, self.expression.minutes, self.expression.seconds):
                local = datetime(day.year, day.month, day.day, hour, minute, second)
                if local > after:
                    yield local

    def in_words(self) -> str:
        return expression_in_words(self.expression)

    def dates(self, first: date) -> Iterator[date]:
        """Yield the days on which this fires, from `first` on."""
        last = None
        for day in merge(*(rule.dates(first, self.expression.months) for rule in self.expression.days)):
            if day.year >= LAST_YEAR:
                return
            if day != last:
                yield day
            last = day


def parse(text: str | Mapping[str, object], dialect: str) -> Cron:
    """Return what an expression means in a dialect: one of DIALECTS. Raises BadCron.

    bots: {field name: text or number}, or all in one text: "hour=2; day=last sun".
    """
    if not isinstance(text, str):
        text = "; ".join(f"{name}={value}" for name, value in text.items() if value is not None)
    if len(text) > LONGEST:
        raise BadCron(f"A cron expression has at most {LONGEST} characters.")
    cron = Cron(DIALECTS[dialect](text), dialect)
    if next(cron.dates(_SOME_DAY), None) is None:
        raise BadCron(
            "This never happens: no day of these months fits the day of month and the day of week given."
        )
    return cron
