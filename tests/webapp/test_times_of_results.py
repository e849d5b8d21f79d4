"""Results are found by when they were asked for: by a word, or between exact moments on the reader's clock."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from store.models import SavedFilter, now
from webapp.periods import NO_MOMENT, NO_PERIOD, WORDS, in_address, in_field, period, read_moment

from .conftest import NOON, text

ZURICH = ZoneInfo("Europe/Zurich")


def found(page: str) -> set[str]:
    return set(re.findall(r'<a class="name"[^>]*>([^<]+)<', page))


@pytest.mark.parametrize(
    ("word", "zone", "at", "since", "until"),
    [
        ("hour", UTC, "2026-01-31T12:00", "2026-01-31T11:00", None),
        ("day", ZURICH, "2026-03-29T12:00", "2026-03-28T12:00", None),
        ("today", UTC, "2026-01-31T12:00", "2026-01-31T00:00", None),
        # Half past eleven in the evening in UTC is the next day in Zürich.
        ("today", ZURICH, "2026-01-31T23:30", "2026-01-31T23:00", None),
        ("yesterday", ZURICH, "2026-01-31T23:30", "2026-01-30T23:00", "2026-01-31T23:00"),
        # That day has 23 hours there.
        ("yesterday", ZURICH, "2026-03-30T08:00", "2026-03-28T23:00", "2026-03-29T22:00"),
        # In Cairo it begins at one o'clock.
        ("today", ZoneInfo("Africa/Cairo"), "2026-04-24T10:00", "2026-04-23T22:00", None),
    ],
)
def test_words_mean_days_of_the_readers_clock(word, zone, at, since, until):
    meant = period(word, zone, datetime.fromisoformat(at + "+00:00"))
    assert meant.since == datetime.fromisoformat(since + "+00:00")
    assert meant.until == (until and datetime.fromisoformat(until + "+00:00"))
    assert word in WORDS


def test_moments_are_read_and_written_on_a_clock():
    for typed, address in [
        ("2026-07-01T08:00", "2026-07-01T06:00:00Z"),
        ("2026-07-01 08:00:30", "2026-07-01T06:00:30Z"),
        ("2026-07-01T08:00:00Z", "2026-07-01T08:00:00Z"),
        ("2026-07-01T08:00:00+05:00", "2026-07-01T03:00:00Z"),
        # What the clocks skip is the moment at which they do; what comes twice is the first.
        ("2026-03-29T02:30", "2026-03-29T01:00:00Z"),
        ("2026-10-25T02:30", "2026-10-25T00:30:00Z"),
        ("2026-07-01", "2026-06-30T22:00:00Z"),
    ]:
        moment = read_moment(typed, ZURICH)
        assert in_address(moment) == address
        assert read_moment(in_field(moment, ZURICH), ZURICH) == moment
    assert in_field(read_moment("2026-07-01T08:00", ZURICH), ZURICH) == "2026-07-01T08:00"
    for nonsense in ("", "soon", "2026-02-30T00:00", "0001-01-01T00:00", "9999-12-31T23:59", "12:00"):
        with pytest.raises(ValueError):
            read_moment(nonsense, ZURICH)


def test_the_list_is_filtered_by_times(alice, make_job, make_result):
    at = now()
    for name, ago in (("Now", 1), ("Hours", 3 * 60), ("Old", 40 * 24 * 60)):
        make_result(make_job(name), created_at=at - timedelta(minutes=ago))

    def listed(**filters) -> set[str]:
        return found(text(alice.fragment("/results/", query_string=filters)))

    assert listed(started="hour") == {"Now"}
    assert listed(started="day") == {"Now", "Hours"}
    assert listed(started="never") == {"Now", "Hours", "Old"}
    since = in_address(at - timedelta(hours=4))
    assert listed(since=since) == {"Now", "Hours"}
    assert listed(since=since, until=in_address(at - timedelta(hours=1))) == {"Hours"}
    assert listed(until=since) == {"Old"}
    assert listed(since=since, started="hour") == {"Now"}
    assert found(text(alice.get("/results/", query_string={"until": since}))) == {"Old"}
    csv = text(alice.get("/results/results.csv", query_string={"until": since}))
    assert "Old" in csv
    assert "Hours" not in csv


def test_without_a_browser_that_tells_its_zone_times_are_read_as_they_are_shown(
    app, alice, make_job, make_result, monkeypatch
):
    made = app.extensions["errand"]
    zurich = replace(made.settings, time_zone="Europe/Zurich")
    monkeypatch.setitem(app.extensions, "errand", replace(made, settings=zurich))
    make_result(make_job("Noon"), created_at=NOON)
    typed = "/results/?since=2026-01-31T11:30&until=2026-01-31T12:30"
    page = text(alice.get(typed, follow_redirects=True))
    assert found(page) == {"Noon"}
    assert 'title="2026-01-31 12:00:00 UTC"' in page
    assert "on the clocks of UTC" in page


def test_what_is_typed_on_a_clock_becomes_a_link_for_everybody(app, alice, db, make_job, make_result):
    make_result(make_job("Noon"), created_at=NOON)
    alice.client.set_cookie("zone", "Europe/Zurich")
    answer = alice.get("/results/?q=&since=2026-01-31T13:00&until=2026-01-31T13:30&status=completed")
    address = "/results/?status=completed&since=2026-01-31T12:00:00Z&until=2026-01-31T12:30:00Z"
    assert (answer.status_code, answer.headers["Location"].replace("%3A", ":")) == (303, address)
    answer = alice.fragment("/results/?since=2026-01-31T13:00&until=2026-01-31T13:30&status=completed")
    assert answer.headers["HX-Push-Url"].replace("%3A", ":") == address
    assert found(text(answer)) == {"Noon"}
    page = text(alice.get(address))
    assert found(page) == {"Noon"}
    assert re.search(r'type="datetime-local" id="since" name="since" value="2026-01-31T13:00"', page)
    assert "on the clocks of Europe/Zurich" in page
    assert re.search(r'<a class="chip"[^>]*href="/results/\?status=completed&amp;since=[^"]*">Until ', page)
    # Another reader's clock, or none that is known, shows the same results.
    for zone in ("America/New_York", "../../etc/passwd", "No/Where"):
        alice.client.set_cookie("zone", zone)
        page = text(alice.get(address))
        assert found(page) == {"Noon"}
        local = "2026-01-31T07:00" if zone == "America/New_York" else "2026-01-31T12:00"
        assert f'id="since" name="since" value="{local}"' in page
    alice.post("/results/filters", {"name": "Noon", "since": "2026-01-31T12:00"})
    with db.begin():
        assert db.query(SavedFilter).one().arguments == {"since": "2026-01-31T12:00:00Z"}


@pytest.mark.parametrize(
    ("times", "wrong", "why"),
    [
        ({"since": "soon"}, "since", NO_MOMENT),
        ({"until": "2026-02-30T10:00"}, "until", NO_MOMENT),
        ({"since": "2026-02-03T10:00", "until": "2026-02-03T10:00"}, "until", NO_PERIOD),
    ],
)
def test_what_is_wrong_is_said_beside_its_field(alice, make_job, make_result, times, wrong, why):
    make_result(make_job("Later"), created_at=NOON + timedelta(days=30))
    for ask in (alice.get, alice.fragment):
        answer = ask("/results/", query_string=times)
        page = text(answer)
        assert answer.status_code == 422
        assert "HX-Push-Url" not in answer.headers
        error = page[page.index(f'id="{wrong}-e"') :]
        assert why in error[: error.index("</p>")]
        assert f'name="{wrong}" value="{times[wrong]}"' in page
        assert f'aria-describedby="{wrong}-e"' in page
        # The others count.
        assert found(page) == {"Later"}
    assert 'class="menu by-time" data-opens="#since" open' in text(alice.get("/results/", query_string=times))


def test_logs_are_searched_by_the_same_words(alice):
    page = text(alice.get("/results/search?q=ping&logged=yesterday"))
    assert '<option value="yesterday" selected>Yesterday</option>' in page


def test_behind_tls_the_cookie_of_the_zone_is_that_of_this_host_alone(app, alice, make_job, make_result):
    make_result(make_job("Noon"), created_at=NOON)
    alice.client.set_cookie("zone", "Asia/Tokyo")
    alice.client.set_cookie("__Host-zone", "Europe/Zurich")
    answer = alice.get("/results/?since=2026-01-31T13:00")
    assert answer.headers["Location"].replace("%3A", ":").endswith("since=2026-01-31T12:00:00Z")
