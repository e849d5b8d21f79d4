"""Who is let in: strangers, sessions, forged and foreign requests, and what every answer says about itself."""

import gzip
import re
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError

from store.models import SignInLink, UserSession, now
from store.secrets import hash_password, new_token
from store.settings import load_settings
from webapp.app import create_app
from webapp.next_page import safe_path

from .conftest import Browser, signed_in, text

PUBLIC = {
    "static",
    "home.healthz",
    "home.readyz",
    "openapi",
    "login.show",
    "login.sign_in",
    "login.use_link",
    "login.press_link",
    "bennettbot.check",
}
PASSWORD = "correct horse battery"
EXAMPLES = {
    "key": "local/greetings/Greet",
    "result_id": "00000000-0000-4000-8000-000000000000",
    "variable": "x",
    "model": "inventory.device",
    "reference": "00000000-0000-4000-8000-000000000000",
    "token": "x",
    "digest": "x",
    "name": "errand.css",
    "form": "csv",
    "of": "results",
}


def addresses(app: Flask):
    """Yield every address that is not public: (endpoint, method, path)."""
    with app.test_request_context():
        for rule in app.url_map.iter_rules():
            if rule.endpoint in PUBLIC:
                continue
            numbers = re.findall(r"<int(?:\([^)]*\))?:(\w+)>", rule.rule)
            values = {name: "1" if name in numbers else EXAMPLES.get(name, "1") for name in rule.arguments}
            built = app.url_map.bind("localhost").build(
                rule.endpoint, values, method=next(iter(rule.methods))
            )
            for method in rule.methods - {"HEAD", "OPTIONS"}:
                yield rule.endpoint, method, built


#: Doors that say no in their own way, as those who knock there expect it.
FORBIDDEN = {"bennettbot.github"}


def test_every_route_refuses_strangers(app, stranger):
    checked = 0
    for endpoint, method, path in addresses(app):
        answer = stranger.client.open(path, method=method)
        to_login = answer.status_code == 303 and answer.headers["Location"].startswith("/login")
        refused = answer.status_code == 403 if endpoint in FORBIDDEN else answer.status_code in (401, 404)
        assert to_login or refused, f"{method} {endpoint}: {answer.status}"
        checked += 1
    assert checked > 25


def test_every_route_refuses_those_whose_account_is_closed(app, db, cast):
    browser = signed_in(app, db, cast["alice"])
    assert browser.get("/jobs/").status_code == 200
    cast["alice"].active = False
    db.commit()
    for endpoint, method, path in addresses(app):
        answer = browser.client.open(path, method=method)
        expected = (403,) if endpoint in FORBIDDEN else (303, 401, 404)
        assert answer.status_code in expected, f"{method} {endpoint}: {answer.status}"


@pytest.mark.parametrize("path", ["/now", "/jobs/", "/workers/", "/now?of=workers", "/welcome"])
def test_fragments_never_lead_strangers_away_from_their_page(stranger, path):
    answer = stranger.fragment(path, follow_redirects=False)
    assert answer.status_code == 401
    assert not any(name.lower().startswith(("hx-", "location")) for name, _ in answer.headers)
    assert text(answer) == ""


def test_pages_know_where_to_sign_in_again(alice, cast):
    page = text(alice.get("/jobs/"))
    assert re.search(r'id="signed-out" role="alert" data-sign-in="/login" hidden>', page)
    assert page.count(f'data-user="{cast["alice"].id}"') == 2
    rail = text(alice.fragment("/now"))
    # The token that goes with what runs now is good for this session's forms.
    token = re.search(r'data-token="([^"]+)"', rail)[1]
    assert alice.client.post("/logout", data={"csrf_token": token}).status_code == 303


# --- Signing in and out ---------------------------------------------------------------------------------------


@pytest.fixture
def with_password(db, cast):
    cast["alice"].password_hash = hash_password(PASSWORD)
    db.commit()
    return cast["alice"]


def sign_in(browser: Browser, password: str = PASSWORD, **fields: str):
    return browser.post("/login", {"username": "alice", "password": password, **fields})


def session_cookie(browser: Browser) -> str:
    cookie = browser.client.get_cookie("session")
    return cookie.value if cookie else ""


def test_sign_in_with_a_password(stranger, with_password, db):
    assert sign_in(stranger).headers["Location"] == "/"
    assert stranger.get("/jobs/").status_code == 200
    db.refresh(with_password)
    assert with_password.last_sign_in_at is not None


@pytest.mark.parametrize("username", ["alice", "nobody", "bob", "", "a\x00b"])
def test_sign_in_refuses_a_wrong_password(stranger, with_password, username):
    answer = stranger.post("/login", {"username": username, "password": "wrong"})
    assert answer.status_code == 422
    assert "Name or password is wrong." in text(answer)
    assert stranger.get("/jobs/").status_code == 303


