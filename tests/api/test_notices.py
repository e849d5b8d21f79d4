"""Channels, messages, and one's own wishes to be told, by token."""

import pytest
from sqlalchemy import select

from store.lockbox import unlock
from store.models import AuditRecord, Channel, Delivery, NoticeRule, User

URL = "https://hooks.example.com/in/s3cret"


@pytest.fixture
def public_address(monkeypatch):
    """Have names of hosts be looked up without a network."""
    import socket

    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda *_, **__: [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.215.14", 443))],
    )


def test_a_webhook_is_made_changed_tried_and_deleted(call_as_root, db, settings, public_address):
    made = call_as_root(
        "POST", "/channels", json={"name": "ops", "kind": "webhook", "address": URL, "words": ["failed"]}
    )
    assert made.status_code == 201, made.text
    secret = made.json["secret"]
    assert (secret[:6], made.json["place"], made.json["username"]) == ("whsec_", "hooks.example.com", "root")
    path = f"/channels/{made.json['id']}"
    changed = call_as_root("PATCH", path, json={"class_paths": ["local/*"]}).json
    assert (changed["words"], changed["class_paths"], changed["name"]) == (["failed"], ["local/*"], "ops")
    with db.begin():
        assert unlock(settings.secret_key, db.scalars(select(Channel)).one().box) == {
            "url": URL,
            "secret": secret,
        }
    assert call_as_root("POST", f"{path}/secret").json["secret"] not in ("", secret)
    tried = call_as_root("POST", f"{path}/try")
    assert (tried.status_code, tried.json["state"], tried.json["receiver"]) == (202, "waiting", "ops")
    everything = "".join(
        call_as_root("GET", each).text for each in (path, "/channels", "/deliveries", "/audit")
    )
    assert "s3cret" not in everything
    assert "whsec_" not in everything
    assert call_as_root("DELETE", path).status_code == 204
    with db.begin():
        actions = db.scalars(select(AuditRecord.action).order_by(AuditRecord.id)).all()
    assert actions == [f"channel.{act}" for act in ("create", "change", "secret", "try", "delete")]


def test_a_channel_of_mail_is_made_and_changed(call_as_root):
    given = {"name": "m", "kind": "mail", "address": "smtps://u:s3cret@mail.example.com", "words": ["output"]}
    refused = call_as_root("POST", "/channels", json=given)
    assert set(refused.json["errors"]) == {"sender", "receivers"}
    sent = {**given, "sender": "bots@example.com", "receivers": ["a@example.com"]}
    made = call_as_root("POST", "/channels", json=sent)
    assert made.status_code == 201, made.text
    assert (made.json["secret"], made.json["place"]) == (None, "mail.example.com")
    receivers = ["b@example.com", "c@example.com"]
    changed = call_as_root("PATCH", f"/channels/{made.json['id']}", json={"receivers": receivers})
    assert (changed.json["receivers"], changed.json["sender"]) == (receivers, "bots@example.com")
    assert "s3cret" not in made.text + changed.text


def test_what_is_wrong_with_a_channel_is_said(call_as_root, call):
    for wrong, name in (
        ({"address": "http://127.0.0.1/"}, "address"),
        ({"address": ""}, "address"),
        ({"address": "#ops", "kind": "slack"}, "address"),
        ({"words": ["never"]}, "words"),
        ({"kind": "pigeon"}, "kind"),
        ({"class_paths": ["x"] * 2000, "address": "#x"}, "class_paths"),
    ):
        refused = call_as_root("POST", "/channels", json={"name": "x", "kind": "webhook", **wrong})
        assert (refused.status_code, name in refused.json["errors"]) == (422, True), refused.text
    assert call("GET", "/channels").status_code == 404


def test_messages_are_listed_and_sent_again(call_as_root, call, db):
    common = {"event": "ended", "target": "mail:1", "via": "mail", "receiver": "a@example.com", "title": "x"}
    db.add(Delivery(event_key="1", **common, state="gave_up", answers=[{"at": "2026", "answer": "550"}]))
    db.add(
        Delivery(event_key="2", **{**common, "event": "invitation"}, state="sent", content={"x": "hidden"})
    )
    db.commit()
    listed = call_as_root("GET", "/deliveries").json["results"]
    assert ([row["id"] for row in listed], "hidden" in str(listed)) == ([2, 1], False)
    assert [row["id"] for row in call_as_root("GET", "/deliveries?state=gave_up").json["results"]] == [1]
    assert call_as_root("POST", "/deliveries/1/again").json["state"] == "waiting"
    assert call_as_root("POST", "/deliveries/1/again").status_code == 409
    assert "wiped" in call_as_root("POST", "/deliveries/2/again").json["detail"]
    assert call("GET", "/deliveries/1").status_code == 404


def test_one_says_what_one_is_told(call, db, alice, hello, make_result):
    told = call("GET", "/me/notices").json
    assert told == {
        "mail": "",
        "ways": {"browser": ["asked", "decided"], "mail": ["asked", "decided", "missed"]},
    }
    changed = call("PATCH", "/me/notices", json={"mail": "a@example.com", "ways": {"mail": ["failed"]}})
    assert changed.json == {
        "mail": "a@example.com",
        "ways": {"browser": ["asked", "decided"], "mail": ["failed"]},
    }
    assert call("GET", "/me/notices").json == changed.json
    with db.begin():
        noted = db.scalars(select(AuditRecord).where(AuditRecord.action == "user.notices")).one()
        assert (noted.before, noted.after) == (None, changed.json["ways"])
        assert db.scalars(select(User.mail).where(User.username == "alice")).one() == "a@example.com"
    assert call("PATCH", "/me/notices", json={"mail": "x", "ways": {"mail": ["failed"]}}).status_code == 422
    assert call("PATCH", "/me/notices", json={"ways": {"mail": ["never"]}}).status_code == 422


def test_one_wishes_to_be_told_and_takes_it_back(call, calls_of, carol, db, hello, make_result):
    wish = {"about": "job", "subject": hello.class_path, "ways": ["mail"], "on": "bad"}
    first = call("POST", "/me/notice-rules", json=wish)
    assert (first.status_code, first.json["words"]) == (201, ["failed", "errored", "missed"])
    second = call("POST", "/me/notice-rules", json={**wish, "ways": ["browser", "mail"], "on": "any"})
    run = make_result(status="running")
    third = call("POST", "/me/notice-rules", json={"about": "run", "subject": str(run.id), "ways": ["mail"]})
    listed = call("GET", "/me/notice-rules").json["results"]
    assert listed == [third.json, second.json]
    ended = make_result(status="completed", finished_at=run.created_at)
    too_late = {"about": "run", "subject": str(ended.id), "ways": ["mail"]}
    assert call("POST", "/me/notice-rules", json=too_late).status_code == 409
    nothing = {"about": "schedule", "subject": str(run.id), "ways": ["mail"]}
    assert call("POST", "/me/notice-rules", json=nothing).status_code == 404
    rule = f"/me/notice-rules/{second.json['id']}"
    assert calls_of(carol)("DELETE", rule).status_code == 404
    assert call("DELETE", rule).status_code == 204
    with db.begin():
        assert list(db.scalars(select(NoticeRule.about))) == ["run"]
