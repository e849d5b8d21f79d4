"""Where clocks change: tables written by hand, and what holds around every change."""

import random
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise, takewhile
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import given, settings
from hypothesis import strategies as st

from store.timing.cron import parse
from store.timing.zones import BadZone, changes, near_zones, stretches, zone_named

#: (zone, expression, after, the slots that follow); all moments are UTC. With seconds they are Jobschleuder's.
BERLIN = "Europe/Berlin"  # +1; 2026-03-29 02:00 -> 03:00 at 01:00 UTC, 2026-10-25 03:00 -> 02:00 at 01:00 UTC
NEW_YORK = (
    "America/New_York"  # -5; 2026-03-08 02:00 -> 03:00 at 07:00 UTC, 2026-11-01 02:00 -> 01:00 at 06:00 UTC
)
LORD_HOWE = (
    "Australia/Lord_Howe"  # +10:30; 2026-04-05 02:00 -> 01:30 and 2026-10-04 02:00 -> 02:30 at 15:30 (-1 day)
)
TABLE = [
    # Berlin, the missing hour. Fixed: at 03:00 CEST, once.
    (BERLIN, "30 2 * * *", "2026-03-27T12", ["03-28T01:30", "03-29T01:00", "03-30T00:30"]),
    (BERLIN, "0 2 * * *", "2026-03-28T12", ["03-29T01:00", "03-30T00:00"]),
    (BERLIN, "0,30 2 * * *", "2026-03-28T12", ["03-29T01:00", "03-30T00:00", "03-30T00:30"]),
    (BERLIN, "0 2,3 * * *", "2026-03-28T12", ["03-29T01:00", "03-30T00:00", "03-30T01:00"]),
    (BERLIN, "30 1,3 * * *", "2026-03-28T12", ["03-29T00:30", "03-29T01:30", "03-29T23:30"]),
    (BERLIN, "59 1 * * *", "2026-03-28T12", ["03-29T00:59", "03-29T23:59"]),
    (BERLIN, "0 3 * * *", "2026-03-28T12", ["03-29T01:00", "03-30T01:00"]),
    (BERLIN, "30 2 29 3 *", "2026-03-28T12", ["03-29T01:00"]),
    (BERLIN, "30 2 * * * 15", "2026-03-28T12", ["03-29T01:00", "03-30T00:30:15"]),
    (BERLIN, "30 2 * * * */30", "2026-03-28T12", ["03-29T01:00", "03-30T00:30", "03-30T00:30:30"]),
    (BERLIN, "30 2 * * *", "2026-03-29T01", ["03-30T00:30"]),
    (BERLIN, "30 2 * * *", "2026-03-29T00:59:59", ["03-29T01:00", "03-30T00:30"]),
    # Wildcards go on as time does.
    (BERLIN, "30 * * * *", "2026-03-28T23", ["03-28T23:30", "03-29T00:30", "03-29T01:30", "03-29T02:30"]),
    (BERLIN, "0 * * * *", "2026-03-28T23", ["03-29T00", "03-29T01", "03-29T02"]),
    (BERLIN, "0 */2 * * *", "2026-03-28T22", ["03-28T23", "03-29T02", "03-29T04"]),
    (BERLIN, "* * * * *", "2026-03-29T00:57", ["03-29T00:58", "03-29T00:59", "03-29T01:00", "03-29T01:01"]),
    (BERLIN, "*/20 2 * * *", "2026-03-28T12", ["03-30T00:00", "03-30T00:20", "03-30T00:40"]),
    (BERLIN, "*/30 1-3 * * *", "2026-03-28T12", ["03-29T00", "03-29T00:30", "03-29T01", "03-29T01:30"]),
    (BERLIN, "59 * * * * */30", "2026-03-29T00", ["03-29T00:59", "03-29T00:59:30", "03-29T01:59"]),
    # Berlin, the hour that comes twice. Fixed: in the first pass.
    (BERLIN, "30 2 * * *", "2026-10-24T12", ["10-25T00:30", "10-26T01:30"]),
    (BERLIN, "0 2 * * *", "2026-10-24T12", ["10-25T00:00", "10-26T01:00"]),
    (BERLIN, "0 3 * * *", "2026-10-24T12", ["10-25T02:00", "10-26T02:00"]),
    (BERLIN, "0,30 2 * * *", "2026-10-24T12", ["10-25T00:00", "10-25T00:30", "10-26T01:00"]),
    (BERLIN, "30 1,2 * * *", "2026-10-24T12", ["10-24T23:30", "10-25T00:30", "10-26T00:30"]),
    (BERLIN, "30 2 * * * 15", "2026-10-24T12", ["10-25T00:30:15", "10-26T01:30:15"]),
    # Asked in the second pass, before and after its half past two.
    (BERLIN, "30 2 * * *", "2026-10-25T01:10", ["10-26T01:30"]),
    (BERLIN, "30 2 * * *", "2026-10-25T01:40", ["10-26T01:30"]),
    (BERLIN, "30 * * * *", "2026-10-24T23", ["10-24T23:30", "10-25T00:30", "10-25T01:30", "10-25T02:30"]),
    (BERLIN, "0 */2 * * *", "2026-10-24T23", ["10-25T00", "10-25T01", "10-25T03"]),
    (BERLIN, "* * * * *", "2026-10-25T00:58", ["10-25T00:59", "10-25T01:00", "10-25T01:01"]),
    (BERLIN, "* * * * *", "2026-10-25T01:58", ["10-25T01:59", "10-25T02:00", "10-25T02:01"]),
    (
        BERLIN,
        "*/30 2 * * *",
        "2026-10-24T12",
        ["10-25T00", "10-25T00:30", "10-25T01", "10-25T01:30", "10-26T01"],
    ),
    # All there is, is a wildcard, too.
    (BERLIN, "30 0-23 * * *", "2026-10-24T23", ["10-24T23:30", "10-25T00:30", "10-25T01:30", "10-25T02:30"]),
    (BERLIN, "0-59 2 * * *", "2026-10-25T00:58", ["10-25T00:59", "10-25T01:00", "10-25T01:01"]),
    (BERLIN, "5,*/30 2 * * *", "2026-10-25T00:20", ["10-25T00:30", "10-25T01:00", "10-25T01:05"]),
    # Berlin, 2027.
    (BERLIN, "30 2 * * *", "2027-03-27T12", ["03-28T01:00", "03-29T00:30"]),
    (BERLIN, "30 * * * *", "2027-03-28T00", ["03-28T00:30", "03-28T01:30"]),
    (BERLIN, "* * * * *", "2027-03-28T00:58", ["03-28T00:59", "03-28T01:00", "03-28T01:01"]),
    (BERLIN, "30 2 * * *", "2027-10-30T12", ["10-31T00:30", "11-01T01:30"]),
    (BERLIN, "30 * * * *", "2027-10-31T00", ["10-31T00:30", "10-31T01:30", "10-31T02:30"]),
    (BERLIN, "* * * * *", "2027-10-31T00:58", ["10-31T00:59", "10-31T01:00", "10-31T01:01"]),
    # New York, the missing hour, from 07:00 UTC on.
    (NEW_YORK, "30 2 * * *", "2026-03-07T12", ["03-08T07:00", "03-09T06:30"]),
    (NEW_YORK, "30 1 * * *", "2026-03-07T12", ["03-08T06:30", "03-09T05:30"]),
    (NEW_YORK, "15 * * * *", "2026-03-08T06", ["03-08T06:15", "03-08T07:15", "03-08T08:15"]),
    (NEW_YORK, "* * * * *", "2026-03-08T06:58", ["03-08T06:59", "03-08T07:00", "03-08T07:01"]),
    # New York, the hour that comes twice: one o'clock, from 05:00 and from 06:00 UTC on.
    (NEW_YORK, "30 1 * * *", "2026-10-31T12", ["11-01T05:30", "11-02T06:30"]),
    (NEW_YORK, "30 1 * * *", "2026-11-01T06:05", ["11-02T06:30"]),
    (NEW_YORK, "30 2 * * *", "2026-10-31T12", ["11-01T07:30", "11-02T07:30"]),
    (NEW_YORK, "30 * * * *", "2026-11-01T04", ["11-01T04:30", "11-01T05:30", "11-01T06:30", "11-01T07:30"]),
    (NEW_YORK, "* * * * *", "2026-11-01T05:58", ["11-01T05:59", "11-01T06:00", "11-01T06:01"]),
    (
        NEW_YORK,
        "*/30 1 * * *",
        "2026-10-31T12",
        ["11-01T05", "11-01T05:30", "11-01T06", "11-01T06:30", "11-02T06"],
    ),
    # New York, 2027.
    (NEW_YORK, "30 2 * * *", "2027-03-13T12", ["03-14T07:00", "03-15T06:30"]),
    (NEW_YORK, "30 * * * *", "2027-03-14T06", ["03-14T06:30", "03-14T07:30"]),
    (NEW_YORK, "* * * * *", "2027-03-14T06:58", ["03-14T06:59", "03-14T07:00"]),
    (NEW_YORK, "30 1 * * *", "2027-11-06T12", ["11-07T05:30", "11-08T06:30"]),
    (NEW_YORK, "30 * * * *", "2027-11-07T05", ["11-07T05:30", "11-07T06:30", "11-07T07:30"]),
    (NEW_YORK, "* * * * *", "2027-11-07T05:58", ["11-07T05:59", "11-07T06:00"]),
    # Lord Howe, the half hour that comes twice: 01:30 to 02:00, from 14:30 and from 15:00 UTC on.
    (LORD_HOWE, "45 1 * * *", "2026-04-04T00", ["04-04T14:45", "04-05T15:15"]),
    (LORD_HOWE, "45 1 * * *", "2026-04-04T15:05", ["04-05T15:15"]),
    (LORD_HOWE, "15 1 * * *", "2026-04-04T00", ["04-04T14:15", "04-05T14:45"]),
    (LORD_HOWE, "0 2 * * *", "2026-04-04T00", ["04-04T15:30", "04-05T15:30"]),
    (LORD_HOWE, "45 * * * *", "2026-04-04T14", ["04-04T14:45", "04-04T15:15", "04-04T16:15"]),
    (LORD_HOWE, "0 * * * *", "2026-04-04T13:30", ["04-04T14:00", "04-04T15:30", "04-04T16:30"]),
    (
        LORD_HOWE,
        "*/15 * * * *",
        "2026-04-04T14:40",
        ["04-04T14:45", "04-04T15", "04-04T15:15", "04-04T15:30"],
    ),
    (LORD_HOWE, "* * * * *", "2026-04-04T14:58", ["04-04T14:59", "04-04T15:00", "04-04T15:01"]),
    # Lord Howe, the missing half hour: 02:00 to 02:30, from 15:30 UTC on.
    (LORD_HOWE, "15 2 * * *", "2026-10-03T00", ["10-03T15:30", "10-04T15:15"]),
    (LORD_HOWE, "30 2 * * *", "2026-10-03T00", ["10-03T15:30", "10-04T15:30"]),
    (LORD_HOWE, "15,30 2 * * *", "2026-10-03T00", ["10-03T15:30", "10-04T15:15", "10-04T15:30"]),
    (LORD_HOWE, "15 * * * *", "2026-10-03T14", ["10-03T14:45", "10-03T16:15", "10-03T17:15"]),
    (LORD_HOWE, "45 * * * *", "2026-10-03T15", ["10-03T15:15", "10-03T15:45", "10-03T16:45"]),
    (LORD_HOWE, "* * * * *", "2026-10-03T15:28", ["10-03T15:29", "10-03T15:30", "10-03T15:31"]),
    # What follows half an hour later, whole.
    (LORD_HOWE, "* */2 * * *", "2026-04-04T13:58", ["04-04T13:59", "04-04T15:30", "04-04T15:31"]),
    (LORD_HOWE, "* */2 * * *", "2026-10-03T14:28", ["10-03T14:29", "10-03T15:30", "10-03T15:31"]),
    # Lord Howe, 2027.
    (LORD_HOWE, "45 1 * * *", "2027-04-03T00", ["04-03T14:45", "04-04T15:15"]),
    (LORD_HOWE, "45 * * * *", "2027-04-03T14", ["04-03T14:45", "04-03T15:15", "04-03T16:15"]),
    (LORD_HOWE, "* * * * *", "2027-04-03T14:58", ["04-03T14:59", "04-03T15:00"]),
    (LORD_HOWE, "15 2 * * *", "2027-10-02T00", ["10-02T15:30", "10-03T15:15"]),
    (LORD_HOWE, "15 * * * *", "2027-10-02T14", ["10-02T14:45", "10-02T16:15"]),
    (LORD_HOWE, "* * * * *", "2027-10-02T15:28", ["10-02T15:29", "10-02T15:30"]),
    # Clocks that change at midnight: in Havana that day begins at 01:00, 05:00 UTC.
    ("America/Havana", "0 0 * * *", "2026-03-07T12", ["03-08T05:00", "03-09T04:00"]),
    ("America/Havana", "0 * * * *", "2026-03-08T03", ["03-08T04:00", "03-08T05:00"]),
    # Those that never do.
    ("UTC", "30 2 * * *", "2026-03-28T12", ["03-29T02:30", "03-30T02:30"]),
    ("Asia/Kolkata", "30 * * * *", "2026-03-28T12", ["03-28T13:00", "03-28T14:00"]),
]


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text if ":" in text else f"{text}:00").replace(tzinfo=UTC)


