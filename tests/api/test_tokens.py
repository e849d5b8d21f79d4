"""Who gets in, and what strangers are told."""

import re
from datetime import timedelta

import pytest
from sqlalchemy import select

from store.models import ApiToken, now

#: What an address has in place of each kind of part.
FILLED = {
    "int": "1",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "path": "local/hello/Hello",
    "job": "local/hello/Hello",
}


def test_every_route_refuses_strangers_and_says_how_to_get_in(app, hello, subtests):
    rules = [rule for rule in app.url_map.iter_rules() if rule.endpoint.startswith("api.")]
    assert len(rules) > 20
    for rule in rules:
        path = re.sub(r"<(?:(\w+)(?:\(.*?\))?:)?\w+>", lambda part: FILLED.get(part[1], "x"), rule.rule)
        for method in rule.methods - {"HEAD", "OPTIONS"}:
            with subtests.test(f"{method} {path}"):
                answer = app.test_client().open(path, method=method)
                assert answer.status_code == 401
                assert answer.headers["WWW-Authenticate"] == 'Bearer realm="Errand API"'
                assert answer.mimetype == "application/problem+json"
                assert "Authorization" in answer.json["detail"]


@pytest.mark.parametrize("scheme", ["Token", "token", "Bearer", "bearer", "BEARER"])
def test_a_token_opens_under_either_scheme_in_any_case(app, alice, make_token, scheme):
    headers = {"Authorization": f"{scheme} {make_token(alice)}"}
    assert app.test_client().get("/api/v1/jobs", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Token",
        "Token ",
        "Basic YWxpY2U6eA==",
        "Token errand_unknown",
        "Bearer \xff\xfe",
        "{plain}",
        "Token {plain}x",
    ],
)
def test_anything_else_is_refused(app, alice, make_token, header):
    headers = {"Authorization": header.format(plain=make_token(alice))}
    answer = app.test_client().get("/api/v1/jobs", headers=headers)
    assert answer.status_code == 401
    assert "WWW-Authenticate" in answer.headers


def test_a_token_in_the_query_string_opens_nothing(app, alice, make_token):
    assert app.test_client().get(f"/api/v1/jobs?token={make_token(alice)}").status_code == 401


def test_an_expired_token_opens_nothing(app, alice, make_token):
    expired = make_token(alice, expires_at=now() - timedelta(seconds=1))
    lasting = make_token(alice, expires_at=now() + timedelta(minutes=1))
    client = app.test_client()
    assert client.get("/api/v1/jobs", headers={"Authorization": f"Token {expired}"}).status_code == 401
    assert client.get("/api/v1/jobs", headers={"Authorization": f"Token {lasting}"}).status_code == 200


def test_a_token_dies_with_its_user(call, db, alice):
    assert call("GET", "/jobs").status_code == 200
    alice.active = False
    db.commit()
    assert call("GET", "/jobs").status_code == 401


def test_use_is_noted_at_most_once_a_minute(call, db):
    def last_used():
        db.rollback()
        db.expire_all()
        return db.scalars(select(ApiToken)).one().last_used_at

    call("GET", "/jobs")
    first = last_used()
    assert now() - first < timedelta(seconds=20)
    call("GET", "/jobs")
    assert last_used() == first
    row = db.scalars(select(ApiToken)).one()
    row.last_used_at = first - timedelta(minutes=2)
    db.commit()
    call("POST", "/jobs/local/none/None/run", json={})
    assert last_used() >= first


def test_no_answer_sets_a_cookie_or_may_be_kept(call, hello):
    for answer in (call("GET", "/jobs"), call("GET", "/jobs/none"), call("POST", "/jobs")):
        assert "Set-Cookie" not in answer.headers
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.mimetype == (
            "application/json" if answer.status_code == 200 else "application/problem+json"
        )


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/jobs"),
        ("PUT", "/jobs/local/hello/Hello"),
        ("GET", "/jobs/local/hello/Hello/run"),
        ("PUT", "/jobs/local/hello/Hello/run"),
        ("POST", "/objects/inventory.device"),
        ("DELETE", "/results"),
        ("PATCH", "/results/7a5ad157-04a5-4a53-b7a3-0a8be41e9b7e"),
        ("POST", "/results/7a5ad157-04a5-4a53-b7a3-0a8be41e9b7e/entries"),
        ("GET", "/results/7a5ad157-04a5-4a53-b7a3-0a8be41e9b7e/cancel"),
        ("PUT", "/sources"),
    ],
)
def test_a_wrong_method_is_a_405_in_json(call, hello, method, path):
    answer = call(method, path)
    assert answer.status_code == 405
    assert "detail" in answer.json
    assert "Allow" in answer.headers


@pytest.mark.parametrize("path", ["", "/", "/nothing", "/jobs/", "/results/1/2/3", "/../../login"])
def test_an_unknown_address_is_a_404_in_json(call, path):
    answer = call("GET", path)
    assert answer.status_code == 404
    assert "detail" in answer.json


def test_a_fault_of_ours_is_a_500_in_json_that_tells_nothing(call, hello, monkeypatch):
    def broken(_record):
        raise RuntimeError("geheim")

    monkeypatch.setattr("webapp.api.shapes.jobs.job", broken)
    answer = call("GET", "/jobs")
    assert answer.status_code == 500
    assert answer.mimetype == "application/problem+json"
    assert "geheim" not in answer.text


def test_a_database_that_does_not_answer_is_a_503_with_a_time_to_wait(call, monkeypatch):
    from sqlalchemy.exc import OperationalError

    def locked(*_arguments, **_more):
        raise OperationalError("SELECT geheim", {}, Exception("database is locked"))

    monkeypatch.setattr("webapp.api.jobs.visible", locked)
    answer = call("GET", "/jobs")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert "geheim" not in answer.text
