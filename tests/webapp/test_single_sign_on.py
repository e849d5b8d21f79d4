"""Single sign-on: a real provider's word is taken for who somebody is, and for nothing that it may not say."""

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from secrets import token_hex
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from sqlalchemy import delete, select, update
from sqlalchemy import text as text_of

from store import identities
from store.models import (
    AuditRecord,
    Group,
    Identity,
    Permission,
    SignInLink,
    User,
    UserSession,
)
from store.people import is_last_superuser, sign_in_path
from store.platform import Platform
from store.secrets import hash_password
from store.settings import PROJECT_ROOT, load_settings
from tests import servers
from tests.waiting import until
from webapp import single_sign_on

from .conftest import OIDC_CLIENT, Browser, running, signed_in, text
from .sign_on import (
    TAKEN,
    arrive,
    assert_refused,
    begin,
    come,
    groups_of,
    is_superuser,
    local,
    make_groups,
    records,
    rows,
)

SENTENCE = "der Zug um halb sieben"


@pytest.fixture
def provider(oidc_provider: servers.OidcProvider) -> servers.OidcProvider:
    return oidc_provider


@pytest.fixture
def app(make_app: Callable[..., Flask], provider: servers.OidcProvider, cast: dict[str, User]) -> Flask:
    return make_app(provider.issuer)


# --- The whole way ------------------------------------------------------------------------------------------------


def test_what_another_site_asks_for_signs_nobody_in(app, provider):
    """A link there, or a picture: whoever is signed in at the provider would be here, too, without having asked."""
    browser = Browser(app.test_client())
    answer = browser.get("/login/oidc?next=/results/", headers={"Sec-Fetch-Site": "cross-site"})
    assert (answer.status_code, answer.location) == (303, "/login?next=/results/")
    for site in ("same-origin", "none"):
        answer = browser.get("/login/oidc", headers={"Sec-Fetch-Site": site})
        assert answer.location.startswith(provider.issuer)


def test_somebody_new_signs_in_and_has_an_account(app, provider, db):
    browser = Browser(app.test_client())
    page = text(browser.get("/login?next=/results/"))
    assert 'href="/login/oidc?next=/results/"' in page
    assert "Sign in with single sign-on" in page
    assert 'name="password"' in page
    address = begin(browser, "/login/oidc?next=/results/")
    asked = parse_qs(urlsplit(address).query)
    assert address.startswith(f"{provider.issuer}/oauth2/authorize?")
    assert asked["redirect_uri"] == ["http://localhost/login/oidc/callback"]
    assert (asked["response_type"], asked["client_id"]) == (["code"], ["errand"])
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["scope"] == ["openid profile email"]
    assert len(asked["state"][0]) >= 20
    assert len(asked["nonce"][0]) >= 20
    assert "hush" not in address
    provider.set_user("new-1", preferred_username="dora", name="Dora D")
    answer = browser.get(local(provider.authorize(address, sub="new-1")))
    assert (answer.status_code, answer.location) == (303, "/results/")
    assert browser.get("/results/").status_code == 200
    [user] = rows(db, select(User).where(User.username == "dora"))
    assert (user.display_name, user.superuser, user.password_hash) == ("Dora D", False, None)
    assert user.last_sign_in_at is not None
    [identity] = rows(db, select(Identity))
    assert (identity.issuer, identity.subject, identity.user_id) == (provider.issuer, "new-1", user.id)
    assert identity.last_used_at is not None
    assert records(db) == [("dora", "user.create", "dora"), ("dora", "sign-in.oidc", "dora")]


def test_the_same_person_is_known_again_whatever_they_are_called_now(app, provider, db):
    arrive(app, provider, "same-1", preferred_username="dora")
    assert arrive(app, provider, "same-1", preferred_username="alice").status_code == 303
    assert arrive(app, provider, "same-1").status_code == 303
    assert len(rows(db, select(Identity))) == 1
    names = rows(db, select(User.username).join(UserSession, UserSession.user_id == User.id))
    assert names == ["dora"] * 3


def test_a_new_session_begins_and_an_older_cookie_opens_nothing(app, provider):
    browser = Browser(app.test_client())
    begin(browser)
    before = browser.client.get_cookie("session").value
    assert come(browser, provider, "cookie-1", preferred_username="dora").status_code == 303
    after = browser.client.get_cookie("session")
    assert after.value != before
    assert after.http_only
    planted = Browser(app.test_client())
    planted.client.set_cookie("session", before)
    assert planted.get("/jobs/").status_code == 303


