"""Filters of lists that people save: each person their own, a few, under names; and the one that a list opens with."""

import re
from html import unescape

import pytest
from sqlalchemy import select

from store.models import DefaultFilter, SavedFilter, now
from webapp.results import MOST_COUNTED
from webapp.saved_filters import LONGEST_NAME, MOST_SAVED

from .conftest import text

HTMX = {"HX-Request": "true"}
BAD_BY_BOB = {"status": "failed", "person": "bob"}
TABS = re.compile(r'<a href="(/(?:results|jobs)/[^"]*)"( aria-current="page")?(?: autofocus)?>([^<]*)<?')
HOSTILE = "<b>&\"'{{7*7}}"


def saved(db) -> list[tuple[str, dict]]:
    with db.begin():
        query = select(SavedFilter.name, SavedFilter.arguments).order_by(SavedFilter.id)
        return [(row[0], row[1]) for row in db.execute(query)]


def tabs(page: str) -> list[str]:
    """Return the words of the tabs, the current one with a star."""
    nav = page[page.index('<nav class="tabs" aria-label="Saved filters">') :]
    found = TABS.findall(nav[: nav.index("</nav>")])
    return [("*" if current else "") + unescape(word).strip() for _, current, word in found]


def save(browser, name: str, filters: dict | None = None, **options):
    return browser.post("/results/filters", {"name": name, **(filters or BAD_BY_BOB)}, **options)


def test_a_filter_that_is_set_can_be_saved(alice):
    for address in ("/results/", "/results/?person=alice", "/results/?status=bad&started=week"):
        assert "Save filter" not in text(alice.get(address))
    page = text(alice.get("/results/?status=failed&person=bob"))
    assert "Save filter" in page
    assert '<input type="hidden" name="status" value="failed"><input type="hidden" name="person"' in page
    assert tabs(page) == ["All", "My runs", "Failed this week"]


def test_a_saved_filter_is_a_tab(alice, db):
    answer = save(alice, "  What  bob broke ")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/results/?status=failed&person=bob")
    assert saved(db) == [("What bob broke", BAD_BY_BOB)]
    page = text(alice.get(answer.headers["Location"]))
    assert tabs(page) == ["All", "My runs", "Failed this week", "*What bob broke"]
    assert "Save filter" not in page
    assert tabs(text(alice.get("/results/"))) == ["*All", "My runs", "Failed this week", "What bob broke"]


def test_a_saved_filter_is_deleted_and_can_be_saved_again(alice, db):
    save(alice, "Bob")
    page = text(alice.get("/results/?status=failed&person=bob"))
    assert 'aria-label="Delete the filter Bob"' in page
    (gone,) = re.findall(r'action="(/results/filters/\d+/delete)"', page)
    assert gone not in text(alice.get("/results/"))
    answer = alice.post(gone)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/results/?status=failed&person=bob")
    assert saved(db) == []
    assert "Save filter" in text(alice.get(answer.headers["Location"]))
    assert alice.post(gone).status_code == 404


def test_filters_are_each_persons_own(browser, db):
    alice, bob = browser("alice"), browser("bob")
    save(alice, "Mine")
    save(bob, "Mine", {"status": "errored"})
    assert tabs(text(bob.get("/results/?status=failed&person=bob")))[3:] == ["Mine"]
    with db.begin():
        first = db.scalars(select(SavedFilter.id)).first()
    assert bob.post(f"/results/filters/{first}/delete").status_code == 404
    assert len(saved(db)) == 2


@pytest.mark.parametrize(
    ("name", "filters", "why"),
    [
        (" \t", BAD_BY_BOB, "Give the filter a name."),
        ("x" * (LONGEST_NAME + 1), BAD_BY_BOB, "At most 40 characters"),
        ("Nothing", {"status": "no such state"}, "There is no filter to save"),
        ("taken", BAD_BY_BOB, "a tab of this name already"),
        ("my runs", BAD_BY_BOB, "a tab of this name already"),
    ],
)
def test_what_cannot_be_saved_is_told_at_the_place(alice, db, name, filters, why):
    save(alice, "Taken", {"status": "errored"})
    for headers in ({}, HTMX):
        answer = save(alice, name, filters, headers=headers)
        page = text(answer)
        assert answer.status_code == 422
        assert why in page[page.index('id="filter-name-e"') :]
        assert '<details class="menu save" data-opens="#filter-name" open>' in page
        assert 'aria-invalid="true" aria-describedby="filter-name-e"' in page
        assert ("<html" in page) == (not headers)
        if filters == BAD_BY_BOB:
            # What was typed and what was filtered stay.
            assert f'name="name" value="{name}"' in page
            assert '<input type="hidden" name="person" value="bob">' in page
    assert [row[0] for row in saved(db)] == ["Taken"]