@pytest.mark.parametrize(("zone", "text", "after", "following"), TABLE, ids=str)
def test_slots_around_a_change_are_those_of_the_table(zone: str, text: str, after: str, following: list[str]):
    slots = parse(text, "jobschleuder").slots(utc(after), zone_named(zone))
    assert list(islice(slots, len(following))) == [utc(f"{after[:4]}-{slot}") for slot in following]


def test_the_table_has_each_change_of_two_years():
    """Each of them with a fixed, an hourly and a minutely expression."""
    for name in (BERLIN, NEW_YORK, LORD_HOWE):
        moments = [moment for year in (2026, 2027) for moment in changes(zone_named(name), year)]
        assert len(moments) == 4
        for moment in moments:
            near = {
                text
                for zone, text, after, _ in TABLE
                if zone == name and abs(utc(after) - moment) < timedelta(2)
            }
            assert "* * * * *" in near
            assert any(text.endswith(" * * * *") and text[0] != "*" for text in near)
            assert any(text.endswith(" * * *") and "*" not in text[:-6] for text in near)


def test_changes_are_those_of_the_zone():
    assert changes(zone_named(BERLIN), 2026) == (utc("2026-03-29T01"), utc("2026-10-25T01"))
    assert changes(zone_named(NEW_YORK), 2026) == (utc("2026-03-08T07"), utc("2026-11-01T06"))
    assert changes(zone_named(LORD_HOWE), 2026) == (utc("2026-04-04T15"), utc("2026-10-03T15:30"))
    assert changes(zone_named("Asia/Kolkata"), 2026) == ()


