"""Who grants rights, or is shown what opens a door, has lately shown who they are."""

import re
import time
from collections.abc import Iterator
from datetime import timedelta
from html import unescape

import pytest
from sqlalchemy import func, select, update

from store.models import ApiToken, Group, Identity, Permission, SignInLink, User, UserSession, Webhook, now
from store.secrets import hash_password, new_token
from webapp import lock_out

from .conftest import Browser, signed_in, text
from .sign_on import Forged

PASSWORD = "der Zug um halb sieben"
LONG_AGO = timedelta(minutes=31)


@pytest.fixture
def old_root(app, db, cast):
    """A superuser who signed in half an hour ago."""
    cast["root"].password_hash = hash_password(PASSWORD)
    return signed_in(app, db, cast["root"], created_at=now() - LONG_AGO)


def counts(db) -> list[int]:
    with db.begin():
        return [
            db.scalar(select(func.count()).select_from(model))
            for model in (ApiToken, Permission, Group, User, SignInLink, Webhook)
        ]


def kept_in(page: str) -> list[tuple[str, str]]:
    found = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', page)
    return [(unescape(name), unescape(value)) for name, value in found if name != "csrf_token"]


def test_nothing_is_granted_or_shown_without_it(old_root, db, cast, make_job):
    with db.begin():
        group, permission = Group(name="Night shift"), Permission(name="All", actions=["view"], kind="job")
        db.add_all([group, permission])
    group_id, permission_id = group.id, permission.id
    user = f"/admin/users/{cast['alice'].id}"
    before = counts(db)
    for path in (
        "/account/tokens",
        "/account/sessions/1/end",
        "/account/sessions/end-others",
        "/admin/users/new",
        user,
        f"{user}/link",
        f"{user}/identities/allow",
        "/admin/groups/new",
        f"/admin/groups/{group_id}",
        "/admin/permissions/new",
        f"/admin/permissions/{permission_id}",
        "/admin/webhooks/new",
    ):
        answer = old_root.post(path, {"name": "x", "superuser": "true", "active": "true", "members": "alice"})
        assert answer.status_code == 422, path
        assert "<h1>Is it you?</h1>" in text(answer), path
    answer = old_root.post("/admin/notifications/new", {"name": "x", "kind": "webhook"})
    assert "<h1>Is it you?</h1>" in text(answer), answer.status
    assert counts(db) == before
    with db.begin():
        assert not db.scalar(select(User.superuser).where(User.username == "alice"))


def test_who_may_not_do_it_is_not_asked(app, db, cast):
    carol = signed_in(app, db, cast["carol"], created_at=now() - LONG_AGO)
    assert carol.post("/admin/permissions/new", {"name": "x"}).status_code in (403, 404)


def test_what_was_typed_goes_on_with_the_right_password(old_root, db):
    typed = {"name": 'All "<b>', "actions": ["view", "run"], "kind": "job", "users": "alice\nbob"}
    page = text(old_root.post("/admin/permissions/new", typed))
    kept = kept_in(page)
    assert kept == [
        ("name", 'All "<b>'),
        ("actions", "view"),
        ("actions", "run"),
        ("kind", "job"),
        ("users", "alice\nbob"),
    ]
    sent = {name: [value for given, value in kept if given == name] for name, _ in kept}
    wrong = old_root.post("/admin/permissions/new", {**sent, "confirm_password": "no"})
    assert "This is not your password." in text(wrong)
    assert kept_in(text(wrong)) == kept
    before = old_root.client.get_cookie("session").value
    assert old_root.post("/admin/permissions/new", {**sent, "confirm_password": PASSWORD}).status_code == 303
    with db.begin():
        made = db.scalars(select(Permission).where(Permission.name == 'All "<b>')).one()
        assert {user.username for user in made.users} == {"alice", "bob"}
    assert old_root.client.get_cookie("session").value != before, "whoever has the one before is out"
    again = old_root.post("/account/tokens", {"name": "for scripts", "days": "1"})
    assert again.status_code == 200, "not asked twice"


def test_the_cookie_before_opens_nothing(app, old_root):
    before = old_root.client.get_cookie("session").value
    old_root.post("/account/tokens", {"name": "x", "days": "1", "confirm_password": PASSWORD})
    thief = app.test_client()
    thief.set_cookie("session", before)
    assert thief.get("/jobs/").status_code == 303
    assert old_root.get("/jobs/").status_code == 200


def test_it_is_asked_anew_after_a_while(old_root, db):
    old_root.post("/account/tokens", {"name": "x", "days": "1", "confirm_password": PASSWORD})
    with db.begin():
        row = db.scalars(select(UserSession)).one()
        row.data = {**row.data, "confirmed_at": (now() - LONG_AGO).timestamp()}
    assert "Is it you?" in text(old_root.post("/account/tokens", {"name": "y", "days": "1"}))


def test_passwords_are_not_guessed_there(old_root):
    for _ in range(lock_out.FREE_TRIES):
        old_root.post("/account/tokens", {"name": "x", "confirm_password": "wrong"})
    answer = old_root.post("/account/tokens", {"name": "x", "confirm_password": PASSWORD})
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 0