def test_no_token_of_the_provider_goes_to_the_browser_or_is_kept(app, provider, db):
    answer = arrive(app, provider, "quiet-1", preferred_username="quiet")
    assert answer.status_code == 303
    # So begin all tokens of theirs.
    assert "eyJ" not in f"{answer.headers}{text(answer)}"
    kept = [str(row.data) for row in rows(db, select(UserSession))]
    assert kept
    assert "eyJ" not in "".join(kept)


def test_who_has_signed_in_is_not_sent_away(app, provider, db, cast):
    alice = signed_in(app, db, cast["alice"])
    assert alice.get("/login/oidc?next=/results/").location == "/results/"
    assert alice.get("/login/oidc").location == "/"


@pytest.mark.parametrize(
    "wanted", ["https://evil.example/", "//evil.example", "/\\evil.example", "x", "/login"]
)
def test_the_way_on_never_leads_elsewhere(app, provider, wanted):
    browser = Browser(app.test_client())
    provider.set_user("next-1", preferred_username="dora")
    answer = browser.get("/login/oidc", query_string={"next": wanted})
    back = browser.get(local(provider.authorize(answer.location, sub="next-1")))
    assert (back.status_code, back.location) == (303, "/")


def test_a_long_way_on_does_not_burst_the_cookie(app, provider):
    browser = Browser(app.test_client())
    for _ in range(5):
        # Not one that becomes small where it is packed.
        browser.get("/login/oidc", query_string={"next": f"/results/?q={token_hex(2000)}"})
        assert len(browser.client.get_cookie("session").value) < 3000
        browser.get("/login/oidc", query_string={"next": f"/results/?q={token_hex(490)}"})
    assert len(browser.client.get_cookie("session").value) < 3000


def test_behind_tls_the_provider_sends_people_back_by_it(make_app, provider, cast):
    browser = make_app(provider.issuer, ERRAND_HTTPS="1").test_client()
    asked = parse_qs(urlsplit(browser.get("/login/oidc").location).query)
    assert asked["redirect_uri"] == ["https://localhost/login/oidc/callback"]


# --- What is no sign-in --------------------------------------------------------------------------------------------

NOT_BEGUN = "This sign-in was not begun in this browser"


def test_an_answer_counts_once(app, provider, db):
    browser = Browser(app.test_client())
    provider.set_user("once-1", preferred_username="dora")
    back = local(provider.authorize(begin(browser), sub="once-1"))
    begun = browser.client.get_cookie("session").value
    assert browser.get(back).status_code == 303
    assert_refused(browser.get(back), 400, NOT_BEGUN)
    # Nor with the cookie of then: the provider takes a code only once.
    replaying = Browser(app.test_client())
    replaying.client.set_cookie("session", begun)
    assert_refused(replaying.get(back), 403, "has expired, or was used already")
    assert len(rows(db, select(UserSession))) == 1


def test_an_answer_is_for_the_browser_that_asked(app, provider, db):
    provider.set_user("other-1", preferred_username="dora")
    back = local(provider.authorize(begin(Browser(app.test_client())), sub="other-1"))
    assert_refused(Browser(app.test_client()).get(back), 400, NOT_BEGUN)
    other = Browser(app.test_client())
    begin(other)
    assert_refused(other.get(back), 400, NOT_BEGUN)
    assert rows(db, select(UserSession)) == []


@pytest.mark.parametrize("state", ["", "x", "%C3%A9", "%ED%B3%BF%00"])
def test_a_wrong_state_ends_what_was_begun(app, provider, state):
    browser = Browser(app.test_client())
    provider.set_user("state-1", preferred_username="dora")
    back = local(provider.authorize(begin(browser), sub="state-1"))
    assert_refused(browser.get(f"/login/oidc/callback?code=x&state={state}"), 400, NOT_BEGUN)
    assert_refused(browser.get(back), 400, NOT_BEGUN)


def test_what_was_begun_long_ago_is_over(app, provider, monkeypatch):
    browser = Browser(app.test_client())
    provider.set_user("late-1", preferred_username="dora")
    back = local(provider.authorize(begin(browser), sub="late-1"))
    monkeypatch.setattr(single_sign_on, "BEGUN_FOR_SECONDS", -1)
    assert_refused(browser.get(back), 400, "took too long")


