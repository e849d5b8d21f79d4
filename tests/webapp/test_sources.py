"""The pages of sources, and the webhooks that have one looked at."""

import hashlib
import hmac
import json
import re
import time
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flask import Flask

from store.lockbox import lock, unlock
from store.models import (
    AuditRecord,
    GitSource,
    JobRecord,
    JobSource,
    LoadError,
    Permission,
    SourceSync,
    User,
    now,
)
from store.settings import Settings

from .conftest import NOON, Browser, signed_in, text

SECRET = "a-webhook-secret-of-mine"
TOKEN = "t0ken-that-nobody-may-see"
PLACE = {"slug": "team", "url": "https://example.com/team/jobs.git", "path": "jobs", "enabled": "true"}


def typed(**values: str) -> dict[str, str]:
    return {**PLACE, "interval_minutes": "0", **values}


def source_of(db: Any) -> GitSource:
    db.expire_all()
    source = db.query(GitSource).one()
    db.commit()
    return source


@pytest.fixture
def source(db: Any, settings: Settings) -> GitSource:
    secrets = {"webhook_secret": SECRET, "token": TOKEN}
    source = GitSource(
        slug="team",
        url=PLACE["url"],
        secrets=lock(settings.secret_key, secrets),
        secret_names=sorted(secrets),
    )
    db.add_all([source, JobSource(name="git.team", kind="git", location=PLACE["url"], refreshed_at=NOON)])
    db.commit()
    return source


def syncs(db: Any) -> list[SourceSync]:
    db.expire_all()
    found = db.query(SourceSync).order_by(SourceSync.created_at).all()
    db.commit()
    return found


def test_a_repository_is_added_changed_and_its_secrets_are_never_shown(
    root: Browser, db: Any, settings: Settings
):
    answer = root.post("/admin/sources/new", typed(token=TOKEN, webhook_secret=SECRET, interval_minutes="5"))
    assert answer.headers["Location"] == "/admin/sources/team"
    source = source_of(db)
    assert unlock(settings.secret_key, source.secrets) == {"token": TOKEN, "webhook_secret": SECRET}
    [sync] = syncs(db)
    assert (sync.state, sync.asked_by, sync.asked_via) == ("pending", "root", "page")
    page = text(root.get("/admin/sources/team"))
    assert "One is set" in page
    assert "http://localhost/hooks/sources/team" in page
    assert "No scheduler is running" in page
    assert 'hx-trigger="every 1s"' in text(root.fragment("/admin/sources/team/syncs"))
    # Left empty they stay; ticked they go.
    root.post("/admin/sources/team", typed(ref="next", **{"remove-webhook_secret": "true"}))
    source = source_of(db)
    assert (source.ref, source.secret_names, source.interval_minutes) == ("next", ["token"], 0)
    # A login is not for another server, whoever may change the address.
    answer = root.post("/admin/sources/team", typed(url="https://evil.example.com/x.git"))
    assert answer.status_code == 422
    assert "The address is of another server" in text(answer)
    assert source_of(db).url == PLACE["url"]
    assert "There is a source of this name already." in text(root.post("/admin/sources/new", typed()))
    records = [vars(record) for record in db.query(AuditRecord)]
    assert [record["action"] for record in records if record["subject"] == "git.team"] == [
        "source.create",
        "source.change",
    ]
    pages = page + text(answer) + text(root.get("/admin/sources/")) + text(root.get("/admin/audit/"))
    assert TOKEN not in pages + repr(records)
    assert SECRET not in pages + repr(records)


def test_each_wrong_input_is_told_beside_it_and_nothing_typed_is_lost(root: Browser, db: Any):
    wrong = {
        "slug": ("Team!", "Use at most 50 small letters"),
        "url": ("ext::sh -c x", "Write an address without blanks"),
        "ref": ("--upload-pack=x", "This is no name of a branch or tag."),
        "path": ("../x", "Write a folder of the repository"),
        "interval_minutes": ("often", "Write a whole number of minutes"),
        "host_keys": ("@cert-authority * ssh-rsa AAAA", "Write lines as ssh-keyscan prints them"),
        "private_key": ("hello", "This is no private key."),
        "webhook_secret": ("short", "Use one line of 16 to 200 characters."),
    }
    answer = root.post(
        "/admin/sources/new", typed(username="robot", **{name: value for name, (value, _) in wrong.items()})
    )
    assert answer.status_code == 422
    page = text(answer)
    for name, (value, said) in wrong.items():
        assert f'id="{name}-e"' in page
        assert said in page
        if name not in ("private_key", "webhook_secret"):
            assert value in page
    assert 'value="robot"' in page
    assert db.query(GitSource).count() == 0
    db.commit()
    for url, said in (
        ("http://example.com/x", "http is not allowed here"),
        ("file:///srv/jobs", "file is not allowed here"),
        ("https://u:p@example.com/x", "Leave names and passwords out"),
        ("ssh://-oProxyCommand=x/y", "Write a server and a path"),
        ("git://example.com/x", "Write an https or ssh address"),
        ("-oProxyCommand=x:y", "Write an https or ssh address"),
    ):
        assert said in text(root.post("/admin/sources/new", typed(url=url))), url


