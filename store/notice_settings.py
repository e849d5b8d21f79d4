"""How messages leave the portal: mail, Slack and webhooks, as the environment says."""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from email.utils import parseaddr
from pathlib import Path
from typing import Literal
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from store.given import SettingsError
from store.slack_settings import SLACK_API, slack_settings

NOTICE_VARIABLES = (
    "ERRAND_URL",
    "ERRAND_SMTP_URL",
    "ERRAND_MAIL_FROM",
    "ERRAND_SLACK_TOKEN",
    "ERRAND_WEBHOOK_HOSTS",
)

LOOPBACK = ("localhost", "127.0.0.1", "::1")

LONGEST_MAIL = 254

_MAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,188}[A-Za-z0-9])?")
_OPTIONS = {"starttls", "ca"}

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class SmtpSettings:
    host: str
    port: int
    #: "tls" from the first byte, "starttls", or "none".
    security: Literal["tls", "starttls", "none"]
    sender: str
    user: str = ""
    password: str = field(default="", repr=False)
    #: A file of certificates to trust in place of the system's.
    ca: Path | None = None
    #: The very address to go to, where the host was looked up before.
    address: str = ""


@dataclass(frozen=True, slots=True)
class NoticeSettings:
    #: The portal's address for links, without a slash at its end; empty: messages have none.
    url: str = ""
    mail: SmtpSettings | None = None
    slack_token: str = field(default="", repr=False)
    slack_api: str = SLACK_API
    #: Whether clicks on what is posted with that token come back to this portal.
    slack_buttons: bool = False
    #: Where webhooks may go although it is not on the open internet: names, and networks.
    open_names: frozenset[str] = frozenset()
    open_networks: tuple[Network, ...] = ()


def notice_settings(environ: Mapping[str, str]) -> NoticeSettings:
    """Read them. Raises SettingsError."""
    names, networks = _open_hosts(environ.get("ERRAND_WEBHOOK_HOSTS", ""))
    slack = slack_settings(environ)
    token = environ.get("ERRAND_SLACK_TOKEN", "").strip() or slack.bot_token
    return NoticeSettings(
        url=_public_url(environ.get("ERRAND_URL", "").strip()),
        mail=_smtp(environ),
        slack_token=token,
        slack_api=slack.api_url,
        slack_buttons=token == slack.bot_token and slack.hears,
        open_names=names,
        open_networks=networks,
    )


def is_mail(text: str) -> bool:
    """Tell whether a text can be the address of a person, and nothing but that."""
    return len(text) <= LONGEST_MAIL and _MAIL.fullmatch(text) is not None


def is_sender(text: str) -> bool:
    """Tell whether mail can come from a text: an address, or a name with one."""
    return is_mail(parseaddr(text)[1]) and text.isprintable()


def _public_url(given: str) -> str:
    if not given:
        return ""
    parts = _split(given)
    if parts is None or parts.scheme not in ("http", "https") or parts.query or parts.fragment:
        raise SettingsError(
            "ERRAND_URL is not the portal's address. Write it like https://errand.example.com."
        )
    return given.rstrip("/")


def _smtp(environ: Mapping[str, str]) -> SmtpSettings | None:
    given = environ.get("ERRAND_SMTP_URL", "").strip()
    return replace(smtp_settings(given, ""), sender=_sender(environ)) if given else None


def smtp_settings(given: str, sender: str, name: str = "ERRAND_SMTP_URL") -> SmtpSettings:
    """Read the URL of a mail server, which sentences call `name`. Raises SettingsError."""
    parts = _split(given)
    # A password that was not percent-encoded makes another URL of it.
    if (
        parts is None
        or parts.scheme not in ("smtp", "smtps")
        or parts.path not in ("", "/")
        or parts.fragment
    ):
        raise SettingsError(
            f"{name} is not the URL of a mail server. Write it like "
            "smtp://user:password@mail.example.com:587?starttls=1 or smtps://…, with the password percent-encoded."
        )
    options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    if set(options) - _OPTIONS:
        # Not by its name: that may be a part of a password.
        raise SettingsError(f"{name} has an option that there is not; there are starttls and ca.")
    security = _security(parts, options)
    host, password = str(parts.hostname), unquote(parts.password or "")
    if password and security == "none" and host not in LOOPBACK:
        raise SettingsError(
            f"{name} would send the password for everybody to read: add ?starttls=1, or write smtps://."
        )
    default = {"tls": 465, "starttls": 587, "none": 25}[security]
    ca = Path(options["ca"]).expanduser().absolute() if "ca" in options else None
    return SmtpSettings(
        host, parts.port or default, security, sender, unquote(parts.username or ""), password, ca
    )


def _security(parts: SplitResult, options: Mapping[str, str]) -> Literal["tls", "starttls", "none"]:
    if parts.scheme == "smtps":
        return "tls"
    return "starttls" if options.get("starttls", "0") not in ("0", "false", "no") else "none"


def _sender(environ: Mapping[str, str]) -> str:
    given = environ.get("ERRAND_MAIL_FROM", "").strip()
    if not is_sender(given):
        raise SettingsError(
            "ERRAND_MAIL_FROM is whom mail comes from, and has to be set with ERRAND_SMTP_URL: "
            "errand@example.com, or Errand <errand@example.com>."
        )
    return given


def _open_hosts(given: str) -> tuple[frozenset[str], tuple[Network, ...]]:
    names, networks = set(), []
    for part in given.replace(",", " ").split():
        try:
            networks.append(ipaddress.ip_network(part, strict=False))
        except ValueError:
            if "/" in part or ":" in part:
                raise SettingsError(
                    f"ERRAND_WEBHOOK_HOSTS has {part!r}; write names of hosts, or networks like 10.1.0.0/16."
                ) from None
            names.add(part.lower().rstrip("."))
    return frozenset(names), tuple(networks)


def _split(given: str) -> SplitResult | None:
    try:
        parts = urlsplit(given)
        usable = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return None
    return parts if usable else None
