"""Cron expressions mean what their dialect says, and what cannot be is told in a sentence."""

import time
from datetime import UTC, date, datetime
from itertools import islice

import pytest

from store.timing.cron import LONGEST, parse
from store.timing.dialects import DIALECTS
from store.timing.fields import BadCron


def first(dialect: str, text: object, count: int = 4, after: str = "2026-01-01") -> list[str]:
    """Return the first slots of an expression in UTC, after a New Year that was a Thursday."""
    slots = parse(text, dialect).slots(datetime.fromisoformat(after).replace(tzinfo=UTC), UTC)
    return [f"{slot:%a %m-%d %H:%M:%S}".removesuffix(":00") for slot in islice(slots, count)]


NAUTOBOT = [
    ("30 2 * * *", ["Thu 01-01 02:30", "Fri 01-02 02:30"]),
    ("*/20 * * * *", ["Thu 01-01 00:20", "Thu 01-01 00:40", "Thu 01-01 01:00"]),
    ("5,50 8-9 * * *", ["Thu 01-01 08:05", "Thu 01-01 08:50", "Thu 01-01 09:05", "Thu 01-01 09:50"]),
    ("0 8-18/5 * * *", ["Thu 01-01 08:00", "Thu 01-01 13:00", "Thu 01-01 18:00", "Fri 01-02 08:00"]),
    ("0 0 * * 0", ["Sun 01-04 00:00", "Sun 01-11 00:00"]),
    ("0 0 * * 6", ["Sat 01-03 00:00", "Sat 01-10 00:00"]),
    ("0 0 * * mon,Friday", ["Fri 01-02 00:00", "Mon 01-05 00:00", "Fri 01-09 00:00"]),
    # Both day fields: a Friday that is a 13th.
    ("0 0 13 * 5", ["Fri 02-13 00:00", "Fri 03-13 00:00", "Fri 11-13 00:00"]),
    ("0 0 */5 * 1-5", ["Tue 01-06 00:00", "Fri 01-16 00:00", "Wed 01-21 00:00", "Mon 01-26 00:00"]),
    ("0 0 1-7 3 */2", ["Sun 03-01 00:00", "Tue 03-03 00:00", "Thu 03-05 00:00", "Sat 03-07 00:00"]),
    # celery goes on at the least number.
    ("0 22-1 * * *", ["Thu 01-01 01:00", "Thu 01-01 22:00", "Thu 01-01 23:00", "Fri 01-02 00:00"]),
    ("0 0 * * 5-0", ["Fri 01-02 00:00", "Sat 01-03 00:00", "Sun 01-04 00:00", "Fri 01-09 00:00"]),
    ("0 22-3/2 * * *", ["Thu 01-01 02:00", "Thu 01-01 22:00", "Fri 01-02 00:00", "Fri 01-02 02:00"]),
    ("*/90 * * * *", ["Thu 01-01 01:00", "Thu 01-01 02:00"]),
    ("0 0 29 2 *", ["Tue 02-29 00:00"]),
]

BOTS = [
    ({"minute": "0", "hour": "*"}, ["Thu 01-01 01:00", "Thu 01-01 02:00"]),
    # Left out and less significant: the least; more significant: all.
    ({"hour": "2"}, ["Thu 01-01 02:00", "Fri 01-02 02:00"]),
    ({"minute": 30}, ["Thu 01-01 00:30", "Thu 01-01 01:30"]),
    ({"month": "3"}, ["Sun 03-01 00:00", "Mon 03-01 00:00"]),
    ({"month": "3", "minute": "7"}, ["Sun 03-01 00:07", "Sun 03-01 01:07"]),
    ({"day": "15"}, ["Thu 01-15 00:00", "Sun 02-15 00:00"]),
    ({"day_of_week": "0"}, ["Mon 01-05 00:00", "Mon 01-12 00:00"]),
    ({"day_of_week": "6"}, ["Sun 01-04 00:00"]),
    ({"day_of_week": "mon,sun"}, ["Sun 01-04 00:00", "Mon 01-05 00:00"]),
    ({"day_of_week": "sat-sun", "hour": "5"}, ["Sat 01-03 05:00", "Sun 01-04 05:00", "Sat 01-10 05:00"]),
    ({"day_of_week": "0-3/2"}, ["Mon 01-05 00:00", "Wed 01-07 00:00", "Mon 01-12 00:00"]),
    ({"day": "last"}, ["Sat 01-31 00:00", "Sat 02-28 00:00", "Tue 03-31 00:00"]),
    ({"day": "2nd fri"}, ["Fri 01-09 00:00", "Fri 02-13 00:00"]),
    ({"day": "last sun"}, ["Sun 01-25 00:00", "Sun 02-22 00:00"]),
    ({"day": "5th  THU"}, ["Thu 01-29 00:00", "Thu 04-30 00:00"]),
    ({"day": "15 , 2nd fri, last"}, ["Fri 01-09 00:00", "Thu 01-15 00:00", "Sat 01-31 00:00"]),
    # All that is given must fit.
    ({"day": "13", "day_of_week": "fri"}, ["Fri 02-13 00:00", "Fri 03-13 00:00", "Fri 11-13 00:00"]),
    ({"day": "13,2nd fri,2nd mon", "day_of_week": "fri"}, ["Fri 01-09 00:00", "Fri 02-13 00:00"]),
    ({"day": "last", "day_of_week": "sat"}, ["Sat 01-31 00:00", "Sat 02-28 00:00", "Sat 10-31 00:00"]),
    ({"month": "feb-mar,12", "day": "*/20"}, ["Sun 02-01 00:00", "Sat 02-21 00:00", "Sun 03-01 00:00"]),
    ({"minute": "10/20", "hour": "*"}, ["Thu 01-01 00:10", "Thu 01-01 00:30", "Thu 01-01 00:50"]),
    ({"minute": "", "hour": "3", "day": None}, ["Thu 01-01 03:00"]),
    ("hour=2; day=last sun", ["Sun 01-25 02:00"]),
]

