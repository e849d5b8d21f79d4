"""Pages stay light: neither their queries nor their size grow with what there is."""

import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from flask import g
from sqlalchemy import event, insert, select

from store.models import EntryGroup, JobRecord, JobResult, LogEntry, Status, now
from store.permissions import NotVisible
from webapp.fragments import Fragments
from webapp.glance import COUNT_SECONDS, CROWD, SHARED_SECONDS, Glances
from webapp.job_list import SHOWN, SPARE
from webapp.pace import LOOK_SECONDS, STEPS, Pace
from webapp.paging import PAGE_SIZE
from webapp.result_list import MOST_CHOICES_INLINE

from .conftest import NOON, described, first_view, text

MOST_BYTES = 60_000
#: Its lines are bounded (webapp/step_bars.py).
TIMELINE_BYTES = 8_000
#: Of a page with its style, scripts and icons, as they are sent.
MOST_AT_FIRST = 120_000


@contextmanager
def queries(app) -> Iterator[list[str]]:
    """Give the list of what is selected meanwhile."""
    seen: list[str] = []

    def note(_connection, _cursor, statement, *_rest) -> None:
        if statement.lstrip().upper().startswith(("SELECT", "WITH")):
            seen.append(statement)

    with app.app_context():
        engine = app.extensions["sqlalchemy"].engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)


def count(app, browser, address: str) -> int:
    # The first request of an app also asks what SQLAlchemy wants to know of the database.
    assert browser.get(address).status_code == 200
    with queries(app) as seen:
        assert browser.get(address).status_code == 200
    return len(seen)


@pytest.fixture
def fill(db, cast):
    """Add jobs in groups of 17, and runs of each, the newest last."""

    def add(jobs: int, runs: int, **values) -> None:
        records = [
            {
                "id": uuid.uuid4(),
                "class_path": f"local/group_{number // 17}/Job{number:03}",
                "source": "local",
                "module": f"group_{number // 17}",
                "class_name": f"Job{number:03}",
                "name": f"Check the connections of site {number:03}",
                "grouping": f"Group {number // 17:02}",
                "description": f"Look at all connections of **site {number}**, and say which `ports` are down.",
                "enabled": True,
                "approval_required": number % 5 == 0,
                "commit_default": number % 3 == 0,
                "variables": [described("StringVar", "who")] if number % 2 else [],
                "refreshed_at": NOON,
            }
            for number in range(jobs)
        ]
        db.execute(insert(JobRecord), records)
        results = [
            {
                "id": uuid.uuid4(),
                "job_id": record["id"],
                "class_path": record["class_path"],
                "name": record["name"],
                "user_id": cast["alice"].id,
                "username": "alice",
                "data": {"who": f"Ada Brunner of {record['name'][-8:]}"},
                "status": (Status.COMPLETED, Status.FAILED, Status.COMPLETED)[run % 3],
                "cause": "3 of 48 devices did not answer within 5 seconds." if run % 3 == 1 else None,
                "count_info": 12,
                "count_success": 1200,
                "count_warning": 3 * (run % 2),
                "time_limit": 600.0,
                "created_at": NOON + timedelta(seconds=run),
                "started_at": NOON + timedelta(seconds=run + 0.25),
                "finished_at": NOON + timedelta(seconds=run + 1.125 + run % 7),
                **values,
            }
            for record in records
            for run in range(runs)
        ]
        if results:
            db.execute(insert(JobResult), results)
        db.commit()

    return add


@pytest.fixture
def fill_log(db):
    def add(result: JobResult, entries: int) -> None:
        lines = [
            {
                "result_id": result.id,
                "seq": seq,
                "attempt": 1,
                "created_at": NOON + timedelta(milliseconds=seq),
                "level": "failure" if seq % 100 == 50 else "info",
                "grouping": f"site {seq // 50}",
                "message": f"Device sw-{seq:05} answered in {seq % 90} ms, port {seq % 48} is up",
                "html": f"<p>Device sw-{seq:05} answered in {seq % 90} ms, port {seq % 48} is up</p>",
                "object_text": f"sw-{seq:05}" if seq % 5 == 0 else None,
                "object_url": f"/objects/inventory.device/{seq}/" if seq % 5 == 0 else None,
            }
            for seq in range(1, entries + 1)
        ]
        db.execute(insert(LogEntry), lines)
        groups = [
            {
                "result_id": result.id,
                "first_seq": max(1, first),
                "name": f"site {first // 50}",
                "started_at": NOON,
                "last_at": now(),
                "count_info": 50,
            }
            for first in range(0, entries + 1, 50)
        ]
        db.execute(insert(EntryGroup), groups)
        result.last_seq, result.count_info, result.count_failure = entries, entries, entries // 100
        db.commit()

    return add


