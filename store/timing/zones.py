"""Time zones by their names, and where the times of their clocks stand on the one line of UTC."""

import difflib
import os
from bisect import bisect_left
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

#: The calendar ends with year 9999; with this one nothing overflows on the way.
LAST_YEAR = 9990

#: Years of all zones in use; one takes a fraction of a millisecond to work out.
_MOST_YEARS = 4096


class BadZone(ValueError):
    """A time zone that does not exist, as a sentence that suggests some that do."""


def zone_named(name: str) -> ZoneInfo:
    """Return a time zone by its IANA name, such as Europe/Berlin. Raises BadZone."""
    # ZoneInfo takes a name for a path and fails in many ways on those that are none.
    if name not in _names():
        raise BadZone(_no_zone(name))
    return ZoneInfo(name)


def local_zone() -> str:
    """Return the name of the zone that this machine's clock is in; "" where that cannot be told."""
    if named := os.environ.get("TZ", "").lstrip(":"):
        return named if named in _names() else ""
    linked = os.path.realpath("/etc/localtime").partition("zoneinfo/")[2]
    return linked.removeprefix("Etc/") if linked in _names() else ""


def _no_zone(name: str) -> str:
    near = near_zones(name)
    return f"There is no time zone {name[:60]!r}; " + (
        f"did you mean {' or '.join(near)}?" if near else "write one like Europe/Berlin or UTC."
    )


def near_zones(name: str) -> list[str]:
    """Return up to three names of zones that somebody may have meant: "berlin", "new york", "Europe/Berln"."""
    wanted = name[:60].strip().lower().replace(" ", "_")
    known = {zone.lower(): zone for zone in sorted(_names())}
    cities = [zone for lower, zone in known.items() if lower == wanted or lower.endswith("/" + wanted)]
    close = [known[lower] for lower in difflib.get_close_matches(wanted, known, n=3, cutoff=0.75)]
    return list(dict.fromkeys(cities + close))[:3]


@lru_cache(maxsize=1)
def _names() -> frozenset[str]:
    return frozenset(available_timezones()) - {"localtime", "Factory"}


def placed(local: datetime, zone: tzinfo) -> datetime:
    """Return when a local time (naive) is, in UTC.

    A time that comes twice is its first coming; one that is missing is the first moment after the gap.
    """
    moment = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None) == local:
        return moment
    # Fold 0 counts a missing time from before the gap and fold 1 from behind it (PEP 495): the change is between.
    return _change(zone, local.replace(tzinfo=zone, fold=1).astimezone(UTC), moment)


def is_missing(local: datetime, zone: tzinfo) -> bool:
    """Tell whether clocks in the zone skip a local time (naive)."""
    return placed(local, zone).astimezone(zone).replace(tzinfo=None) != local


def stretches(after: datetime, zone: tzinfo) -> Iterator[tuple[datetime, datetime, timedelta]]:
    """Yield (after this moment, before that one, offset from UTC): the times from `after` on with one offset each.

    A stretch ends where the clocks change, and at the end of each year.
    """
    begin = after
    for year in range(after.year, LAST_YEAR):
        for end in (*changes(zone, year), datetime(year + 1, 1, 1, tzinfo=UTC)):
            if begin < end:
                yield begin, end, _offset(end - timedelta(microseconds=1), zone)
                begin = end - timedelta(microseconds=1)


@lru_cache(maxsize=_MOST_YEARS)
def changes(zone: tzinfo, year: int) -> tuple[datetime, ...]:
    """Return the moments (UTC) of a year at which the clocks of a zone change."""
    first = datetime(year, 1, 1, tzinfo=UTC)
    days = (datetime(year + 1, 1, 1, tzinfo=UTC) - first).days
    edges = [first + timedelta(days=day) for day in range(days + 1)]
    return tuple(
        _change(zone, day, following)
        for day, following in pairwise(edges)
        if _offset(day, zone) != _offset(following, zone)
    )


def _change(zone: tzinfo, begin: datetime, end: datetime) -> datetime:
    """Return the first second after `begin`, up to `end`, at which the offset is no longer what it was at `begin`."""
    before = _offset(begin, zone)
    seconds = range(round((end - begin).total_seconds()) + 1)
    return begin + timedelta(
        seconds=bisect_left(
            seconds, True, key=lambda second: _offset(begin + timedelta(seconds=second), zone) != before
        )
    )


def _offset(moment: datetime, zone: tzinfo) -> timedelta:
    offset = moment.astimezone(zone).utcoffset()
    assert offset is not None  # noqa: S101 - zones have offsets
    return offset
