"""How older files say when a job runs: `every(5).minutes`, `every().day.at("10:30")`."""

import re

_EVERY = re.compile(
    r"every\(\s*+(?P<count>\d*+)\s*+\)\.(?P<unit>[a-z]++)(?:\.at\(\s*+[\"'](?P<at>[0-9:]*+)[\"']\s*+\))?"
)

#: How many of a unit there are in the next one, which is what its steps divide.
_UNITS = {"second": 60, "minute": 60, "hour": 24}

_WEEKDAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")


def cron_of(schedule: str) -> str:
    """Return a schedule as a cron expression; one that is no older one as it is. Raises ValueError, with a sentence."""
    found = _EVERY.fullmatch(schedule.strip())
    if found is None:
        return schedule
    count, unit = int(found["count"] or 1), found["unit"].removesuffix("s")
    if unit in _UNITS and found["at"] is None:
        return _steps(schedule, count, unit)
    if count == 1 and unit in ("day", *_WEEKDAYS):
        minute, hour = _time(schedule, found["at"])
        return f"{minute} {hour} * * {'*' if unit == 'day' else _WEEKDAYS.index(unit)}"
    raise ValueError(f'{schedule} has no cron expression that stands for it; write one, such as "0 1 * * *".')


def _steps(schedule: str, count: int, unit: str) -> str:
    if count == 0 or _UNITS[unit] % count:
        raise ValueError(
            f"{schedule} has no cron expression that stands for it: {count} is no part of {_UNITS[unit]} {unit}s."
        )
    steps = "*" if count == 1 else f"*/{count}"
    return {"second": f"* * * * * {steps}", "minute": f"{steps} * * * *", "hour": f"0 {steps} * * *"}[unit]


def _time(schedule: str, at: str | None) -> tuple[int, int]:
    """Return minute and hour; midnight where no time is said."""
    hour, _, minute = (at or "0:0").partition(":")
    if not (hour.isdigit() and minute.isdigit() and int(hour) < 24 and int(minute) < 60):
        raise ValueError(f'{schedule} says no time; write hours and minutes, such as "10:30".')
    return int(minute), int(hour)
