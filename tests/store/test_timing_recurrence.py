"""A schedule fires from its start to its end, rests in its windows, and no slot is run twice or lost."""

from datetime import UTC, datetime, time, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from store.timing.blackouts import BadBlackout, Blackout, end_of_all
from store.timing.fields import BadCron
from store.timing.recurrence import GRACE, MOST_MISSED, Missed, Recurrence
from store.timing.zones import BadZone

BERLIN = ZoneInfo("Europe/Berlin")
WEEKEND = frozenset({5, 6})
EVERY_DAY = frozenset(range(7))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def berlin(text: str, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN, fold=fold)


def recurrence(interval: str = "custom", start: str = "2026-06-01T00:00", **more: object) -> Recurrence:
    """Return a schedule that starts at a local time in Berlin, a Monday unless said otherwise."""
    return Recurrence(interval, berlin(start), "Europe/Berlin", **more)


def local(slots: list[datetime]) -> list[str]:
    return [f"{slot.astimezone(BERLIN):%a %m-%d %H:%M:%S}".removesuffix(":00") for slot in slots]


LONG_AGO = utc("2020-01-01T00:00")


@pytest.mark.parametrize(
    ("interval", "start", "slots"),
    [
        ("immediately", "2026-06-01T06:20", ["Mon 06-01 06:20"]),
        ("future", "2026-06-01T06:20", ["Mon 06-01 06:20"]),
        ("hourly", "2026-06-01T06:20", ["Mon 06-01 06:20", "Mon 06-01 07:20", "Mon 06-01 08:20"]),
        ("daily", "2026-06-01T06:20", ["Mon 06-01 06:20", "Tue 06-02 06:20", "Wed 06-03 06:20"]),
        ("weekly", "2026-06-01T06:20", ["Mon 06-01 06:20", "Mon 06-08 06:20", "Mon 06-15 06:20"]),
        ("weekly", "2026-06-07T06:20", ["Sun 06-07 06:20", "Sun 06-14 06:20"]),
        # The weekday is that of the schedule's zone, which in UTC is still Sunday.
        ("weekly", "2026-06-01T00:30", ["Mon 06-01 00:30", "Mon 06-08 00:30"]),
        # To the second, so the start is the first slot in any case.
        ("daily", "2026-06-01T06:20:07", ["Mon 06-01 06:20:07", "Tue 06-02 06:20:07"]),
        # Across changes: the same time on the clock, once a day, or every hour.
        ("daily", "2026-03-28T02:30", ["Sat 03-28 02:30", "Sun 03-29 03:00", "Mon 03-30 02:30"]),
        ("daily", "2026-10-24T02:30", ["Sat 10-24 02:30", "Sun 10-25 02:30", "Mon 10-26 02:30"]),
        (
            "hourly",
            "2026-10-25T01:30",
            ["Sun 10-25 01:30", "Sun 10-25 02:30", "Sun 10-25 02:30", "Sun 10-25 03:30"],
        ),
        ("weekly", "2026-03-22T02:30", ["Sun 03-22 02:30", "Sun 03-29 03:00", "Sun 04-05 02:30"]),
    ],
)
def test_an_interval_fires_from_its_start_on(interval: str, start: str, slots: list[str]):
    schedule = recurrence(interval, start)
    found = schedule.next(LONG_AGO, len(slots))
    assert local(found) == slots
    assert found[0] == schedule.start
    assert all(before < after for before, after in pairwise(found))


@pytest.mark.parametrize("interval", ["immediately", "future"])
def test_what_fires_once_does_so_once(interval: str):
    schedule = recurrence(interval)
    assert schedule.next(LONG_AGO, 5) == [schedule.start]
    assert schedule.next(schedule.start, 5) == []


def test_a_start_in_the_second_pass_of_an_hour_is_the_first_slot():
    second_pass = Recurrence("daily", berlin("2026-10-25T02:30", fold=1), "Europe/Berlin")
    assert second_pass.next(LONG_AGO, 2) == [utc("2026-10-25T01:30"), utc("2026-10-26T01:30")]