def test_sign_in_refuses_closed_accounts(stranger, with_password, db):
    with_password.active = False
    db.commit()
    assert sign_in(stranger).status_code == 422


def test_sign_in_gives_a_new_session_and_keeps_only_its_hash(stranger, with_password, db):
    stranger.get("/login")
    before = session_cookie(stranger)
    sign_in(stranger)
    token = session_cookie(stranger)
    assert token not in ("", before)
    row = db.scalars(select(UserSession)).one()
    assert token not in (row.token_hash, str(row.data))
    assert before not in str(row.data)


def test_sign_in_ends_the_session_there_was(app, db, cast, with_password):
    browser = signed_in(app, db, cast["bob"])
    planted = session_cookie(browser)
    link, token_hash = new_token("link")
    db.add(SignInLink(user_id=with_password.id, token_hash=token_hash, expires_at=now() + timedelta(hours=1)))
    db.commit()
    browser.get(f"/login/{link}")
    assert session_cookie(browser) != planted
    attacker = app.test_client()
    attacker.set_cookie("session", planted)
    assert attacker.get("/jobs/").status_code == 303


def test_an_invented_session_cookie_is_not_taken_over(stranger, with_password):
    stranger.client.set_cookie("session", "chosen-by-somebody-else")
    assert stranger.get("/jobs/").status_code == 303
    sign_in(stranger)
    assert session_cookie(stranger) != "chosen-by-somebody-else"


def test_sign_out_ends_the_session_on_the_server(app, alice, db):
    token = session_cookie(alice)
    assert alice.post("/logout").status_code == 303
    assert db.scalars(select(UserSession)).all() == []
    thief = app.test_client()
    thief.set_cookie("session", token)
    assert thief.get("/jobs/").status_code == 303


@pytest.mark.parametrize(
    "past",
    [{"last_seen_at": now() - timedelta(hours=9)}, {"expires_at": now() - timedelta(minutes=1)}],
    ids=["idle", "absolute"],
)
def test_sessions_end(app, db, cast, past):
    browser = signed_in(app, db, cast["alice"], **past)
    assert browser.get("/jobs/").status_code == 303


def again_with(app, token: str) -> int:
    """Open a page with this token, in a browser that takes no other one."""
    client = app.test_client(use_cookies=False)
    return client.get("/jobs/", headers={"Cookie": f"session={token}"}).status_code


def let_time_pass(db, **times) -> None:
    with db.begin():
        db.execute(update(UserSession).values(rotated_at=now() - timedelta(**times)))


def test_a_token_gives_way_to_another_one_with_the_time(app, alice, db):
    first = session_cookie(alice)
    alice.get("/jobs/")
    assert session_cookie(alice) == first, "it is fresh"
    let_time_pass(db, minutes=61)
    alice.fragment("/now")
    assert session_cookie(alice) == first, "what a page asks by itself changes nothing"
    alice.get("/jobs/")
    second = session_cookie(alice)
    assert second != first
    assert again_with(app, first) == 200, "other pages may be on their way"
    let_time_pass(db, minutes=2)
    alice.get("/jobs/")
    assert session_cookie(alice) == second
    assert again_with(app, first) == 303, "the browser has shown that it has the new one"
    with db.begin():
        assert len(db.scalars(select(UserSession)).all()) == 1


def test_a_token_whose_successor_got_lost_is_good_and_gets_another(app, alice, db):
    first = session_cookie(alice)
    let_time_pass(db, hours=2)
    assert again_with(app, first) == 200
    let_time_pass(db, minutes=5)
    assert alice.get("/jobs/").status_code == 200
    assert session_cookie(alice) != first
    assert alice.get("/jobs/").status_code == 200


def test_whose_rights_change_gets_another_token(root, browser, db, cast):
    alice, bob, carol = (browser(name) for name in ("alice", "bob", "carol"))
    before = [session_cookie(each) for each in (alice, bob, carol)]
    root.post(f"/admin/users/{cast['alice'].id}", {"active": "true", "superuser": "true"})
    root.post("/admin/groups/new", {"name": "Operators", "members": "bob"})
    for each in (alice, bob, carol):
        each.get("/jobs/")
    changed = [session_cookie(each) != old for each, old in zip((alice, bob, carol), before, strict=True)]
    assert changed == [True, True, False]


def test_use_of_a_session_is_noted_but_polling_is_not(app, db, cast):
    earlier = now() - timedelta(hours=2)
    browser = signed_in(app, db, cast["alice"], last_seen_at=earlier)

    def last_seen():
        # The test's session must not keep the write turn of SQLite.
        with db.begin():
            return db.scalar(select(UserSession.last_seen_at))

    db.rollback()
    browser.fragment("/now")
    assert last_seen() == earlier
    browser.get("/jobs/")
    assert last_seen() > earlier