# --- First views ----------------------------------------------------------------------------------------------


def test_the_first_view_of_a_long_page_is_light(root, fill, fill_log, db):
    fill(200, 3)
    result = db.scalars(select(JobResult).limit(1)).one()
    fill_log(result, 1000)
    address = f"/results/{result.id}"
    db.rollback()
    for page in ("/jobs/", "/results/", address, f"{address}?line=500"):
        assert first_view(root, page) < MOST_AT_FIRST, page


# --- The list of jobs -----------------------------------------------------------------------------------------


def test_the_list_of_jobs_asks_the_same_for_few_and_for_many(app, root, fill, db):
    fill(2, 2)
    few = count(app, root, "/jobs/")
    db.query(JobResult).delete()
    db.query(JobRecord).delete()
    fill(80, 25)
    assert count(app, root, "/jobs/") == few


def test_a_list_of_200_jobs_is_light(root, fill):
    fill(200, 21)
    page = root.get("/jobs/")
    assert len(page.data) < MOST_BYTES
    assert SHOWN <= text(page).count('<li class="job" id=') <= SHOWN + SPARE
    assert "200 jobs shown" in text(page)
    # Every group is there, with what its jobs out of sight come to.
    assert len(re.findall(r"<h2>Group \d\d</h2> <span class=\"n\">", text(page))) == 12
    assert 'class="pulse"' in text(page)
    assert text(page).count("<rect") == 0


def test_every_job_is_found_by_following_links(root, fill):
    fill(60, 1)
    pages = [text(root.get("/jobs/"))]
    more = re.compile(r'<li class="job more"><a class="btn s" href="([^"]+)" hx-get="([^"]+)"')
    waiting = more.findall(pages[0])
    while waiting:
        link, fetched = (address.replace("&amp;", "&") for address in waiting.pop())
        assert link == fetched
        whole, part = text(root.get(link)), text(root.fragment(link))
        assert "<html" in whole
        assert "<html" not in part
        assert names(whole) == names(part)
        pages.append(part)
        waiting += more.findall(part)
    seen = [name for page in pages for name in names(page)]
    assert sorted(seen) == [f"{number:03}" for number in range(60)]


def names(page: str) -> list[str]:
    return re.findall(r'<h3><a href="[^"]+">Check the connections of site (\d+)</a>', page)


def test_headings_count_jobs_out_of_sight(root, fill, make_result, db):
    fill(40, 3)
    out_of_sight = db.query(JobRecord).filter_by(class_path="local/group_2/Job039").one()
    make_result(out_of_sight, "errored", cause="It broke.", created_at=NOON + timedelta(days=1))
    page = text(root.get("/jobs/"))
    assert "site 039" not in page
    assert page.index("Group 02") < page.index("1 failing</span>")
    shown = text(root.get("/jobs/?show=failing"))
    assert names(shown) == ["039"]


def test_filters_go_with_the_rest_of_a_group(root, fill):
    fill(40, 0)
    page = text(root.fragment("/jobs/?q=connections"))
    links = re.findall(r'class="job more"><a class="btn s" href="([^"]+)"', page)
    assert links
    assert all("q=connections" in link for link in links)
    assert root.fragment("/jobs/?group=Nowhere").data == b""


# --- Results --------------------------------------------------------------------------------------------------


def test_the_list_of_results_asks_the_same_for_few_and_for_many(app, root, fill, make_result, db):
    fill(2, 1)
    few = count(app, root, "/results/")
    db.query(JobResult).delete()
    db.query(JobRecord).delete()
    fill(30, 30)
    assert count(app, root, "/results/") == few
    for job in db.query(JobRecord).limit(4).all():
        make_result(job, "running")
    # What runs now is told in the rail.
    assert count(app, root, "/results/") == few


