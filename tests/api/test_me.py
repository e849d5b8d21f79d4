"""`/me`: who the token is, and one's other tokens."""

from datetime import datetime, timedelta

from sqlalchemy import select

from store.models import ApiToken, AuditRecord, Permission, now


def as_bearer(app, plain, method, path, **more):
    return app.test_client().open(
        f"/api/v1{path}", method=method, headers={"Authorization": f"Bearer {plain}"}, **more
    )


def test_it_tells_who_one_is_and_what_the_token_lets_one_do(app, db, alice, make_token, root):
    db.add(Permission(name="Look after sources", kind="source", actions=["view", "change"], users=[alice]))
    db.commit()
    limits = {"name": "ci", "read_only": True}
    told = as_bearer(app, make_token(alice, **limits), "GET", "/me").json
    assert (told["username"], told["superuser"], told["token"]["name"]) == ("alice", False, "ci")
    assert (told["may"]["source"], told["may"]["user"]) == (["view"], [])
    assert "run" in as_bearer(app, make_token(alice), "GET", "/me").json["may"]["job"]
    assert as_bearer(app, make_token(root), "GET", "/me").json["may"]["user"] == ["view", "change", "delete"]


def test_a_token_is_made_shown_once_and_ended(app, call, db):
    made = call("POST", "/me/tokens", json={"name": "ci", "days": 7, "class_paths": ["local/net/*"]})
    assert made.status_code == 201
    plain = made.json["token"]
    assert as_bearer(app, plain, "GET", "/me").json["token"]["class_paths"] == ["local/net/*"]
    listed = call("GET", "/me/tokens")
    assert [row["name"] for row in listed.json["results"]] == ["ci", ""]
    assert plain not in listed.text
    assert call("DELETE", f"/me/tokens/{made.json['id']}").status_code == 204
    assert as_bearer(app, plain, "GET", "/me").status_code == 401
    assert call("DELETE", f"/me/tokens/{made.json['id']}").status_code == 404
    with db.begin():
        assert list(db.scalars(select(AuditRecord.action))) == ["token.create", "token.end"]


def test_wrong_words_stand_by_their_name(call):
    answer = call("POST", "/me/tokens", json={"name": "a\nb", "days": 0, "class_paths": ["x"] * 51})
    assert (answer.status_code, set(answer.json["errors"])) == (422, {"name", "days", "class_paths"})


def test_a_limited_token_makes_none_that_may_more(app, db, alice, make_token):
    for limits in ({"read_only": True}, {"class_paths": ["local/net/*"]}):
        plain = make_token(alice, **limits)
        assert as_bearer(app, plain, "POST", "/me/tokens", json={}).status_code == 403
        assert as_bearer(app, plain, "DELETE", "/me/tokens/1").status_code == 403
    with db.begin():
        assert len(db.scalars(select(ApiToken.id)).all()) == 2


def test_a_token_makes_none_that_lasts_longer(app, db, alice, make_token):
    """Whoever was lent it for a day, or stole it, would have one for ever."""
    ends = now() + timedelta(days=1)
    plain = make_token(alice, expires_at=ends)
    for asked, last in (({"days": None}, ends), ({"days": 30}, ends), ({}, ends)):
        made = as_bearer(app, plain, "POST", "/me/tokens", json=asked)
        assert made.status_code == 201
        assert datetime.fromisoformat(made.json["expires_at"]) == last
    unlimited = make_token(alice)
    assert as_bearer(app, unlimited, "POST", "/me/tokens", json={"days": None}).json["expires_at"] is None


def test_nobody_ends_the_token_of_somebody_else(call, db, root, make_token):
    make_token(root)
    with db.begin():
        theirs = db.scalars(select(ApiToken.id).where(ApiToken.user_id == root.id)).one()
    assert call("DELETE", f"/me/tokens/{theirs}").status_code == 404