def test_without_a_password_a_new_link_does(app, db, cast):
    alice = signed_in(app, db, cast["alice"], created_at=now() - LONG_AGO)
    page = text(alice.post("/account/password", {"new_password": PASSWORD}))
    assert "./errand user link alice" in page
    assert text(alice.post("/account/tokens", {"name": "x", "confirm_password": ""})).count("Is it you?") > 0
    token = alice.token()
    link, token_hash = new_token("link")
    with db.begin():
        row = SignInLink(user_id=cast["alice"].id, token_hash=token_hash, expires_at=now() + LONG_AGO)
        db.add(row)
    assert alice.get(f"/login/{link}").location == "/account/"
    # The page that asked is open still: its token is as good as before.
    sent = {"csrf_token": token, "name": "x", "days": "1"}
    assert alice.client.post("/account/tokens", data=sent).status_code == 200


def test_somebody_elses_link_confirms_nobody(app, db, cast):
    alice = signed_in(app, db, cast["alice"], created_at=now() - LONG_AGO)
    link, token_hash = new_token("link")
    with db.begin():
        db.add(SignInLink(user_id=cast["bob"].id, token_hash=token_hash, expires_at=now() + LONG_AGO))
    assert alice.get(f"/login/{link}").location == "/"
    with db.begin():
        assert db.scalars(select(UserSession.user_id)).all() == [cast["bob"].id]
        db.execute(update(UserSession).values(created_at=now() - LONG_AGO))
    assert "Is it you?" in text(alice.post("/account/tokens", {"name": "x"}))


# --- By the provider of single sign-on ------------------------------------------------------------------------------

AGAIN = "/login/oidc?again=1"


@pytest.fixture
def forged() -> Iterator[Forged]:
    with Forged() as provider:
        yield provider


@pytest.fixture
def known_there(forged, cast, db) -> Forged:
    """The provider, which knows alice."""
    with db.begin():
        db.add(Identity(user_id=cast["alice"].id, issuer=forged.issuer, subject="f-1"))
    return forged


def asks_again(browser: Browser) -> bool:
    answer = browser.post("/account/tokens", {"name": "x", "days": "1"})
    assert answer.status_code in (200, 422), text(answer)
    return "Is it you?" in text(answer)


def test_the_provider_is_to_ask_anew_and_its_word_confirms(make_app, known_there, cast, db):
    alice = signed_in(make_app(known_there.issuer), db, cast["alice"], created_at=now() - LONG_AGO)
    page = text(alice.post("/account/tokens", {"name": "x", "days": "1"}))
    assert f'href="{AGAIN}"' in page
    before = alice.client.get_cookie("session").value
    known_there.claims = {"auth_time": int(time.time())}
    answer = known_there.come(alice, AGAIN)
    assert (answer.status_code, answer.location) == (303, "/account/")
    assert (known_there.request["prompt"], known_there.request["max_age"]) == (["login"], ["0"])
    assert alice.client.get_cookie("session").value != before, "whoever has the one before is out"
    with db.begin():
        assert db.scalars(select(UserSession.user_id)).all() == [cast["alice"].id], "it is the same session"
    assert not asks_again(alice)
    known_there.come(Browser(alice.client.application.test_client()))
    assert "prompt" not in known_there.request, "whoever just signs in is not asked anew"


@pytest.mark.parametrize("auth_time", [0, "x", str(2**40), True, [], -1])
def test_a_provider_that_did_not_ask_anew_confirms_nobody(make_app, known_there, cast, db, auth_time):
    alice = signed_in(make_app(known_there.issuer), db, cast["alice"], created_at=now() - LONG_AGO)
    # 0: an hour ago, as somebody who left their browser open.
    known_there.claims = {"auth_time": int(time.time()) - 3600 if auth_time == 0 else auth_time}
    assert known_there.come(alice, AGAIN).status_code == 403
    assert asks_again(alice)


def test_an_operator_may_want_to_hear_when_the_provider_asked(make_app, known_there, cast, db):
    app = make_app(known_there.issuer)
    strict = make_app(known_there.issuer, ERRAND_OIDC_AUTH_TIME="1")
    answers = []
    for each in (app, strict):
        alice = signed_in(each, db, cast["alice"], created_at=now() - LONG_AGO)
        db.rollback()
        answers.append((known_there.come(alice, AGAIN).status_code, asks_again(alice)))
    assert answers == [(303, False), (403, True)]
    # To sign in it does not matter.
    assert known_there.arrive(strict).status_code == 303


def test_somebody_else_at_the_provider_confirms_nobody(make_app, known_there, cast, db):
    bob = signed_in(make_app(known_there.issuer), db, cast["bob"], created_at=now() - LONG_AGO)
    known_there.claims = {"auth_time": int(time.time())}
    answer = known_there.come(bob, AGAIN)
    assert answer.location == "/account/"
    assert "You signed in there as alice, and here you are bob." in text(bob.get("/account/"))
    assert asks_again(bob)
    with db.begin():
        assert set(db.scalars(select(UserSession.user_id))) == {cast["bob"].id}
