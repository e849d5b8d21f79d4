"""What is asked of a schedule is checked before it is saved, with a sentence at the field."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from jobs.errors import InvalidData
from store.timing.blackouts import Blackout
from store.timing.checks import CRONTAB_NOTICE, MOST_JITTER_SECONDS, NOTICE, TOO_EARLY, checked
from store.timing.recurrence import INTERVALS

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
TOKYO = ZoneInfo("Asia/Tokyo")
ALWAYS = Blackout(frozenset(range(7)), time(0), time(0))


def errors(**given: object) -> dict[str, list[str]]:
    with pytest.raises(InvalidData) as refusal:
        checked(**{"interval": "daily", "now": NOW, "start": LATER, **given})
    assert isinstance(refusal.value.errors, dict)
    assert all(sentence.endswith((".", "?")) for [sentence] in refusal.value.errors.values())
    return refusal.value.errors


def only(field: str, **given: object) -> str:
    """Return the one sentence, which is at this field."""
    [(name, [sentence])] = errors(**given).items()
    assert name == field
    return sentence


@pytest.mark.parametrize("interval", ["future", "hourly", "daily", "weekly"])
def test_a_start_is_needed(interval: str):
    assert only("start", interval=interval, start=None) == "Say when this starts."
    assert checked(interval=interval, now=NOW, start=LATER).next(NOW, 1) == [LATER]


@pytest.mark.parametrize("interval", ["future", "hourly", "daily", "weekly", "custom"])
def test_a_start_is_some_seconds_ahead(interval: str):
    given = {"interval": interval, "cron": "0 6 * * *"}
    assert only("start", **given, start=NOW + timedelta(seconds=14)) == TOO_EARLY
    assert only("start", **given, start=NOW - timedelta(days=400)) == TOO_EARLY
    assert checked(**given, now=NOW, start=NOW + timedelta(seconds=15)).start == NOW + NOTICE
    assert (
        TOO_EARLY == "Please enter a valid date and time greater than or equal to the current date and time."
    )


def test_at_once_starts_now_whatever_start_is_given():
    assert checked(interval="immediately", now=NOW).next(NOW - NOTICE, 2) == [NOW]
    assert checked(interval="immediately", now=NOW, start=LATER).start == NOW


def test_a_crontab_without_a_start_begins_a_little_later():
    schedule = checked(interval="custom", now=NOW, cron="* * * * *")
    assert schedule.start == NOW + CRONTAB_NOTICE == NOW + timedelta(seconds=20)
    assert schedule.next(NOW, 1) == [NOW + timedelta(minutes=1)]


def test_a_start_without_a_zone_is_one_of_the_schedule():
    schedule = checked(interval="daily", now=NOW, zone="America/New_York", start=datetime(2026, 6, 2, 6))
    assert schedule.start == datetime(2026, 6, 2, 10, tzinfo=UTC)
    assert schedule.in_words() == "Every day at 06:00, America/New_York"


def test_a_start_in_a_missing_hour_is_refused():
    given = {"zone": "Europe/Berlin", "start": datetime(2027, 3, 28, 2, 30)}
    assert only("start", **given) == "There is no 02:30 on that day in Europe/Berlin: clocks skip it."
    assert only("end", zone="Europe/Berlin", end=given["start"]).startswith("There is no 02:30 on that day")
    assert checked(interval="daily", now=NOW, **{**given, "start": datetime(2027, 3, 28, 3)})


def test_a_start_that_comes_twice_is_the_first():
    schedule = checked(interval="daily", now=NOW, zone="Europe/Berlin", start=datetime(2026, 10, 25, 2, 30))
    assert schedule.start == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "far",
    [
        datetime.max,
        datetime.max.replace(tzinfo=UTC),
        datetime(2127, 1, 1),
        datetime.min,
        datetime(1, 1, 1, tzinfo=TOKYO),
    ],
)
def test_a_time_beyond_all_plans_is_refused(far: datetime):
    assert only("start", start=far, zone="Asia/Tokyo") == "That is more than 100 years away."
    assert errors(end=far, zone="America/New_York")["end"] == ["That is more than 100 years away."]
    assert checked(interval="daily", now=NOW, start=datetime(2126, 1, 1)).start.year == 2126


def test_an_end_is_after_the_start():
    assert only("end", end=LATER) == "The end must be after the start."
    assert only("end", end=NOW - timedelta(days=1)) == "The end must be after the start."
    assert (
        only("end", interval="custom", cron="* * * * *", start=None, end=NOW)
        == "The end must be after the start."
    )
    assert checked(interval="daily", now=NOW, start=LATER, end=LATER + timedelta(seconds=1)).next(NOW, 9) == [
        LATER
    ]


def test_something_fires_between_start_and_end():
    given = {"interval": "custom", "cron": "0 6 1 1 *"}
    sentence = "Nothing would run between the start and the end."
    assert only("end", **given, end=LATER + timedelta(days=30)) == sentence
    assert checked(**given, now=NOW, end=LATER + timedelta(days=300))


def test_blackout_windows_leave_something():
    assert only("blackouts", blackouts=[ALWAYS]) == "With these blackout windows nothing would ever run."
    assert only("blackouts", interval="future", blackouts=[ALWAYS])
    weekdays = Blackout(frozenset(range(6)), time(0), time(0))
    assert checked(interval="daily", now=NOW, start=LATER, blackouts=[weekdays]).next(NOW, 1) == [
        datetime(2026, 6, 7, 13, tzinfo=UTC)
    ]


def test_a_zone_exists():
    assert only("zone", zone="berlin") == "There is no time zone 'berlin'; did you mean Europe/Berlin?"
    # Nothing can be said of a local time there.
    assert list(errors(zone="Mars/Base", start=datetime(2026, 6, 1))) == ["zone"]
    assert list(errors(zone="Mars/Base", start=None)) == ["zone"]


def test_a_crontab_is_one_of_its_dialect():
    assert only("cron", interval="custom", cron="").startswith("Write five fields with a single space")
    assert only("cron", interval="custom", cron="61 * * * *").startswith("The minute cannot be '61'")
    assert only("cron", interval="custom", cron="0 0 30 2 *").startswith("This never happens")
    assert only("dialect", interval="custom", cron="0 0 * * *", dialect="quartz") == (
        "Choose one of nautobot, bots or jobschleuder."
    )
    assert checked(interval="custom", now=NOW, cron="hour=6", dialect="bots").next(NOW, 1) == [
        datetime(2026, 6, 2, 6, tzinfo=UTC)
    ]


def test_a_crontab_counts_for_custom_ones_alone():
    assert checked(interval="daily", now=NOW, start=LATER, cron="nonsense").cron == ""


def test_an_interval_is_one_of_ours():
    assert only("interval", interval="monthly") == (
        "Choose one of immediately, future, hourly, daily, weekly or custom."
    )
    assert list(errors(interval="monthly", start=None)) == ["interval"]
    for interval in INTERVALS:
        assert checked(interval=interval, now=NOW, start=LATER, cron="0 6 * * *").interval == interval


@pytest.mark.parametrize("seconds", [-1, MOST_JITTER_SECONDS + 1])
def test_jitter_has_bounds(seconds: int):
    assert only("jitter_seconds", jitter_seconds=seconds) == "Write 0 to 3600 seconds."
    assert (
        checked(interval="daily", now=NOW, start=LATER, jitter_seconds=MOST_JITTER_SECONDS).jitter_seconds
        == 3600
    )


def test_all_that_is_wrong_is_said_at_once():
    found = errors(interval="custom", cron="x", zone="Nowhere", start=NOW, end=NOW, jitter_seconds=-1)
    assert set(found) == {"cron", "zone", "start", "end", "jitter_seconds"}
