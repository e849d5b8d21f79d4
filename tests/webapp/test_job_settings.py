"""What an admin says of a job in place of its code, by the page; and what becomes of it at a refresh."""

import html
import re
from pathlib import Path

import pytest
from sqlalchemy import select

from store.models import JobRecord, JobResult, Permission
from store.settings import load_settings
from worker.overrides import SETTINGS
from worker.refresh import refresh

from .conftest import running, text

CODE = """
from jobs import Job

class Greet(Job):
    class Meta:
        name = "Greeting"
        time_limit = {limit}
        description = "Says **hello**."
        commit_default = {commit}

    def run(self, data, commit):
        return "hello"
"""
URL = "/jobs/local/greet/Greet/settings"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "jobs" / "greet.py"
    path.parent.mkdir()
    path.write_text(CODE.format(limit=400, commit=True))
    return path


@pytest.fixture
def app(settings, file, db, monkeypatch):
    monkeypatch.setenv("JOBS_ROOT", str(file.parent))
    refresh(db, load_settings(settings.instance), enable_new=True)
    yield from running(load_settings(settings.instance))


def refreshed(app, db) -> JobRecord:
    refresh(db, app.extensions["errand"].settings)
    return record(db)


def record(db) -> JobRecord:
    with db.begin():
        db.expire_all()
        found = db.scalars(select(JobRecord).where(JobRecord.class_name == "Greet")).one()
        db.expunge(found)
        return found


def test_what_is_ticked_counts_and_stays_when_the_code_changes(root, app, db, file):
    assert "Greeting" in text(root.get(URL))
    sent = {
        "set-name": "true",
        "name": "Hello there",
        "set-time_limit": "true",
        "time_limit": "33",
        "grouping": "ignored",
    }
    assert root.post(URL, sent).status_code == 303
    kept = record(db)
    assert (kept.name, kept.time_limit, kept.grouping) == ("Hello there", 33.0, "greet")
    assert kept.overrides == {"name": "Hello there", "time_limit": 33.0}
    page = text(root.get("/jobs/local/greet/Greet/"))
    assert "<h1>Hello there</h1>" in page
    assert "2 settings" in page

    file.write_text(CODE.format(limit=500, commit=False))
    kept = refreshed(app, db)
    assert (kept.name, kept.time_limit, kept.commit_default) == ("Hello there", 33.0, False)
    page = text(root.get(URL))
    assert "The code says: 500." in page
    # Without the tick the code's word counts at once.
    root.post(URL, {"set-name": "true", "name": "Hello there", "time_limit": "33"})
    assert (record(db).time_limit, record(db).name) == (500.0, "Hello there")
    root.post(f"{URL}/reset")
    assert (record(db).name, record(db).overrides) == ("Greeting", {})


def test_what_was_changed_without_a_tick_counts_as_ticked(root, db):
    page = text(root.get(URL))
    shown = {
        name: html.unescape(value) for name, value in re.findall(r'name="(was-[^"]+)" value="([^"]*)"', page)
    }
    assert len(shown) == 14
    # All as the page had it, with its line ends as browsers send them: nothing is set.
    as_it_was = {name.removeprefix("was-"): value.replace("\n", "\r\n") for name, value in shown.items()}
    root.post(URL, {**shown, **as_it_was})
    assert record(db).overrides == {}
    root.post(URL, {**shown, **as_it_was, "name": "Typed", "commit_default": "false"})
    assert record(db).overrides == {"name": "Typed", "commit_default": False}


def test_every_setting_is_on_the_page_and_can_be_overridden(root, db):
    assert len(SETTINGS) == 14
    values = {
        "name": "N",
        "grouping": "G",
        "description": "D",
        "hidden": "true",
        "commit_default": "false",
        "read_only": "true",
        "has_sensitive_variables": "true",
        "approval_required": "false",
        "approval_expires": "3600",
        "soft_time_limit": "1.5",
        "time_limit": "2",
        "keep_days": "30",
        "keep_failed_days": "90",
        "queues": "fast\n\n slow \nfast",
    }
    page = text(root.get(URL))
    assert all(f'name="set-{setting.name}"' in page for setting in SETTINGS)
    assert root.post(URL, {**values, **{f"set-{name}": "true" for name in values}}).status_code == 303
    kept = record(db)
    assert {name: getattr(kept, name) for name in values} == {
        **{"name": "N", "grouping": "G", "description": "D", "hidden": True, "commit_default": False},
        **{"read_only": True, "has_sensitive_variables": True, "approval_required": False},
        **{"soft_time_limit": 1.5, "time_limit": 2.0, "approval_expires": 3600.0},
        **{"queues": ["fast", "slow"], "keep_days": 30, "keep_failed_days": 90},
    }


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("name", "", "This field is required"),
        ("name", "x" * 101, "at most 100 characters"),
        ("time_limit", "soon", "Enter a number of seconds"),
        ("time_limit", "-1", "Enter a number of seconds"),
        ("keep_days", "1.5", "Enter a whole number of days"),
        ("soft_time_limit", "nan", "Enter a number of seconds"),
        ("soft_time_limit", "1e999", "Enter a number of seconds"),
        ("queues", "x" * 101, "at most 100 characters"),
        ("description", "x" * 20_001, "at most 20,000 characters"),
    ],
)
def test_what_cannot_be_is_refused_beside_it_and_nothing_is_lost(root, db, name, value, sentence):
    refused = root.post(URL, {f"set-{name}": "true", name: value, "set-grouping": "true", "grouping": "Kept"})
    assert refused.status_code == 422
    assert sentence in text(refused)
    assert 'value="Kept"' in text(refused)
    assert record(db).overrides == {}