def test_a_calendar_is_checked_and_told_as_that_of_a_schedule(root: Browser, db: Any, source: GitSource):
    calendar = {"_schedule_crontab": "30 2 * * 1-5", "_schedule_zone": "Europe/Berlin"}
    for wrong, name, said in (
        ({"_schedule_crontab": "30 2 * *"}, "crontab", "field"),
        ({"_schedule_zone": "Europe/Atlantis"}, "zone", "Europe/Atlantis"),
        ({"interval_minutes": "5"}, "crontab", "Choose one of the two"),
    ):
        answer = root.post("/admin/sources/team", typed(**{**calendar, **wrong}))
        assert answer.status_code == 422
        sentence = re.search(rf'id="_schedule_{name}-e">.*?<span>(.*?)</span>', text(answer))[1]
        assert said in sentence
        assert f'value="{calendar["_schedule_crontab"] if name == "zone" else "Europe/Berlin"}"' in text(
            answer
        )
    assert root.post("/admin/sources/team", typed(**calendar)).status_code == 303
    changed = source_of(db)
    local = changed.next_sync_at.astimezone(ZoneInfo("Europe/Berlin"))
    assert (changed.cron, f"{local:%H:%M}", local > now()) == ("30 2 * * 1-5", "02:30", True)
    page = text(root.get("/admin/sources/team"))
    assert "02:30 on Monday to Friday, Europe/Berlin</strong>" in page
    assert page.count("02:30 <span") == 3
    # Taken away again, with a zone that nobody looks at.
    root.post("/admin/sources/team", typed(_schedule_zone="x" * 100))
    changed = source_of(db)
    assert (changed.cron, changed.zone, changed.next_sync_at) == ("", "Europe/Berlin", None)


def test_a_test_of_the_connection_is_asked_for(root: Browser, db: Any, source: GitSource):
    for _ in range(2):
        assert root.post("/admin/sources/team/test").headers["Location"] == "/admin/sources/team"
    [tried] = syncs(db)
    assert (tried.test, tried.state, tried.asked_by) == (True, "pending", "root")
    assert db.query(AuditRecord).filter_by(action="source.test", subject="git.team").count() == 2
    page = text(root.get("/admin/sources/team"))
    assert ('<span class="tag">Test</span>' in page, "every 1s" in page) == (True, True)


def test_what_a_sync_came_to_is_shown_where_it_belongs(root: Browser, db: Any, source: GitSource):
    error = {"module": "x", "path": "jobs/x.py", "message": "<b>x</b> is broken", "traceback": "line 1"}
    jobs = {"added": ["git.team/a/A"], "changed": [], "removed": ["git.team/b/B"]}
    facts = {"source_id": source.id, "asked_via": "webhook", "started_at": NOON, "finished_at": NOON}
    db.add(
        SourceSync(
            state="changed", to_commit="a" * 40, outcome="In use.", jobs=jobs, created_at=NOON, **facts
        )
    )
    db.add(
        SourceSync(
            state="failed", to_commit="b" * 40, outcome="Broken.", field="jobs", errors=[error], **facts
        )
    )
    db.add(LoadError(source="local", module="y", path="/srv/y.py", message="y is broken", seen_at=NOON))
    db.commit()
    page = text(root.get("/admin/sources/team"))
    for said in ("1 job added", "git.team/b/B", "1 load error", "&lt;b&gt;x&lt;/b&gt; is broken", "Webhook"):
        assert said in page
    assert f'name="anyway" value="{"b" * 40}"' in page
    assert "every 1s" not in page
    root.post("/admin/sources/team/sync", {"anyway": "b" * 40})
    assert [sync.anyway for sync in syncs(db) if sync.state == "pending"] == ["b" * 40]
    db.add(
        SourceSync(
            state="failed",
            outcome="The server refused the login.",
            field="credentials",
            created_at=now(),
            **facts,
        )
    )
    db.commit()
    page = text(root.get("/admin/sources/team"))
    assert 'id="token-e"' in page
    assert "Error:" not in page
    listed = text(root.get("/admin/sources/"))
    assert "y is broken" in listed
    assert "git.team" in listed


