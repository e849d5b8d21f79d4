"""Single sign-on: what a provider says is believed only where nobody else can have said it."""

import hashlib
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs

import pytest
from joserfc.jwk import RSAKey
from sqlalchemy import select

from store.models import Identity, UserSession
from tests.waiting import until
from webapp import oidc_provider as provider_module

from .conftest import OIDC_CLIENT, Browser
from .sign_on import TAKEN, Forged, arrive, assert_refused, groups_of, make_groups, rows


@pytest.fixture
def forged() -> Iterator[Forged]:
    with Forged() as provider:
        yield provider


UNTRUSTED = "What single sign-on said about you cannot be trusted."


@pytest.mark.parametrize("claims", [{}, {"aud": ["another", "errand"], "azp": "errand"}], ids=str)
def test_an_honest_answer_of_the_forged_provider_is_taken(make_app, forged, cast, claims):
    """Without it the refusals below would say nothing."""
    forged.claims = claims
    assert forged.arrive(make_app(forged.issuer)).status_code == 303


def test_the_code_is_good_for_nobody_who_only_overhears_it(make_app, forged, cast):
    forged.arrive(make_app(forged.issuer))
    authorization, body = forged.exchanged
    assert authorization == "Basic " + b64encode(b"errand:hush-hush-secret").decode()
    sent = parse_qs(body)
    assert (sent["code"], sent["grant_type"]) == (["c"], ["authorization_code"])
    assert sent["redirect_uri"] == ["http://localhost/login/oidc/callback"]
    proof = urlsafe_b64encode(hashlib.sha256(sent["code_verifier"][0].encode()).digest()).decode().rstrip("=")
    assert proof == forged.challenge


def test_the_secret_is_shown_as_the_provider_wants_it(make_app, forged, cast):
    forged.discovery = (200, {"token_endpoint_auth_methods_supported": ["client_secret_post"]})
    assert forged.arrive(make_app(forged.issuer)).status_code == 303
    authorization, body = forged.exchanged
    assert authorization == ""
    assert parse_qs(body)["client_secret"] == ["hush-hush-secret"]


def test_nobody_waits_long_for_what_another_waits_for(make_app, forged, cast, monkeypatch):
    monkeypatch.setattr(provider_module, "WAIT_SECONDS", 0.01)
    app = make_app(forged.issuer)
    forged.may_answer.clear()
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(lambda: Browser(app.test_client()).get("/login/oidc").status_code)
        until(lambda: forged.asked, "the provider is asked")
        assert Browser(app.test_client()).get("/login/oidc").status_code == 503
        forged.may_answer.set()
        assert first.result() == 303
    assert Browser(app.test_client()).get("/login/oidc").status_code == 303
    assert forged.asked == ["/.well-known/openid-configuration"]


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"aud": "another"},
        {"aud": "another", "azp": "errand"},
        {"aud": ["another", "more"], "azp": "errand"},
        {"aud": ["errand", "another"], "azp": "another"},
        {"aud": None},
        {"iss": "https://another.example"},
        {"iss": None},
        {"exp": 1_000},
        {"exp": None},
        {"exp": "soon"},
        {"iat": 4_000_000_000},
        {"nbf": 4_000_000_000},
        {"sub": None},
        {"sub": 7},
    ],
    ids=str,
)
def test_a_token_that_was_not_made_for_this_sign_in_is_refused(make_app, forged, cast, db, claims):
    forged.claims = claims
    assert_refused(forged.arrive(make_app(forged.issuer)), 403, UNTRUSTED)
    assert rows(db, select(UserSession)) == rows(db, select(Identity)) == []


def test_a_token_that_somebody_else_has_signed_is_refused(make_app, forged, cast):
    forged.signing_key = RSAKey.generate_key(2048, {"kid": "1"})
    assert_refused(forged.arrive(make_app(forged.issuer)), 403, UNTRUSTED)


def test_a_token_that_was_changed_is_refused(make_app, forged, cast):
    app = make_app(forged.issuer)
    forged.nonce = "n"
    head, body, signature = forged._token()["id_token"].split(".")
    forged.token = {"access_token": "t", "id_token": f"{head}.{body[:-4]}AAAA.{signature}"}
    assert_refused(forged.arrive(app), 403, UNTRUSTED)


