"""Jobs that match a filter are enabled, or disabled, at once: counted first, by the pages of all acts on many."""

import json
from html import unescape

from sqlalchemy import select

import webapp.bulk
from store.models import AuditRecord, JobRecord, Permission

from .conftest import text
from .test_bulk_pages import FIELD, HTMX, counts


def state_of(page: str) -> dict[str, str]:
    form = page[page.index('action="/jobs/bulk/"') :]
    return {name: unescape(value) for name, value in FIELD.findall(form[: form.index("</form>")])}


def enabled(db) -> dict[str, bool]:
    with db.begin():
        return dict(db.execute(select(JobRecord.name, JobRecord.enabled)).all())


def test_all_that_match_are_counted_and_enabled(root, db, make_job, monkeypatch):
    monkeypatch.setattr(webapp.bulk, "SLICE", 1)
    for name in ("Ping", "Ping sweep", "Greet"):
        make_job(name, enabled=False)
    make_job("Ping now")
    make_job("Ping gone", enabled=False, installed=False)
    db.rollback()
    assert "all that match" not in text(root.get("/jobs/")), "without a filter nothing is chosen"
    page = text(root.get("/jobs/?q=ping"))
    assert "Enable all that match" in page
    assert '<input type="hidden" name="q" value="ping">' in page
    page = text(root.get("/jobs/bulk/?act=enable&all=1&q=ping"))
    assert counts(page) == {"Disabled": 2, "Enabled already.": 1}
    assert "Enable: 2 jobs?" in page
    assert 'href="/jobs/?q=ping"' in page
    assert text(root.get("/jobs/bulk/count?q=ping")) == "All 3 that match"
    # What comes to match after the count is left alone.
    make_job("Ping late", enabled=False)
    db.rollback()
    state = state_of(page)
    page = text(root.post("/jobs/bulk/", state, headers=HTMX))
    assert "1 job enabled." in page
    page = text(root.post("/jobs/bulk/", state_of(page)))
    assert "2 jobs enabled." in page
    assert "Enable: done" in page
    assert {name for name, on in enabled(db).items() if on} == {"Ping", "Ping sweep", "Ping now"}
    with db.begin():
        acts = db.scalars(select(AuditRecord.action)).all()
    assert acts.count("job.enable") == 2
    page = text(root.get("/jobs/bulk/?act=disable&all=1&show=all&q=sweep"))
    assert "Disable: 1 job?" in page
    assert "Nobody can run them until they are enabled again." in page
    assert "1 job disabled." in text(root.post("/jobs/bulk/", state_of(page)))
    assert enabled(db)["Ping sweep"] is False


def test_each_job_is_asked_for(alice, db, cast, make_job):
    ping, greet = make_job("Ping", enabled=False), make_job("Greet", enabled=False)
    db.rollback()
    assert alice.get("/jobs/bulk/?act=enable&all=1").status_code == 403
    assert "all that match" not in text(alice.get("/jobs/?q=ping"))
    only = Permission(
        name="Ping",
        kind="job",
        actions=["change"],
        constraints=[{"class_path": "local/greetings/Ping"}],
        users=[cast["alice"]],
    )
    everything = Permission(name="All", kind="job", actions=["view"], users=[cast["alice"]])
    db.add_all([only, everything])
    db.commit()
    page = text(alice.get("/jobs/bulk/?act=enable&all=1&show=disabled"))
    assert counts(page) == {"Disabled": 1, "You may not change it.": 1}
    # Whatever the form is made to say, the door of each asks.
    forged = {**state_of(page), "left": webapp.bulk._pack([ping.id, greet.id])}
    db.rollback()
    page = text(alice.post("/jobs/bulk/", forged))
    assert "1 job enabled." in page
    assert sum(counts(page).values()) == 1
    assert enabled(db) == {"Ping": True, "Greet": False}
    assert json.loads(state_of(text(alice.get("/jobs/bulk/?act=disable&all=1&q=ping")))["refused"]) == {}


def test_acts_of_results_are_none_of_jobs(root, make_job):
    make_job("Ping")
    assert root.get("/jobs/bulk/?act=delete&all=1").status_code == 404
    assert root.get("/results/bulk/?act=enable&all=1").status_code == 404


def test_jobs_that_a_schedule_runs_are_listed(root, alice, db, make_job, make_schedule):
    nightly, paused = make_job("Nightly"), make_job("Paused")
    make_job("Never")
    make_schedule(nightly)
    make_schedule(paused, enabled=False)
    db.rollback()
    page = text(root.get("/jobs/?show=scheduled"))
    assert "Nightly</a>" in page
    assert "Paused</a>" not in page
    assert "Never</a>" not in page
    assert 'Scheduled <span class="n">1</span>' in page