def test_who_may_see_or_change_one_source_sees_no_other(app: Flask, db: Any, cast: Any, source: GitSource):
    db.add(GitSource(slug="other", url="https://example.com/other.git"))
    db.add(
        JobRecord(
            class_path="git.team/a/A",
            source="git.team",
            module="a",
            class_name="A",
            name="A",
            grouping="a",
            enabled=True,
            refreshed_at=NOON,
        )
    )
    mine = [{"source": "git.team"}]
    db.add(
        Permission(
            name="Mine", kind="source", actions=["view", "change"], constraints=mine, users=[cast["alice"]]
        )
    )
    db.commit()
    alice = signed_in(app, db, cast["alice"])
    assert "git.team" in text(alice.get("/admin/sources/"))
    assert alice.get("/admin/sources/other").status_code == 404
    assert alice.post("/admin/sources/team/sync").status_code == 303
    assert alice.post("/admin/sources/team/delete").status_code == 403
    assert alice.post("/admin/sources/new", typed(slug="third")).status_code in (403, 404)
    # Its jobs stay as records that cannot be run.
    root = signed_in(app, db, db.query(User).filter_by(username="root").one())
    assert root.post("/admin/sources/team/delete").status_code == 303
    db.expire_all()
    job = db.query(JobRecord).filter_by(source="git.team").one()
    assert (job.installed, job.enabled) == (False, False)
    assert db.query(GitSource).one().slug == "other"


# --- Webhooks ---


def github(body: bytes, secret: str = SECRET, **headers: str) -> dict[str, str]:
    signature = hmac.digest(secret.encode(), body, "sha256").hex()
    return {"X-Hub-Signature-256": f"sha256={signature}", "X-GitHub-Event": "push", **headers}


def own(body: bytes, at: float, secret: str = SECRET) -> dict[str, str]:
    signature = hmac.digest(secret.encode(), f"{at:.0f}.".encode() + body, hashlib.sha256).hex()
    return {"X-Errand-Signature": f"t={at:.0f},v1={signature}"}


def push(ref: str = "refs/heads/main", **more: Any) -> bytes:
    return json.dumps({"ref": ref, **more}).encode()


def test_a_signed_push_causes_one_sync_and_all_else_none(app: Flask, db: Any, source: GitSource):
    client = app.test_client()

    def send(body: bytes, headers: dict[str, str], slug: str = "team") -> Any:
        return client.post(f"/hooks/sources/{slug}", data=body, headers=headers)

    body = push()
    for headers in (
        {},
        github(body, secret="another secret"),
        github(body + b" "),
        {"X-Hub-Signature-256": "sha256=é"},
        own(body, time.time() - 400),
        own(body, time.time() + 400),
        own(b"x", time.time()),
        github(body, secret=""),
    ):
        answer = send(body, headers)
        assert (answer.status_code, list(answer.json)) == (401, ["detail"])
    assert send(body, github(body), slug="nobody").status_code == 401
    assert send(b"x" * (1024 * 1024 + 1), {}).status_code == 413
    assert send(b"[]", github(b"[]")).status_code == 400
    assert syncs(db) == []

    first = send(body, github(body))
    assert first.status_code == 202
    [sync] = syncs(db)
    assert (first.json["sync"], sync.asked_via) == (str(sync.id), "webhook")
    db.query(SourceSync).update({"state": "changed", "finished_at": now()})
    db.commit()
    # The same once more, under another delivery's name: the same answer, and nothing done.
    assert send(body, github(body, **{"X-GitHub-Delivery": "other"})).json == first.json
    timed = own(push(after="1"), time.time())
    assert send(push(after="1"), timed).status_code == 202
    db.query(SourceSync).update({"state": "changed", "finished_at": now()})
    db.commit()
    at, signature = timed["X-Errand-Signature"].removeprefix("t=").split(",v1=")
    in_two = {"X-Errand-Timestamp": at, "X-Errand-Signature": f"sha256={signature}"}
    for again in (timed, in_two):
        assert send(push(after="1"), again).status_code == 202
    assert len(syncs(db)) == 2

    db.query(GitSource).update({"found_ref": "refs/heads/main"})
    db.commit()
    for body, more in (
        (push("refs/heads/other"), {}),
        (push(deleted=True), {}),
        (push(), {"X-GitHub-Event": "ping"}),
    ):
        assert send(body, github(body, **more)).status_code == 204
    db.query(GitSource).update({"ref": "v1"})
    db.commit()
    assert send(push(after="2"), github(push(after="2"))).status_code == 204
    assert send(push("refs/tags/v1"), github(push("refs/tags/v1"))).status_code == 202
    db.query(GitSource).update({"enabled": False})
    db.commit()
    assert send(b"", own(b"", time.time())).status_code == 204
    assert len(syncs(db)) == 3