def test_a_crontab_does_not_fire_before_its_start():
    schedule = recurrence("custom", "2026-06-01T06:00", cron="*/20 * * * *")
    assert local(schedule.next(LONG_AGO, 2)) == ["Mon 06-01 06:00", "Mon 06-01 06:20"]
    later = recurrence("custom", "2026-06-01T06:00:01", cron="*/20 * * * *")
    assert local(later.next(LONG_AGO, 2)) == ["Mon 06-01 06:20", "Mon 06-01 06:40"]


def test_nothing_fires_after_the_end():
    schedule = recurrence("daily", "2026-06-01T06:00", end=berlin("2026-06-03T06:00"))
    assert local(schedule.next(LONG_AGO, 9)) == ["Mon 06-01 06:00", "Tue 06-02 06:00", "Wed 06-03 06:00"]
    assert schedule.next(utc("2026-06-03T04:00"), 9) == []
    assert recurrence("future", end=berlin("2026-05-31T00:00")).next(LONG_AGO, 1) == []


def test_slots_stop_where_one_asks_no_further():
    schedule = recurrence("hourly")
    assert len(list(schedule.slots(schedule.start, until=schedule.start + timedelta(hours=3)))) == 3


def test_a_dialect_is_that_of_its_crontab():
    bots = recurrence(cron="hour=6; day_of_week=0", dialect="bots")
    assert local(bots.next(LONG_AGO, 1)) == ["Mon 06-01 06:00"]
    nautobot = recurrence(cron="0 6 * * 0")
    assert local(nautobot.next(LONG_AGO, 1)) == ["Sun 06-07 06:00"]


def test_what_cannot_be_is_refused_when_it_is_made():
    with pytest.raises(ValueError, match="no interval 'monthly'"):
        recurrence("monthly")
    with pytest.raises(BadZone):
        Recurrence("daily", LONG_AGO, "Europe/Berln")
    with pytest.raises(BadCron):
        recurrence(cron="0 0 30 2 *")
    with pytest.raises(ValueError, match="time zone"):
        Recurrence("daily", datetime(2026, 6, 1))
    with pytest.raises(ValueError, match="time zone"):
        recurrence("daily", end=datetime(2026, 6, 1))


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        (recurrence("daily", "2026-06-01T06:00"), "Every day at 06:00, Europe/Berlin"),
        (recurrence("daily", "2026-06-01T06:00:07"), "Every day at 06:00:07, Europe/Berlin"),
        (recurrence("hourly", "2026-06-01T06:00"), "Every hour on the hour, Europe/Berlin"),
        (recurrence("hourly", "2026-06-01T06:20"), "Every hour at minute 20, Europe/Berlin"),
        (recurrence("weekly", "2026-06-07T06:00"), "Every Sunday at 06:00, Europe/Berlin"),
        (recurrence("weekly", "2026-06-01T00:30"), "Every Monday at 00:30, Europe/Berlin"),
        (recurrence("future", "2027-03-05T06:00"), "Once, on 5 March 2027 at 06:00, Europe/Berlin"),
        (
            recurrence("immediately", "2027-03-05T06:00:09"),
            "Once, on 5 March 2027 at 06:00:09, Europe/Berlin",
        ),
        (recurrence(cron="30 2 * * 1-5"), "At 02:30 on Monday to Friday, Europe/Berlin"),
        (Recurrence("daily", utc("2026-06-01T06:00")), "Every day at 06:00, UTC"),
    ],
)
def test_a_schedule_in_words(schedule: Recurrence, words: str):
    assert schedule.in_words() == words


# Blackout windows.


def rests(weekdays: frozenset[int], begins: str, ends: str) -> Blackout:
    return Blackout(weekdays, time.fromisoformat(begins), time.fromisoformat(ends))


def test_slots_in_a_blackout_are_dropped_and_can_be_told():
    schedule = recurrence("daily", "2026-06-04T06:00", blackouts=(rests(WEEKEND, "05:00", "06:01"),))
    assert local(schedule.next(LONG_AGO, 4)) == [
        "Thu 06-04 06:00",
        "Fri 06-05 06:00",
        "Mon 06-08 06:00",
        "Tue 06-09 06:00",
    ]
    firings = list(islice(schedule.firings(LONG_AGO), 5))
    assert local([slot for slot in firings if schedule.blacked_out(slot)]) == [
        "Sat 06-06 06:00",
        "Sun 06-07 06:00",
    ]


