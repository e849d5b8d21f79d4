"""What cron expressions say in the dialects people bring along: one reader for each."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from store.timing.days import ALL_DAYS, ALL_WEEKDAYS, LAST, DayRule
from store.timing.fields import MONTHS, WEEKDAYS, WEEKDAYS_WRITTEN_OUT, BadCron, Field


@dataclass(frozen=True)
class Expression:
    """What one says, whatever the dialect it says it in."""

    #: As it was given, but for needless spaces.
    text: str
    #: In rising order, as are minutes and hours.
    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    months: frozenset[int]
    #: A day that fits one of them is a day of this expression.
    days: tuple[DayRule, ...]
    #: Whether it is a pace and no promise: `store.timing.cron` tells what hangs on it.
    wildcard: bool


def _read(
    text: str, texts: Mapping[str, str], fields: Mapping[str, Field], days: tuple[DayRule, ...]
) -> Expression:
    """Read all fields but the days, which each dialect reads in its own way."""
    second, minute, hour, month = (
        tuple(sorted(set(fields[name].numbers(texts[name]))))
        for name in ("second", "minute", "hour", "month")
    )
    return Expression(
        text=text,
        seconds=second,
        minutes=minute,
        hours=hour,
        months=frozenset(month),
        days=days,
        wildcard=any(
            fields[name].is_all(numbers) or any(term.startswith("*") for term in texts[name].split(","))
            for name, numbers in (("minute", minute), ("hour", hour))
        ),
    )


#: Nautobot: what celery takes, and what stands between two spaces of its text.
_NAUTOBOT_FORMS = "*, lists (1,2), ranges (1-5), steps (*/5)"
_NAUTOBOT = {
    "second": Field("second", 0, 59, "0"),
    "minute": Field("minute", 0, 59, f"0 to 59, {_NAUTOBOT_FORMS}", lone_steps=False),
    "hour": Field("hour", 0, 23, f"0 to 23, {_NAUTOBOT_FORMS}", lone_steps=False),
    "day": Field("day of month", 1, 31, f"1 to 31, {_NAUTOBOT_FORMS}", lone_steps=False),
    "month": Field("month", 1, 12, f"1 to 12, {_NAUTOBOT_FORMS}", lone_steps=False),
    "weekday": Field(
        "day of week",
        0,
        6,
        f"0 (Sunday) to 6 (Saturday), sun to sat, {_NAUTOBOT_FORMS}",
        WEEKDAYS_WRITTEN_OUT,
        lone_steps=False,
    ),
}


def _nautobot(text: str) -> Expression:
    """Read five fields, one space between each two. A day must fit both day fields (celery, unlike Vixie's cron)."""
    parts = text.split(" ")
    if len(parts) != 5 or not all(parts):
        raise BadCron(
            "Write five fields with a single space between each two: "
            "minute, hour, day of month, month, day of week."
        )
    texts = {"second": "0", **dict(zip(("minute", "hour", "day", "month", "weekday"), parts, strict=True))}
    rule = DayRule(
        frozenset(_NAUTOBOT["day"].numbers(texts["day"])),
        frozenset(_NAUTOBOT["weekday"].numbers(texts["weekday"])),
    )
    return _read(text, texts, _NAUTOBOT, (rule,))


#: bots: what APScheduler takes.
_BOTS_FORMS = "*, lists (1,2), ranges (1-5), steps within them (*/5, 10-40/10)"


def _bots_field(name: str, low: int, top: int, values: str, names: Mapping[str, int] | None = None) -> Field:
    return Field(name, low, top, f"{values}, {_BOTS_FORMS}", names or {}, wraps=False, tight_steps=True)


#: From Monday, which is 0.
_FROM_MONDAY = {name: (day - 1) % 7 for name, day in WEEKDAYS.items()}
#: From the most significant to the least: {name: (what it is, what stands for it below the least that is given)}.
_BOTS: dict[str, tuple[Field, str]] = {
    "month": (_bots_field("month", 1, 12, "1 to 12, jan to dec", MONTHS), "1"),
    "day": (_bots_field("day", 1, 31, "1 to 31, last, 2nd fri, last sun"), "1"),
    # The least value would be Monday: APScheduler makes this exception.
    "day_of_week": (_bots_field("day_of_week", 0, 6, "0 or mon to 6 or sun", _FROM_MONDAY), "*"),
    "hour": (_bots_field("hour", 0, 23, "0 to 23"), "0"),
    "minute": (_bots_field("minute", 0, 59, "0 to 59"), "0"),
}
_BOTS_FIELDS = {"second": _NAUTOBOT["second"], **{name: field for name, (field, _) in _BOTS.items()}}
_NTH = re.compile(r"(1st|2nd|3rd|4th|5th|last) +(sun|mon|tue|wed|thu|fri|sat)")
_NTHS = {"1st": 1, "2nd": 2, "3rd": 3, "4th": 4, "5th": 5, "last": LAST}


def _bots(text: str) -> Expression:
    """Read fields by their names. A day must fit all that is given."""
    given = _bots_given(text)
    texts = _bots_completed(given)
    numbers, nths = _bots_days(texts["day"])
    weekdays = frozenset((day + 1) % 7 for day in _BOTS_FIELDS["day_of_week"].numbers(texts["day_of_week"]))
    rules = [DayRule(numbers, weekdays)] if numbers else []
    if fitting := frozenset((day, nth) for day, nth in nths if day in weekdays):
        rules.append(DayRule(weekdays=frozenset(), nths=fitting))
    text = "; ".join(f"{name}={value}" for name, value in given.items())
    return _read(text, {"second": "0", **texts}, _BOTS_FIELDS, tuple(rules))


def _bots_given(text: str) -> dict[str, str]:
    given: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(";"))):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if name not in _BOTS or not equals or name in given:
            raise BadCron(
                f"{part[:40]!r} does not fit here; write each of month, day, day_of_week, hour and minute "
                "at most once, as in hour=2; minute=30."
            )
        if value:
            given[name] = ",".join(each.strip(" ") for each in value.lower().split(","))
    if not given:
        raise BadCron("Give at least one of month, day, day_of_week, hour and minute.")
    return given