def test_sensitive_inputs_and_approval_do_not_go_together(root, db):
    both = {
        f"{start}{name}": "true"
        for name in ("has_sensitive_variables", "approval_required")
        for start in ("", "set-")
    }
    refused = root.post(URL, both)
    assert refused.status_code == 422
    assert "can only wait for an approval where the workers have a key" in text(refused)


def test_a_job_read_only_by_an_admin_saves_nothing(root, alice, db):
    root.post(URL, {"set-read_only": "true", "read_only": "true"})
    assert "Read only" in text(alice.get("/jobs/local/greet/Greet/"))
    alice.post("/jobs/local/greet/Greet/", {"_commit": "true"})
    with db.begin():
        assert db.scalars(select(JobResult.commit)).all() == [False]


def test_settings_are_for_those_who_may_change_the_job(alice, db):
    assert alice.get(URL).status_code == 403
    assert alice.post(URL, {"set-name": "true", "name": "x"}).status_code == 403
    assert alice.post(f"{URL}/reset").status_code == 403
    assert alice.post("/jobs/local/greet/Greet/delete").status_code == 403
    assert record(db).overrides == {}


def test_a_record_without_its_class_can_be_removed_and_its_results_stay(root, alice, app, db, file):
    alice.post("/jobs/local/greet/Greet/")
    kept = root.post("/jobs/local/greet/Greet/delete", follow_redirects=True)
    assert "is installed" in text(kept)
    file.unlink()
    refresh(db, app.extensions["errand"].settings)
    assert root.post("/jobs/local/greet/Greet/delete").status_code == 303
    with db.begin():
        assert db.scalars(select(JobRecord)).all() == []
        [result] = db.scalars(select(JobResult)).all()
        assert (result.job_id, result.name) == (None, "Greeting")
    # A class that comes back does not get them back.
    file.write_text(CODE.format(limit=400, commit=True))
    refreshed(app, db)
    with db.begin():
        db.expire_all()
        assert db.scalars(select(JobResult.job_id)).all() == [None]


def version(page: str) -> str:
    return re.search(r'name="_version" value="(\w+)"', page)[1]


def test_what_somebody_else_saved_meanwhile_is_not_lost(root, db):
    opened = version(text(root.get(URL)))
    root.post(URL, {"set-hidden": "true", "hidden": "true"})
    refused = root.post(URL, {"set-name": "true", "name": "Mine", "_version": opened})
    assert refused.status_code == 422
    assert "Somebody else has changed these settings meanwhile" in text(refused)
    assert 'value="Mine"' in text(refused)
    assert record(db).overrides == {"hidden": True}
    assert (
        root.post(URL, {"set-name": "true", "name": "Mine", "_version": version(text(refused))}).status_code
        == 303
    )


def test_nobody_moves_a_job_to_where_they_may_do_more(alice, db, cast):
    with db.begin():
        for old in db.scalars(select(Permission)):
            db.delete(old)
        db.add_all(
            [
                Permission(
                    name="a",
                    kind="job",
                    actions=["view", "change"],
                    constraints=[{"grouping": "greet"}],
                    users=[cast["alice"]],
                ),
                Permission(
                    name="b",
                    kind="job",
                    actions=["view", "run"],
                    constraints=[{"grouping": "Lab"}],
                    users=[cast["alice"]],
                ),
            ]
        )
    refused = alice.post(URL, {"set-grouping": "true", "grouping": "Lab"})
    assert refused.status_code == 422
    assert "somebody else has to" in text(refused)
    assert record(db).grouping == "greet"
    assert alice.post("/jobs/local/greet/Greet/").status_code == 403


def test_seconds_keep_every_digit(root, db):
    root.post(URL, {"set-time_limit": "true", "time_limit": "1234567"})
    assert 'value="1234567"' in text(root.get(URL))
    refused = root.post(URL, {"set-name": "true", "name": "two\nlines"})
    assert "Use one line." in text(refused)