@pytest.mark.parametrize(
    ("window", "free"),
    [
        # From its first moment on, up to its end, which is free.
        (rests(EVERY_DAY, "06:00", "08:00"), ["05:00", "08:00", "09:00"]),
        (rests(EVERY_DAY, "05:01", "07:01"), ["05:00", "08:00", "09:00"]),
        (rests(frozenset({0}), "06:00", "08:00"), ["05:00", "08:00", "09:00"]),
        (rests(frozenset({1}), "06:00", "08:00"), ["05:00", "06:00", "07:00"]),
        # Across midnight, on the day after the one it begins on.
        (rests(frozenset({6}), "22:00", "07:00"), ["07:00", "08:00", "09:00"]),
        (rests(frozenset({0}), "22:00", "07:00"), ["05:00", "06:00", "07:00"]),
    ],
)
def test_a_window_has_its_weekdays_and_times(window: Blackout, free: list[str]):
    schedule = recurrence(cron="0 5-9 * * *", blackouts=(window,))
    assert [
        f"{slot.astimezone(BERLIN):%H:%M}" for slot in schedule.next(berlin("2026-06-01T04:00"), 3)
    ] == free


def test_a_window_from_a_time_to_itself_is_a_whole_day():
    schedule = recurrence("hourly", "2026-06-05T22:00", blackouts=(rests(WEEKEND, "00:00", "00:00"),))
    assert local(schedule.next(LONG_AGO, 4)) == [
        "Fri 06-05 22:00",
        "Fri 06-05 23:00",
        "Mon 06-08 00:00",
        "Mon 06-08 01:00",
    ]


def test_windows_that_touch_are_one():
    windows = (rests(EVERY_DAY, "00:00", "12:00"), rests(EVERY_DAY, "11:00", "23:30"))
    assert local(recurrence(cron="*/15 * * * *", blackouts=windows).next(LONG_AGO, 3)) == [
        "Mon 06-01 23:30",
        "Mon 06-01 23:45",
        "Tue 06-02 23:30",
    ]


def test_a_window_holds_in_both_passes_of_an_hour_and_lets_go_between_them():
    """02:40 to 03:00 comes twice, with 02:00 to 02:39 in between."""
    schedule = recurrence(
        cron="*/20 * * * *", start="2026-10-25T02:20", blackouts=(rests(EVERY_DAY, "02:40", "03:00"),)
    )
    assert schedule.next(LONG_AGO, 4) == [
        utc("2026-10-25T00:20"), utc("2026-10-25T01:00"), utc("2026-10-25T01:20"), utc("2026-10-25T02:00"),
    ]  # fmt: skip


def test_slots_after_a_long_rest_are_found_fast():
    windows = (rests(frozenset(range(6)), "00:00", "00:00"), rests(frozenset({6}), "00:00", "23:59"))
    schedule = recurrence(cron="* * * * * *", dialect="jobschleuder", blackouts=windows)
    # Of a week's 604,800 slots but a handful is looked at.
    looked_at = 0

    class Counted(Recurrence):
        def _free_at(self, slot: datetime) -> datetime | None:
            nonlocal looked_at
            looked_at += 1
            return super()._free_at(slot)

    counted = Counted(**{name: getattr(schedule, name) for name in schedule.__dataclass_fields__})
    assert local(counted.next(LONG_AGO, 1)) == ["Sun 06-07 23:59"]
    assert looked_at < 20


@pytest.mark.parametrize("cron", ["* * * * * *", "*/5 * * * *", "0 6 * * *", "0 0 1 1 *", "0 0 29 2 *"])
def test_slots_end_where_windows_leave_nothing(cron: str):
    schedule = recurrence(cron=cron, dialect="jobschleuder", blackouts=(rests(EVERY_DAY, "00:00", "00:00"),))
    assert schedule.next(LONG_AGO, 1) == []


TIMES = st.times().map(lambda moment: moment.replace(second=0, microsecond=0))