def test_stretches_have_one_offset_each_and_leave_nothing_out():
    found = list(islice(stretches(utc("2026-02-01T00"), zone_named(BERLIN)), 4))
    instant = timedelta(microseconds=1)
    edges = [utc("2026-03-29T01"), utc("2026-10-25T01"), utc("2027-01-01T00"), utc("2027-03-28T01")]
    assert [end for _, end, _ in found] == edges
    assert [begin for begin, _, _ in found] == [
        utc("2026-02-01T00"),
        *(edge - instant for edge in edges[:-1]),
    ]
    assert [offset / timedelta(hours=1) for _, _, offset in found] == [1, 2, 1, 1]


# What holds for whatever expression, in whatever zone, from whatever moment on.

ZONES = st.sampled_from([BERLIN, NEW_YORK, LORD_HOWE, "America/Havana", "America/St_Johns", "UTC"])


@st.composite
def fields(draw: st.DrawFn, low: int, high: int) -> str:
    kind = draw(st.sampled_from(["*", "step", "numbers", "range"]))
    if kind == "numbers":
        return ",".join(map(str, draw(st.sets(st.integers(low, high), min_size=1, max_size=3))))
    if kind == "range":
        first = draw(st.integers(low, high - 1))
        return f"{first}-{draw(st.integers(first + 1, high))}"
    return "*" if kind == "*" else f"*/{draw(st.integers(2, high // 2))}"


