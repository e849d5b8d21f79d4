"""The provider of single sign-on: what it says of itself, where it sends people, and what it says of them.

Authlib, and what it needs, is loaded when somebody first signs in that way: most instances never do.
"""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from flask import current_app

from store.identities import SignInRefused
from store.oidc_settings import OidcSettings, is_safe_url
from worker.oidc_discovery import ADDRESSES, TIMEOUT_SECONDS, ProviderAway, discover

#: While one waits for what it says of itself, others wait no longer than this.
WAIT_SECONDS = 1.0

#: What it says of itself is asked anew after that: its keys and addresses may change.
KNOWN_SECONDS = 3600

#: One that did not answer is left alone for a moment: each try may hold one of our few threads.
LEFT_ALONE_SECONDS = 3

#: Signed with a key that the provider alone has; what it says of others (none, or our secret as the key) is not asked.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")

#: What it may have besides what it has to.
MORE_ADDRESSES = ("userinfo_endpoint", "end_session_endpoint")


class Provider:
    """The provider of this instance. Nothing is asked of it before somebody wants to sign in."""

    def __init__(self, oidc: OidcSettings) -> None:
        self.oidc = oidc
        self._lock = threading.Lock()
        self._client: Any = None
        self._known_until = 0.0
        self._left_alone_until = 0.0

    def begin(self, redirect_uri: str, *, again: bool = False) -> dict[str, str]:
        """Return where to send a browser ("url"), and what to keep of it: "state", "nonce" and "code_verifier".

        again: have the provider ask who they are, though they are signed in there. Raises ProviderAway.
        """
        more = {"prompt": "login", "max_age": 0} if again else {}
        begun: dict[str, str] = self._known().create_authorization_url(redirect_uri, **more)
        return begun

    def claims(self, code: str, redirect_uri: str, begun: Mapping[str, str]) -> dict[str, Any]:
        """Return what the provider says of whoever came back with this code. Raises ProviderAway and SignInRefused."""
        client = self._known()
        with self._understood():
            token = client.fetch_access_token(
                redirect_uri=redirect_uri, code=code, code_verifier=begun["code_verifier"]
            )
            claims = client.parse_id_token(token, nonce=begun["nonce"], claims_options=self._expected(client))
            if claims is None:
                raise ValueError("It sent no ID token.")
            return self._completed(client, token, dict(claims))

    def sign_out_address(self) -> str:
        """Return where people sign out there; empty: it did not say."""
        client = self._known()
        if "end_session_endpoint" not in client.server_metadata:
            return ""
        return str(client.create_logout_url(client_id=self.oidc.client_id)["url"])

    def _expected(self, client: Any) -> dict[str, Any]:
        """Return what has to stand in an ID token beside nonce and times, which are looked at anyway."""
        return {
            "iss": {"essential": True, "value": client.server_metadata["issuer"]},
            # Authlib itself takes a token that was made for others, if it names us as who asked for it.
            "aud": {"essential": True, "value": self.oidc.client_id},
        }

    def _completed(self, client: Any, token: Any, claims: dict[str, Any]) -> dict[str, Any]:
        """Add what the provider says only where it is asked for it, as some do to keep ID tokens short."""
        wanted = {self.oidc.username_claim, self.oidc.groups_claim}
        if wanted <= claims.keys() or "userinfo_endpoint" not in client.server_metadata:
            return claims
        more = client.userinfo(token=token)
        # OpenID Connect Core 5.3.2: it may be about somebody else.
        return {**more, **claims} if more.get("sub") == claims["sub"] else claims

    def _known(self) -> Any:
        """Return Authlib's client, with what the provider has said of itself. Raises ProviderAway."""
        # One asks, and the others wait for what it hears; not for long, as threads are few and wanted for other pages.
        if not self._lock.acquire(timeout=WAIT_SECONDS):
            raise ProviderAway("It has not answered yet.")
        try:
            if self._client is None or time.monotonic() > self._known_until:
                self._client = self._ask()
                self._known_until = time.monotonic() + KNOWN_SECONDS
            return self._client
        finally:
            self._lock.release()

    def _ask(self) -> Any:
        if time.monotonic() < self._left_alone_until:
            raise ProviderAway("It did not answer a moment ago.")
        try:
            return self._make_client(discover(self.oidc.issuer))
        except ProviderAway:
            self._left_alone_until = time.monotonic() + LEFT_ALONE_SECONDS
            raise

    def _make_client(self, said: Mapping[str, Any]) -> Any:
        from authlib.integrations.flask_client import OAuth

        algorithms = said.get("id_token_signing_alg_values_supported") or ["RS256"]
        addresses = {
            name: said[name] for name in (*ADDRESSES, *MORE_ADDRESSES) if is_safe_url(said.get(name))
        }
        return OAuth(current_app).register(
            "oidc",
            client_id=self.oidc.client_id,
            client_secret=self.oidc.client_secret,
            client_kwargs={
                "scope": self.oidc.scopes,
                "code_challenge_method": "S256",
                "token_endpoint_auth_method": _way_to_show_the_secret(said),
                "default_timeout": TIMEOUT_SECONDS,
            },
            issuer=said["issuer"],
            id_token_signing_alg_values_supported=[name for name in algorithms if name in ALGORITHMS],
            **addresses,
        )

    @contextmanager
    def _understood(self) -> Iterator[None]:
        """Turn what goes wrong between the provider and us into what it means for whoever signs in."""
        from authlib.integrations.flask_client import OAuthError
        from joserfc.errors import JoseError
        from requests import RequestException

        try:
            yield
        except RequestException as error:
            raise ProviderAway(str(error)) from error
        except OAuthError as error:
            current_app.logger.warning("Single sign-on: the provider says: %s", error)
            if error.error != "invalid_grant":
                raise SignInRefused(
                    f"{self.oidc.name} does not know Errand. Tell an administrator."
                ) from error
            raise SignInRefused("This sign-in has expired, or was used already. Try again.") from error
        # The last four are what Authlib does with an answer that has another shape.
        except (JoseError, ValueError, TypeError, KeyError, AttributeError) as error:
            current_app.logger.warning("Single sign-on: an answer that cannot be trusted: %r", error)
            raise SignInRefused(f"What {self.oidc.name} said about you cannot be trusted.") from error


def _way_to_show_the_secret(said: Mapping[str, Any]) -> str:
    ways = said.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
    return "client_secret_basic" if "client_secret_basic" in ways else "client_secret_post"