def test_a_list_of_results_of_200_jobs_is_light(root, fill):
    fill(200, 2)
    # The boxes that choose rows for one act come on top, for whoever may do any, and what has the page polled.
    most = MOST_BYTES + PAGE_SIZE * 160
    assert len(root.get("/results/").data) < most
    assert len(root.get("/results/?status=failed").data) < most


def test_a_long_choice_is_fetched_or_asked_for(alice, fill):
    fill(MOST_CHOICES_INLINE + 1, 1)
    chosen = "local/group_0/Job003"
    page = text(alice.get(f"/results/?job={chosen}"))
    assert page.count('<option value="local/') == 1
    assert f'<option value="{chosen}" selected>' in page
    (address,) = re.findall(r'<select[^>]+name="job"[^>]+hx-get="([^"]+)" hx-trigger="load"', page)
    fetched = text(alice.fragment(address))
    assert fetched.count("<option") == MOST_CHOICES_INLINE
    assert chosen not in fetched
    (link,) = re.findall(r'<noscript><a class="btn" href="([^"]+)">More to choose', page)
    whole = text(alice.get(link.replace("&amp;", "&")))
    assert whole.count('<option value="local/') == MOST_CHOICES_INLINE + 1
    assert f'<option value="{chosen}" selected>' in whole
    assert "choices=all" in alice.get(address).headers["Location"]
    assert alice.fragment("/results/choices/password").status_code == 404


def test_a_short_choice_is_on_the_page(alice, fill):
    fill(3, 1)
    page = text(alice.get("/results/"))
    assert page.count('<option value="local/') == 3
    assert 'hx-trigger="load"' not in page


def test_the_last_day_is_told_by_state(alice, fill):
    fill(1, 6, created_at=now())
    page = text(alice.get("/results/"))
    (label,) = re.findall(r'class="mix" role="img" aria-label="([^"]+)"', page)
    # Runs 0, 2, 3 and 5 have completed; those with odd numbers have warnings.
    assert label == "Last 24 hours: 2 completed, 2 warnings, 2 failed"


# --- One result -----------------------------------------------------------------------------------------------


def test_a_result_asks_the_same_for_few_and_for_many_entries(app, alice, make_job, make_result, fill_log):
    job = make_job()
    short, long = make_result(job), make_result(job)
    fill_log(short, 150)
    fill_log(long, 10_000)
    # A long log is looked through for failures from both its ends.
    assert count(app, alice, f"/results/{long.id}") <= count(app, alice, f"/results/{short.id}") + 1
    page = alice.get(f"/results/{long.id}")
    assert len(page.data) < MOST_BYTES + TIMELINE_BYTES
    assert len(alice.get(f"/results/{long.id}?line=5000").data) < MOST_BYTES + TIMELINE_BYTES


def test_failures_are_told_from_both_ends_of_a_long_log(alice, make_job, make_result, add_entries, db):
    result = make_result(make_job(), "failed", cause="It broke.")
    add_entries(result, "the first", level="failure")
    result.last_seq = 9_000
    db.commit()
    add_entries(result, "the last", level="failure")
    page = text(alice.get(f"/results/{result.id}"))
    assert page.index("the first") < page.index("the last")
    assert re.findall(r"<code>L(\d+)</code>", page) == ["1", "9001"]


def test_a_poll_without_news_asks_twice_and_says_nothing(app, alice, make_job, make_result, fill_log):
    result = make_result(make_job(), "running", started_at=now())
    fill_log(result, 300)
    page = text(alice.get(f"/results/{result.id}"))
    address = re.search(r'id="log-poll"[^>]* hx-get="([^"]+)"', page)[1].replace("&amp;", "&")
    # The first one of a second asks what she may do, too.
    alice.fragment(address)
    with queries(app) as seen:
        answer = alice.fragment(address)
    assert (answer.status_code, answer.data) == (204, b"")
    assert len(seen) == 2
    assert not any("log_entries" in statement for statement in seen)