@given(
    st.lists(
        st.builds(
            Blackout,
            st.frozensets(st.integers(0, 6), min_size=1),
            TIMES,
            TIMES,
        ),
        max_size=3,
    ),
    st.sampled_from(["*/20 * * * *", "0 */3 * * *", "30 2,14 * * *"]),
    st.sampled_from(["2026-03-28T00:00", "2026-10-24T00:00", "2026-06-01T00:00"]),
)
@settings(deadline=None)
def test_slots_are_the_firings_outside_of_blackouts(windows: list[Blackout], cron: str, start: str):
    schedule = recurrence(cron=cron, start=start, blackouts=tuple(windows))
    until = schedule.start + timedelta(days=10)
    firings = list(schedule.firings(LONG_AGO, until))
    free = [
        slot for slot in firings if not any(_covers(window, slot.astimezone(BERLIN)) for window in windows)
    ]
    assert list(schedule.slots(LONG_AGO, until)) == free
    assert [slot for slot in firings if not schedule.blacked_out(slot)] == free


def _covers(window: Blackout, moment: datetime) -> bool:
    """Tell the same by minutes of the week."""
    length = (_minutes(window.ends) - _minutes(window.begins)) % 1440 or 1440
    since = [
        ((moment.weekday() - day) * 1440 + _minutes(moment.time()) - _minutes(window.begins)) % (7 * 1440)
        for day in window.weekdays
    ]
    return any(minutes < length for minutes in since)


def _minutes(moment: time) -> int:
    return moment.hour * 60 + moment.minute


def test_windows_that_cannot_be_are_refused():
    for weekdays in (frozenset(), frozenset({7}), frozenset({-1, 0})):
        with pytest.raises(BadBlackout, match="weekday"):
            rests(weekdays, "00:00", "01:00")
    with pytest.raises(BadBlackout, match="local"):
        Blackout(EVERY_DAY, time(1, tzinfo=UTC), time(2))


def test_the_longest_of_the_windows_around_a_time_ends_last():
    windows = [
        rests(EVERY_DAY, "06:00", "08:00"),
        rests(EVERY_DAY, "06:30", "09:00"),
        rests(WEEKEND, "06:00", "10:00"),
    ]
    monday = datetime(2026, 6, 1)
    assert end_of_all(windows, monday + timedelta(hours=7)) == monday + timedelta(hours=9)
    assert end_of_all(windows, monday + timedelta(hours=9)) is None
    assert end_of_all([], monday) is None


def test_a_window_in_words():
    assert rests(WEEKEND, "22:00", "06:00").in_words() == "Saturday and Sunday, 22:00 to 06:00"
    assert rests(frozenset(range(5)), "00:00", "07:30").in_words() == "Monday to Friday, 00:00 to 07:30"


# What is due.

HOURLY = recurrence("hourly", "2026-06-01T00:00")


def at(hours: float, seconds: float = 0) -> datetime:
    return HOURLY.start + timedelta(hours=hours, seconds=seconds)


@pytest.mark.parametrize("missed", ["skip", "once", "all"])
def test_a_slot_is_due_when_it_is_reached_and_up_to_a_minute_later(missed: Missed):
    assert HOURLY.due(at(4), at(5, -1), missed) == []
    assert HOURLY.due(at(4), at(5), missed) == [at(5)]
    assert HOURLY.due(at(4), at(5, 59.9), missed) == [at(5)]
    assert HOURLY.due(at(5), at(5, 30), missed) == []


@pytest.mark.parametrize(
    ("missed", "now", "due"),
    [
        ("skip", at(5, 60), []),
        ("once", at(5, 60), [at(5)]),
        ("all", at(5, 60), [at(5)]),
        ("skip", at(7.5), []),
        ("once", at(7.5), [at(7)]),
        ("all", at(7.5), [at(5), at(6), at(7)]),
        # One that is on time stands for those that were missed.
        ("skip", at(7, 10), [at(7)]),
        ("once", at(7, 10), [at(7)]),
        ("all", at(7, 10), [at(5), at(6), at(7)]),
    ],
)
def test_missed_slots_are_skipped_or_made_up_for(missed: Missed, now: datetime, due: list[datetime]):
    assert HOURLY.due(at(4), now, missed) == due


def test_a_new_schedule_has_missed_nothing_before_its_start():
    assert HOURLY.due(None, at(0, -1), "all") == []
    assert HOURLY.due(None, at(0), "all") == [at(0)]
    assert HOURLY.due(None, at(2.5), "all") == [at(0), at(1), at(2)]


@pytest.mark.parametrize("missed", ["skip", "once", "all"])
def test_a_clock_that_jumps_back_repeats_nothing(missed: Missed):
    for hours in (5, 4.99, 3, 0, -100):
        assert HOURLY.due(at(5), at(hours), missed) == []
    assert HOURLY.due(at(5), at(6), missed) == [at(6)]