def test_a_code_that_the_provider_does_not_know_signs_nobody_in(app, provider, db):
    browser = Browser(app.test_client())
    state = parse_qs(urlsplit(begin(browser)).query)["state"][0]
    refused = browser.get(f"/login/oidc/callback?state={state}&code=made-up")
    assert_refused(refused, 403, "This sign-in has expired, or was used already. Try again.")
    assert records(db) == [("", "sign-in.refused", "")]


def test_who_changes_their_mind_at_the_provider_is_told_so(app, provider, db):
    browser = Browser(app.test_client())
    address = begin(browser, "/login/oidc?next=/results/")
    denied = local(provider.authorize(address, action="deny"))
    assert "error=access_denied" in denied
    state = parse_qs(urlsplit(address).query)["state"][0]
    refused = browser.get(denied if "state=" in denied else f"{denied}&state={state}")
    assert_refused(refused, 403, "Single sign-on did not let you in.")
    assert 'name="next" value="/results/"' in text(refused)
    assert records(db) == [("", "sign-in.refused", "")]


def test_words_in_the_address_are_not_repeated(app, provider):
    browser = Browser(app.test_client())
    state = parse_qs(urlsplit(begin(browser)).query)["state"][0]
    address = f"/login/oidc/callback?state={state}&error=server_error&error_description=Call+555-1234"
    refused = browser.get(address)
    assert_refused(refused, 403, "Single sign-on could not sign you in.")
    assert "555" not in text(refused)


def test_a_provider_that_is_away_is_said_calmly(make_app, cast, caplog):
    app = make_app(f"http://127.0.0.1:{servers.free_port()}", ERRAND_OIDC_NAME="Hausausweis")
    browser = Browser(app.test_client())
    answer = browser.get("/login/oidc?next=/results/")
    assert_refused(answer, 503, "Hausausweis does not answer. Try again.")
    assert int(answer.headers["Retry-After"]) > 0
    assert 'name="next" value="/results/"' in text(answer)
    assert "cannot be used" in caplog.text
    assert "hush" not in caplog.text


def test_a_provider_that_went_away_meanwhile_is_too(make_app, cast, db):
    with servers.oidc_provider() as provider:
        app = make_app(provider.issuer)
        browser = Browser(app.test_client())
        provider.set_user("away-1", preferred_username="dora")
        back = local(provider.authorize(begin(browser), sub="away-1"))
    assert_refused(browser.get(back), 503, "does not answer")
    assert rows(db, select(UserSession)) == []


def test_without_settings_there_is_no_single_sign_on(settings, cast, db):
    for app in running(settings):
        browser = Browser(app.test_client())
        assert "single sign-on" not in text(browser.get("/login"))
        assert browser.get("/login/oidc").status_code == 404
        assert browser.get("/login/oidc/callback?state=x&code=y").status_code == 404
        root = signed_in(app, db, cast["root"])
        assert "ingle sign-on" not in text(root.get(f"/admin/users/{cast['bob'].id}"))


# --- Whose account it is -------------------------------------------------------------------------------------------


def test_a_name_that_is_taken_is_linked_only_where_an_administrator_allows_it_once(app, provider, db, cast):
    root = signed_in(app, db, cast["root"])
    page = f"/admin/users/{cast['alice'].id}"
    assert_refused(arrive(app, provider, "link-1", preferred_username="alice"), 403, TAKEN)
    assert "Not linked." in text(root.get(page))
    assert root.post(f"{page}/identities/allow", {"allowed": "true"}).status_code == 303
    assert "gets this account" in text(root.get(page))
    assert root.post(f"{page}/identities/allow", {}).status_code == 303
    assert_refused(arrive(app, provider, "link-1", preferred_username="alice"), 403, TAKEN)
    root.post(f"{page}/identities/allow", {"allowed": "true"})
    # Not of this name, but nearly.
    assert_refused(arrive(app, provider, "link-2", preferred_username="Alice"), 403, "There is a user")
    browser = Browser(app.test_client())
    assert come(browser, provider, "link-1", preferred_username="alice").status_code == 303
    assert "<code>alice</code>" in text(browser.get("/account/"))
    # Once.
    assert_refused(arrive(app, provider, "link-3", preferred_username="alice"), 403, TAKEN)
    assert arrive(app, provider, "link-1", preferred_username="alice").status_code == 303
    assert [each for each in records(db) if each[1] != "user.change"] == [
        ("", "sign-in.refused", "alice"),
        ("", "sign-in.refused", "alice"),
        ("", "sign-in.refused", "Alice"),
        ("alice", "user.oidc-link", "alice"),
        ("alice", "sign-in.oidc", "alice"),
        ("", "sign-in.refused", "alice"),
        ("alice", "sign-in.oidc", "alice"),
    ]
    host = urlsplit(provider.issuer).netloc
    assert host in text(root.get(page))
    assert host in text(browser.get("/account/"))