def test_strangers_leave_no_row(stranger, db):
    stranger.get("/login")
    assert stranger.client.get_cookie("session") is not None
    assert db.scalars(select(UserSession)).all() == []


@pytest.fixture
def link(db, cast):
    plain, token_hash = new_token("link")
    db.add(SignInLink(user_id=cast["root"].id, token_hash=token_hash, expires_at=now() + timedelta(hours=1)))
    db.commit()
    return f"/login/{plain}"


def test_a_sign_in_link_works_once(app, link):
    first, second = app.test_client(), app.test_client()
    assert first.get(link).headers["Location"] == "/"
    assert first.get("/jobs/").status_code == 200
    assert second.get(link).status_code == 404
    assert second.get("/jobs/").status_code == 303


def test_looking_at_a_sign_in_link_does_not_use_it_up(app, link):
    assert app.test_client().head(link).status_code == 200
    assert app.test_client().get(link).status_code == 303


def test_an_old_sign_in_link_does_not_work(app, link, db):
    db.scalars(select(SignInLink)).one().expires_at = now() - timedelta(seconds=1)
    db.commit()
    assert app.test_client().get(link).status_code == 404


@pytest.mark.parametrize(
    "given",
    [
        "//evil.example",
        "/\\evil.example",
        "https://evil.example",
        "javascript:alert(1)",
        "/jobs/\\..",
        "/jobs/\r\nSet-Cookie: a=b",
        "/\t/evil.example",
        "jobs/",
        "/login",
        "",
    ],
)
def test_signing_in_leads_nowhere_else(stranger, with_password, given):
    assert safe_path(given) is None
    assert sign_in(stranger, next=given).headers["Location"] == "/"


def test_signing_in_leads_to_the_page_that_was_wanted(stranger, with_password):
    asked = stranger.get("/results/?status=failed")
    assert asked.headers["Location"] == "/login?next=%2Fresults%2F%3Fstatus%3Dfailed"
    assert 'name="next" value="/results/?status=failed"' in text(stranger.get(asked.headers["Location"]))
    assert sign_in(stranger, next="/results/?status=failed").headers["Location"] == "/results/?status=failed"


# --- Forged and foreign requests ------------------------------------------------------------------------------


def test_a_missing_csrf_token_is_refused(alice, stranger):
    assert alice.client.post("/logout").status_code == 400
    assert stranger.client.post("/login", data={"username": "alice"}).status_code == 400
    assert alice.get("/jobs/").status_code == 200


def test_a_csrf_token_of_another_session_is_refused(browser):
    foreign = browser("bob").token()
    assert browser("alice").client.post("/logout", data={"csrf_token": foreign}).status_code == 400


def test_a_csrf_token_may_come_as_header(alice):
    assert alice.client.post("/logout", headers={"X-CSRFToken": alice.token()}).status_code == 303


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_requests_from_other_sites_are_refused(alice, headers):
    assert alice.post("/logout", headers=headers).status_code == 400


@pytest.mark.parametrize("headers", [{"Origin": "http://localhost"}, {"Sec-Fetch-Site": "same-origin"}])
def test_requests_from_our_own_pages_are_taken(alice, headers):
    assert alice.post("/logout", headers=headers).status_code == 303


def test_the_api_reads_no_cookie(alice):
    answer = alice.get("/api/v1/jobs")
    assert answer.status_code == 401
    assert answer.is_json
    assert "Set-Cookie" not in answer.headers


# --- What answers say about themselves ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/jobs/", "/results/", "/workers/", "/objects/", "/welcome", "/nothing-here", "/healthz"]
)
def test_every_answer_is_guarded(alice, path):
    headers = alice.get(path).headers
    # In full, and not as the product has it: whoever loosens it there has to do so here, too.
    assert headers["Content-Security-Policy"] == (
        "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; object-src 'none'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cache-Control"] == "no-store"
    assert "HX-Request" in headers["Vary"]


def test_the_cookie_is_locked_down(app, stranger):
    cookie = stranger.get("/login").headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Path=/" in cookie
    assert "Domain" not in cookie


def test_behind_tls_the_cookie_is_bound_to_the_host(settings, monkeypatch):
    monkeypatch.setenv("ERRAND_HTTPS", "1")
    app = create_app(load_settings(settings.instance))
    answer = app.test_client().get("/login", base_url="https://localhost")
    assert answer.headers["Set-Cookie"].startswith("__Host-session=")
    assert "Secure" in answer.headers["Set-Cookie"]
    assert answer.headers["Strict-Transport-Security"].startswith("max-age=")


