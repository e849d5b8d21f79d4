"""The configuration files of Bots Scheduler, smtp.ini and db.ini: a section is a profile."""

from collections.abc import Mapping
from configparser import ConfigParser, Error
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from store.settings import SettingsError

#: What a port says about how mail is sent, where the profile does not.
_SECURITY = {"25": "unencrypted", "465": "ssl", "587": "starttls"}

_DBMS = {"sqlite": "sqlite", "postgres": "postgresql", "postgresql": "postgresql"}


@dataclass(frozen=True, slots=True)
class MailProfile:
    """By which server mail is sent, from whom and to whom."""

    name: str
    host: str
    #: With name and password.
    url: str = field(repr=False)
    sender: str
    receivers: list[str]


def mail_settings(path: Path, profile: str | None) -> dict[str, str]:
    """Return the variables that have mail sent as a profile, by default the first one, says. Raises SettingsError."""
    found = mail_profile(path, profile)
    return {"ERRAND_SMTP_URL": found.url, "ERRAND_MAIL_FROM": found.sender}


def mail_profile(path: Path, profile: str | None) -> MailProfile:
    """Read a profile, by default the first one. Raises SettingsError."""
    name, facts = _profile(path, profile)
    for needed in ("hostname", "port", "from", "to"):
        if not facts.get(needed):
            raise SettingsError(f"{path}: the profile {name} has no {needed}.")
    security = (facts.get("security") or _SECURITY.get(facts["port"], "unencrypted")).lower()
    if security not in ("unencrypted", "ssl", "starttls"):
        raise SettingsError(f"{path}: security of {name} is unencrypted, ssl or starttls, not {security}.")
    scheme = "smtps" if security == "ssl" else "smtp"
    place = f"{facts['hostname']}:{facts['port']}"
    more = "?starttls=1" if security == "starttls" else ""
    url = f"{scheme}://{_login(facts)}{place}{more}"
    receivers = facts["to"].replace(",", " ").replace(";", " ").split()
    return MailProfile(name, facts["hostname"], url, facts["from"], receivers)


def database_url(path: Path, profile: str) -> str:
    """Return the URL of the database that a profile names. Raises SettingsError."""
    name, facts = _profile(path, profile)
    dbms = _DBMS.get((facts.get("dbms") or name).lower())
    if dbms is None:
        raise SettingsError(
            f"{path}: Errand works on PostgreSQL and SQLite, and the profile {name} is neither."
        )
    if dbms == "sqlite":
        file = Path(facts.get("file_path") or "").expanduser()
        if not file.name:
            raise SettingsError(f"{path}: the profile {name} has no file_path.")
        return f"sqlite:///{(file if file.is_absolute() else Path.cwd() / file).resolve()}"
    if not facts.get("database"):
        raise SettingsError(f"{path}: the profile {name} has no database.")
    port = f":{facts['port']}" if facts.get("port") else ""
    mode = f"?sslmode={quote(facts['sslmode'], safe='')}" if facts.get("sslmode") else ""
    place = f"{facts.get('hostname') or 'localhost'}{port}/{quote(facts['database'], safe='')}"
    return f"postgresql://{_login(facts)}{place}{mode}"


def _login(facts: Mapping[str, str]) -> str:
    if not facts.get("user"):
        return ""
    password = f":{quote(facts['password'], safe='')}" if facts.get("password") else ""
    return f"{quote(facts['user'], safe='')}{password}@"


def _profile(path: Path, name: str | None) -> tuple[str, Mapping[str, str]]:
    parser = ConfigParser(interpolation=None)
    try:
        parser.read_string(path.read_text("utf-8"))
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}.") from error
    except (Error, UnicodeDecodeError):
        # What it says may hold a password.
        raise SettingsError(f"{path} is no file of sections with name = value.") from None
    names = parser.sections()
    chosen = name or (names[0] if names else "")
    if chosen not in names:
        raise SettingsError(
            f"{path} has no profile {chosen or 'at all'}; it has: {', '.join(names) or 'none'}."
        )
    return chosen, dict(parser[chosen])