def test_who_is_unlinked_is_signed_out_and_nobody_here(app, provider, db, cast):
    root = signed_in(app, db, cast["root"])
    browser = Browser(app.test_client())
    come(browser, provider, "unlink-1", preferred_username="dora")
    [identity] = rows(db, select(Identity))
    page = f"/admin/users/{identity.user_id}/identities"
    assert root.post(f"/admin/users/{cast['bob'].id}/identities/{identity.id}/unlink").status_code == 404
    assert browser.get("/jobs/").status_code == 200
    assert root.post(f"{page}/{identity.id}/unlink").status_code == 303
    assert browser.get("/jobs/").status_code == 303
    assert root.get("/jobs/").status_code == 200
    assert root.post(f"{page}/{identity.id}/unlink").status_code == 404
    assert_refused(arrive(app, provider, "unlink-1", preferred_username="dora"), 403, TAKEN)
    assert ("root", "user.oidc-unlink", "dora") in records(db)


def test_what_was_allowed_ends_where_the_account_becomes_a_superusers(app, provider, db, cast):
    root = signed_in(app, db, cast["root"])
    page = f"/admin/users/{cast['bob'].id}"
    root.post(f"{page}/identities/allow", {"allowed": "true"})
    root.post(page, {"active": "true", "display_name": "Bob"})
    assert rows(db, select(User.username).where(User.oidc_may_link)) == ["bob"]
    root.post(page, {"active": "true", "superuser": "true"})
    assert rows(db, select(User.username).where(User.oidc_may_link)) == []
    assert_refused(arrive(app, provider, "super-1", preferred_username="bob"), 403, TAKEN)


def test_only_superusers_say_who_somebody_is_elsewhere(app, provider, db, cast):
    with db.begin():
        may = Permission(name="People", kind="user", actions=["view", "change"], users=[cast["carol"]])
        db.add(may)
        db.add(Identity(user_id=cast["bob"].id, issuer=provider.issuer, subject="s"))
    [identity] = rows(db, select(Identity.id))
    carol = signed_in(app, db, cast["carol"])
    page = f"/admin/users/{cast['bob'].id}"
    shown = text(carol.get(page))
    assert urlsplit(provider.issuer).netloc in shown
    assert "Unlink" not in shown
    assert "Allow single sign-on" not in shown
    assert carol.post(f"{page}/identities/allow", {"allowed": "true"}).status_code == 403
    assert carol.post(f"{page}/identities/{identity}/unlink").status_code == 403
    assert rows(db, select(Identity.id)) == [identity]
    assert rows(db, select(User.username).where(User.oidc_may_link)) == []


@pytest.mark.parametrize(
    ("claims", "sentence"),
    [
        ({}, "Single sign-on did not say what you are called (preferred_username)"),
        ({"preferred_username": ""}, "did not say what you are called"),
        ({"preferred_username": ["alice"]}, "did not say what you are called"),
        ({"preferred_username": "a b"}, "1 to 150 letters"),
        ({"preferred_username": "<b>"}, "1 to 150 letters"),
        ({"preferred_username": "a\0b"}, "1 to 150 letters"),
        ({"preferred_username": "x" * 151}, "1 to 150 letters"),
        ({"preferred_username": "me"}, "Nobody can be called me"),
        ({"preferred_username": "ALICE"}, "There is a user &#39;alice&#39; already"),
        ({"preferred_username": "root"}, TAKEN),
    ],
    ids=str,
)
def test_a_name_that_nobody_can_have_is_refused(app, provider, db, claims, sentence):
    before = rows(db, select(User.username))
    assert_refused(arrive(app, provider, "name-1", **claims), 403, sentence)
    assert rows(db, select(User.username)) == before
    assert rows(db, select(Identity)) == []
    assert [action for _, action, _ in records(db)] == ["sign-in.refused"]