@pytest.mark.parametrize("secret", ["none", "the client's secret", "the public key"])
def test_a_signature_that_others_can_make_does_not_count(make_app, forged, cast, secret):
    # Even where the provider says of itself that it would sign so.
    forged.discovery = (200, {"id_token_signing_alg_values_supported": ["none", "HS256", "RS256"]})
    app = make_app(forged.issuer)
    assert forged.arrive(app).status_code == 303
    forged.by_hand = {
        "none": ("none", b""),
        "the client's secret": ("HS256", OIDC_CLIENT["ERRAND_OIDC_CLIENT_SECRET"].encode()),
        "the public key": ("HS256", forged.key.as_pem(private=False)),
    }[secret]
    assert_refused(forged.arrive(app), 403, UNTRUSTED)


def test_a_new_key_of_the_provider_is_fetched(make_app, forged, cast):
    app = make_app(forged.issuer)
    assert forged.arrive(app).status_code == 303
    forged.key = forged.signing_key = RSAKey.generate_key(2048, {"kid": "2"})
    forged.header["kid"] = "2"
    assert forged.arrive(app).status_code == 303


def test_a_provider_that_does_not_know_us_is_for_administrators(make_app, forged, cast, caplog):
    forged.token = {"error": "invalid_client", "error_description": "Bad secret"}
    refused = forged.arrive(make_app(forged.issuer))
    assert_refused(refused, 403, "Single sign-on does not know Errand. Tell an administrator.")
    assert "invalid_client: Bad secret" in caplog.text


@pytest.mark.parametrize(
    "token", [{}, [], 7, {"id_token": 7}, {"id_token": "a.b.c"}, {"id_token": "x"}], ids=str
)
def test_an_answer_of_another_shape_is_no_fault_of_ours(make_app, forged, cast, token):
    forged.token = token
    assert forged.arrive(make_app(forged.issuer)).status_code in (403, 503)


@pytest.mark.parametrize(
    "discovery",
    [
        (200, {"issuer": "https://another.example"}),
        (200, {"token_endpoint": "http://id.example.com/token"}),
        (200, {"authorization_endpoint": "javascript:alert(1)"}),
        (200, {"jwks_uri": None}),
        (404, {}),
    ],
    ids=str,
)
def test_a_provider_that_cannot_be_what_it_says_is_not_used(make_app, forged, cast, discovery):
    forged.discovery = discovery
    assert_refused(Browser(make_app(forged.issuer).test_client()).get("/login/oidc"), 503, "does not answer")


def test_what_the_token_leaves_out_is_asked_for(make_app, forged, cast, db):
    make_groups(db, "net")
    forged.discovery = (200, {"userinfo_endpoint": f"{forged.issuer}/u"})
    forged.claims = {"preferred_username": None, "groups": None}
    forged.userinfo = {"sub": "f-1", "preferred_username": "dora", "groups": ["net"]}
    app = make_app(forged.issuer)
    assert forged.arrive(app).status_code == 303
    assert groups_of(db, "dora") == {"net"}
    # About somebody else, it is not heard.
    forged.claims["sub"] = "f-2"
    assert_refused(forged.arrive(app), 403, "did not say what you are called")


def test_a_link_is_not_shared_by_two_providers(make_app, oidc_provider, forged, cast, db):
    arrive(make_app(oidc_provider.issuer), oidc_provider, "f-1", preferred_username="dora")
    forged.claims = {"preferred_username": "dora"}
    assert_refused(forged.arrive(make_app(forged.issuer)), 403, TAKEN)


def test_a_provider_that_was_away_is_left_alone_and_asked_again(make_app, forged, cast):
    forged.discovery = (500, {})
    app = make_app(forged.issuer)
    browser = Browser(app.test_client())
    assert browser.get("/login/oidc").status_code == 503
    forged.discovery = (200, {})
    assert browser.get("/login/oidc").status_code == 503
    assert forged.asked == ["/.well-known/openid-configuration"]
    app.extensions["errand"].provider._left_alone_until = 0.0
    assert browser.get("/login/oidc").status_code == 303


def test_what_a_provider_says_of_itself_may_change(make_app, forged, cast):
    app = make_app(forged.issuer)
    assert Browser(app.test_client()).get("/login/oidc").location.startswith(f"{forged.issuer}/a?")
    forged.discovery = (200, {"authorization_endpoint": f"{forged.issuer}/b"})
    assert Browser(app.test_client()).get("/login/oidc").location.startswith(f"{forged.issuer}/a?")
    app.extensions["errand"].provider._known_until = 0.0
    assert Browser(app.test_client()).get("/login/oidc").location.startswith(f"{forged.issuer}/b?")
