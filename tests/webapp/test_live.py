"""What pages show live: one poll for each page, empty where nothing changed, and cheap."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine, delete, event, select

from store.models import Group, JobRecord, Permission, Schedule, Status, now
from tests.webapp.conftest import Browser
from webapp import results
from webapp.glance import COUNT_SECONDS, CROWD, SHARED_SECONDS, Glances
from webapp.pace import STEPS, Pace

#: Of these, statements about the session and what somebody may do: they are of a person, not of a page.
PERSONAL = re.compile(
    r"FROM (user_sessions|users|groups|permissions|user_groups|group_members|permission_\w+)\b"
)


@contextmanager
def counted() -> Iterator[list[str]]:
    """Collect the statements that are sent to a database."""
    sent: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        sent.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def of_page(statements: list[str]) -> list[str]:
    return [each for each in statements if "FROM" in each and not PERSONAL.search(each.split("WHERE")[0])]


def poll_of(page: Any) -> str:
    """Return the address that a page, or a part of it, asks next."""
    [url] = re.findall(r'id="now".*? hx-get="([^"]+)"', page.get_data(as_text=True))
    return url.replace("&amp;", "&")


@pytest.fixture
def things(make_job: Callable[..., Any], make_result: Callable[..., Any], make_schedule: Any) -> Any:
    """A job that runs, has run and waits for an approval."""
    job = make_job()
    make_schedule(job)
    return job, make_result(job), make_result(job, "running", started_at=now())


@pytest.mark.parametrize(
    ("page", "most"),
    [
        ("/account/", 1),
        ("/results/", 2),
        # What is looked for is looked for among jobs and people first.
        ("/results/?status=running&q=i", 5),
        ("/jobs/", 2),
        ("/approvals/", 2),
        ("/schedules/", 3),
    ],
)
def test_a_poll_without_news_is_empty_and_cheap(alice: Browser, things: Any, page: str, most: int):
    url = poll_of(alice.get(page))
    assert alice.fragment(url).status_code == 204
    with counted() as sent:
        answer = alice.fragment(url)
    assert (answer.status_code, answer.get_data()) == (204, b"")
    assert len(of_page(sent)) <= most, of_page(sent)


def test_a_page_hears_of_what_changes_and_then_of_nothing(
    alice: Browser, things: Any, db: Any, make_result: Any
):
    job, _, runs = things
    key = job.class_path
    urls = {page: poll_of(alice.get(page)) for page in ("/results/", "/jobs/", "/schedules/", "/account/")}
    result_id = runs.id.hex[:6]
    runs.status, runs.finished_at = Status.FAILED, now()
    db.commit()
    for page, url in urls.items():
        answer = alice.fragment(url)
        assert answer.status_code == 200, page
        urls[page] = poll_of(answer)
        # The times that schedules tell go on with the minutes.
        assert page == "/schedules/" or alice.fragment(urls[page]).status_code == 204, page
    news = alice.fragment("/now?of=results").get_data(as_text=True)
    assert result_id in news
    assert '<div id="table" data-fresh="table" hx-swap-oob="true">' in news
    db.rollback()
    alice.post(f"/jobs/{key}/star")
    assert alice.fragment(urls["/jobs/"]).status_code == 200
    assert alice.fragment(urls["/results/"]).status_code == 204
    make_result(job, "pending")
    assert alice.fragment(urls["/results/"]).status_code == 200
    assert alice.fragment(urls["/account/"]).status_code == 204


def _rename(job: JobRecord, other: JobRecord, schedule: Schedule) -> None:
    job.name = "Grest"


def _describe(job: JobRecord, other: JobRecord, schedule: Schedule) -> None:
    job.description, other.description = "Two", "One"


def _switch(job: JobRecord, other: JobRecord, schedule: Schedule) -> None:
    job.enabled, other.enabled = False, True


def _hand_over(job: JobRecord, other: JobRecord, schedule: Schedule) -> None:
    schedule.job_id, schedule.class_path = other.id, other.class_path


def _postpone(job: JobRecord, other: JobRecord, schedule: Schedule) -> None:
    assert schedule.next_slot_at
    schedule.next_slot_at += timedelta(hours=1)


@pytest.mark.parametrize("edit", [_rename, _describe, _switch, _hand_over, _postpone])
def test_the_list_of_jobs_hears_of_what_leaves_all_counts_as_they_were(
    alice: Browser, db: Any, make_job: Any, make_schedule: Any, edit: Callable[..., None]
):
    job, other = make_job("Greet", description="One"), make_job("Other", enabled=False, description="Two")
    schedule = make_schedule(job)
    url = poll_of(alice.get("/jobs/"))
    assert alice.fragment(url).status_code == 204
    edit(job, other, schedule)
    db.commit()
    assert alice.fragment(url).status_code == 200


def test_the_list_of_jobs_hears_of_a_star_that_another_took_the_place_of(alice: Browser, make_job: Any):
    job, other = make_job("Greet"), make_job("Other")
    alice.post(f"/jobs/{job.class_path}/star")
    url = poll_of(alice.get("/jobs/"))
    alice.post(f"/jobs/{job.class_path}/unstar")
    alice.post(f"/jobs/{other.class_path}/star")
    assert alice.fragment(url).status_code == 200


def test_a_filter_and_a_page_stay_what_they_are(alice: Browser, things: Any, make_result: Any):
    job, *_ = things
    url = poll_of(alice.get("/results/?status=failed"))
    assert "status=failed" in url
    make_result(job, "completed")
    assert alice.fragment(url).status_code == 204
    make_result(job, "failed")
    news = alice.fragment(url).get_data(as_text=True)
    assert news.count("<tr><td>") == 1
    # A filter that is chosen later brings its own poll.
    assert "status=running" in poll_of(alice.fragment("/results/?status=running"))


def test_nobody_hears_of_what_they_may_not_see(browser: Any, things: Any, make_result: Any, db: Any):
    job, *_ = things
    with db.begin():
        everyone = db.scalars(select(Group).where(Group.everyone)).one()
        db.execute(delete(Permission).where(Permission.kind == "result"))
        own = {"actions": ["view"], "constraints": [{"owner": "me"}], "groups": [everyone]}
        db.add(Permission(name="Own", kind="result", **own))
    carol = browser("carol")
    urls = {page: poll_of(carol.get(page)) for page in ("/results/", "/jobs/", "/approvals/", "/account/")}
    make_result(job, "running", "alice", created_at=now())
    make_result(job, "failed", "alice", created_at=now())
    assert {page: carol.fragment(url).status_code for page, url in urls.items()} == dict.fromkeys(urls, 204)
    make_result(job, "running", "carol", created_at=now())
    said = {page: carol.fragment(url).status_code for page, url in urls.items()}
    assert said == dict.fromkeys(urls, 200)


def test_a_log_asks_for_the_frame_of_its_page_too(alice: Browser, things: Any, make_result: Any):
    job, _, runs = things
    page = alice.get(f"/results/{runs.id}").get_data(as_text=True)
    assert 'hx-get="/now' not in page
    [shown] = re.findall(r'data-frame="(\w+)"', page)
    [url] = re.findall(r'id="log-poll"[^>]*hx-get="([^"]+)"', page)
    url = url.replace("&amp;", "&")
    make_result(job, "running", started_at=now())
    assert 'id="now"' not in alice.fragment(url).get_data(as_text=True)
    answer = alice.fragment(f"{url}&frame={shown}")
    news = answer.get_data(as_text=True)
    assert '<section class="now" id="now" hx-swap-oob="true"' in news
    [fresh] = re.findall(r'data-frame="(\w+)"', news)
    assert 'id="now"' not in alice.fragment(f"{url}&frame={fresh}").get_data(as_text=True)
    # Where that is all that is new, what asks is told to stay: else the log would never be asked for again.
    assert ('id="log-poll"' in news) != (answer.headers.get("HX-Reswap") == "none")


def test_two_hundred_who_watch_a_run_cost_no_more_than_fifty(
    app: Flask, browser: Any, things: Any, add_entries: Any, monkeypatch: pytest.MonkeyPatch
):
    _, _, runs = things
    time = [100.0]
    monkeypatch.setattr(results, "glances", Glances(lambda: time[0]))
    # How busy this machine is changes how often pages may ask, and so which of them share an answer.
    idle = replace(app.extensions["errand"], pace=Pace(busy=lambda: 0.0))
    monkeypatch.setitem(app.extensions, "errand", idle)
    both = browser("alice"), browser("bob")
    page = both[0].get(f"/results/{runs.id}").get_data(as_text=True)
    [url] = re.findall(r'id="log-poll"[^>]*hx-get="([^"]+)"', page)
    url = url.replace("&amp;", "&")

    def ask(many: int) -> tuple[set[int], int, int]:
        with counted() as sent:
            said = {who.fragment(url).status_code for _ in range(many // 2) for who in both}
        tables = [re.findall(r"FROM (job_results|log_entries)", each) for each in sent]
        return said, *(sum(name in each for each in tables) for name in ("job_results", "log_entries"))

    # Until it is a crowd, each looks for themselves.
    assert ask(2 * CROWD)[1] == CROWD
    for many in (50, 200):
        add_entries(runs, f"one more for {many}")
        time[0] += COUNT_SECONDS
        said, looks, read = ask(many)
        # One look, however many they are; the lines once for each interval that they may be given.
        assert (said, looks) == ({200}, 1), many
        assert 1 <= read <= len(STEPS), many
        time[0] += SHARED_SECONDS / 2
        assert ask(20)[1:] == (0, 0), many