def test_who_is_disabled_is_refused_and_their_link_stays(app, provider, db, cast):
    arrive(app, provider, "disabled-1", preferred_username="dora", groups=[])
    with db.begin():
        db.execute(update(User).values(active=False, oidc_may_link=True))
    assert_refused(
        arrive(app, provider, "disabled-1", preferred_username="dora"), 403, "account here is disabled"
    )
    assert_refused(
        arrive(app, provider, "disabled-2", preferred_username="bob"), 403, "account here is disabled"
    )
    assert rows(db, select(User.oidc_may_link).where(User.username == "bob")) == [True]
    assert len(rows(db, select(Identity))) == 1


def test_nobody_gets_an_account_where_that_is_said(make_app, provider, db, cast):
    app = make_app(provider.issuer, ERRAND_OIDC_CREATE="0")
    assert_refused(
        arrive(app, provider, "create-1", preferred_username="dora"), 403, "You have no account here yet"
    )
    assert rows(db, select(User).where(User.username == "dora")) == []
    with db.begin():
        db.execute(update(User).where(User.username == "bob").values(oidc_may_link=True))
    assert arrive(app, provider, "create-2", preferred_username="bob").status_code == 303


def test_a_mail_address_names_somebody_only_once_it_was_checked(make_app, provider, db, cast):
    app = make_app(provider.issuer, ERRAND_OIDC_USERNAME="email")
    claims = {"email": "dora@example.com", "email_verified": False}
    assert_refused(arrive(app, provider, "mail-1", **claims), 403, "or has not checked it")
    assert arrive(app, provider, "mail-1", **claims | {"email_verified": True}).status_code == 303
    assert rows(db, select(User.username).where(User.username.contains("@"))) == ["dora@example.com"]
    # Who they are is known from now on.
    assert arrive(app, provider, "mail-1", **claims).status_code == 303


def test_who_came_by_another_browser_meanwhile_is_known(make_app, provider, db, cast, monkeypatch):
    app = make_app(provider.issuer)
    account_for = identities._account_for

    def after_another(session, person, oidc):
        user = User(username=person.username)
        session.add(Identity(issuer=person.issuer, subject=person.subject, user=user))
        session.flush()
        return account_for(session, person, oidc)

    monkeypatch.setattr(identities, "_account_for", after_another)
    assert arrive(app, provider, "quick-1", preferred_username="quick").status_code == 303
    assert rows(db, select(User.username).where(User.username == "quick")) == ["quick"]


def test_of_two_who_come_at_once_both_are_the_same_person(live, live_platform, provider, monkeypatch):
    """On both databases, which is also where groups and superusers go the whole way on PostgreSQL."""
    for name, value in {
        "ERRAND_OIDC_ISSUER": provider.issuer,
        "ERRAND_OIDC_ADMINS": "admins",
        **OIDC_CLIENT,
    }.items():
        monkeypatch.setenv(name, value)
    with live_platform.session() as db:
        make_groups(db, "net")
    provider.set_user("both-1", preferred_username="dora", groups=["net", "admins"])
    for app in running(load_settings()):
        browsers = [Browser(app.test_client()) for _ in range(4)]
        ways = [(each, local(provider.authorize(begin(each), sub="both-1"))) for each in browsers]
        with ThreadPoolExecutor(4) as threads:
            answers = list(threads.map(lambda way: way[0].get(way[1]).status_code, ways))
        assert answers == [303] * 4
        with live_platform.session() as db:
            assert (len(rows(db, select(Identity))), groups_of(db, "dora")) == (1, {"net"})
            # She is the only one there is.
            arrive(app, provider, "both-1", preferred_username="dora")
            assert (is_superuser(db, "dora"), groups_of(db, "dora")) == (True, set())
            with db.begin():
                db.add(User(username="root", superuser=True))
            arrive(app, provider, "both-1", preferred_username="dora")
            assert not is_superuser(db, "dora")


# --- Groups and superusers -----------------------------------------------------------------------------------------