JOBSCHLEUDER = [
    ("30 2 * * *", ["Thu 01-01 02:30"]),
    ("  0   6 * * mon-fri ", ["Thu 01-01 06:00", "Fri 01-02 06:00", "Mon 01-05 06:00"]),
    # The sixth field is seconds.
    ("0 0 * * * */20", ["Thu 01-01 00:00:20", "Thu 01-01 00:00:40", "Fri 01-02 00:00"]),
    ("* * * * * 10", ["Thu 01-01 00:00:10", "Thu 01-01 00:01:10"]),
    # Either day field will do where both say something; `*/2` says something, `?` does not.
    ("0 0 13 * 5", ["Fri 01-02 00:00", "Fri 01-09 00:00", "Tue 01-13 00:00", "Fri 01-16 00:00"]),
    ("0 0 */10 * 1", ["Mon 01-05 00:00", "Sun 01-11 00:00", "Mon 01-12 00:00", "Mon 01-19 00:00"]),
    ("0 0 13 * */1", ["Fri 01-02 00:00", "Sat 01-03 00:00"]),
    ("0 0 13 * ?", ["Tue 01-13 00:00", "Fri 02-13 00:00"]),
    ("0 0 ? * 2", ["Tue 01-06 00:00", "Tue 01-13 00:00"]),
    ("0 0 13 * *,1", ["Tue 01-13 00:00", "Fri 02-13 00:00"]),
    ("0 0 30 2 1", ["Mon 02-02 00:00", "Mon 02-09 00:00"]),
    ("0 0 L * 1", ["Mon 01-05 00:00", "Mon 01-12 00:00", "Mon 01-19 00:00", "Mon 01-26 00:00"]),
    ("0 0 l * *", ["Sat 01-31 00:00", "Sat 02-28 00:00", "Tue 03-31 00:00"]),
    ("0 0 15,L * *", ["Thu 01-15 00:00", "Sat 01-31 00:00"]),
    ("0 0 * * fri#2", ["Fri 01-09 00:00", "Fri 02-13 00:00"]),
    ("0 0 * * 5#1,5#3", ["Fri 01-02 00:00", "Fri 01-16 00:00", "Fri 02-06 00:00"]),
    ("0 0 * * 7#1", ["Sun 01-04 00:00", "Sun 02-01 00:00"]),
    ("0 0 * * L5", ["Fri 01-30 00:00", "Fri 02-27 00:00"]),
    ("0 0 * * L7", ["Sun 01-25 00:00", "Sun 02-22 00:00"]),
    ("0 0 13 * fri#2", ["Fri 01-09 00:00", "Tue 01-13 00:00", "Fri 02-13 00:00", "Fri 03-13 00:00"]),
    # Sunday is 0 and 7.
    ("0 0 * * 0", ["Sun 01-04 00:00"]),
    ("0 0 * * 7", ["Sun 01-04 00:00", "Sun 01-11 00:00"]),
    ("0 0 * * 7-7", ["Sun 01-04 00:00", "Sun 01-11 00:00"]),
    ("0 0 * * 7/3", ["Sat 01-03 00:00", "Sun 01-04 00:00", "Wed 01-07 00:00"]),
    ("0 0 * * 0-7", ["Fri 01-02 00:00", "Sat 01-03 00:00", "Sun 01-04 00:00", "Mon 01-05 00:00"]),
    ("0 0 * * 5-7", ["Fri 01-02 00:00", "Sat 01-03 00:00", "Sun 01-04 00:00", "Fri 01-09 00:00"]),
    ("0 0 * * fri-mon", ["Fri 01-02 00:00", "Sat 01-03 00:00", "Sun 01-04 00:00", "Mon 01-05 00:00"]),
    ("0 0 * * 7-2", ["Sun 01-04 00:00", "Mon 01-05 00:00", "Tue 01-06 00:00", "Sun 01-11 00:00"]),
    ("0 0 1 NOV-feb *", ["Sun 02-01 00:00", "Sun 11-01 00:00", "Tue 12-01 00:00"]),
    ("5/20 * * * *", ["Thu 01-01 00:05", "Thu 01-01 00:25", "Thu 01-01 00:45", "Thu 01-01 01:05"]),
    ("@weekly", ["Sun 01-04 00:00", "Sun 01-11 00:00"]),
    ("@hourly", ["Thu 01-01 01:00", "Thu 01-01 02:00"]),
    ("@yearly", ["Fri 01-01 00:00"]),
]


