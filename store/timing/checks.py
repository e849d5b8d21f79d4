"""What must hold before a schedule is saved: a sentence at each field (NB-106 to NB-109)."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from jobs.errors import InvalidData
from store.timing.blackouts import Blackout
from store.timing.cron import parse
from store.timing.dialects import DIALECTS
from store.timing.fields import BadCron
from store.timing.recurrence import INTERVALS, Recurrence
from store.timing.words import listed
from store.timing.zones import BadZone, is_missing, placed, zone_named

#: How far ahead a start must be: who saves a schedule shall see it before it fires.
NOTICE = timedelta(seconds=15)

#: When a crontab without a start begins.
CRONTAB_NOTICE = timedelta(seconds=20)

#: Nobody plans further ahead, and calendars end somewhere.
MOST_YEARS_AWAY = 100

MOST_JITTER_SECONDS = 3600

TOO_EARLY = "Please enter a valid date and time greater than or equal to the current date and time."


def checked(
    *,
    interval: str,
    now: datetime,
    zone: str = "UTC",
    start: datetime | None = None,
    end: datetime | None = None,
    cron: str = "",
    dialect: str = "nautobot",
    blackouts: Sequence[Blackout] = (),
    jitter_seconds: int = 0,
) -> Recurrence:
    """Return what was asked for, with a start in any case.

    start, end: aware, or naive: then they are local times of `zone`. now: aware.
    Raises InvalidData with sentences by field.
    """
    errors: dict[str, str] = {}
    if interval not in INTERVALS:
        errors["interval"] = f"Choose one of {listed(INTERVALS, 'or')}."
    place = _zone(zone, errors)
    if interval != "custom":
        cron = ""
    else:
        _check_cron(cron, dialect, errors)
    if interval == "immediately":
        start = now
    else:
        start = _moment("start", start, place, now, errors)
        _check_start(start, interval, now, errors)
    end = _moment("end", end, place, now, errors)
    begin = start or now + CRONTAB_NOTICE
    if end is not None and end <= begin:
        errors.setdefault("end", "The end must be after the start.")
    if not 0 <= jitter_seconds <= MOST_JITTER_SECONDS:
        errors["jitter_seconds"] = f"Write 0 to {MOST_JITTER_SECONDS} seconds."
    if errors:
        raise InvalidData(errors)
    return _firing(
        Recurrence(interval, begin, zone, end, cron, dialect, tuple(blackouts), jitter_seconds),
    )


def _zone(name: str, errors: dict[str, str]) -> ZoneInfo | None:
    try:
        return zone_named(name)
    except BadZone as error:
        errors["zone"] = str(error)
        return None


def _check_cron(cron: str, dialect: str, errors: dict[str, str]) -> None:
    if dialect not in DIALECTS:
        errors["dialect"] = f"Choose one of {listed(list(DIALECTS), 'or')}."
        return
    try:
        parse(cron, dialect)
    except BadCron as error:
        errors["cron"] = str(error)


def _moment(
    field: str, given: datetime | None, zone: ZoneInfo | None, now: datetime, errors: dict[str, str]
) -> datetime | None:
    """Return a time that was given in UTC. None: there is none, or it cannot be told."""
    if given is None or (given.tzinfo is None and zone is None):
        return None
    # Before it becomes UTC, which the first and the last year of all may not survive.
    if abs(given.year - now.year) > MOST_YEARS_AWAY:
        errors[field] = f"That is more than {MOST_YEARS_AWAY} years away."
        return None
    if given.tzinfo is not None or zone is None:
        return given.astimezone(UTC)
    if is_missing(given, zone):
        errors[field] = f"There is no {given:%H:%M} on that day in {zone.key}: clocks skip it."
        return None
    return placed(given, zone)


def _check_start(start: datetime | None, interval: str, now: datetime, errors: dict[str, str]) -> None:
    if start is None:
        if interval in INTERVALS and interval != "custom" and "zone" not in errors:
            errors.setdefault("start", "Say when this starts.")
    elif start < now + NOTICE:
        errors["start"] = TOO_EARLY


def _firing(recurrence: Recurrence) -> Recurrence:
    """Return a schedule if it ever fires."""
    before = recurrence.start - timedelta(seconds=1)
    if next(recurrence.firings(before), None) is None:
        raise InvalidData({"end": "Nothing would run between the start and the end."})
    if not recurrence.next(before, 1):
        raise InvalidData({"blackouts": "With these blackout windows nothing would ever run."})
    return recurrence