def test_groups_of_a_map_follow_the_provider_and_no_others(make_app, provider, db, cast):
    pairs = "net-ops=Network, cn=boss=Chiefs, gone=Not there, both=Network, both=Chiefs"
    app = make_app(provider.issuer, ERRAND_OIDC_GROUP_MAP=pairs, ERRAND_OIDC_GROUPS="roles")

    def come_in(*roles: object) -> set[str]:
        arrive(app, provider, "map-1", preferred_username="dora", roles=list(roles), groups=["Chiefs"])
        return groups_of(db, "dora")

    make_groups(db, "Network", "Chiefs", "Own", "net-ops")
    assert come_in() == set()
    with db.begin():
        dora = db.scalars(select(User).where(User.username == "dora")).one()
        for group in db.scalars(select(Group).where(Group.name.in_(["Own", "Chiefs"]))):
            group.members.append(dora)
    assert come_in("net-ops", "Own", "Everyone", "net-ops", 7, None) == {"Network", "Own"}
    assert come_in("cn=boss") == {"Chiefs", "Own"}
    assert come_in("both") == {"Network", "Chiefs", "Own"}
    assert come_in("gone") == {"Own"}
    assert rows(db, select(Group.name).where(Group.name == "Not there")) == []
    changes = [row for row in rows(db, select(AuditRecord)) if row.action == "user.oidc-rights"]
    assert (changes[0].before, changes[0].after) == (
        {"groups": ["Chiefs", "Own"]},
        {"groups": ["Network", "Own"]},
    )
    assert len(changes) == 4


def test_without_a_map_groups_are_called_alike_and_only_what_was_given_is_taken(app, provider, db, cast):
    make_groups(db, "net", "ops", "own")

    def come_in(**claims: object) -> set[str]:
        assert arrive(app, provider, "plain-1", preferred_username="dora", **claims).status_code == 303
        return groups_of(db, "dora")

    assert come_in(groups=["net", "ops", "unknown", "Everyone"]) == {"net", "ops"}
    with db.begin():
        dora = db.scalars(select(User).where(User.username == "dora")).one()
        own = db.scalars(select(Group).where(Group.name == "own")).one()
        own.members.append(dora)
    assert come_in(groups="ops") == {"ops", "own"}
    # A provider that leaves the claim out where there is nothing in it takes as well.
    assert come_in() == {"own"}
    assert come_in(groups={"net": True}) == {"own"}


def test_superusers_are_made_and_unmade_by_their_groups(make_app, provider, db, cast):
    app = make_app(provider.issuer, ERRAND_OIDC_ADMINS="admins, bosses")

    def come_in(*groups: str) -> bool:
        arrive(app, provider, "admin-1", preferred_username="dora", groups=list(groups))
        return is_superuser(db, "dora")

    assert not come_in("others")
    [dora] = rows(db, select(User).where(User.username == "dora"))
    link = sign_in_path(db, dora)
    assert come_in("bosses")
    # A link that was made for somebody with other rights.
    assert app.test_client().get(link).status_code == 404
    assert rows(db, select(SignInLink)) == []
    assert not come_in("others")
    changes = [row for row in rows(db, select(AuditRecord)) if row.action == "user.oidc-rights"]
    assert [row.after for row in changes] == [{"superuser": True}, {"superuser": False}]


def test_the_last_superuser_stays_one(make_app, provider, db, cast):
    app = make_app(provider.issuer, ERRAND_OIDC_ADMINS="admins")
    arrive(app, provider, "last-1", preferred_username="dora", groups=["admins"])
    with db.begin():
        db.execute(update(User).where(User.username == "root").values(active=False))
    arrive(app, provider, "last-1", preferred_username="dora", groups=[])
    assert is_superuser(db, "dora")
    with db.begin():
        dora = db.scalars(select(User).where(User.username == "dora")).one()
        assert is_last_superuser(db, dora)
        db.execute(update(User).where(User.username == "root").values(active=True))
        assert not is_last_superuser(db, dora)
    arrive(app, provider, "last-1", preferred_username="dora", groups=[])
    assert not is_superuser(db, "dora")


@pytest.mark.postgres
def test_of_two_who_stop_being_superusers_in_one_moment_one_stays(postgres_copies):
    """On SQLite one of them does not even begin before the other is done."""
    with postgres_copies.one() as url:
        platform = Platform(url.replace("postgresql:", "postgresql+psycopg:"))

        def is_last(username: str) -> bool:
            with platform.session() as db:
                return is_last_superuser(db, db.scalars(select(User).where(User.username == username)).one())

        def waits() -> bool:
            with platform.reading() as db:
                return db.scalar(text_of("SELECT count(*) FROM pg_locks WHERE NOT granted")) > 0

        with platform.session() as db, ThreadPoolExecutor(1) as threads:
            first, second = User(username="first", superuser=True), User(username="second", superuser=True)
            db.add_all([first, second])
            db.commit()
            assert not is_last_superuser(db, first)
            asked = threads.submit(is_last, "second")
            until(lambda: asked.done() or waits(), "the second asks")
            first.superuser = False
            db.commit()
            assert asked.result()
        platform.dispose()


