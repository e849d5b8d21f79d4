"""What the palette finds: as far as one may see it, the best first, and as a page without JavaScript."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from examples.inventory.models import Site, Status
from store.models import Favourite, Permission
from store.settings import PROJECT_ROOT

from .conftest import NOON, running, text
from .test_weight import MOST_BYTES, queries

OPTION = re.compile(
    r'<a role="option"[^>]*>.*?<span class="cut">([^<]+)</span>(?: <span[^>]*>([^<]+)</span>)?', re.S
)


@pytest.fixture
def app(inventory_settings: Any) -> Iterator[Flask]:
    for app in running(inventory_settings):
        with app.extensions["errand"].data.run_session(wait_seconds=5, on_wait=lambda: None) as session:
            status = Status(name="Active", slug="active")
            status.save()
            for name in ("North backup", "Backup cellar"):
                Site(name=name, slug=name.lower().replace(" ", "-"), status=status).save()
            session.commit()
        yield app


def options(browser, q: str) -> list[tuple[str, str]]:
    return OPTION.findall(text(browser.fragment("/jump", query_string={"q": q})))


def names(browser, q: str) -> list[str]:
    return [name for name, _ in options(browser, q)]


def test_names_that_begin_so_come_first_then_ones_own(alice, make_job, make_result, cast, db):
    jobs = {
        name: make_job(name, enabled=True)
        for name in (
            "Undo a backup",
            "Zebackup",
            "Backup routers",
            "Backup switches",
            "Backup hosts",
            "Other",
        )
    }
    make_result(jobs["Backup switches"], user_id=cast["alice"].id, username="alice")
    db.add(Favourite(user_id=cast["alice"].id, job_id=jobs["Backup routers"].id))
    db.commit()
    found = [name for name, note in options(alice, "backup") if "#" not in note and note != "site"]
    assert found == ["Backup routers", "Backup switches", "Backup hosts", "Undo a backup", "Zebackup"]
    # Each word has to be somewhere; what stands for anything in SQL does not here.
    assert [name for name, note in options(alice, "BACKUP host") if "#" not in note] == ["Backup hosts"]
    assert options(alice, "back%hosts") == []
    # Objects, too.
    assert [name for name, note in options(alice, "backup") if note == "site"] == [
        "Backup cellar",
        "North backup",
    ]


def test_results_are_found_by_id_and_by_job(alice, make_job, make_result):
    job = make_job("Backup", enabled=True)
    runs = [make_result(job, created_at=NOON + timedelta(minutes=n)) for n in range(5)]
    running = make_result(job, "running", created_at=NOON - timedelta(days=1))
    notes = [note for _, note in options(alice, "backup") if "#" in note]
    assert notes[0] == f"Running #{running.short_id}"
    assert [note[-6:] for note in notes[1:]] == [run.short_id for run in runs[:2:-1]]
    [(name, note)] = options(alice, f"#{runs[0].id.hex[:8].upper()}")
    assert (name, note) == ("Backup", f"Completed #{runs[0].short_id}")
    assert (name, note) in options(alice, str(runs[0].id))


def test_before_anything_is_typed_there_is_what_one_works_with(alice, make_job, make_result, cast, db):
    starred, lately, busy = (make_job(name, enabled=True) for name in ("Starred", "Lately", "Busy"))
    make_result(lately, user_id=cast["alice"].id, username="alice")
    make_result(busy, "running", user_id=cast["bob"].id)
    db.add(Favourite(user_id=cast["alice"].id, job_id=starred.id))
    db.commit()
    found = names(alice, " ")
    assert found[:4] == ["Busy", "Starred", "Lately", "Jobs"]


def test_nobody_finds_what_they_may_not_see(app, alice, root, make_job, make_result, db):
    hidden, off = make_job("Backup vault", hidden=True, enabled=True), make_job("Backup attic", enabled=False)
    result = make_result(hidden)
    # Who asks in general may see enabled jobs only.
    assert "Backup attic" not in names(alice, "backup")
    assert ("Backup attic", f"{off.grouping}, disabled") in options(root, "backup")
    assert "Backup vault" not in names(root, "backup")
    assert {"Admin", "Audit log", "Webhooks"} & set(names(alice, "admin")) == set()
    assert {"Groups", "Permissions"} <= set(names(root, "admin"))
    assert "Audit log" in names(root, "audit")
    assert names(alice, result.id.hex[:8]) == ["Backup vault"]
    db.query(Permission).update({"enabled": False})
    db.commit()
    assert names(alice, result.id.hex[:8]) == []
    assert names(alice, "cellar") == []
    assert "Nothing that you may see" in text(alice.fragment("/jump?q=backup"))
    assert "Workers" not in names(alice, "")


def test_the_page_needs_no_javascript_and_nothing_is_trusted(alice, make_job):
    make_job("<b>Bold</b>", class_name="Bold", enabled=True)
    page = text(alice.get("/jump?q=bold"))
    assert "<html" in page
    assert ">&lt;b&gt;Bold&lt;/b&gt;</a>" in page
    assert 'name="q" value="bold"' in page
    fragment = text(alice.fragment("/jump", query_string={"q": ' "><script>x'}))
    assert "<html" not in fragment
    assert 'data-asked=" &#34;&gt;&lt;script&gt;x"' in fragment
    assert "Next and previous row" in text(alice.get("/keys"))
    assert "<html" not in text(alice.fragment("/keys"))


def test_the_answer_asks_the_same_for_few_and_for_many(app, alice, make_job, make_result):
    def count() -> int:
        alice.fragment("/jump?q=backup")
        with queries(app) as seen:
            answer = alice.fragment("/jump?q=backup")
        assert len(answer.data) < MOST_BYTES / 3
        return len(seen)

    make_result(make_job("Backup 0", enabled=True))
    few = count()
    for number in range(1, 12):
        job = make_job(f"Backup {number}", enabled=True)
        for _ in range(6):
            make_result(job)
    assert count() == few


def test_the_list_of_keys_has_all_of_them(alice):
    """What the script listens to is what the list tells."""
    table = re.search(
        r"var KEYS = \{(.*?)\n  \};", (PROJECT_ROOT / "static" / "errand.js").read_text(), re.DOTALL
    )[1]
    keys = re.findall(r'^    "?(.)"?: ', table, re.MULTILINE)
    assert len(keys) > 8
    page = text(alice.get("/keys"))
    assert [key for key in keys if f"<kbd>{key}</kbd>" not in page] == []