def test_a_name_of_full_length_is_taken(alice, db):
    save(alice, "ä" * LONGEST_NAME)
    assert saved(db)[0][0] == "ä" * LONGEST_NAME


def test_a_person_saves_only_so_many(alice, db, cast):
    with db.begin():
        for number in range(MOST_SAVED):
            db.add(
                SavedFilter(user_id=cast["alice"].id, name=f"Filter {number}", arguments={"q": str(number)})
            )
    answer = save(alice, "One more")
    assert answer.status_code == 422
    assert "You have 20 filters already" in text(answer)
    assert len(saved(db)) == MOST_SAVED


def test_htmx_gets_the_tabs_alone(alice):
    page = text(save(alice, "Bob", headers=HTMX))
    assert page.strip().startswith('<div class="views" id="views">')
    assert tabs(page)[-1] == "*Bob"
    assert re.search(r'aria-current="page" autofocus>Bob', page)
    (gone,) = re.findall(r'hx-post="(/results/filters/\d+/delete)"', page)
    page = text(alice.post(gone, headers=HTMX))
    assert tabs(page) == ["All", "My runs", "Failed this week"]
    assert "Save filter" in page


def test_the_tabs_follow_what_is_filtered(alice):
    page = text(alice.fragment("/results/?status=failed"))
    assert '<div class="views" id="views" hx-swap-oob="true">' in page
    assert "Save filter" in page
    assert "Save filter" not in text(alice.fragment("/results/"))


def test_only_what_filters_is_saved(alice, db):
    save(
        alice, "Some", {"status": "failed", "started": "never", "newer": "x", "choices": "all", "q": "a\x00b"}
    )
    assert saved(db) == [("Some", {"status": "failed", "q": "a\N{REPLACEMENT CHARACTER}b"})]


def test_names_are_shown_as_they_are(alice):
    save(alice, HOSTILE)
    page = text(alice.get("/results/"))
    assert "<b>" not in page[page.index('id="views"') :].partition("</nav>")[0]
    assert "&lt;b&gt;&amp;&#34;&#39;{{7*7}}" in page


@pytest.mark.parametrize("path", ["/results/filters", "/results/filters/1/delete"])
def test_saving_needs_the_token_and_is_no_link(alice, db, path):
    assert alice.client.post(path, data={"name": "x", "status": "failed"}).status_code == 400
    assert alice.get(path).status_code in (404, 405)
    assert saved(db) == []


def test_filters_go_with_their_person(alice, db, cast):
    save(alice, "Mine")
    with db.begin():
        db.delete(cast["alice"])
    assert saved(db) == []


def test_the_tab_of_failures_says_how_many(alice, make_job, make_result):
    job = make_job()
    assert "Failed this week</a>" in text(alice.get("/results/"))
    for status in ("failed", "errored", "completed"):
        make_result(job, status, created_at=now())
    make_result(job, "failed")
    assert 'Failed this week <span class="n">2</span></a>' in text(alice.get("/results/"))


def test_failures_beyond_counting_are_told_so(alice, make_job, make_result, monkeypatch):
    assert MOST_COUNTED == 999
    monkeypatch.setattr("webapp.results.MOST_COUNTED", 1)
    job = make_job()
    for _ in range(3):
        make_result(job, "failed", created_at=now())
    assert '<span class="n">1+</span>' in text(alice.get("/results/"))


def test_a_filter_by_a_job_of_a_long_path_finds_it(alice, make_job, make_result):
    path = f"local/{'m' * 90}/{'C' * 90}"
    make_result(make_job(class_path=path))
    assert "Greet</a>" in text(alice.get(f"/results/?job={path}"))
    assert "Greet</a>" not in text(alice.fragment(f"/results/?job={path}x"))


# --- The one that a list opens with ---


def open_first(browser, of: str, filters: dict, *, on: bool = True, **options):
    return browser.post(f"/{of}/filters/default", {**filters, "default": "on" if on else "off"}, **options)


