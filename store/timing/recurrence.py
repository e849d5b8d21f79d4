"""When one schedule fires: from its start to its end, but for its windows of rest, and what of that is due."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import chain, islice, takewhile
from typing import Literal
from zoneinfo import ZoneInfo

from store.timing.blackouts import Blackout, end_of_all
from store.timing.cron import Cron, parse
from store.timing.fields import MONTH_NAMES, WEEKDAY_NAMES
from store.timing.words import clock_time
from store.timing.zones import placed, zone_named

#: What a schedule can be, by what the seed calls it (NB-106); "future" is once, later.
INTERVALS = ("immediately", "future", "hourly", "daily", "weekly", "custom")
ONCE = ("immediately", "future")

#: What becomes of slots that passed while nobody looked: nothing, one run for all of them, or one run each.
Missed = Literal["skip", "once", "all"]

#: As many missed slots are made up for at once, the latest ones.
MOST_MISSED = 100

#: A slot is not missed before it is this old: schedulers wake up now and then, and start anew.
GRACE = timedelta(seconds=60)

#: After so many refusals over so long, blackout windows leave nothing: each kind of day has been among them.
_MOST_REFUSED = 2000
_REFUSED_FOR = timedelta(days=2 * 366)

_SECOND = timedelta(seconds=1)
_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True)
class Recurrence:
    """A schedule's times, without a database. Made of valid values: `store.timing.checks` has the sentences."""

    interval: str
    #: Aware; no slot is before it. Hourly, daily and weekly ones fire at its minute, hour and weekday in their zone, to
    #: the second, so it is their first slot.
    start: datetime
    #: The name of a time zone (IANA).
    zone: str = "UTC"
    #: Aware; no slot is after it.
    end: datetime | None = None
    #: For "custom" ones, in `dialect`.
    cron: str = ""
    dialect: str = "nautobot"
    blackouts: tuple[Blackout, ...] = ()
    #: Each run starts up to so much after its slot.
    jitter_seconds: int = 0

    def __post_init__(self) -> None:
        if self.interval not in INTERVALS:
            raise ValueError(f"There is no interval {self.interval!r}.")
        object.__setattr__(self, "start", _whole(self.start))
        if self.end is not None:
            object.__setattr__(self, "end", _whole(self.end))
        # Read at once: what is wrong with them is said here, not at the first firing.
        _ = self.tz, self.pattern

    @cached_property
    def tz(self) -> ZoneInfo:
        return zone_named(self.zone)

    @cached_property
    def pattern(self) -> Cron | None:
        """What repeats; None where nothing does."""
        if self.interval in ONCE:
            return None
        if self.interval == "custom":
            return parse(self.cron, self.dialect)
        start = self.start.astimezone(self.tz)
        hour = "*" if self.interval == "hourly" else start.hour
        weekday = start.isoweekday() if self.interval == "weekly" else "*"
        return parse(f"{start.minute} {hour} * * {weekday} {start.second}", "jobschleuder")

    @property
    def before_all(self) -> datetime:
        """A moment before the first slot."""
        return self.start - _SECOND

    def slots(self, after: datetime, until: datetime | None = None) -> Iterator[datetime]:
        """Yield the moments (aware, UTC) at which this fires, strictly after `after` and not after `until`."""
        firings = self.firings(after, until)
        refused, since = 0, self.start
        while (slot := next(firings, None)) is not None:
            free_at = self._free_at(slot)
            if free_at is None:
                refused = 0
                yield slot
                continue
            since = since if refused else slot
            refused += 1
            if refused > _MOST_REFUSED and slot - since > _REFUSED_FOR:
                return
            if free_at > slot:
                firings = self.firings(free_at - _INSTANT, until)

    def firings(self, after: datetime, until: datetime | None = None) -> Iterator[datetime]:
        """Yield what `slots` would if there were no blackouts."""
        last = min(filter(None, (self.end, until)), default=None)
        # A start in the second pass of an hour is none of the pattern's slots, but it is what was asked for.
        first = [self.start] if self.interval != "custom" and self.start > after else []
        begin = max(after, self.start if first else self.start - _INSTANT)
        following = self.pattern.slots(begin, self.tz) if self.pattern else iter(())
        return takewhile(lambda slot: last is None or slot <= last, chain(first, following))

    def blacked_out(self, slot: datetime) -> bool:
        """Tell whether a blackout window keeps a firing from happening."""
        return end_of_all(self.blackouts, self._local(slot)) is not None

    def _free_at(self, slot: datetime) -> datetime | None:
        """Return the end of the blackout windows around a slot, the slot itself when clocks change before; None: none."""
        local = self._local(slot)
        end = end_of_all(self.blackouts, local)
        if end is None:
            return None
        moment = placed(end, self.tz)
        # What is between may be free when clocks change meanwhile: then one slot after the other is looked at.
        return moment if moment - slot == end - local else slot

    def _local(self, moment: datetime) -> datetime:
        return moment.astimezone(self.tz).replace(tzinfo=None)

    def next(self, after: datetime, count: int) -> list[datetime]:
        """Return the next few slots after a moment."""
        return list(islice(self.slots(after), count))

    def following(self, last_slot: datetime | None) -> datetime | None:
        """Return the first slot after `last_slot` (None: the first of all); None: there is none."""
        return next(self.slots(self.before_all if last_slot is None else last_slot), None)

    def due(
        self, last_slot: datetime | None, now: datetime, missed: Missed, schedule_id: str = ""
    ) -> list[datetime]:
        """Return the slots to run now, in order, all of them after `last_slot` (None: nothing ran yet).

        Who runs them remembers the last one as `last_slot`, so none is ever returned again, whatever the clock does. What is
        younger than GRACE is returned in any case; what is older was missed, and with "once" the latest stands for all,
        and none where there is a younger one, which stands for them, too.
        """
        reached = self.ready(last_slot, now, schedule_id)
        fresh = [slot for slot, ready_at in reached if now - ready_at < GRACE]
        late = [slot for slot, _ in reached[: len(reached) - len(fresh)]]
        if missed == "skip":
            return fresh
        if missed == "once":
            return fresh or late[-1:]
        return late[-MOST_MISSED:] + fresh

    def ready(
        self, last_slot: datetime | None, now: datetime, schedule_id: str = ""
    ) -> list[tuple[datetime, datetime]]:
        """Return the slots of `reached` whose runs are to start by now, and since when: their jitter is over.

        None overtakes another one.
        """
        ready = []
        ready_at = self.before_all
        for slot in self.reached(last_slot, now):
            ready_at = max(ready_at, slot + self.jitter(schedule_id, slot))
            if ready_at > now:
                break
            ready.append((slot, ready_at))
        return ready

    def reached(self, last_slot: datetime | None, now: datetime) -> list[datetime]:
        """Return the slots after `last_slot` up to now: all young ones, and at least the latest MOST_MISSED older ones."""
        begin = self.before_all if last_slot is None else last_slot
        window = 2 * GRACE
        # Backward in growing steps: there may be years of slots, of which the latest are wanted.
        while now - window > begin:
            found = list(self.slots(now - window, until=now))
            if sum(now - slot >= GRACE for slot in found) >= MOST_MISSED:
                return found
            window *= 4
        return list(self.slots(begin, until=now))

    def jitter(self, schedule_id: str, slot: datetime) -> timedelta:
        """Return how long after a slot its run starts: always the same for the same schedule and slot."""
        name = f"{schedule_id} {int(slot.timestamp())}".encode()
        number = int.from_bytes(hashlib.blake2b(name, digest_size=8).digest())
        return timedelta(seconds=number % (self.jitter_seconds + 1))

    def in_words(self) -> str:
        """Return one sentence without its full stop: "Every day at 06:00, Europe/Berlin"."""
        return f"{self.times_in_words()}, {self.zone}"

    def times_in_words(self) -> str:
        """Return the same without the time zone."""
        local = self._local(self.start)
        if self.interval in ONCE:
            return f"Once, on {local.day} {MONTH_NAMES[local.month - 1]} {local.year} at {clock_time(local.time())}"
        if self.interval == "weekly":
            return f"Every {WEEKDAY_NAMES[local.isoweekday() % 7]} at {clock_time(local.time())}"
        assert self.pattern is not None  # noqa: S101 - all others have one
        return self.pattern.in_words()


def _whole(moment: datetime) -> datetime:
    """Return a moment in UTC and in whole seconds, as slots are."""
    if moment.tzinfo is None:
        raise ValueError("A start or an end needs a time zone.")
    return moment.astimezone(UTC).replace(microsecond=0)
