"""The audit: everything that people change leaves a record, and only some may read it."""

import csv
import io

import pytest
from click.testing import CliRunner
from sqlalchemy import select, update

from store.models import AuditRecord, Group, Permission
from webapp.cli import main

from .conftest import text


def records(db) -> list[tuple[str, str, str]]:
    with db.begin():
        db.expire_all()
        return [
            (row.actor, row.action, row.subject)
            for row in db.scalars(select(AuditRecord).order_by(AuditRecord.id))
        ]


def test_what_people_do_is_written_down(root, alice, db, cast, make_job):
    make_job("Ping", class_path="local/net/Ping", variables=[])
    bob = cast["bob"].id
    root.post("/jobs/local/net/Ping/disable")
    root.post("/jobs/local/net/Ping/enable")
    root.post("/jobs/local/net/Ping/settings", {"set-name": "true", "name": "Pong"})
    alice.post("/jobs/local/net/Ping/")
    root.post(f"/admin/users/{bob}", {"active": "true", "display_name": "Bob B"})
    root.post(f"/admin/users/{bob}/link")
    root.post("/admin/groups/new", {"name": "Net", "members": "bob"})
    root.post("/admin/permissions/new", {"name": "P", "kind": "job", "actions": ["view"], "enabled": "true"})
    alice.post("/account/tokens", {"name": "CI"})
    root.post("/workers/queues/default/pause")
    with db.begin():
        [group] = db.scalars(select(Group.id).where(Group.name == "Net"))
        [permission] = db.scalars(select(Permission.id).where(Permission.name == "P"))
    root.post(f"/admin/groups/{group}/delete")
    root.post(f"/admin/permissions/{permission}/delete")
    assert records(db) == [
        ("root", "job.disable", "local/net/Ping"),
        ("root", "job.enable", "local/net/Ping"),
        ("root", "job.settings", "local/net/Ping"),
        ("alice", "run.submit", "local/net/Ping"),
        ("root", "user.change", "bob"),
        ("root", "user.link", "bob"),
        ("root", "group.create", "Net"),
        ("root", "permission.create", "P"),
        ("alice", "token.create", "alice"),
        ("root", "queue.pause", "default"),
        ("root", "group.delete", "Net"),
        ("root", "permission.delete", "P"),
    ]


def test_who_signs_in_and_who_is_refused(app, db, cast, browser):
    from .conftest import Browser

    stranger = Browser(app.test_client())
    stranger.post("/login", {"username": "alice<b>", "password": "SECRET"})
    assert records(db) == [("", "sign-in.refused", "alice<b>")]
    page = text(browser("root").get("/admin/audit/"))
    assert "alice&lt;b&gt;" in page
    assert "SECRET" not in page


@pytest.mark.parametrize("path", ["/admin/audit/", "/admin/audit/audit.csv"])
def test_it_is_for_those_who_look_after_people(alice, root, path):
    assert alice.get(path).status_code == 404
    assert root.get(path).status_code == 200


def test_it_can_be_searched_and_taken_along(root, db, make_job):
    make_job("Ping", class_path="local/net/Ping", variables=[])
    for act in ("disable", "enable"):
        root.post(f"/jobs/local/net/Ping/{act}")
    page = text(root.get("/admin/audit/?action=job.dis"))
    assert "job.disable" in page
    assert "job.enable" not in page
    assert "<del>true</del> false" in page
    assert "No record fits" in text(root.get("/admin/audit/?subject=%00%25&before=zzz"))
    rows = list(csv.reader(io.StringIO(text(root.get("/admin/audit/audit.csv?actor=root")))))
    assert [row[4] for row in rows] == ["action", "job.enable", "job.disable"]


def test_long_lists_are_cut_into_pages(root, db):
    with db.begin():
        db.add_all(
            [AuditRecord(actor="x", action="job.enable", subject=f"s-{number:03}") for number in range(150)]
        )
    page = text(root.get("/admin/audit/"))
    assert "s-149" in page
    assert "s-049" not in page
    following = page.partition('rel="next" href="')[2].partition('"')[0].replace("&amp;", "&")
    assert "s-049" in text(root.get(following))


def test_the_command_finds_what_was_altered(settings, db, root, make_job):
    make_job("Ping", class_path="local/net/Ping", variables=[])
    root.post("/jobs/local/net/Ping/disable")

    def call(*arguments: str):
        return CliRunner().invoke(main, ["audit", *arguments, "--instance", str(settings.instance)])

    assert "job.disable\tlocal/net/Ping" in call("list").stdout
    good = call("verify")
    assert good.exit_code == 0
    assert call("verify", "--expect", good.stdout.strip()).exit_code == 0
    assert call("verify", "--expect", "f" * 64).exit_code == 1
    with db.begin():
        db.execute(update(AuditRecord).values(actor="somebody else"))
    bad = call("verify")
    assert bad.exit_code == 1
    assert "is not as it was written" in bad.stderr
