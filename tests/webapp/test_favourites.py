"""Stars: given and taken by each person for themselves, on the list and on the job's page."""

import re

import pytest
from sqlalchemy import select

from store.models import Favourite, JobRecord

from .conftest import text
from .test_weight import count
from .test_weight import fill as fill  # A fixture, lent.

URL = "/jobs/local/greetings/Greet/"
HTMX = {"HX-Request": "true"}


def stars(db) -> set[tuple[int, str]]:
    with db.begin():
        query = select(Favourite.user_id, JobRecord.class_path).join(JobRecord)
        return {(row[0], row[1]) for row in db.execute(query)}


def pressed(page: str) -> list[str]:
    """Return `aria-pressed` of every star, in the order of the page."""
    return re.findall(r'<button class="btn bare [^"]*\bstar"[^>]* aria-pressed="(\w+)"', page)


def chip(page: str) -> int:
    return int(re.search(r'Favourites\s*<span class="n" id="n-favourites">(\d+)<', page)[1])


def test_a_star_is_given_and_taken_away(alice, make_job, db, cast):
    make_job()
    assert pressed(text(alice.get("/jobs/"))) == ["false"]
    for _ in range(2):  # The second time it is there already.
        assert alice.post(f"{URL}star").status_code == 303
    assert stars(db) == {(cast["alice"].id, "local/greetings/Greet")}
    assert pressed(text(alice.get("/jobs/"))) == pressed(text(alice.get(URL))) == ["true"]
    for _ in range(2):
        assert alice.post(f"{URL}unstar").status_code == 303
    assert stars(db) == set()


def test_a_job_is_starred_by_its_id_too(alice, make_job, db):
    job = make_job()
    alice.post(f"/jobs/{job.id}/star")
    assert len(stars(db)) == 1


def test_stars_are_each_persons_own(browser, make_job):
    make_job()
    browser("alice").post(f"{URL}star")
    page = text(browser("bob").get("/jobs/"))
    assert (pressed(page), chip(page)) == (["false"], 0)


def test_favourites_are_a_filter_of_the_list(alice, make_job):
    make_job()
    make_job("Count", grouping="Numbers")
    make_job("Sweep", hidden=True)
    alice.post("/jobs/local/greetings/Count/star")
    alice.post("/jobs/local/greetings/Sweep/star")
    assert chip(text(alice.get("/jobs/"))) == 2
    page = text(alice.get("/jobs/?show=favourites"))
    # A hidden job is not hidden from the person who chose it.
    assert re.findall(r"<h3><a [^>]*>(\w+)</a>", page) == ["Sweep", "Count"]
    assert re.search(r'<a class="chip[^"]*" href="/jobs/\?show=favourites" aria-current="true">', page)
    assert re.findall(r"<h3><a [^>]*>(\w+)</a>", text(alice.get("/jobs/?show=favourites&q=numbers"))) == [
        "Count"
    ]


def test_a_list_without_favourites_says_how_to_get_one(alice, make_job):
    make_job()
    page = text(alice.get("/jobs/?show=favourites"))
    assert "No favourites yet" in page
    assert "No job matches “zzz”" in text(alice.get("/jobs/?show=favourites&q=zzz"))


def test_htmx_gets_the_button_alone_and_on_the_list_the_count(alice, make_job):
    make_job()
    on_list = text(alice.post(f"{URL}star", {"shape": "list"}, headers=HTMX))
    assert pressed(on_list) == ["true"]
    assert on_list.strip().startswith("<button")
    assert 'aria-label="Favourite: Greet"' in on_list
    assert f'formaction="{URL}unstar" hx-post="{URL}unstar"' in on_list
    assert '<span class="n" id="n-favourites" hx-swap-oob="true">1</span>' in on_list
    on_page = text(alice.post(f"{URL}unstar", {"shape": "page"}, headers=HTMX))
    assert pressed(on_page) == ["false"]
    assert "Favourite</button>" in on_page
    assert "n-favourites" not in on_page


def test_without_javascript_the_star_leads_back_to_where_it_was(alice, make_job):
    job = make_job()
    page = text(alice.get("/jobs/?show=failing&q=gre"))
    assert '<form id="stars" method="post">' in page
    (back,) = re.findall(r'name="next" value="([^"]+)"', page)
    answer = alice.post(f"{URL}star", {"next": back.replace("&amp;", "&")})
    assert answer.headers["Location"] == f"/jobs/?q=gre&show=failing#star-{job.id.hex}"
    assert f'id="star-{job.id.hex}" form="stars" formaction="{URL}unstar"' in text(alice.get("/jobs/"))


@pytest.mark.parametrize("given", ["https://evil.example", "//evil.example", "/login", ""])
def test_the_star_leads_nowhere_else(alice, make_job, given):
    make_job()
    assert alice.post(f"{URL}star", {"next": given}).headers["Location"].startswith(URL)


def test_what_is_not_visible_cannot_be_starred(alice, make_job, db):
    make_job(enabled=False)
    assert alice.post(f"{URL}star").status_code == 404
    assert alice.post("/jobs/local/no/Such/star").status_code == 404
    assert stars(db) == set()


@pytest.mark.parametrize("act", ["star", "unstar"])
def test_stars_are_not_links_and_need_the_token(alice, make_job, db, act):
    make_job()
    assert alice.get(f"{URL}{act}").status_code == 405
    assert alice.client.post(f"{URL}{act}").status_code == 400
    assert stars(db) == set()


def test_stars_go_with_their_job_and_their_person(alice, make_job, db, cast):
    make_job(), make_job("Count")
    alice.post(f"{URL}star")
    alice.post("/jobs/local/greetings/Count/star")
    with db.begin():
        db.delete(db.scalars(select(JobRecord).where(JobRecord.name == "Greet")).one())
    assert stars(db) == {(cast["alice"].id, "local/greetings/Count")}
    with db.begin():
        db.delete(cast["alice"])
    assert stars(db) == set()


def test_favourites_ask_the_same_for_few_and_for_many(app, alice, fill, db, cast):
    fill(60, 2)
    few = count(app, alice, "/jobs/?show=favourites&q=site")
    with db.begin():
        ids = db.scalars(select(JobRecord.id)).all()
        db.add_all(Favourite(user_id=cast["alice"].id, job_id=job_id) for job_id in ids)
    # Two queries more: the lines themselves, and when they run next.
    assert count(app, alice, "/jobs/?show=favourites&q=site") == few + 2
