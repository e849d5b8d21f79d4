"""People, groups, permissions and the audit by token."""

import pytest
from sqlalchemy import select

from store.models import AuditRecord, Group, Permission, SignInLink, UserSession, now
from tests.api.conftest import follow


@pytest.fixture
def looks_after_people(db, alice):
    """Have alice see and change people, without being a superuser."""
    db.add(Permission(name="People", kind="user", actions=["view", "change", "delete"], users=[alice]))
    db.commit()


def actions(db) -> list[str]:
    with db.begin():
        return list(db.scalars(select(AuditRecord.action).order_by(AuditRecord.id)))


def test_an_account_is_made_changed_and_disabled(call_as_root, db):
    call_as_root("POST", "/groups", json={"name": "Network"})
    made = call_as_root("POST", "/users", json={"username": "dave", "groups": ["Network"]})
    path = f"/users/{made.json['id']}"
    assert (made.status_code, made.headers["Location"]) == (201, f"/api/v1{path}")
    assert (made.json["groups"], made.json["active"], made.json["superuser"]) == (["Network"], True, False)
    assert (
        call_as_root("PATCH", path, json={"display_name": "Dave", "mail": "d@example.com"}).status_code == 200
    )
    with db.begin():
        db.add(UserSession(user_id=made.json["id"], token_hash="x", last_seen_at=now(), expires_at=now()))
    disabled = call_as_root("PATCH", path, json={"active": False}).json
    assert (disabled["display_name"], disabled["groups"], disabled["active"]) == ("Dave", ["Network"], False)
    with db.begin():
        assert db.scalars(select(UserSession)).all() == []
    assert "password" not in call_as_root("GET", path).text
    assert call_as_root("POST", f"{path}/link", json={}).status_code == 409
    assert actions(db) == ["group.create", "user.create", "user.change", "user.change"]


def test_what_is_wrong_with_an_account_is_said(call_as_root, call, alice, root, looks_after_people):
    wrong = {"username": "a b", "mail": "nowhere", "groups": ["Nobody"]}
    assert set(call_as_root("POST", "/users", json=wrong).json["errors"]) == {"username", "mail", "groups"}
    assert call_as_root("PATCH", f"/users/{root.id}", json={"superuser": False}).status_code == 422
    assert call("PATCH", f"/users/{root.id}", json={"display_name": "x"}).status_code == 403
    raised = call("POST", "/users", json={"username": "eve", "superuser": True})
    assert raised.json["errors"] == {"superuser": ["Only a superuser may say who is one."]}
    assert call("POST", f"/users/{root.id}/link", json={}).status_code == 403


def test_a_link_signs_in_once(call_as_root, app, db, alice):
    told = call_as_root("POST", f"/users/{alice.id}/link", json={}).json
    path = told["url"].removeprefix("http://localhost")
    assert (told["mail"], path.startswith("/login/link")) == (None, True)
    assert app.test_client().get(path).status_code < 400
    assert call_as_root("POST", f"/users/{alice.id}/link", json={"send": "mail"}).status_code == 422
    with db.begin():
        assert len(db.scalars(select(SignInLink)).all()) == 1


def test_people_are_found_and_come_in_pages(call_as_root, make_user):
    for name in ("carl", "anna", "berta"):
        make_user(name, active=name != "anna")
    names = [[row["username"] for row in rows] for rows in follow(call_as_root, "/users?limit=3")]
    assert names == [["anna", "berta", "carl"], ["root"]]
    found = call_as_root("GET", "/users?q=AR&active=true&sort=-username").json["results"]
    assert [row["username"] for row in found] == ["carl"]


def test_groups_have_members(call_as_root, alice, carol, db):
    path = f"/groups/{call_as_root('POST', '/groups', json={'name': 'A', 'members': ['alice']}).json['id']}"
    changed = call_as_root("PATCH", path, json={"members": ["alice", "carol"]}).json
    assert (changed["name"], changed["members"], changed["member_count"]) == ("A", ["alice", "carol"], 2)
    assert call_as_root("PATCH", path, json={"members": ["who"]}).json["errors"].keys() == {"members"}
    taken = call_as_root("POST", "/groups", json={"name": "A"})
    assert taken.json["errors"] == {"name": ["There is a group of this name already."]}
    with db.begin():
        everyone = db.scalars(select(Group.id).where(Group.everyone)).one()
    assert call_as_root("DELETE", f"/groups/{everyone}").status_code == 409
    assert call_as_root("PATCH", f"/groups/{everyone}", json={"members": ["alice"]}).status_code == 422
    assert call_as_root("GET", f"/groups/{everyone}").json["permissions"]
    assert call_as_root("DELETE", path).status_code == 204
    assert call_as_root("GET", path).status_code == 404


def test_permissions_say_what_they_give(call_as_root, call, db, alice, hello):
    body = {
        "name": "Change hello",
        "kind": "job",
        "actions": ["view", "change"],
        "constraints": [{"grouping": "hello"}],
        "users": ["alice"],
    }
    path = f"/jobs/{hello.class_path}"
    question = f"/permissions/explain?action=change&subject={hello.class_path}"
    assert call("GET", question).json["allowed"] is False
    made = call_as_root("POST", "/permissions", json=body)
    assert (made.status_code, made.json["text"]) == (
        201,
        "see and enable and change jobs where grouping is hello",
    )
    assert call("PATCH", path, json={"enabled": True}).status_code == 200
    told = call("GET", question).json
    assert (told["allowed"], told["people"]) == (True, [])
    row = f"/permissions/{made.json['id']}"
    off = call_as_root("PATCH", row, json={"enabled": False}).json
    assert off == {**made.json, "enabled": False}
    why = call_as_root("GET", f"{question}&user=alice").json
    assert (why["allowed"], [who["username"] for who in why["people"]]) == (False, ["root"])
    assert call("GET", f"{question}&user=root").status_code == 404
    assert call_as_root("PATCH", row, json={"kind": "worker"}).json["errors"].keys() == {"constraints"}
    assert call_as_root("DELETE", row).status_code == 204
    assert actions(db)[-2:] == ["permission.change", "permission.delete"]


def test_the_audit_is_listed_and_looked_through(call_as_root, call, db, alice):
    for name in ("A", "B", "C"):
        call_as_root("POST", "/groups", json={"name": name})
    pages = follow(call_as_root, "/audit?action=group.&limit=2")
    assert [[row["subject"] for row in rows] for rows in pages] == [["C", "B"], ["A"]]
    assert (pages[0][0]["actor"], pages[0][0]["via"]) == ("root", "api")
    assert call_as_root("GET", "/audit?actor=ali").json["results"] == []
    verdict = call_as_root("GET", "/audit/verify").json
    assert (verdict["holds"], verdict["waiting"]) == (True, 3)
    assert call_as_root("GET", f"/audit/verify?expected={'f' * 64}").json["holds"] is False
    assert call("GET", "/audit").status_code == 404