def test_of_many_missed_slots_the_latest_are_run():
    due = HOURLY.due(at(0), at(1000.5), "all")
    assert due == [at(hours) for hours in range(1000 - MOST_MISSED + 1, 1001)]
    with_one_on_time = HOURLY.due(at(0), at(1000), "all")
    assert with_one_on_time == [at(hours) for hours in range(1000 - MOST_MISSED, 1001)]
    assert HOURLY.due(at(0), at(1000.5), "once") == [at(1000)]
    assert HOURLY.due(at(0), at(1000.5), "skip") == []


def test_years_of_missed_seconds_are_not_all_looked_at():
    schedule = recurrence(cron="* * * * * *", dialect="jobschleuder")
    now = schedule.start + timedelta(days=1000)
    due = schedule.due(None, now, "all")
    assert due == [now - timedelta(seconds=age) for age in reversed(range(MOST_MISSED + 60))]
    assert len(schedule.reached(None, now)) < 1000


def test_a_slot_in_a_blackout_is_not_due():
    schedule = recurrence("hourly", blackouts=(rests(EVERY_DAY, "02:00", "04:00"),))
    assert schedule.due(None, at(4, 90), "all") == [at(0), at(1), at(4)]


READINGS = st.lists(st.integers(-7200, 30_000), min_size=1, max_size=25).map(
    # Steps of a clock: mostly on, sometimes back.
    lambda steps: [sum(steps[: number + 1]) for number in range(len(steps))]
)


@settings(deadline=None, max_examples=300)
@given(
    READINGS,
    st.sampled_from(["skip", "once", "all"]),
    st.sampled_from(["0 * * * *", "*/17 * * * *", "30 2,14 * * *"]),
    st.sampled_from(["2026-03-28T22:00", "2026-10-24T22:00", "2026-06-01T00:00"]),
)
def test_no_slot_is_run_twice_or_lost_whatever_the_clock_does(
    readings: list[int], missed: Missed, cron: str, start: str
):
    schedule = recurrence(cron=cron, start=start)
    last: datetime | None = None
    run: list[datetime] = []
    for seconds in readings:
        now = schedule.start + timedelta(seconds=seconds)
        due = schedule.due(last, now, missed)
        open_slots = [slot for slot in schedule.firings(LONG_AGO, now) if last is None or slot > last]
        late = [slot for slot in open_slots if now - slot >= GRACE]
        on_time = open_slots[len(late) :]
        if missed == "skip" or (missed == "once" and on_time):
            late = []
        elif missed == "once":
            late = late[-1:]
        assert due == late[-MOST_MISSED:] + on_time
        assert all(slot <= now for slot in due)
        run += due
        last = due[-1] if due else last
    assert all(before < after for before, after in pairwise(run)), "each once, in order"
    if missed == "all" and len(run) < MOST_MISSED:
        latest = schedule.start + timedelta(seconds=max(readings))
        assert run == list(schedule.firings(LONG_AGO, latest)), "none is lost"


# Jitter.


def test_a_run_starts_up_to_the_jitter_later_and_always_so():
    schedule = recurrence("hourly", jitter_seconds=300)
    slots = schedule.next(LONG_AGO, 500)
    delays = [schedule.jitter("7", slot).total_seconds() for slot in slots]
    assert delays == [schedule.jitter("7", slot.astimezone(BERLIN)).total_seconds() for slot in slots]
    assert all(0 <= delay <= 300 and delay == int(delay) for delay in delays)
    assert min(delays) < 20
    assert max(delays) > 280
    assert len(set(delays)) > 200


def test_jitter_is_the_same_in_every_process_and_differs_by_schedule():
    schedule = recurrence("hourly", jitter_seconds=300)
    slots = schedule.next(LONG_AGO, 3)
    # Written down once: another hash would start runs at other times after an update.
    assert [schedule.jitter("7", slot).total_seconds() for slot in slots] == [12, 49, 115]
    assert [schedule.jitter("8", slot).total_seconds() for slot in slots] != [12, 49, 115]


def test_without_jitter_a_run_starts_at_its_slot():
    assert recurrence("hourly").jitter("7", LONG_AGO) == timedelta(0)