@st.composite
def expressions(draw: st.DrawFn, days: bool = True) -> str:
    text = f"{draw(fields(0, 59))} {draw(fields(0, 23))}"
    return f"{text} {draw(fields(1, 28))} * {draw(fields(0, 6))}" if days else f"{text} * * *"


@st.composite
def moments(draw: st.DrawFn, zone: str, days: int = 3) -> datetime:
    """Draw a moment near a change, or any of these years where there is none."""
    year = draw(st.sampled_from([2026, 2027]))
    near = draw(st.sampled_from(changes(zone_named(zone), year) or [datetime(year, 6, 1, tzinfo=UTC)]))
    return near + timedelta(seconds=draw(st.integers(-days * 86400, days * 86400)))


@settings(deadline=None, max_examples=300)
@given(st.data(), ZONES, expressions())
def test_slots_rise_and_do_not_depend_on_when_one_asks(data: st.DataObject, zone: str, text: str):
    cron, tz = parse(text, "jobschleuder"), zone_named(zone)
    after = data.draw(moments(zone))
    slots = list(islice(cron.slots(after, tz), 100))
    assert after < slots[0]
    assert all(before < slot for before, slot in pairwise(slots))
    assert all(slot.tzinfo is UTC for slot in slots)
    later = data.draw(st.datetimes(after.replace(tzinfo=None), slots[-1].replace(tzinfo=None))).replace(
        tzinfo=UTC
    )
    expected = [slot for slot in slots if slot > later]
    assert list(islice(cron.slots(later, tz), len(expected))) == expected