def test_without_groups_of_superusers_nobody_becomes_or_stops_being_one(app, provider, db, cast):
    with db.begin():
        # Another one, so that she could lose it.
        db.execute(update(User).where(User.username == "bob").values(superuser=True))
        db.execute(update(User).where(User.username == "root").values(oidc_may_link=True))
    arrive(app, provider, "root-1", preferred_username="root", groups=["x"])
    assert is_superuser(db, "root")
    arrive(app, provider, "root-2", preferred_username="dora", groups=["superuser", "admins"])
    assert not is_superuser(db, "dora")


# --- Passwords, and signing out ------------------------------------------------------------------------------------


def test_passwords_can_be_switched_off(make_app, provider, db, cast):
    with db.begin():
        db.execute(update(User).where(User.username == "bob").values(password_hash=hash_password(SENTENCE)))
    link = sign_in_path(db, cast["bob"])
    # A page from before it was switched off.
    before = Browser(make_app(provider.issuer, ERRAND_OIDC_NAME="Our <ID>").test_client())
    sent = {"csrf_token": before.token(), "username": "bob", "password": SENTENCE}
    app = make_app(provider.issuer, ERRAND_PASSWORDS="0")
    browser = Browser(app.test_client())
    page = text(browser.get("/login"))
    assert "Sign in with Our &lt;ID&gt;" in page
    assert 'name="password"' not in page
    browser.client.set_cookie("session", before.client.get_cookie("session").value)
    refused = browser.client.post("/login", data=sent)
    assert refused.status_code == 403
    assert "Nobody signs in with a password here. Use Our &lt;ID&gt;." in text(refused)
    assert before.client.post("/login", data=sent).status_code == 303
    by_link = Browser(app.test_client())
    assert by_link.get(link).status_code == 303
    assert 'name="new_password"' not in text(by_link.get("/account/"))
    assert by_link.post("/account/password", {"new_password": SENTENCE}).status_code == 403
    assert come(browser, provider, "off-1", preferred_username="dora").status_code == 303


def test_what_was_begun_is_over_even_where_the_page_keeps_nothing_else(make_app, provider, cast):
    app = make_app(provider.issuer, ERRAND_PASSWORDS="0")
    browser = Browser(app.test_client())
    provider.set_user("empty-1", preferred_username="dora")
    back = local(provider.authorize(begin(browser), sub="empty-1"))
    assert browser.get("/login/oidc/callback?state=x").status_code == 400
    assert browser.get(back).status_code == 400


def test_signing_out_offers_to_sign_out_at_the_provider_once(app, provider, db, cast):
    browser = Browser(app.test_client())
    come(browser, provider, "out-1", preferred_username="dora")
    assert browser.post("/logout").status_code == 303
    page = text(browser.get("/login"))
    assert f'href="{provider.issuer}/oauth2/end_session?client_id=errand"' in page
    assert "Sign out at single sign-on as well" in page
    assert browser.get("/jobs/").status_code == 303
    assert "end_session" not in text(browser.get("/login"))
    alice = signed_in(app, db, cast["alice"])
    assert alice.post("/logout").status_code == 303
    assert "end_session" not in text(alice.get("/login"))


def test_a_link_goes_with_its_user(app, provider, db):
    arrive(app, provider, "gone-1", preferred_username="dora")
    with db.begin():
        db.execute(delete(User).where(User.username == "dora"))
    assert rows(db, select(Identity)) == []


def test_nothing_of_it_is_loaded_before_somebody_comes(settings):
    program = (
        "import sys\n"
        "from store.settings import load_settings\n"
        "from webapp.app import create_app\n"
        "app = create_app(load_settings())\n"
        "page = app.test_client().get('/login')\n"
        "assert 'Sign in with' in page.text\n"
        "print(*[name for name in ('authlib', 'joserfc', 'requests') if name in sys.modules])"
    )
    environ = {
        "ERRAND_OIDC_ISSUER": "https://id.example.com",
        **OIDC_CLIENT,
        "ERRAND_INSTANCE": str(settings.instance),
        "PYTHONPATH": str(PROJECT_ROOT),
    }
    printed = subprocess.run(
        [sys.executable, "-c", program], env=environ, capture_output=True, text=True, timeout=60, check=True
    )
    assert printed.stdout.strip() == ""
