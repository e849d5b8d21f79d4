"""A year of 1,000 schedules, slot by slot, against a second opinion: rules applied to every minute of every day.

Outside the days on which clocks change; `test_timing_changes` has those. Nothing here but what it compares is ours.
"""

import calendar
import random
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from itertools import islice, takewhile
from zoneinfo import ZoneInfo

import pytest
from croniter import croniter

from store.timing.cron import parse
from store.timing.fields import BadCron

YEAR = 2027
DAYS = [date(YEAR, 1, 1) + timedelta(days=day) for day in range(365)]
WEEKDAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
NTHS = {1: "1st", 2: "2nd", 3: "3rd", 4: "4th", 5: "5th", -1: "last"}

#: {zone: the days of YEAR on which its clocks change}, from their calendars.
ZONES = {
    "Europe/Berlin": ["03-28", "10-31"],
    "America/New_York": ["03-14", "11-07"],
    "Australia/Lord_Howe": ["04-04", "10-03"],
    "UTC": [],
}

Fits = Callable[[int], bool]
FitsDay = Callable[[date], bool]


class Made:
    """A random expression of one dialect: its text, and a rule for each of its fields."""

    def __init__(self, dialect: str, dice: random.Random) -> None:
        self.dialect, self.dice = dialect, dice
        # Most at few times a day, some at every minute.
        minute, self.minute = self.field(0, 59, stars=0.01, singles=0.9)
        hour, self.hour = self.field(0, 23, stars=0.1, singles=0.7)
        month, self.month = self.field(1, 12, stars=0.8, names=MONTHS if dialect != "nautobot" else [])
        day, number_fits = self.month_day()
        weekday, weekday_fits = self.weekday()
        self.second = 0
        if dialect == "bots":
            self.text = f"minute={minute}; hour={hour}; day={day}; month={month}; day_of_week={weekday}"
        else:
            self.text = f"{minute} {hour} {day} {month} {weekday}"
            if dialect == "jobschleuder" and dice.random() < 0.2:
                self.second = dice.randrange(60)
                self.text += f" {self.second}"
        if dialect == "jobschleuder" and day != "*" and weekday != "*":
            self.day: FitsDay = lambda day: number_fits(day) or weekday_fits(day)
        else:
            self.day = lambda day: number_fits(day) and weekday_fits(day)

    def field(
        self, low: int, high: int, *, stars: float, singles: float = 0, names: list[str] | None = None
    ) -> tuple[str, Fits]:
        if self.dice.random() < stars:
            return "*", lambda number: True
        if self.dice.random() < singles:
            single = self.dice.randint(low, high)
            return str(single), lambda number: number == single
        terms = [self.term(low, high, names or []) for _ in range(self.dice.choice([1, 1, 1, 2, 3]))]
        return ",".join(text for text, _ in terms), lambda number: any(fits(number) for _, fits in terms)

    def term(self, low: int, high: int, names: list[str]) -> tuple[str, Fits]:
        first, last = sorted(self.dice.sample(range(low, high + 1), 2))
        step = self.dice.randint(2, max(2, (high - low) // 2))
        said = (lambda number: names[number - low]) if names and self.dice.random() < 0.5 else str
        kind = self.dice.randrange(8)
        if kind == 0:
            return f"*/{step}", lambda number: (number - low) % step == 0
        if kind == 1:
            return f"{said(first)}-{said(last)}", lambda number: first <= number <= last
        if kind == 2 and last - first >= 2:
            return f"{first}-{last}/2", lambda number: first <= number <= last and (number - first) % 2 == 0
        if kind == 3 and self.dialect != "bots":
            # Around the end of the range.
            return f"{last}-{first}", lambda number: number >= last or number <= first
        if kind == 4 and self.dialect != "nautobot" and high - first >= 2:
            return f"{first}/2", lambda number: number >= first and (number - first) % 2 == 0
        return said(first), lambda number: number == first

    def month_day(self) -> tuple[str, FitsDay]:
        if self.dice.random() < 0.5:
            return "*", lambda day: True
        if self.dialect == "bots" and self.dice.random() < 0.4:
            text, fits = self.nth_weekday(lambda weekday, nth: f"{NTHS[nth]} {WEEKDAYS[weekday]}")
            number = self.dice.randint(1, 31)
            return f"{number},{text}", lambda day: day.day == number or fits(day)
        if self.dialect != "nautobot" and self.dice.random() < 0.3:
            return "last" if self.dialect == "bots" else "L", is_last
        text, number_fits = self.field(1, 31, stars=0)
        return text, lambda day: number_fits(day.day)

    def weekday(self) -> tuple[str, FitsDay]:
        if self.dice.random() < 0.5:
            return "*", lambda day: True
        if self.dialect == "bots":
            text, fits = self.field(0, 6, stars=0, names=WEEKDAYS)
            return text, lambda day: fits(day.weekday())
        if self.dialect == "jobschleuder" and self.dice.random() < 0.4:
            return self.nth_weekday(
                lambda weekday, nth: f"L{(weekday + 1) % 7}" if nth < 0 else f"{WEEKDAYS[weekday]}#{nth}"
            )
        # From Sunday on, as those who wrote cron count.
        text, fits = self.field(0, 6, stars=0, names=[WEEKDAYS[-1], *WEEKDAYS[:-1]])
        return text, lambda day: fits(day.isoweekday() % 7)

    def nth_weekday(self, said: Callable[[int, int], str]) -> tuple[str, FitsDay]:
        weekday, nth = self.dice.randrange(7), self.dice.choice(list(NTHS))
        return said(weekday, nth), lambda day: day in nths(day, weekday)[nth if nth < 0 else nth - 1 :][:1]

    def local_times(self, days: list[date]) -> list[datetime]:
        """Return all minutes of these days that fit, as times on a clock."""
        minutes = {minute for minute in range(60) if self.minute(minute)}
        hours = {hour for hour in range(24) if self.hour(hour)}
        of_a_day = [
            timedelta(minutes=minute, seconds=self.second)
            for minute in range(24 * 60)
            if minute // 60 in hours and minute % 60 in minutes
        ]
        fitting = (day for day in days if self.month(day.month) and self.day(day))
        midnights = (datetime(day.year, day.month, day.day) for day in fitting)
        return [midnight + moment for midnight in midnights for moment in of_a_day]


def nths(day: date, weekday: int) -> list[date]:
    """Return all days of the month that have this weekday."""
    weeks = calendar.monthcalendar(day.year, day.month)
    return [date(day.year, day.month, week[weekday]) for week in weeks if week[weekday]]


def is_last(day: date) -> bool:
    return (day + timedelta(days=1)).day == 1


def expressions(count: int, seed: int) -> list[Made]:
    dice = random.Random(seed)
    return [Made(["nautobot", "bots", "jobschleuder"][number % 3], dice) for number in range(count)]


def test_a_year_of_a_thousand_schedules_is_what_the_rules_say():
    compared = never = 0
    took = 0.0
    for number, made in enumerate(expressions(1000, seed=7)):
        zone = list(ZONES)[number % len(ZONES)]
        expected = made.local_times([day for day in DAYS if f"{day:%m-%d}" not in ZONES[zone]])
        began = time.process_time()
        slots = year_of(made, ZoneInfo(zone))
        took += time.process_time() - began
        local = [slot.astimezone(ZoneInfo(zone)).replace(tzinfo=None) for slot in slots]
        changing = {date.fromisoformat(f"{YEAR}-{day}") for day in ZONES[zone]}
        assert [slot for slot in local if slot.date() not in changing] == expected, (made.text, zone)
        compared += len(expected)
        never += not expected
    assert compared > 500_000
    assert never < 100
    assert took < 20, "a year of 1,000 schedules is a matter of seconds"


def year_of(made: Made, zone: ZoneInfo) -> list[datetime]:
    begin = datetime(YEAR, 1, 1, tzinfo=zone) - timedelta(seconds=1)
    end = datetime(YEAR + 1, 1, 1, tzinfo=zone).astimezone(UTC)
    try:
        cron = parse(made.text, made.dialect)
    except BadCron:
        return []
    return list(takewhile(lambda slot: slot < end, cron.slots(begin, zone)))


def test_croniter_agrees_about_its_own_dialect():
    """Jobschleuder's expressions are croniter's, in which we leave out what it is known to read differently."""
    begin = datetime(YEAR, 1, 1, tzinfo=UTC) - timedelta(seconds=1)
    agreed = 0
    for made in expressions(600, seed=8):
        if made.dialect != "jobschleuder":
            continue
        _, _, day, _, weekday, *_ = made.text.split()
        # It does not OR days of the month with nth weekdays, as it does with all others.
        if day != "*" and ("#" in weekday or "L" in weekday):
            continue
        try:
            ours = list(islice(parse(made.text, made.dialect).slots(begin, UTC), 30))
        except BadCron:
            continue
        theirs = croniter(made.text, begin)
        assert ours == [theirs.get_next(datetime) for _ in ours], made.text
        agreed += 1
    assert agreed > 120


@pytest.mark.parametrize("text", ["* * * * *", "*/5 * * * *", "0 6 * * *"])
def test_a_year_of_one_schedule_has_as_many_slots_as_it_must(text: str):
    begin, end = datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC)
    count = sum(1 for _ in takewhile(lambda slot: slot < end, parse(text, "nautobot").slots(begin, UTC)))
    assert count == {"* * * * *": 525_600, "*/5 * * * *": 105_120, "0 6 * * *": 365}[text]