def _bots_completed(given: Mapping[str, str]) -> dict[str, str]:
    """Fill in fields that were left out: all above the least significant one given, and the least below it."""
    least = max(list(_BOTS).index(name) for name in given)
    return {
        name: given.get(name, "*" if place < least else below)
        for place, (name, (_, below)) in enumerate(_BOTS.items())
    }


def _bots_days(text: str) -> tuple[frozenset[int], frozenset[tuple[int, int]]]:
    """Return the days of the month by their numbers, and those by their weekdays."""
    numbers: set[int] = set()
    nths = set()
    for term in text.split(","):
        if nth := _NTH.fullmatch(term):
            nths.add((WEEKDAYS[nth[2]], _NTHS[nth[1]]))
        elif term == "last":
            numbers.add(LAST)
        else:
            numbers.update(_BOTS_FIELDS["day"].term(term))
    return frozenset(numbers), frozenset(nths)


#: Jobschleuder: what croniter takes, but for its hashes, random numbers and years.
_CRONITER_FORMS = "*, lists (1,2), ranges (1-5), steps (*/5, 5/20)"
_JOBSCHLEUDER = {
    "minute": Field("minute", 0, 59, f"0 to 59, {_CRONITER_FORMS}"),
    "hour": Field("hour", 0, 23, f"0 to 23, {_CRONITER_FORMS}"),
    "day": Field("day of month", 1, 31, f"1 to 31, L, {_CRONITER_FORMS}"),
    "month": Field("month", 1, 12, f"1 to 12, jan to dec, {_CRONITER_FORMS}", MONTHS),
    "weekday": Field(
        "day of week",
        0,
        6,
        f"0 or 7 (Sunday) to 6, sun to sat, 5#2 (the second Friday), L5 (the last Friday), {_CRONITER_FORMS}",
        WEEKDAYS,
        high=7,
    ),
    "second": Field("second", 0, 59, f"0 to 59, {_CRONITER_FORMS}"),
}
_ALIASES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_NTH_WEEKDAY = re.compile(r"(?P<day>[0-7]|[a-z]{3})#(?P<nth>[1-5])|l(?P<last>[0-7])")


def _jobschleuder(text: str) -> Expression:
    """Read five fields, or six: the last are seconds. A day must fit one of the day fields where both say something."""
    parts = _ALIASES.get(text.strip().lower(), text).split()
    if len(parts) not in (5, 6):
        raise BadCron(
            "Write five fields (minute, hour, day of month, month, day of week) or six, the last of them seconds."
        )
    texts = dict(zip(_JOBSCHLEUDER, [*parts, "0"], strict=False))
    numbers, number_free = _jobschleuder_days(texts["day"])
    weekdays, nths, weekday_free = _jobschleuder_weekdays(texts["weekday"])
    rule = DayRule(numbers, weekdays, nths, either=not (number_free or weekday_free))
    if rule.either and (rule.any_number or rule.any_weekday):
        rule = DayRule()
    return _read(" ".join(text.split()), texts, _JOBSCHLEUDER, (rule,))


def _jobschleuder_days(text: str) -> tuple[frozenset[int], bool]:
    """Return the days of the month, and whether they are left open; `*/1` is not, `?` is."""
    terms = text.lower().split(",")
    if "*" in terms or "?" in terms:
        return ALL_DAYS, True
    field = _JOBSCHLEUDER["day"]
    return frozenset(n for term in terms for n in ([LAST] if term == "l" else field.term(term))), False


def _jobschleuder_weekdays(text: str) -> tuple[frozenset[int], frozenset[tuple[int, int]], bool]:
    """Return the weekdays, those that count within their month, and whether they are left open."""
    terms = text.lower().split(",")
    if "*" in terms or "?" in terms:
        return ALL_WEEKDAYS, frozenset(), True
    field = _JOBSCHLEUDER["weekday"]
    weekdays: set[int] = set()
    nths = set()
    for term in terms:
        nth = _NTH_WEEKDAY.fullmatch(term)
        if nth is None:
            weekdays.update(day % 7 for day in field.term(term))
        elif nth["last"]:
            nths.add((int(nth["last"]) % 7, LAST))
        else:
            nths.add((field.term(nth["day"])[0] % 7, int(nth["nth"])))
    return frozenset(weekdays), frozenset(nths), False


def bots_fields(text: str) -> dict[str, str]:
    """Return the fields of an expression of bots, those that were left out filled in. Raises BadCron."""
    return _bots_completed(_bots_given(text))


def bots_given(text: str) -> dict[str, str]:
    """Return the fields that an expression of bots gives. Raises BadCron."""
    return _bots_given(text)


#: Its name, and those of its fields.
BOTS = "bots"
BOTS_NAMES = tuple(_BOTS)

#: {name: what reads it}; whose schedules they are is in their names.
DIALECTS: dict[str, Callable[[str], Expression]] = {
    "nautobot": _nautobot,
    BOTS: _bots,
    "jobschleuder": _jobschleuder,
}