@pytest.mark.parametrize(
    ("dialect", "text", "slots"),
    [
        (dialect, *row)
        for dialect, rows in (("nautobot", NAUTOBOT), ("bots", BOTS), ("jobschleuder", JOBSCHLEUDER))
        for row in rows
    ],
    ids=str,
)
def test_an_expression_fires_as_its_dialect_says(dialect: str, text: object, slots: list[str]):
    assert first(dialect, text, len(slots)) == slots


def test_the_same_text_differs_by_dialect():
    either = first("jobschleuder", "0 0 13 * 5")
    both = first("nautobot", "0 0 13 * 5")
    from_monday = first("bots", "minute=0; hour=0; day=13; day_of_week=5")
    assert either != both != from_monday
    assert from_monday[0] == "Sat 06-13 00:00"


REFUSED = [
    ("nautobot", "0 0 * *", "five fields with a single space"),
    ("nautobot", "0 0 * * * *", "five fields with a single space"),
    ("nautobot", "0  0 * * *", "five fields with a single space"),
    ("nautobot", " 0 0 * * *", "five fields with a single space"),
    ("nautobot", "0  0 * *", "five fields with a single space"),
    ("nautobot", "0\t0 * * *", "five fields with a single space"),
    ("nautobot", "", "five fields with a single space"),
    ("nautobot", "@daily", "five fields with a single space"),
    ("nautobot", "60 0 * * *", "The minute cannot be '60'; it may hold 0 to 59"),
    ("nautobot", "0 24 * * *", "The hour cannot be '24'; it may hold 0 to 23"),
    ("nautobot", "0 0 0 * *", "The day of month cannot be '0'; it may hold 1 to 31"),
    ("nautobot", "0 0 32 * *", "The day of month cannot be '32'"),
    ("nautobot", "0 0 L * *", "The day of month cannot be 'L'"),
    ("nautobot", "0 0 15W * *", "The day of month cannot be '15W'"),
    ("nautobot", "0 0 ? * *", "The day of month cannot be '?'"),
    ("nautobot", "0 0 * 13 *", "The month cannot be '13'; it may hold 1 to 12"),
    ("nautobot", "0 0 * jan *", "The month cannot be 'jan'"),
    ("nautobot", "0 0 * * 7", "The day of week cannot be '7'; it may hold 0 (Sunday) to 6 (Saturday)"),
    ("nautobot", "0 0 * * 5#2", "The day of week cannot be '5#2'"),
    ("nautobot", "0 0 * * L5", "The day of week cannot be 'L5'"),
    ("nautobot", "0 0 * * *\n", r"The day of week cannot be '*\n'"),
    ("nautobot", "5/20 0 * * *", "The minute cannot be '5/20'"),
    ("nautobot", "*/0 0 * * *", "The minute cannot be '*/0'"),
    ("nautobot", "1,,2 0 * * *", "The minute cannot be ''"),
    ("nautobot", "-1 0 * * *", "The minute cannot be '-1'"),
    ("nautobot", "1-2-3 0 * * *", "The minute cannot be '1-2-3'"),
    ("nautobot", "٣ 0 * * *", "The minute cannot be '٣'"),
    ("nautobot", "0 0 30 2 *", "never happens"),
    ("nautobot", "0 0 31 4,6,9,11 1", "never happens"),
    ("bots", {}, "at least one of month, day"),
    ("bots", "", "at least one of month, day"),
    ("bots", {"minute": ""}, "at least one of month, day"),
    ("bots", {"second": "5"}, "'second=5' does not fit here; write each of month, day"),
    ("bots", "hour=1; hour=2", "'hour=2' does not fit here"),
    ("bots", "0 0 * * *", "'0 0 * * *' does not fit here"),
    ("bots", {"hour": "24"}, "The hour cannot be '24'; it may hold 0 to 23"),
    ("bots", {"hour": "22-2"}, "The hour cannot be '22-2'"),
    ("bots", {"minute": "*/60"}, "The minute cannot be '*/60'"),
    ("bots", {"minute": "10-20/15"}, "The minute cannot be '10-20/15'"),
    ("bots", {"day": "6th fri"}, "The day cannot be '6th fri'; it may hold 1 to 31, last, 2nd fri"),
    ("bots", {"day": "2nd foo"}, "The day cannot be '2nd foo'"),
    ("bots", {"day": "L"}, "The day cannot be 'l'"),
    ("bots", {"day_of_week": "7"}, "The day_of_week cannot be '7'; it may hold 0 or mon to 6 or sun"),
    ("bots", {"day_of_week": "sun-mon"}, "The day_of_week cannot be 'sun-mon'"),
    ("bots", {"day_of_week": "last"}, "The day_of_week cannot be 'last'"),
    ("bots", {"day": "30", "month": "feb"}, "never happens"),
    ("bots", {"day": "2nd fri", "day_of_week": "mon"}, "never happens"),
    ("jobschleuder", "0 0 * *", "five fields (minute, hour"),
    ("jobschleuder", "0 0 * * * 0 2026", "five fields (minute, hour"),
    ("jobschleuder", "@reboot", "five fields (minute, hour"),
    ("jobschleuder", "0 0 * * * 60", "The second cannot be '60'; it may hold 0 to 59"),
    ("jobschleuder", "? 0 * * *", "The minute cannot be '?'"),
    ("jobschleuder", "0 0 LW * *", "The day of month cannot be 'lw'; it may hold 1 to 31, L"),
    ("jobschleuder", "0 0 * * 8", "The day of week cannot be '8'; it may hold 0 or 7 (Sunday) to 6"),
    ("jobschleuder", "0 0 * * 5#6", "The day of week cannot be '5#6'"),
    ("jobschleuder", "0 0 * * L", "The day of week cannot be 'l'"),
    ("jobschleuder", "0 0 * foo *", "The month cannot be 'foo'; it may hold 1 to 12, jan to dec"),
    ("jobschleuder", "0 0 30 2 *", "never happens"),
    ("jobschleuder", "0 0 31 2 ?", "never happens"),
]


