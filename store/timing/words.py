"""Cron expressions in plain English. Two that differ have different words: nothing is left out."""

from collections.abc import Callable, Sequence
from datetime import time
from itertools import pairwise, product

from store.timing.days import LAST, DayRule
from store.timing.dialects import Expression
from store.timing.fields import MONTH_NAMES, WEEKDAY_NAMES

#: As many times of a day are named one by one.
_MOST_TIMES = 4

#: As many numbers at a steady distance are named one by one.
_MOST_STEPS = 4

_NTHS = {1: "first", 2: "second", 3: "third", 4: "fourth", 5: "fifth", LAST: "last"}


def expression_in_words(expression: Expression) -> str:
    """Return one sentence without its full stop, such as "At 02:30 on Monday to Friday"."""
    times, is_list = _times(expression)
    days = " and ".join(filter(None, (_rule(rule) for rule in expression.days)))
    months = "" if len(expression.months) == 12 else f"in {_months(expression.months)}"
    if is_list and not days:
        times = f"Every day {times}"
    return _capitalized(" ".join(filter(None, (times, days, months))))


def clock_time(moment: time) -> str:
    """Return "06:00", with the seconds where there are some."""
    return moment.strftime("%H:%M:%S" if moment.second else "%H:%M")


def listed(words: Sequence[str], last: str = "and") -> str:
    """Join words: "1", "1 and 2", "1, 2 and 3"."""
    return f" {last} ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def weekdays_in_words(weekdays: frozenset[int], last: str = "and") -> str:
    """Return weekdays (0 is Sunday), from Monday on: "Monday to Friday", "Saturday and Sunday"."""
    from_monday = sorted((day - 1) % 7 for day in weekdays)
    return listed(_spans(from_monday, lambda day: WEEKDAY_NAMES[(day + 1) % 7]), last)


def _times(expression: Expression) -> tuple[str, bool]:
    """Return the times of day, and whether they are named one by one."""
    times = list(product(expression.hours, expression.minutes, expression.seconds))
    if len(times) <= _MOST_TIMES:
        return f"at {listed([clock_time(time(*moment)) for moment in times])}", True
    if expression.seconds == (0,):
        return _minutes_of_hours(expression.minutes, expression.hours), False
    seconds = _pace("second", expression.seconds, 60)
    if len(expression.minutes) == 60 and len(expression.hours) == 24:
        return seconds if seconds.startswith("every") else f"{seconds} of every minute", False
    return (
        f"{seconds}, {_pace('minute', expression.minutes, 60)}, {_pace('hour', expression.hours, 24)}",
        False,
    )


def _minutes_of_hours(minutes: Sequence[int], hours: Sequence[int]) -> str:
    of_minutes, of_hours = _pace("minute", minutes, 60), _pace("hour", hours, 24)
    if len(hours) == 24:
        if minutes == (0,):
            return "every hour on the hour"
        return of_minutes if of_minutes.startswith("every") else f"every hour {of_minutes}"
    if minutes == (0,) and of_hours.startswith("every"):
        return f"{of_hours} on the hour"
    if of_hours.startswith("every"):
        return f"{of_minutes} of {of_hours}" if of_minutes.startswith("every") else f"{of_hours} {of_minutes}"
    if of_minutes.startswith("every") and len(hours) == hours[-1] - hours[0] + 1:
        return f"{of_minutes} from {hours[0]:02}:00 to {hours[-1]:02}:59"
    return f"{of_minutes} of {of_hours.removeprefix('at ')}"


def _pace(unit: str, numbers: Sequence[int], size: int) -> str:
    """Return "every minute", "every 15 minutes", "at minute 7" or "at minutes 7 and 9"."""
    if len(numbers) == size:
        return f"every {unit}"
    step = size // len(numbers)
    if len(numbers) > 1 and list(numbers) == list(range(0, size, step)):
        return f"every {step} {unit}s"
    return f"at {unit}{'s' if len(numbers) > 1 else ''} {_numbers(numbers)}"


def _rule(rule: DayRule) -> str:
    numbers = "" if rule.any_number else _numbered(rule.numbers)
    if rule.any_number or rule.any_weekday:
        only = numbers or ("" if rule.any_weekday else _weekdays(rule))
        return f"on {only}" if only else ""
    if rule.either:
        return f"on {numbers} or on {_weekdays(rule)}"
    return f"on {numbers} if it is {_weekdays(rule, 'or')}"


def _numbered(numbers: frozenset[int]) -> str:
    days = sorted(numbers - {LAST})
    words = [f"day {_numbers(days)}"] if days else []
    words += ["the last day"] if LAST in numbers else []
    return f"{listed(words)} of the month"


def _weekdays(rule: DayRule, last: str = "and") -> str:
    words = [weekdays_in_words(rule.weekdays, last)] if rule.weekdays else []
    if rule.nths:
        # From Monday on, and the last of a month behind the fifth.
        ordered = sorted(rule.nths, key=lambda nth: ((nth[0] - 1) % 7, nth[1] or 6))
        nths = [f"the {_NTHS[nth]} {WEEKDAY_NAMES[day]}" for day, nth in ordered]
        words.append(f"{listed(nths)} of the month")
    return listed(words)


def _months(months: frozenset[int]) -> str:
    return listed(_spans(sorted(months), lambda month: MONTH_NAMES[month - 1]))


def _numbers(numbers: Sequence[int]) -> str:
    steps = {after - before for before, after in pairwise(numbers)}
    if len(numbers) > _MOST_STEPS and len(steps) == 1 and steps != {1}:
        return f"{numbers[0]} to {numbers[-1]} in steps of {steps.pop()}"
    return listed(_spans(numbers, str))


def _spans(numbers: Sequence[int], named: Callable[[int], str]) -> list[str]:
    """Name rising numbers, three or more in a row as a span: 1 to 5."""
    spans: list[list[int]] = []
    for number in numbers:
        if spans and number == spans[-1][-1] + 1:
            spans[-1].append(number)
        else:
            spans.append([number])
    words: list[str] = []
    for span in spans:
        words += [f"{named(span[0])} to {named(span[-1])}"] if len(span) > 2 else map(named, span)
    return words


def _capitalized(text: str) -> str:
    return text[:1].upper() + text[1:]
