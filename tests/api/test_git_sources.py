"""Git repositories that jobs come from, by token."""

import pytest
from sqlalchemy import select

from store.lockbox import unlock
from store.models import AuditRecord, GitSource, JobRecord, Permission, SourceSync

URL = "https://example.com/team/jobs.git"


@pytest.fixture
def team(call_as_root) -> str:
    body = {"slug": "team", "url": URL, "token": "t0p-secret", "cron": "0 6 * * *", "zone": "Europe/Zurich"}
    made = call_as_root("POST", "/sources", json=body)
    assert made.status_code == 201, made.text
    assert made.headers["Location"] == "/api/v1/sources/git.team"
    return "/sources/git.team"


def test_a_repository_is_added_changed_and_deleted(call_as_root, db, settings, team, make_job):
    job = make_job("git.team/ops/Clean")
    told = call_as_root("GET", team).json
    assert (told["kind"], told["sync"]["state"], told["sync"]["asked_via"]) == ("git", "pending", "api")
    row = told["repository"]
    assert (row["path"], row["cron"], row["zone"], row["secrets"]) == (
        "jobs",
        "0 6 * * *",
        "Europe/Zurich",
        ["token"],
    )
    changed = call_as_root("PATCH", team, json={"ref": "stable", "webhook_secret": "x" * 16})
    assert changed.json["repository"] == {**row, "ref": "stable", "secrets": ["token", "webhook_secret"]}
    without = call_as_root("PATCH", team, json={"webhook_secret": None, "token": "n3w"})
    assert without.json["repository"]["secrets"] == ["token"]
    with db.begin():
        box = db.scalars(select(GitSource)).one().secrets
        assert unlock(settings.secret_key, box) == {"token": "n3w"}
        assert "t0p" not in str(db.execute(select(AuditRecord.before, AuditRecord.after)).all())
    assert "n3w" not in call_as_root("GET", team).text + call_as_root("GET", "/sources").text
    assert call_as_root("DELETE", team).status_code == 204
    assert call_as_root("GET", team).status_code == 404
    with db.begin():
        assert db.scalars(select(JobRecord.installed).where(JobRecord.id == job.id)).one() is False


def test_what_cannot_be_right_is_said_by_its_name(call_as_root, team):
    wrong = {"url": "ftp://x/y", "ref": "..", "interval_minutes": -1, "cron": "never", "private_key": "no"}
    refused = call_as_root("POST", "/sources", json={"slug": "A B", **wrong})
    assert (refused.status_code, set(refused.json["errors"])) == (422, {"slug", *wrong})
    taken = call_as_root("POST", "/sources", json={"slug": "team", "url": URL})
    assert taken.json["errors"] == {"slug": ["There is a source of this name already."]}
    elsewhere = call_as_root("PATCH", team, json={"url": "https://evil.example.com/team/jobs.git"})
    assert set(elsewhere.json["errors"]) == {"token"}
    both = call_as_root("PATCH", team, json={"interval_minutes": 5})
    assert set(both.json["errors"]) == {"cron"}


def test_it_is_synced_and_tested_when_asked(call_as_root, call, db, alice, team):
    tried = call_as_root("POST", f"{team}/test")
    assert (tried.status_code, tried.json["test"], tried.json["asked_by"]) == (202, True, "root")
    asked = call_as_root("POST", f"{team}/sync", json={"anyway": "abc123"})
    assert (asked.status_code, asked.json["state"]) == (202, "pending")
    listed = call_as_root("GET", f"{team}/syncs").json["results"]
    assert [row["test"] for row in listed] == [False, True, False]
    with db.begin():
        assert db.scalars(select(SourceSync.anyway).where(SourceSync.anyway != "")).all() == ["abc123"]
    assert call("POST", f"{team}/sync").status_code == 404
    db.add(
        Permission(
            name="Others",
            kind="source",
            actions=["view", "change"],
            users=[alice],
            constraints=[{"source": "git.x"}],
        )
    )
    db.commit()
    assert call("GET", team).status_code == 404
    assert call("POST", "/sources", json={"slug": "y", "url": URL}).status_code in (403, 404)
    assert call("POST", "/sources", json={"slug": "x", "url": URL}).status_code == 201