@settings(deadline=None, max_examples=300)
@given(st.data(), ZONES, expressions())
def test_slots_are_at_local_times_that_fit(data: st.DataObject, zone: str, text: str):
    tz = zone_named(zone)
    gap_ends = {
        change
        for year in range(2026, 2030)
        for change in changes(tz, year)
        if change.astimezone(tz).utcoffset() > (change - timedelta(1)).astimezone(tz).utcoffset()
    }
    minute, hour, *_ = text.split()
    for slot in islice(parse(text, "jobschleuder").slots(data.draw(moments(zone)), tz), 50):
        local = slot.astimezone(tz)
        assert slot in gap_ends or (fits(minute, local.minute) and fits(hour, local.hour))


def fits(field: str, number: int) -> bool:
    first, _, last = field.partition("-")
    if last:
        return int(first) <= number <= int(last)
    if field.startswith("*"):
        return number % int(field[2:] or 1) == 0
    return str(number) in field.split(",")


@settings(deadline=None, max_examples=300)
@given(st.data(), st.sampled_from([BERLIN, NEW_YORK, "Europe/Lisbon"]), expressions(days=False))
def test_cronsim_sees_changes_alike(data: st.DataObject, zone: str, text: str):
    """It follows the same table for five fields, when it is asked long before a change.

    But not where clocks change by half an hour: `* */2 * * *` leaves out 02:00 to 02:29 on Lord Howe Island.
    """
    minute, hour, *_ = text.split()
    # It goes by the text alone where all there is, is written as a range.
    if minute == "0-59" or hour == "0-23":
        text = f"* * {text[-5:]}"
    change = data.draw(moments(zone, days=0))
    begin, end = change - timedelta(hours=30), change + timedelta(hours=30)
    theirs = takewhile(lambda slot: slot <= end, _cronsim(text, begin, zone_named(zone)))
    ours = takewhile(lambda slot: slot <= end, parse(text, "jobschleuder").slots(begin, zone_named(zone)))
    assert list(ours) == list(theirs)


def _cronsim(text: str, after: datetime, zone: ZoneInfo):
    for moment in CronSim(text, after.astimezone(zone)):
        yield moment.astimezone(UTC)


# Zones by their names.


@pytest.mark.parametrize("name", ["Europe/Berlin", "UTC", "Asia/Kolkata", "Etc/GMT+5"])
def test_zones_are_found_by_name(name: str):
    assert zone_named(name).key == name


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("Europe/Berln", "Europe/Berlin"),
        ("berlin", "Europe/Berlin"),
        ("europe/berlin", "Europe/Berlin"),
        ("new york", "America/New_York"),
        ("Lord Howe", "Australia/Lord_Howe"),
    ],
)
def test_a_zone_that_is_none_is_refused_with_near_ones(name: str, near: str):
    with pytest.raises(BadZone) as refusal:
        zone_named(name)
    assert f"There is no time zone {name!r}; did you mean {near}" in str(refusal.value)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Mars/Olympus_Mons",
        "../../etc/passwd",
        "/etc/localtime",
        "Europe",
        "localtime",
        "a\0b",
        "x" * 10_000,
    ],
)
def test_a_name_like_none_is_refused_with_an_example(name: str):
    with pytest.raises(BadZone) as refusal:
        zone_named(name)
    assert "Europe/Berlin" in str(refusal.value) or near_zones(name)
    assert len(str(refusal.value)) < 250


def test_a_long_search_among_random_names_stays_short():
    for length in (1, 20, 60):
        assert len(near_zones("".join(random.Random(length).choices("abc/_", k=length)))) <= 3