def test_the_rail_says_nothing_while_it_stays_the_same(alice, make_job, make_result, browser):
    def address(page: str) -> str:
        return re.search(r'id="now"[^>]* hx-get="([^"]+)"', page)[1].replace("&amp;", "&")

    page = text(alice.get("/jobs/"))
    assert alice.fragment(address(page)).status_code == 204
    make_result(make_job(), "running")
    news = alice.fragment(address(page))
    assert news.status_code == 200
    assert alice.fragment(address(text(news))).status_code == 204
    # Another session has a token of its own, which forms need.
    assert browser("alice").fragment(address(text(news))).status_code == 200


def test_a_line_is_rendered_once_and_anew_when_it_changes():
    remembered = Fragments(most=2, longest=10)
    made = []

    def make(text: str):
        return lambda: made.append(text) or text

    assert [remembered("a", make("one")), remembered("a", make("two"))] == ["one", "one"]
    assert remembered("b", make("x" * 11)) == "x" * 11
    assert remembered("b", make("short")) == "short"
    assert remembered("c", make("third")) == "third"
    # The oldest had to go.
    assert remembered("a", make("again")) == "again"
    assert made == ["one", "x" * 11, "short", "third", "again"]


def test_the_lines_of_a_run_that_starts_again_are_rendered_again(
    alice, make_job, make_result, add_entries, db
):
    result = make_result(make_job(), "running", started_at=now() - timedelta(minutes=2))
    add_entries(result, "one")
    assert ">+2m 00s<" in text(alice.get(f"/results/{result.id}"))
    result.started_at = now()
    db.commit()
    assert ">+0.0s<" in text(alice.get(f"/results/{result.id}"))


# --- The pace of polls ----------------------------------------------------------------------------------------


class Machine:
    """Time that passes, and how busy the process is, as a test says."""

    def __init__(self) -> None:
        self.clock = self.busy = 100.0
        self.pace = Pace(lambda: self.clock, lambda: self.busy)

    def poll(self, *, share: float, polls_a_second: int) -> int:
        for _ in range(int(LOOK_SECONDS * polls_a_second)):
            self.clock += 1 / polls_a_second
            self.busy += share / polls_a_second
            self.pace.note_poll()
        return self.pace.interval(STEPS[0])


def test_polls_come_less_often_while_they_keep_a_process_busy_and_then_again():
    machine = Machine()
    assert machine.poll(share=0.07, polls_a_second=256) == 300
    slower = [machine.poll(share=0.166, polls_a_second=128) for _ in range(30)]
    assert list(dict.fromkeys(slower)) == [500, 1000, 1500, 3000]
    # Each time it waits for what that brings.
    assert slower.count(1500) > slower.count(1000) > slower.count(500)
    # In between, they stay as they are.
    assert machine.poll(share=0.07, polls_a_second=32) == 3000
    faster = [machine.poll(share=0.03, polls_a_second=16) for _ in range(40)]
    assert faster == sorted(faster, reverse=True)
    assert faster[-1] == 300


def test_a_crowd_is_slowed_at_once():
    assert Machine().poll(share=1.0, polls_a_second=256) == 1500


def test_a_process_that_is_busy_with_something_else_does_not_slow_the_few_who_poll():
    machine = Machine()
    assert [machine.poll(share=1.0, polls_a_second=4) for _ in range(5)] == [300] * 5


def test_a_crowd_shares_a_look_and_one_reader_does_not(app, alice, make_job, make_result, add_entries, cast):
    result = make_result(make_job(), "running", started_at=now())
    time = [100.0]
    glances = Glances(lambda: time[0])

    def last_seq(user: str | None = "alice") -> int:
        with app.test_request_context("/"):
            g.user = cast[user] if user else None
            return glances.take(result.id).result.last_seq

    for line in range(CROWD):
        assert last_seq() == line
        add_entries(result, "one more")
    assert last_seq("bob") == CROWD - 1
    time[0] += SHARED_SECONDS * 1.01
    assert last_seq() == CROWD
    # What is shared is still only for who may see it.
    with pytest.raises(NotVisible):
        last_seq(None)
    # The crowd has gone.
    time[0] += COUNT_SECONDS
    add_entries(result, "another")
    assert last_seq() == CROWD + 1


def test_a_long_interval_is_not_made_shorter():
    assert Machine().pace.interval(3000) == 3000
