"""Cron expressions in plain English: calm where they are plain, whole where they are not."""

import random
from itertools import product

import pytest

from store.timing.cron import parse
from store.timing.days import DayRule
from store.timing.dialects import DIALECTS


@pytest.mark.parametrize(
    ("dialect", "text", "words"),
    [
        ("nautobot", "0 6 * * *", "Every day at 06:00"),
        ("nautobot", "30 2 * * 1-5", "At 02:30 on Monday to Friday"),
        ("nautobot", "0 6,18 * * 0,6", "At 06:00 and 18:00 on Saturday and Sunday"),
        ("nautobot", "0,30 6,18 * * *", "Every day at 06:00, 06:30, 18:00 and 18:30"),
        ("nautobot", "* * * * *", "Every minute"),
        ("nautobot", "*/15 * * * *", "Every 15 minutes"),
        ("nautobot", "0 * * * *", "Every hour on the hour"),
        ("nautobot", "7 * * * *", "Every hour at minute 7"),
        ("nautobot", "7,37,50 * * * *", "Every hour at minutes 7, 37 and 50"),
        ("nautobot", "0 */2 * * *", "Every 2 hours on the hour"),
        ("nautobot", "10 */2 * * *", "Every 2 hours at minute 10"),
        ("nautobot", "*/15 8-18 * * 1-5", "Every 15 minutes from 08:00 to 18:59 on Monday to Friday"),
        ("nautobot", "* 3 * * *", "Every minute from 03:00 to 03:59"),
        ("nautobot", "*/15 */6 * * *", "Every 15 minutes of every 6 hours"),
        ("nautobot", "*/7 * * * *", "Every hour at minutes 0 to 56 in steps of 7"),
        ("nautobot", "5 1-5 * * *", "At minute 5 of hours 1 to 5"),
        ("nautobot", "*/15 1,5 * * *", "Every 15 minutes of hours 1 and 5"),
        ("nautobot", "0 0 1 * *", "At 00:00 on day 1 of the month"),
        ("nautobot", "0 0 1,15 3-5,12 *", "At 00:00 on day 1 and 15 of the month in March to May and December"),
        ("nautobot", "0 0 * 1 *", "Every day at 00:00 in January"),
        ("nautobot", "0 0 13 * 5", "At 00:00 on day 13 of the month if it is Friday"),
        ("nautobot", "0 0 1-7 * 1,2", "At 00:00 on day 1 to 7 of the month if it is Monday or Tuesday"),
        ("jobschleuder", "0 0 13 * 5", "At 00:00 on day 13 of the month or on Friday"),
        ("jobschleuder", "0 0 13 * 0-6", "Every day at 00:00"),
        ("jobschleuder", "0 0 1-31 * 5", "Every day at 00:00"),
        ("jobschleuder", "0 0 15,L * *", "At 00:00 on day 15 and the last day of the month"),
        ("jobschleuder", "0 0 L * *", "At 00:00 on the last day of the month"),
        ("jobschleuder", "0 2 * * fri#2", "At 02:00 on the second Friday of the month"),
        ("jobschleuder", "0 2 * * L7,mon#1", "At 02:00 on the first Monday and the last Sunday of the month"),
        ("jobschleuder", "30 2 * * * 5", "Every day at 02:30:05"),
        ("jobschleuder", "* * * * * *", "Every second"),
        ("jobschleuder", "* * * * * */10", "Every 10 seconds"),
        ("jobschleuder", "* * * * * 5", "At second 5 of every minute"),
        ("jobschleuder", "*/20 9-17 * * * */10", "Every 10 seconds, every 20 minutes, at hours 9 to 17"),
        ("bots", "hour=2; day=15,2nd fri", "At 02:00 on day 15 of the month and on the second Friday of the month"),
        ("bots", "day=last sun; month=jan", "At 00:00 on the last Sunday of the month in January"),
        ("bots", "day_of_week=0-4", "At 00:00 on Monday to Friday"),
    ],
)  # fmt: skip
def test_an_expression_in_words(dialect: str, text: str, words: str):
    assert parse(text, dialect).in_words() == words


def test_different_expressions_have_different_words():
    """So nothing that an expression says is missing in its sentence."""
    fields = {
        "minute": ["0", "5", "0,30", "*/7", "*", "1-9", "0-59/2"],
        "hour": ["2", "1-5", "*", "*/3", "2,9,11,12,20"],
        "day": ["*", "13", "L", "1-7", "1,13,L"],
        "month": ["*", "2", "1-3,5"],
        "weekday": ["*", "5", "1-5", "fri#2", "L0,mon#1", "0,6"],
        "second": ["0", "7", "*/20", "1,2", "*"],
    }
    all_of_them = list(product(*fields.values()))
    by_words: dict[str, set[object]] = {}
    for parts in random.Random(5).sample(all_of_them, 4000):
        expression = parse(" ".join(parts), "jobschleuder").expression
        said = (expression.seconds, expression.minutes, expression.hours, expression.months, expression.days)
        by_words.setdefault(parse(" ".join(parts), "jobschleuder").in_words(), set()).add(said)
    assert [words for words, said in by_words.items() if len(said) > 1] == []
    assert len(by_words) > 3500


def test_either_and_both_have_different_words():
    both, either = (parse("0 0 13 * 5", dialect) for dialect in ("nautobot", "jobschleuder"))
    assert both.expression.days == (DayRule(frozenset({13}), frozenset({5})),)
    assert both.in_words() != either.in_words()
    assert set(DIALECTS) == {"nautobot", "bots", "jobschleuder"}
