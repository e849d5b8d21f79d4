"""Settings of single sign-on: which provider, and what its words about people mean here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from store.given import SettingsError, flag

#: All of them, for `store.settings.VARIABLES`.
OIDC_VARIABLES = (
    "ERRAND_OIDC_ISSUER",
    "ERRAND_OIDC_CLIENT_ID",
    "ERRAND_OIDC_CLIENT_SECRET",
    "ERRAND_OIDC_NAME",
    "ERRAND_OIDC_SCOPES",
    "ERRAND_OIDC_USERNAME",
    "ERRAND_OIDC_GROUPS",
    "ERRAND_OIDC_GROUP_MAP",
    "ERRAND_OIDC_ADMINS",
    "ERRAND_OIDC_CREATE",
    "ERRAND_OIDC_AUTH_TIME",
)

#: Without each of them the others are of no use.
NEEDED = OIDC_VARIABLES[:3]

#: As much as the column takes.
LONGEST_ISSUER = 255

#: Names of this machine: what is said there goes over no network, so it needs no TLS.
LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class OidcSettings:
    #: As the provider writes itself, but for a slash at the end.
    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    #: What people call it: it stands on the button.
    name: str
    scopes: str
    #: The claims that hold what somebody is called, and their groups.
    username_claim: str
    groups_claim: str
    #: Pairs of a group of theirs and one of ours; empty: ours are called like theirs.
    group_map: tuple[tuple[str, str], ...]
    #: Their groups whose members are superusers here; empty: who is one is none of its business.
    admins: frozenset[str]
    #: Whether people whom nobody knows here get an account.
    create: bool
    #: Whether the provider has to say when it asked, where somebody is to show once more who they are.
    auth_time: bool


def oidc_settings(environ: Mapping[str, str]) -> OidcSettings | None:
    """Return what the environment says of single sign-on, None where it says nothing. Raises SettingsError."""
    given = {name: value for name in OIDC_VARIABLES if (value := environ.get(name, "").strip())}
    if not given:
        return None
    if missing := [name for name in NEEDED if name not in given]:
        raise SettingsError(
            f"{next(iter(given))} is set, but single sign-on needs {', '.join(missing)}, too."
        )
    return OidcSettings(
        issuer=_issuer(given["ERRAND_OIDC_ISSUER"]),
        client_id=given["ERRAND_OIDC_CLIENT_ID"],
        client_secret=given["ERRAND_OIDC_CLIENT_SECRET"],
        name=given.get("ERRAND_OIDC_NAME", "single sign-on"),
        scopes=_scopes(given.get("ERRAND_OIDC_SCOPES", "openid profile email")),
        username_claim=given.get("ERRAND_OIDC_USERNAME", "preferred_username"),
        groups_claim=given.get("ERRAND_OIDC_GROUPS", "groups"),
        group_map=tuple(_pair(pair) for pair in _listed(given.get("ERRAND_OIDC_GROUP_MAP", ""))),
        admins=frozenset(_listed(given.get("ERRAND_OIDC_ADMINS", ""))),
        create=flag(environ, "ERRAND_OIDC_CREATE") is not False,
        auth_time=flag(environ, "ERRAND_OIDC_AUTH_TIME") is True,
    )


def passwords_allowed(environ: Mapping[str, str], oidc: OidcSettings | None) -> bool:
    """Tell whether people may sign in with a password. Raises SettingsError where they could not sign in at all."""
    allowed = flag(environ, "ERRAND_PASSWORDS") is not False
    if not allowed and oidc is None:
        raise SettingsError(
            f"ERRAND_PASSWORDS=0 leaves single sign-on alone to sign in with: set {', '.join(NEEDED)}, too."
        )
    return allowed


def is_safe_url(url: object) -> bool:
    """Tell whether nobody on the way can read or change what is said there."""
    try:
        parts = urlsplit(url if isinstance(url, str) else "")
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and host in LOOPBACK))


def _issuer(given: str) -> str:
    if not is_safe_url(given) or urlsplit(given).query or urlsplit(given).fragment:
        raise SettingsError(
            "ERRAND_OIDC_ISSUER is not the address of a provider. Write it like https://id.example.com/realms/ours; "
            "plain http:// is for this machine only."
        )
    if len(given) > LONGEST_ISSUER:
        raise SettingsError(f"ERRAND_OIDC_ISSUER is longer than {LONGEST_ISSUER} characters.")
    return given.rstrip("/")


def _scopes(given: str) -> str:
    scopes = given.replace(",", " ").split()
    if "openid" not in scopes:
        raise SettingsError(
            "ERRAND_OIDC_SCOPES has to name openid: without it the provider says nothing of people."
        )
    return " ".join(scopes)


def _listed(given: str) -> list[str]:
    return [part for each in given.split(",") if (part := each.strip())]


def _pair(given: str) -> tuple[str, str]:
    # From the right: their names may be paths of a directory, with equals signs of their own.
    theirs, _, ours = (part.strip() for part in given.rpartition("="))
    if not theirs or not ours:
        raise SettingsError(
            f"ERRAND_OIDC_GROUP_MAP has {given!r}; write their-group=Our group, with commas between."
        )
    return theirs, ours
