"""What a provider of OpenID Connect says of itself: where it is reached, and by which keys it is known."""

from typing import Any

from store.oidc_settings import is_safe_url

#: For each of its answers.
TIMEOUT_SECONDS = 5

#: Where it has to be reached.
ADDRESSES = ("authorization_endpoint", "token_endpoint", "jwks_uri")


class ProviderAway(Exception):
    """It does not answer, or not as a provider of OpenID Connect does. What it said instead is for the log."""


def discover(issuer: str) -> dict[str, Any]:
    """Ask it. Raises ProviderAway."""
    # Imported here: most instances have no provider.
    import requests

    address = f"{issuer}/.well-known/openid-configuration"
    try:
        answer = requests.get(address, timeout=TIMEOUT_SECONDS)
        answer.raise_for_status()
        said = answer.json()
    except requests.RequestException as error:
        raise ProviderAway(str(error)) from error
    if not isinstance(said, dict) or not all(is_safe_url(said.get(name)) for name in ADDRESSES):
        raise ProviderAway(f"{address} does not name {', '.join(ADDRESSES)}, all of them with https.")
    # Whoever answers must not speak for another (OpenID Connect Discovery 4.3).
    if str(said.get("issuer", "")).rstrip("/") != issuer:
        raise ProviderAway(f"{address} is about the issuer {said.get('issuer')!r}.")
    return said