def test_static_files_may_be_kept_for_ever_under_their_digest(app, stranger):
    with app.test_request_context():
        address = app.jinja_env.globals["static"]("errand.css")
    with stranger.get(address) as answer:
        assert "immutable" in answer.headers["Cache-Control"]
        assert "Set-Cookie" not in answer.headers
    with stranger.get("/static/0123456789ab/errand.css") as stale:
        assert stale.headers["Cache-Control"] == "no-cache"
    assert stranger.get("/static/0123456789ab/../store/settings.py").status_code == 404


def test_static_files_are_sent_packed_to_those_who_unpack(app, stranger):
    with app.test_request_context():
        address = app.jinja_env.globals["static"]("errand.css")
    with stranger.get(address) as plain:
        whole, vary = plain.data, plain.headers["Vary"]
        assert "Content-Encoding" not in plain.headers
        assert "Accept-Encoding" in vary
    with stranger.get(address, headers={"Accept-Encoding": "gzip;q=0"}) as refused:
        assert "Content-Encoding" not in refused.headers
    with stranger.get(address, headers={"Accept-Encoding": "gzip, br"}) as packed:
        assert gzip.decompress(packed.data) == whole
        assert packed.headers["Vary"] == vary
        assert packed.mimetype == "text/css"
        assert "immutable" in packed.headers["Cache-Control"]
        tag = packed.headers["ETag"]
    known = {"Accept-Encoding": "gzip", "If-None-Match": tag}
    with stranger.get(address, headers=known) as again:
        assert (again.status_code, again.data) == (304, b"")
    # What holds a token is not packed: its length would tell of it.
    page = stranger.get("/login", headers={"Accept-Encoding": "gzip"})
    assert "csrf_token" in page.text
    assert "Content-Encoding" not in page.headers


# --- Errors ---------------------------------------------------------------------------------------------------


def test_unknown_pages_show_strangers_nothing_of_the_frame(stranger):
    answer = stranger.get("/nothing-here")
    assert answer.status_code == 404
    assert "Running now" not in text(answer)


def test_wrong_methods_are_refused(alice):
    answer = alice.get("/logout")
    assert answer.status_code == 405
    assert "POST" in answer.headers["Allow"]


def test_too_much_is_refused(alice):
    assert alice.post("/logout", {"padding": "x" * 1_200_000}).status_code == 413


def test_a_fault_is_told_by_a_reference_only(app, alice, monkeypatch, caplog):
    def broken() -> str:
        raise RuntimeError("secret detail /srv/path")

    monkeypatch.setitem(app.view_functions, "jobs.index", broken)
    page = text(answer := alice.get("/jobs/"))
    assert answer.status_code == 500
    assert "secret detail" not in page
    assert "Traceback" not in page
    reference = page.partition("<code>e-")[2].partition("<")[0]
    assert f"e-{reference}" in caplog.text
    assert "secret detail" in caplog.text


def test_a_page_that_broke_is_tried_again(app, alice, monkeypatch):
    monkeypatch.setitem(app.view_functions, "jobs.index", lambda: 1 / 0)
    assert 'href="/jobs/?q=a%20b&amp;state=%22">' in text(alice.get("/jobs/?q=a%20b&state=%22"))
    monkeypatch.setitem(app.view_functions, "login.sign_out", lambda: 1 / 0)
    # What was sent is not sent again by a link, and no address leads away.
    page = text(alice.post("/logout"))
    assert "Try again" not in page
    assert "Results</a>" in page


def test_a_page_without_its_database_is_tried_again(app, alice, monkeypatch):
    def away() -> str:
        raise OperationalError("SELECT", None, Exception("gone"))

    monkeypatch.setitem(app.view_functions, "jobs.index", away)
    answer = alice.get("/jobs/?q=disk")
    assert answer.status_code == 503
    assert 'href="/jobs/?q=disk">' in text(answer)


def test_a_fault_in_a_fragment_is_a_note(app, alice, monkeypatch):
    monkeypatch.setitem(app.view_functions, "home.now_running", lambda: 1 / 0)
    answer = alice.fragment("/now")
    assert answer.status_code == 500
    assert "<html" not in text(answer)


@pytest.mark.parametrize("path", ["/api/v1/nothing", "/api/nothing"])
def test_errors_of_the_api_are_json(stranger, path):
    answer = stranger.get(path)
    assert answer.status_code in (401, 404)
    assert answer.is_json


def test_health_is_public_and_tells_nothing(stranger):
    assert text(stranger.get("/healthz")) == "ok\n"
    # This instance's Redis is not running.
    assert stranger.get("/readyz").status_code == 503
    assert text(stranger.get("/readyz")) == "not ready\n"
