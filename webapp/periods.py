"""Times that a list is narrowed to: a word such as "today", or exact moments."""

from datetime import UTC, datetime, timedelta, tzinfo
from typing import NamedTuple

from store.timing.zones import LAST_YEAR, placed

DAY = timedelta(days=1)

#: What can be chosen, as an address has it and in words. Days are those of the reader's clock.
WORDS = {
    "hour": "Last hour",
    "today": "Today",
    "yesterday": "Yesterday",
    "day": "Last 24 hours",
    "week": "Last 7 days",
    "month": "Last 30 days",
}
_LENGTHS = {"hour": timedelta(hours=1), "day": DAY, "week": timedelta(days=7), "month": timedelta(days=30)}

NO_MOMENT = "Write a date and a time such as 2030-05-15 22:00."
NO_PERIOD = "This has to be later than the beginning."
#: What was before it has no place on every clock.
_FIRST_YEAR = 1900


class Period(NamedTuple):
    """From one moment on, and until before another one; None: without an end."""

    since: datetime
    until: datetime | None = None


def period(word: str, zone: tzinfo, at: datetime) -> Period:
    """Return what one of `WORDS` means at a moment for somebody whose clock is in `zone`."""
    if word in _LENGTHS:
        return Period(at - _LENGTHS[word])
    # The date is what is counted back: not every day has 24 hours, and some have no midnight.
    midnight = at.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    today = placed(midnight, zone)
    return Period(today) if word == "today" else Period(placed(midnight - DAY, zone), today)


def read_moment(text: str, zone: tzinfo) -> datetime:
    """Return a moment as an address has it, or a form: what names no zone is on a clock in `zone`. Raises ValueError."""
    given = datetime.fromisoformat(text)
    if not _FIRST_YEAR <= given.year < LAST_YEAR:
        raise ValueError
    return given.astimezone(UTC) if given.tzinfo else placed(given, zone)


def names_a_zone(text: str) -> bool:
    """Tell whether a moment is the same for everybody; of what is none, that it is."""
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return True


def in_address(moment: datetime) -> str:
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def in_field(moment: datetime, zone: tzinfo) -> str:
    """Return what a browser's input for a date and a time holds."""
    local = moment.astimezone(zone).replace(tzinfo=None)
    return local.isoformat(timespec="auto" if local.second or local.microsecond else "minutes")