def test_a_list_opens_with_the_default(browser, db):
    alice, bob = browser("alice"), browser("bob")
    mine = "/results/?status=failed&person=bob"
    save(alice, "Bob")
    page = text(alice.get(mine))
    assert re.search(r'id="default-filter" aria-pressed="false"[^>]*>Open first', page)
    assert 'id="default-filter"' not in text(alice.get("/results/"))
    answer = open_first(alice, "results", BAD_BY_BOB)
    assert (answer.status_code, answer.headers["Location"]) == (303, mine)
    answer = alice.get("/results/")
    assert (answer.status_code, answer.headers["Location"]) == (303, mine)
    page = text(alice.get(mine))
    assert re.search(r'id="default-filter" aria-pressed="true"', page)
    assert re.search(r'aria-current="page">Bob .*?<span class="vh">, opens first</span></a>', page)
    # All the others are one press away, and so is whatever is left when a filter goes.
    everything = "/results/?show=all"
    assert f'<a href="{everything}">All</a>' in page
    assert tabs(text(alice.get(everything)))[0] == "*All"
    assert f'href="{everything}">Clear filters' in page
    assert alice.get("/results/?q=").status_code == 200, "a form without JavaScript takes the filter away"
    assert bob.get("/results/").status_code == 200
    assert alice.fragment("/results/").status_code == 200
    for _ in range(2):
        assert open_first(alice, "results", BAD_BY_BOB, on=False).status_code == 303
    assert alice.get("/results/").status_code == 200
    assert '<a href="/results/">All</a>' in text(alice.get(mine))


def test_every_tab_can_open_first(alice, db):
    open_first(alice, "results", {"person": "alice"})
    assert alice.get("/results/").headers["Location"] == "/results/?person=alice"
    open_first(alice, "results", {"status": "bad", "started": "week", "nonsense": "x"})
    assert alice.get("/results/").headers["Location"] == "/results/?status=bad&started=week"
    with db.begin():
        assert db.scalars(select(DefaultFilter.arguments)).all() == [{"status": "bad", "started": "week"}]
    # With nothing asked for, there is no default any more.
    open_first(alice, "results", {})
    assert alice.get("/results/").status_code == 200


def test_a_default_goes_with_its_filter_and_its_person(alice, db, cast):
    save(alice, "Bob")
    open_first(alice, "results", BAD_BY_BOB)
    (gone,) = re.findall(
        r'action="(/results/filters/\d+/delete)"', text(alice.get("/results/?status=failed&person=bob"))
    )
    alice.post(gone)
    assert alice.get("/results/").status_code == 200
    open_first(alice, "jobs", {"show": "failing"})
    with db.begin():
        db.delete(cast["alice"])
    with db.begin():
        assert db.scalars(select(DefaultFilter)).all() == []


def test_htmx_gets_the_tabs_with_what_opens_first(alice):
    page = text(open_first(alice, "results", {"person": "alice"}, headers=HTMX))
    assert page.strip().startswith('<div class="views" id="views">')
    assert re.search(r'id="default-filter" aria-pressed="true"', page)
    assert "autofocus" not in page, "the focus stays on the button, which has an id"


# --- The list of jobs ---


def test_filters_of_the_list_of_jobs_are_saved_too(alice, db, make_job):
    make_job("Greet")
    assert re.search(r'<div class="views" id="views" hidden>', text(alice.get("/jobs/")))
    address = "/jobs/?q=gre&show=failing&read_only=true"
    page = text(alice.get(address))
    assert "Save filter" in page
    assert '<div class="views" id="views">' in page
    answer = alice.post("/jobs/filters", {"name": "Mine", "q": "gre", "show": "failing", "read_only": "true"})
    assert (answer.status_code, answer.headers["Location"]) == (303, address)
    assert tabs(text(alice.get(address))) == ["All", "*Mine"]
    # Each list has its own, under the names of its own.
    save(alice, "Mine")
    assert tabs(text(alice.get("/results/")))[3:] == ["Mine"]
    page = text(alice.get("/jobs/"))
    assert tabs(page) == ["*All", "Mine"]
    assert 'id="views" hidden' not in page
    open_first(alice, "jobs", {"q": "gre", "show": "failing", "read_only": "true"})
    assert alice.get("/jobs/").headers["Location"] == address
    page = text(alice.get(address))
    assert re.search(r'<a class="chip[^"]*" href="/jobs/\?q=gre&amp;read_only=true">', page)
    assert '<a href="/jobs/?show=all">All</a>' in page
    (gone,) = re.findall(r'action="(/jobs/filters/\d+/delete)"', page)
    assert alice.post(gone.replace("jobs", "results")).status_code == 404
    assert alice.post(gone).headers["Location"] == address
    assert alice.get("/jobs/").status_code == 200


def test_what_cannot_be_saved_of_jobs_is_told_at_the_place(alice, make_job):
    make_job("Greet")
    answer = alice.post("/jobs/filters", {"name": "", "q": "gre"})
    page = text(answer)
    assert answer.status_code == 422
    assert "Give the filter a name." in page[page.index('id="filter-name-e"') :]
    assert '<input type="hidden" name="q" value="gre">' in page
    assert 'value="gre" placeholder="Find a job' in page, "the list is what it was"
