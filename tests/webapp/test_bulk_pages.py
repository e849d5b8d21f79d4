"""One act for many results on pages: what is counted, what is done of it, and to whom it is refused."""

import json
import re
import uuid
from datetime import timedelta
from html import unescape

import pytest
from sqlalchemy import select

import webapp.bulk
from store.models import Group, JobResult, Permission, User

from .conftest import NOON, signed_in, text

HTMX = {"HX-Request": "true"}
FIELD = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)">')


@pytest.fixture
def runner(db, cast):
    """alice may run, and cancel and delete what is hers."""
    alice = cast["alice"]
    db.add(Permission(name="Runs", kind="job", actions=["run"], users=[alice]))
    db.commit()


def state_of(page: str) -> dict[str, str]:
    """Return what the form of an act carries."""
    form = page[page.index('action="/results/bulk/"') :]
    return {name: unescape(value) for name, value in FIELD.findall(form[: form.index("</form>")])}


def statuses(db) -> list[str]:
    with db.begin():
        return sorted(db.scalars(select(JobResult.status)))


def counts(page: str) -> dict[str, int]:
    rows = re.findall(r"<tr><td>(.*?)</td><td class=\"num\">([\d,]+)</td>", page, re.S)
    return {re.sub(r"<[^>]*>", "", word).strip(): int(number.replace(",", "")) for word, number in rows}


def test_rows_are_ticked_only_by_those_who_may_do_something(app, root, db, make_job, make_result):
    result = make_result(make_job())
    page = text(root.get("/results/?status=completed"))
    assert f'name="id" value="{result.id.hex}"' in page
    assert '<input type="hidden" name="status" value="completed">' in page
    for word in ("Run again", "Cancel", "Delete"):
        assert re.search(rf'name="act" value="\w+">.*?{word}</button>', page), word
    assert 'name="all"' not in page, "there is one page only"
    everyone = db.scalars(select(Group).where(Group.everyone)).one()
    everyone.everyone, everyone.members = False, []
    viewer = User(username="vera")
    db.add_all(
        Permission(name=kind, kind=kind, actions=["view"], users=[viewer]) for kind in ("job", "result")
    )
    db.commit()
    vera = signed_in(app, db, viewer)
    page = text(vera.get("/results/"))
    assert f"/results/{result.id}" in page
    assert 'name="act"' not in page, "she may only look"
    assert 'name="id"' not in page
    assert vera.get("/results/bulk/?act=rerun&all=1").status_code == 403


def test_all_that_match_are_counted_and_canceled_in_slices(root, db, make_job, make_result, monkeypatch):
    monkeypatch.setattr(webapp.bulk, "SLICE", 2)
    job = make_job()
    for number, status in enumerate(["pending"] * 4 + ["running", "awaiting_approval", "failed"]):
        make_result(job, status, created_at=NOON + timedelta(minutes=number))
    db.rollback()
    page = text(root.get("/results/bulk/?act=cancel&all=1"))
    assert "for as long as its page is open" in page
    assert counts(page) == {"Queued": 4, "Running": 1, "Needs approval": 1, "Ended already.": 1}
    assert "Cancel: 6 results?" in page
    # What comes to match after the count is left alone.
    make_result(job, "pending")
    db.rollback()
    seen = []
    state = state_of(page)
    for _ in range(3):
        page = text(root.post("/results/bulk/", state, headers=HTMX))
        seen.append(re.findall(r"(\d) results? canceled", page))
        if 'name="left"' in page:
            state = state_of(page)
    assert seen == [["2"], ["4"], ["6"]]
    assert "Cancel: done" in page
    assert "hx-post" not in page
    assert statuses(db) == ["canceled"] * 5 + ["failed", "pending", "running"]
    # The last slice, sent again: nothing is done twice, and the page says why.
    again = text(root.post("/results/bulk/", state))
    assert counts(again) == {"This run has already ended.": 2}


def test_a_slice_that_is_sent_twice_runs_nothing_twice(alice, runner, db, make_job, make_result):
    job, other = make_job(), make_job("local/net/Gone", enabled=False)
    chosen = [make_result(job, "failed"), make_result(job, "completed"), make_result(other, "failed")]
    ids = "&".join(f"id={result.id.hex}" for result in chosen)
    db.rollback()
    page = text(alice.get(f"/results/bulk/?act=rerun&{ids}&id=x&id={uuid.uuid4()}"))
    gone = "Its job is not there any more, or you may not see it."
    assert counts(page) == {"Failed": 1, "Completed": 1, gone: 1}
    state = state_of(page)
    for _ in range(2):
        assert "2 results run again." in text(alice.post("/results/bulk/", state))
    assert statuses(db) == ["completed", "failed", "failed", "pending", "pending"]


def test_each_is_asked_for(alice, browser, runner, db, make_job, make_result):
    job = make_job()
    mine, hers = make_result(job, "pending"), make_result(job, "pending", username="bob")
    ended = make_result(job, "failed")
    db.rollback()
    page = text(alice.get("/results/bulk/?act=cancel&all=1"))
    state = state_of(page)
    assert counts(page) == {"Queued": 1, "You may not cancel it.": 1, "Ended already.": 1}
    # Whatever the form is made to say, the door of each asks.
    forged = {**state, "left": webapp.bulk._pack([mine.id, hers.id, ended.id, uuid.uuid4()])}
    db.rollback()
    page = text(alice.post("/results/bulk/", forged))
    assert "1 result canceled" in page
    assert sum(counts(page).values()) == 3
    assert statuses(db) == ["canceled", "failed", "pending"]
    none_of_hers = text(browser("carol").get("/results/bulk/?act=cancel&all=1"))
    assert "Cancel: nothing to do" in none_of_hers
    assert 'name="left"' not in none_of_hers


def test_what_the_page_does_not_send_is_refused(root, db, make_job, make_result):
    make_result(make_job(), "pending")
    db.rollback()
    state = state_of(text(root.get("/results/bulk/?act=cancel&all=1")))
    for wrong in (
        {"key": "x"},
        {"left": "x"},
        {"left": "=" * 8},
        {"done": "many"},
        {"refused": "[]"},
        {"refused": json.dumps({"a": "b"})},
        {"refused": "[" * 5000},
    ):
        assert root.post("/results/bulk/", {**state, **wrong}).status_code == 422, wrong
    assert root.post("/results/bulk/", {**state, "act": "burn"}).status_code == 404
    hostile = {**state, "refused": json.dumps({"<b>&\"'": 1})}
    assert "<b>&" not in text(root.post("/results/bulk/", hostile))


def test_more_than_one_act_takes(root, db, make_job, make_result, monkeypatch):
    monkeypatch.setattr(webapp.bulk, "MOST_CHOSEN", 2)
    job = make_job()
    made = [make_result(job, "failed", created_at=NOON + timedelta(minutes=n)).id for n in range(3)]
    db.rollback()
    assert text(root.fragment("/results/bulk/count?status=failed")) == "All 2 newest that match"
    page = text(root.get("/results/bulk/?act=delete&all=1&status=failed"))
    assert "More than 2 results match. These are the newest 2 of them." in page
    page = text(root.post("/results/bulk/", state_of(page)))
    assert 'href="/results/?status=failed"' in page
    with db.begin():
        assert list(db.scalars(select(JobResult.id))) == made[:1]
    assert text(root.fragment("/results/bulk/count?status=failed")) == "All 1 that match"
