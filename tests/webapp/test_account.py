"""One's own account, and what becomes of guessed passwords."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from store.models import ApiToken, SignInFailure, User, UserSession, now
from store.secrets import hash_password, hash_token, verify_password
from webapp import lock_out
from webapp.browser_name import browser_name

from .conftest import Browser, signed_in, text

SENTENCE = "der Zug um halb sieben"


def rows(db, query):
    with db.begin():
        db.expire_all()
        return list(db.scalars(query))


@pytest.fixture
def alice_with_password(db, cast, alice):
    with db.begin():
        db.execute(update(User).where(User.username == "alice").values(password_hash=hash_password(SENTENCE)))
    return alice


# --- Sessions and passwords ---------------------------------------------------------------------------------------


def test_sessions_are_listed_and_can_be_ended(alice, app, db, cast):
    other = signed_in(app, db, cast["alice"], agent="Other <browser>", address="10.0.0.9")
    page = text(alice.get("/account/"))
    assert "Other &lt;browser&gt;" in page
    assert "10.0.0.9" in page
    assert page.count("This one") == 1
    [end] = re.findall(r'action="(/account/sessions/\d+/end)"', page)
    assert alice.post(end).status_code == 303
    assert other.get("/jobs/").status_code == 303
    assert alice.get("/jobs/").status_code == 200
    assert alice.post(end).status_code == 404


def test_nobody_ends_the_sessions_or_tokens_of_others(alice, app, db, cast):
    bob = signed_in(app, db, cast["bob"])
    with db.begin():
        db.add(ApiToken(user_id=cast["bob"].id, prefix="x", token_hash="x" * 64))
    [session] = rows(db, select(UserSession.id).where(UserSession.user_id == cast["bob"].id))
    [token] = rows(db, select(ApiToken.id))
    assert alice.post(f"/account/sessions/{session}/end").status_code == 404
    assert alice.post(f"/account/tokens/{token}/end").status_code == 404
    alice.post("/account/sessions/end-others")
    assert bob.get("/jobs/").status_code == 200


def test_no_password_gets_too_old(app, db, cast):
    with db.begin():
        values = {"password_hash": hash_password(SENTENCE), "created_at": now() - timedelta(days=4000)}
        db.execute(update(User).where(User.username == "alice").values(**values))
    came = Browser(app.test_client())
    came.get("/login")
    assert came.post("/login", {"username": "alice", "password": SENTENCE}).location == "/"


def test_fields_of_passwords_are_for_password_managers(alice_with_password, stranger):
    for page, names in (
        (text(alice_with_password.get("/account/")), {"current-password", "new-password"}),
        (text(stranger.get("/login")), {"current-password"}),
    ):
        fields = re.findall(r'<input[^>]* name="[^"]*password"[^>]*>', page)
        assert len(fields) == len(names)
        assert all('type="password"' in field for field in fields)
        assert {re.findall('autocomplete="([^"]+)"', field)[0] for field in fields} == names


def test_every_page_has_the_way_out(alice):
    for path in ("/jobs/", "/results/", "/schedules/", "/account/", "/nothing/here"):
        assert '<form method="post" action="/logout"' in text(alice.get(path)), path


def test_a_first_password_needs_no_old_one_and_ends_other_sessions(alice, app, db, cast):
    other = signed_in(app, db, cast["alice"])
    assert alice.post("/account/password", {"new_password": SENTENCE}).status_code == 303
    [kept] = rows(db, select(User.password_hash).where(User.username == "alice"))
    assert verify_password(kept, SENTENCE)
    assert other.get("/jobs/").status_code == 303
    assert alice.get("/jobs/").status_code == 200


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("wrong", SENTENCE, "This is not your password"),
        ("", SENTENCE, "This is not your password"),
        (SENTENCE, "short", "Use at least"),
        (SENTENCE, "x" * 300, "Use at most"),
    ],
)
def test_a_password_that_cannot_be_set_says_why_beside_it(alice_with_password, db, old, new, sentence):
    refused = alice_with_password.post("/account/password", {"old_password": old, "new_password": new})
    assert refused.status_code == 422
    assert sentence in text(refused)
    assert "xxxxx" not in text(refused)
    [kept] = rows(db, select(User.password_hash).where(User.username == "alice"))
    assert verify_password(kept, SENTENCE)


# --- Tokens -------------------------------------------------------------------------------------------------------


def test_a_token_is_shown_once_and_does_no_more_than_it_may(alice, app, db, make_job):
    make_job("Ping", class_path="local/net/Ping", variables=[])
    make_job("Save", class_path="local/backup/Save", variables=[])
    made = alice.post(
        "/account/tokens", {"name": "CI", "days": "30", "read_only": "true", "class_paths": "local/net/*"}
    )
    [token] = re.findall(r"errand_[\w-]{20,}", text(made))[:1]
    assert token not in text(alice.get("/account/"))
    [row] = rows(db, select(ApiToken))
    assert (row.token_hash, row.read_only, row.class_paths) == (hash_token(token), True, ["local/net/*"])
    assert timedelta(days=29) < row.expires_at - now() < timedelta(days=31)

    def call(method: str, path: str):
        return app.test_client().open(
            f"/api/v1{path}", method=method, headers={"Authorization": f"Token {token}"}
        )

    assert [job["class_path"] for job in call("GET", "/jobs").json["results"]] == ["local/net/Ping"]
    assert call("GET", "/jobs/local/backup/Save").status_code == 404
    refused = call("POST", "/jobs/local/net/Ping/run")
    assert (refused.status_code, refused.json["detail"]) == (
        403,
        "You may not run Ping. The token CI may only read.",
    )
    alice.post(f"/account/tokens/{row.id}/end")
    assert call("GET", "/jobs").status_code == 401


def test_a_token_for_some_jobs_runs_these(alice, root, app, db, make_job):
    make_job("Ping", class_path="local/net/Ping", variables=[])
    make_job("Save", class_path="local/backup/Save", variables=[])
    # A superuser's, too, is only what it says.
    made = root.post("/account/tokens", {"class_paths": "local/net/Ping"})
    [token] = re.findall(r"errand_[\w-]{20,}", text(made))[:1]

    def call(method: str, path: str):
        return app.test_client().open(
            f"/api/v1{path}", method=method, headers={"Authorization": f"Token {token}"}
        )

    assert call("POST", "/jobs/local/net/Ping/run").status_code == 201
    assert call("POST", "/jobs/local/backup/Save/run").status_code == 404
    alice.post("/jobs/local/backup/Save/")
    listed = call("GET", "/results").json["results"]
    assert [each["class_path"] for each in listed] == ["local/net/Ping"]
    assert call("GET", "/sources").status_code in (403, 404)
    assert call("POST", "/queues/default/pause").status_code in (403, 404)


@pytest.mark.parametrize(
    ("sent", "sentence"),
    [
        ({"days": "0"}, "Enter a whole number from 1 to 36,500"),
        ({"days": "x"}, "Enter a whole number, or nothing."),
        ({"days": "9" * 400}, "Enter a whole number"),
        ({"name": "x" * 300}, "at most 255 printable characters"),
        ({"class_paths": "x " * 60}, "Name at most 50 jobs"),
    ],
)
def test_a_token_that_cannot_be_made_says_why_beside_it(alice, db, sent, sentence):
    refused = alice.post("/account/tokens", {"name": "kept", **sent})
    assert refused.status_code == 422
    assert sentence in text(refused)
    assert rows(db, select(ApiToken)) == []


# --- Guessing -----------------------------------------------------------------------------------------------------


def sign_in(app, username: str, password: str, address: str = "10.0.0.1"):
    browser = Browser(app.test_client())
    return browser.post(
        "/login", {"username": username, "password": password}, environ_base={"REMOTE_ADDR": address}
    )


@pytest.mark.parametrize("username", ["alice", "nobody"])
def test_who_guesses_waits_longer_and_longer_whoever_it_is(app, db, alice_with_password, username):
    for _ in range(lock_out.FREE_TRIES):
        assert sign_in(app, username, "wrong").status_code == 422
    refused = sign_in(app, username, SENTENCE)
    assert refused.status_code == 429
    assert 0 < int(refused.headers["Retry-After"]) <= 30
    assert "Too many tries" in text(refused)
    # From elsewhere they are not kept out.
    assert sign_in(app, username, "wrong", address="10.0.0.2").status_code == 422
    with db.begin():
        db.execute(update(SignInFailure).values(locked_until=now() - timedelta(seconds=1)))
    assert sign_in(app, username.upper(), "wrong").status_code == 422
    assert 30 < int(sign_in(app, username, "wrong").headers["Retry-After"]) <= 60
    assert all(username not in row.key for row in rows(db, select(SignInFailure)))


def test_many_tries_at_once_are_not_all_compared(app, db, alice_with_password):
    with ThreadPoolExecutor(12) as threads:
        answers = list(threads.map(lambda _: sign_in(app, "alice", "wrong").status_code, range(12)))
    assert answers.count(422) == lock_out.FREE_TRIES
    assert answers.count(429) == 12 - lock_out.FREE_TRIES


def test_ones_own_password_is_not_guessed_either(alice_with_password):
    for _ in range(lock_out.FREE_TRIES):
        alice_with_password.post("/account/password", {"old_password": "x", "new_password": SENTENCE})
    refused = alice_with_password.post(
        "/account/password", {"old_password": SENTENCE, "new_password": SENTENCE + "!"}
    )
    assert refused.status_code == 422
    assert "Too many tries" in text(refused)


def test_the_right_password_begins_anew(app, db, alice_with_password):
    for _ in range(lock_out.FREE_TRIES - 1):
        sign_in(app, "alice", "wrong")
    assert sign_in(app, "alice", SENTENCE).status_code == 303
    assert rows(db, select(SignInFailure)) == []


def test_no_wait_is_longer_than_an_hour():
    assert lock_out._wait(lock_out.FREE_TRIES) == lock_out.FIRST_WAIT
    assert lock_out._wait(10_000) == lock_out.LONGEST_WAIT


def test_browsers_are_called_what_people_call_them():
    like = "(KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36"
    for agent, name in {
        f"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 {like}": "Chrome on Linux",
        f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 {like} Edg/130.0.0.0": "Edge on Windows",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1 Version/18.0 Safari/604.1": "Safari on iPhone",
        "Mozilla/5.0 (Android 15; Mobile; rv:132.0) Gecko/132.0 Firefox/132.0": "Firefox on Android",
        "curl/8.5.0": "curl/8.5.0",
        "": "Unknown",
    }.items():
        assert browser_name(agent) == name
