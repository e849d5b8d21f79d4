"""Signing in where people sign in anyway: over to the provider, and back with what it says of them."""

import time
from collections.abc import Mapping
from hmac import compare_digest
from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response, current_app, flash, make_response, redirect, request, session, url_for
from sqlalchemy.exc import IntegrityError

from store import audit, identities
from store.identities import Person, SignInRefused, person_of
from store.models import User
from store.oidc_settings import OidcSettings
from store.permissions import NotVisible
from webapp.auth import current_user, public, session_of_request
from webapp.database import writing
from webapp.next_page import safe_path
from webapp.oidc_provider import Provider
from webapp.sign_in_page import SHOWN, SIGN_OUT_ADDRESS, sign_in_page
from worker.oidc_discovery import ProviderAway

blueprint = Blueprint("single_sign_on", __name__, url_prefix="/login/oidc")

#: Where a browser's session keeps the sign-in that it has begun: one at a time, so that the cookie stays small.
BEGUN = "single_sign_on"
BEGUN_FOR_SECONDS = 15 * 60
LONGEST_NEXT = 1000

#: The clock of the provider may be so much behind.
CLOCKS_APART_SECONDS = 60

#: For Retry-After.
TRY_AGAIN_SECONDS = 10


@blueprint.get("")
@public
def begin() -> Response:
    """Send the browser to the provider. A GET: a form's target may not lead away from here (see webapp.headers)."""
    provider = _provider()
    wanted = safe_path(request.args.get("next"))
    if wanted is not None and len(wanted) > LONGEST_NEXT:
        wanted = None  # A browser drops a cookie of more than 4 KB.
    if request.headers.get("Sec-Fetch-Site") == "cross-site":
        # Nobody is signed in because they followed a link, or looked at a picture, elsewhere: they press the button.
        return _to(url_for("login.show", next=wanted))
    again = current_user() is not None and "again" in request.args
    if current_user() is not None and not again:
        return _to(wanted or url_for("home.show"))
    try:
        begun = provider.begin(_callback_address(), again=again)
    except ProviderAway as error:
        return _away(error, wanted)
    kept = {name: begun[name] for name in ("state", "nonce", "code_verifier")}
    session[BEGUN] = {**kept, "next": wanted, "at": time.time(), "again": again}
    return _to(begun["url"])


@blueprint.get("/callback")
@public
def callback() -> Response:
    """Sign in whom the provider sends back."""
    provider = _provider()
    begun = _take_begun()
    if begun is None:
        current_app.logger.warning(
            "Single sign-on: an answer from %s that was not asked for", request.remote_addr
        )
        return _again(
            "This sign-in was not begun in this browser, was used already, or took too long. Try again."
        )
    try:
        claims = _claims(provider, begun)
        if begun["again"]:
            _check_lately(claims, begun, provider.oidc)
        user = _signed_in_as(person_of(claims, provider.oidc), provider)
    except ProviderAway as error:
        return _away(error, begun["next"])
    except SignInRefused as refusal:
        with writing() as db:
            audit.note(db, "sign-in.refused", refusal.username, after={"single sign-on": str(refusal)})
        return _again(str(refusal), HTTPStatus.FORBIDDEN, begun["next"])
    known = current_user()
    if begun["again"] and known is not None:
        return _confirmed(known, user)
    session_of_request().sign_in(user)
    _remember_sign_out(provider)
    return _to(begun["next"] or url_for("home.show"))


def _check_lately(claims: Mapping[str, Any], begun: Mapping[str, Any], oidc: OidcSettings) -> None:
    """Raise SignInRefused where the provider did not ask anew, or does not say when it did and has to."""
    asked_at = claims.get("auth_time")
    if asked_at is None and not oidc.auth_time:
        return  # It was told to ask; many that do so say nothing of it.
    if type(asked_at) not in (int, float):
        raise SignInRefused(f"{oidc.name} does not say when you signed in there. Tell an administrator.")
    if asked_at < begun["at"] - CLOCKS_APART_SECONDS:
        raise SignInRefused("You did not sign in anew there. Try again, and enter your password.")


def _confirmed(known: User, came: User) -> Response:
    """Take it that whoever is signed in here has shown it, if it was they."""
    if known.id != came.id:
        flash(f"You signed in there as {came.username}, and here you are {known.username}.", "warn")
    else:
        session_of_request().confirm()
        flash(SHOWN)
    return _to(url_for("account.show"))


def _provider() -> Provider:
    provider: Provider | None = current_app.extensions["errand"].provider
    if provider is None:
        raise NotVisible
    return provider


def _take_begun() -> Mapping[str, Any] | None:
    """Return the sign-in that this answer is for, and have it be good no longer."""
    begun: dict[str, Any] | None = session.pop(BEGUN, None)
    if begun is None or time.time() - begun["at"] > BEGUN_FOR_SECONDS:
        return None
    state = request.args.get("state", "").encode("utf-8", "surrogatepass")
    return begun if compare_digest(state, begun["state"].encode()) else None


def _claims(provider: Provider, begun: Mapping[str, Any]) -> dict[str, Any]:
    # Not in the words of the address: anybody can write one.
    if "error" in request.args:
        current_app.logger.warning("Single sign-on: the provider says %r", request.args["error"][:100])
        denied = request.args["error"] == "access_denied"
        raise SignInRefused(f"{provider.oidc.name} {'did not let' if denied else 'could not sign'} you in.")
    return provider.claims(request.args.get("code", ""), _callback_address(), begun)


def _signed_in_as(person: Person, provider: Provider) -> User:
    try:
        return _write_sign_in(person, provider)
    except IntegrityError:
        # Another one in the same moment made the account.
        return _write_sign_in(person, provider)


def _write_sign_in(person: Person, provider: Provider) -> User:
    with writing() as db:
        return identities.sign_in(db, person, provider.oidc)


def _remember_sign_out(provider: Provider) -> None:
    try:
        if address := provider.sign_out_address():
            session[SIGN_OUT_ADDRESS] = address
    except ProviderAway:
        pass  # It was there a moment ago; whoever is signed in stays so.


def _callback_address() -> str:
    # A proxy that speaks TLS for us may hide that it does.
    https = current_app.extensions["errand"].settings.https
    return url_for("single_sign_on.callback", _external=True, _scheme="https" if https else request.scheme)


def _away(error: ProviderAway, wanted: str | None) -> Response:
    oidc = _provider().oidc
    current_app.logger.error("Single sign-on: %s cannot be used: %s", oidc.issuer, error)
    answer = _again(f"{oidc.name} does not answer. Try again.", HTTPStatus.SERVICE_UNAVAILABLE, wanted)
    answer.headers["Retry-After"] = str(TRY_AGAIN_SECONDS)
    return answer


def _again(sentence: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST, wanted: str | None = None) -> Response:
    # A name may begin a sentence.
    return sign_in_page(status, problem=sentence[:1].upper() + sentence[1:], next=wanted)


def _to(address: str) -> Response:
    return make_response(redirect(address, HTTPStatus.SEE_OTHER))