@pytest.mark.parametrize(("dialect", "text", "sentence"), REFUSED, ids=str)
def test_what_cannot_be_is_refused_with_its_field_named(dialect: str, text: object, sentence: str):
    with pytest.raises(BadCron) as refusal:
        parse(text, dialect)
    assert sentence in str(refusal.value)
    assert str(refusal.value).endswith(".")


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("text", ["9" * 5000 + " 0 * * *", "1," * 3000, "hour=" + "1," * 3000])
def test_a_huge_expression_is_refused_and_not_repeated(dialect: str, text: str):
    with pytest.raises(BadCron, match=f"at most {LONGEST} characters") as refusal:
        parse(text, dialect)
    assert len(str(refusal.value)) < 100


def test_a_long_field_is_cut_in_the_sentence():
    with pytest.raises(BadCron) as refusal:
        parse("9" * 400 + " 0 * * *", "nautobot")
    assert "9" * 40 in str(refusal.value)
    assert "9" * 41 not in str(refusal.value)


def test_a_day_that_never_comes_is_found_at_once():
    began = time.monotonic()
    for _ in range(20):
        with pytest.raises(BadCron):
            parse("0 0 30 2 1", "nautobot")
    assert time.monotonic() - began < 2


def test_a_day_that_comes_every_28_years_is_one():
    slots = parse("0 0 29 2 1", "nautobot").slots(datetime(2026, 1, 1, tzinfo=UTC), UTC)
    assert [slot.date() for slot in islice(slots, 2)] == [date(2044, 2, 29), date(2072, 2, 29)]


@pytest.mark.parametrize("text", ["0 0 * * *", "* * * * *", "0 0 29 2 *"])
def test_slots_end_where_the_calendar_ends(text: str):
    slots = parse(text, "nautobot").slots(datetime(9989, 12, 31, 23, 57, tzinfo=UTC), UTC)
    assert len(list(slots)) <= 2
    assert list(parse(text, "nautobot").slots(datetime(9999, 12, 30, tzinfo=UTC), UTC)) == []


def test_a_moment_without_a_zone_is_refused():
    with pytest.raises(ValueError, match="time zone"):
        parse("0 0 * * *", "nautobot").slots(datetime(2026, 1, 1), UTC)


def test_the_text_kept_says_the_same_again():
    for dialect, text in [
        ("bots", {"hour": 2, "day": "2nd fri , last", "minute": ""}),
        ("jobschleuder", "0  6 * * MON"),
    ]:
        cron = parse(text, dialect)
        assert parse(cron.text, dialect) == cron
    assert parse({"hour": 2, "day": "2nd fri , last"}, "bots").text == "hour=2; day=2nd fri,last"
