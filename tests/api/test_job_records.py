"""What administrators do with jobs by token."""

from dataclasses import replace

from sqlalchemy import select

from store.models import AuditRecord, JobRecord, Permission
from worker.overrides import take_from_code


def from_code(db, job: JobRecord) -> None:
    """Have a job know what its code says, as after a refresh."""
    facts = {
        name: getattr(job, name)
        for name in (
            *("name", "grouping", "description", "hidden", "approval_required", "approval_expires"),
            *(
                "commit_default",
                "read_only",
                "has_sensitive_variables",
                "soft_time_limit",
                "time_limit",
                "keep_days",
                "keep_failed_days",
                "queues",
            ),
        )
    }
    take_from_code(job, facts)
    db.commit()


def test_settings_are_given_one_by_one_and_taken_back(call_as_root, db, hello):
    from_code(db, hello)
    path = f"/jobs/{hello.class_path}"
    first = call_as_root(
        "PATCH", path, json={"overrides": {"name": "Greet", "time_limit": 60}, "enabled": False}
    )
    assert first.status_code == 200, first.text
    assert (first.json["name"], first.json["time_limit"], first.json["enabled"]) == ("Greet", 60, False)
    second = call_as_root("PATCH", path, json={"overrides": {"time_limit": None, "queues": ["slow"]}})
    assert second.json["overrides"] == {"name": "Greet", "queues": ["slow"]}
    assert call_as_root("PATCH", path, json={}).json["overrides"] == second.json["overrides"]
    stale = call_as_root("PATCH", path, json={"overrides": None, "version": first.json["version"]})
    assert (stale.status_code, stale.json["title"]) == (409, "Conflict")
    last = call_as_root("PATCH", path, json={"overrides": None, "version": second.json["version"]})
    assert (last.json["overrides"], last.json["name"]) == ({}, "Hello")
    with db.begin():
        noted = db.execute(select(AuditRecord.action, AuditRecord.via).order_by(AuditRecord.id)).all()
    assert [tuple(row) for row in noted] == [
        ("job.settings", "api"),
        ("job.disable", "api"),
        ("job.settings", "api"),
        ("job.settings", "api"),
    ]


def test_what_does_not_fit_is_said_by_its_name(call_as_root, call, hello):
    path = f"/jobs/{hello.class_path}"
    wrong = call_as_root("PATCH", path, json={"overrides": {"name": "", "time_limit": "soon", "colour": 1}})
    assert wrong.status_code == 422
    assert set(wrong.json["errors"]) == {"name", "time_limit", "colour"}
    assert call_as_root("PATCH", path, json={"name": "Greet"}).json["errors"] == {
        "name": ["There is no such key."]
    }


def test_nobody_moves_a_job_out_of_their_reach(call, db, alice, hello):
    kind = {"kind": "job", "actions": ["view", "change"], "constraints": [{"grouping": "hello"}]}
    db.add(Permission(name="Change hello", users=[alice], **kind))
    db.commit()
    path = f"/jobs/{hello.id}"
    assert call("PATCH", path, json={"overrides": {"grouping": "other"}}).status_code == 422
    assert (
        call("PATCH", path, json={"overrides": {"description": "a\x00b"}}).json["description"] == "a\ufffdb"
    )


def test_only_what_is_gone_is_removed(call_as_root, db, hello, plain):
    refused = call_as_root("DELETE", f"/jobs/{hello.class_path}")
    assert (refused.status_code, "is installed" in refused.json["detail"]) == (409, True)
    plain.installed = False
    db.commit()
    assert call_as_root("DELETE", f"/jobs/{plain.id}").status_code == 204
    assert call_as_root("GET", f"/jobs/{plain.id}").status_code == 404


def test_all_that_wait_are_enabled_at_once(call_as_root, make_job):
    make_job("local/a/On")
    make_job("local/a/Off", enabled=False)
    make_job("local/a/Gone", enabled=False, installed=False)
    answer = call_as_root("POST", "/jobs/enable-all")
    assert [row["class_path"] for row in answer.json["results"]] == ["local/a/Off"]
    assert call_as_root("GET", "/jobs?enabled=false").json["results"][0]["name"] == "Gone"


def test_a_refresh_tells_what_it_found(app, call_as_root, call, settings, hello, tmp_path, monkeypatch):
    portal = app.extensions["errand"]
    here = replace(settings, jobs_roots=(tmp_path / "jobs",))
    monkeypatch.setitem(app.extensions, "errand", replace(portal, settings=here))
    (tmp_path / "jobs").mkdir()
    code = "from jobs import Job\n\n\nclass Fresh(Job):\n    def run(self, data, commit):\n        pass\n"
    (tmp_path / "jobs" / "fresh.py").write_text(code)
    (tmp_path / "jobs" / "bad.py").write_text("this is no Python\n")
    assert call("POST", "/jobs/refresh").status_code == 404
    told = call_as_root("POST", "/jobs/refresh").json
    assert (told["new"], told["gone"], told["jobs"]) == (["local/fresh/Fresh"], [hello.class_path], 1)
    assert [error["module"] for error in told["errors"]] == ["bad"]


def test_variables_alone(call, call_as_root, hello):
    described = call("GET", f"/jobs/{hello.class_path}/variables").json
    assert described["results"] == call("GET", f"/jobs/{hello.id}").json["variables"]
    assert described["next"] is None
