"""Settings of one instance: from the environment, from the instance folder, else defaults."""

import hashlib
import json
import os
import re
import secrets
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from store.git_rules import ALLOWANCES
from store.given import SettingsError as SettingsError
from store.given import flag, take_from_files
from store.limit_settings import LIMIT_VARIABLES, LimitSettings, limit_settings
from store.ndscheduler_settings import (
    NDSCHEDULER_VARIABLES,
    NdschedulerSettings,
    ndscheduler_settings,
)
from store.notice_settings import NOTICE_VARIABLES, NoticeSettings, notice_settings
from store.oidc_settings import OIDC_VARIABLES, OidcSettings, oidc_settings, passwords_allowed
from store.slack_settings import SLACK_VARIABLES, SlackSettings, passed_to_jobs, slack_settings
from store.timing.zones import BadZone, zone_named

PROJECT_ROOT = Path(__file__).resolve().parent.parent

#: A Unix socket's path may have at most 107 bytes; clients fail on longer ones with an unclear error.
LONGEST_SOCKET_PATH = 100

#: Where a socket goes whose own folder will not do. Not TMPDIR: every shell must find the same one.
SHORT_FOLDER = Path("/tmp")  # noqa: S108

#: What a socket's path may hold: other characters mean something in a URL, or in the server's own answers.
PLAIN_PATH = re.compile(r"[A-Za-z0-9_./+-]+")

#: The variables that configure a process; `environment` hands them on to child processes.
VARIABLES = (
    "DATABASE_URL",
    "DATA_DATABASE_URL",
    "REDIS_URL",
    "SECRET_KEY",
    "WORKER_KEY",
    "JOBS_ROOT",
    "ERRAND_PLUGINS",
    "ERRAND_JOBSCHLEUDER",
    "ERRAND_HTTPS",
    "ERRAND_JOBS_FROM",
    "ERRAND_FILES_URL",
    "ERRAND_UPLOAD_MB",
    "ERRAND_CREATED_FILE_MB",
    "ERRAND_DATA_FILES",
    "ERRAND_DATA_FILE_MB",
    "ERRAND_REDACTION",
    "ERRAND_SECRETS",
    "ERRAND_SEALED_DAYS",
    "ERRAND_KEEP_DAYS",
    "ERRAND_KEEP_FAILED_DAYS",
    "ERRAND_METRICS_TOKEN",
    "ERRAND_LOG",
    "ERRAND_API_RATE",
    "ERRAND_DEBUG",
    "ERRAND_TIME_ZONE",
    "ERRAND_PASSWORDS",
    "ERRAND_GIT_ALLOW",
    "ERRAND_IMAGE_HOSTS",
    "ERRAND_HOSTS",
    "ERRAND_PROXIES",
    *LIMIT_VARIABLES,
    *OIDC_VARIABLES,
    *NOTICE_VARIABLES,
    *NDSCHEDULER_VARIABLES,
    *SLACK_VARIABLES,
)

MEGABYTE = 1024 * 1024

SHORTEST_METRICS_TOKEN = 16
#: Characters; with fewer, what it signs could be guessed.
SHORTEST_SECRET_KEY = 16

_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]{0,250}[a-z0-9])?(:[0-9]{1,5})?")


@dataclass(frozen=True, slots=True)
class Settings:
    #: The folder of everything that is not code.
    instance: Path
    # Never part of the representation, which tracebacks and logs may show: what opens the portal.
    database_url: str = field(repr=False)
    data_database_url: str = field(repr=False)
    redis_url: str = field(repr=False)
    secret_key: str = field(repr=False)
    jobs_roots: tuple[Path, ...]
    #: Module names of the trusted plugin packages.
    plugins: tuple[str, ...]
    #: True: served behind TLS; False: plain HTTP was asked for; None: nobody said.
    https: bool | None
    #: True while no REDIS_URL is given: `./errand up` then starts a server of its own.
    embedded_redis: bool
    #: True: runs take their job files from the snapshot of the last refresh, whatever lies in `jobs_roots`.
    jobs_from_database: bool = False
    #: The jobschleuder.yaml for jobs folders that have none in or above them; None: there is none.
    schleuder_config: Path | None = None
    #: An fsspec URL for uploads and created files; empty: the PLATFORM database keeps them.
    files_url: str = field(default="", repr=False)
    #: The largest file that a run may be given, and the largest that it may make.
    upload_bytes: int = 100 * MEGABYTE
    created_file_bytes: int = 10 * MEGABYTE
    #: The folder in which data files lie (see store.data_files), and the largest one.
    data_files: Path = Path("data-files")
    data_file_bytes: int = 10 * MEGABYTE
    #: Rules that take credentials out of what runs say (see worker.redaction); None: the default ones.
    redaction_file: Path | None = None
    #: Files, or folders of files, that hold values which no run may tell (see worker.known_secrets).
    secrets_paths: tuple[Path, ...] = ()
    #: How many days sealed inputs are kept for another run; 0: until the run ends.
    sealed_days: int = 30
    #: How many days results are kept, and those that failed or errored; 0: for good (see worker.retention).
    keep_days: int = 0
    keep_failed_days: int = 0
    #: Who sends it may read /metrics; empty: only people and their tokens may.
    metrics_token: str = field(default="", repr=False)
    #: Whether our own processes log as JSON.
    log_json: bool = False
    #: Requests of the API that one token may make in a minute; 0: any number.
    api_rate: int = 30_000
    #: In which schedules are made unless somebody says otherwise; an IANA name.
    time_zone: str = "UTC"
    #: For those who write jobs: everybody may have their runs profiled, and forms offer it.
    debug: bool = False
    #: Where people sign in by themselves; None: nowhere but here.
    oidc: OidcSettings | None = None
    #: Whether they may sign in with a password.
    passwords: bool = True
    #: What git repositories may be besides https and ssh (see store.git_rules).
    git_allow: tuple[str, ...] = ()
    #: Whose images reports may show, by https: names of hosts.
    image_hosts: tuple[str, ...] = ()
    #: By which names the portal may be asked for; without any, by every name.
    hosts: tuple[str, ...] = ()
    #: How many proxies stand before the web server, whose word on address, scheme, host and prefix is taken.
    proxies: int = 0
    #: How much of it one person may take.
    limits: LimitSettings = field(default_factory=LimitSettings)
    #: How messages leave the portal.
    notices: NoticeSettings = field(default_factory=NoticeSettings)
    #: How schedules are made that come by the API of ndscheduler.
    ndscheduler: NdschedulerSettings = field(default_factory=NdschedulerSettings)
    #: How the portal speaks with Slack.
    slack: SlackSettings = field(default_factory=SlackSettings)


def load_settings(
    instance: Path | str | None = None, environ: Mapping[str, str] | None = None, *, create: bool = True
) -> Settings:
    """Read the settings of the instance at `instance` (else $ERRAND_INSTANCE, else ./instance).

    Makes the folder, and in it the secret key, on first use; without `create` it must be there.
    Raises SettingsError.
    """
    if environ is None:
        take_from_files(os.environ, VARIABLES)
        environ = os.environ
    folder = Path(instance or environ.get("ERRAND_INSTANCE") or PROJECT_ROOT / "instance").expanduser()
    folder = folder.absolute()
    if create:
        _make_folder(folder)
    elif not folder.is_dir():
        raise SettingsError(
            f"There is no instance at {folder}. `./errand up` makes one; --instance names another."
        )
    kept = remembered(folder)
    oidc = oidc_settings(environ)
    database_url = _database_url(environ, "DATABASE_URL", f"sqlite:///{folder / 'errand.db'}")
    return Settings(
        instance=folder,
        database_url=database_url,
        data_database_url=_data_database_url(environ, database_url, folder),
        redis_url=_redis_url(environ, f"unix://{redis_socket(folder)}"),
        secret_key=_secret_key(environ) or _own_secret_key(folder),
        jobs_roots=jobs_roots(environ, kept),
        plugins=plugin_names(environ, kept),
        schleuder_config=_schleuder_config(environ, kept),
        https=flag(environ, "ERRAND_HTTPS"),
        embedded_redis=not environ.get("REDIS_URL"),
        jobs_from_database=_jobs_from_database(environ),
        files_url=_files_url(environ),
        upload_bytes=_megabytes(environ, "ERRAND_UPLOAD_MB", 100),
        created_file_bytes=_megabytes(environ, "ERRAND_CREATED_FILE_MB", 10),
        data_files=_data_files(environ, folder),
        data_file_bytes=_megabytes(environ, "ERRAND_DATA_FILE_MB", 10),
        redaction_file=_redaction_file(environ),
        secrets_paths=_paths(environ, "ERRAND_SECRETS"),
        sealed_days=_days(environ, "ERRAND_SEALED_DAYS", 30),
        keep_days=_days(environ, "ERRAND_KEEP_DAYS", 0),
        keep_failed_days=_days(environ, "ERRAND_KEEP_FAILED_DAYS", _days(environ, "ERRAND_KEEP_DAYS", 0)),
        metrics_token=_metrics_token(environ),
        log_json=_log_json(environ),
        api_rate=_rate(environ, "ERRAND_API_RATE", 30_000),
        debug=flag(environ, "ERRAND_DEBUG") or False,
        time_zone=_time_zone(environ),
        oidc=oidc,
        passwords=passwords_allowed(environ, oidc),
        git_allow=_git_allow(environ),
        image_hosts=_hosts(environ, "ERRAND_IMAGE_HOSTS", "images.example.org"),
        hosts=_hosts(environ, "ERRAND_HOSTS", "errand.example.com"),
        proxies=_proxies(environ),
        limits=limit_settings(environ),
        notices=notice_settings(environ),
        ndscheduler=ndscheduler_settings(environ, _time_zone(environ)),
        slack=slack_settings(environ),
    )


def environment(settings: Settings) -> dict[str, str]:
    """Return the variables that give a child process these settings, and no other."""
    given = {name: os.environ[name] for name in VARIABLES if os.environ.get(name)}
    return {**given, "ERRAND_INSTANCE": str(settings.instance)}


def environment_of_jobs() -> dict[str, str]:
    """Return the environment for processes that run job files: ours without what configures, or opens, the portal."""
    # The token is of whoever called a command, and opens a portal, this one or another.
    ours = {*VARIABLES, "ERRAND_INSTANCE", "ERRAND_TOKEN"}.difference(passed_to_jobs(os.environ))
    kept = {name: value for name, value in os.environ.items() if name not in ours}
    path = os.pathsep.join([str(PROJECT_ROOT), *filter(None, [kept.get("PYTHONPATH")])])
    return {**kept, "PYTHONPATH": path}


def remember(instance: Path, **values: Any) -> None:
    """Keep `values` (JSON) in the instance folder, for every later command on it."""
    path = instance / "settings.json"
    write_privately(path, json.dumps({**remembered(instance), **values}, indent=2) + "\n")


def redis_socket(instance: Path) -> Path:
    """Return where the embedded Redis of this instance listens: the same for every process that asks."""
    inside = instance / "redis" / "redis.sock"
    # The server names the socket in CLIENT INFO, where redis-py, and so an RQ worker, stumbles over a space.
    if len(os.fsencode(inside)) <= LONGEST_SOCKET_PATH and PLAIN_PATH.fullmatch(str(inside)):
        return inside
    digest = hashlib.sha256(os.fsencode(instance)).hexdigest()[:16]
    return SHORT_FOLDER / f"errand-{os.getuid()}-{digest}" / "redis.sock"


def _make_folder(folder: Path) -> None:
    try:
        # Password hashes live in here: nobody else on the machine may look.
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(
            f"The instance folder {folder} cannot be made: {error.strerror}. Choose another with --instance."
        ) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise SettingsError(f"The instance folder {folder} is not writable. Choose another with --instance.")


def remembered(instance: Path) -> dict[str, Any]:
    """Return what `remember` has kept."""
    path = instance / "settings.json"
    try:
        values = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path} cannot be read: {error}.") from error
    if not isinstance(values, dict):
        raise SettingsError(f"{path} must hold a JSON object.")
    return values


def _database_url(environ: Mapping[str, str], name: str, default: str) -> str:
    given = environ.get(name)
    if not given:
        return default
    try:
        url = make_url(given)
    except (ArgumentError, ValueError):
        # Not `from error`: what could not be parsed may be part of a password.
        raise SettingsError(
            f"{name} is not a database URL. Write it like postgresql://user:password@host/database, "
            "with the password percent-encoded."
        ) from None
    if url.get_backend_name() in ("postgresql", "postgres"):
        url = url.set(drivername="postgresql+psycopg")
    elif url.get_backend_name() != "sqlite":
        raise SettingsError(
            f"{name} names {url.get_backend_name()!r}; Errand works on PostgreSQL and SQLite."
        )
    return url.render_as_string(hide_password=False)


def _data_database_url(environ: Mapping[str, str], database_url: str, folder: Path) -> str:
    """Fall back to a schema of its own on the platform's server, or to a file of its own."""
    platform = make_url(database_url)
    default = f"sqlite:///{folder / 'data.db'}"
    if platform.get_backend_name() == "postgresql":
        options = f"{platform.query.get('options', '')} -csearch_path=errand_data".strip()
        with_schema = platform.update_query_dict({"options": options})
        default = with_schema.render_as_string(hide_password=False)
    url = _database_url(environ, "DATA_DATABASE_URL", default)
    if url == database_url:
        raise SettingsError(
            "DATA_DATABASE_URL is the same as DATABASE_URL: give objects a database or a schema of their own."
        )
    return url


def _redis_url(environ: Mapping[str, str], default: str) -> str:
    given = environ.get("REDIS_URL")
    if not given:
        return default
    try:
        parts = urlsplit(given)
        usable = parts.scheme in ("redis", "rediss", "unix") and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable:
        raise SettingsError(
            "REDIS_URL is not a Redis URL. Write it like redis://user:password@host:6379/0, rediss:// for TLS, "
            "with the password percent-encoded."
        )
    return given


def _files_url(environ: Mapping[str, str]) -> str:
    given = environ.get("ERRAND_FILES_URL", "").strip()
    if given and "://" not in given:
        raise SettingsError(
            "ERRAND_FILES_URL is not a URL. Write it like s3://bucket/folder or file:///srv/errand/files."
        )
    return given


def _megabytes(environ: Mapping[str, str], name: str, default: int) -> int:
    given = environ.get(name, "").strip()
    if not given:
        return default * MEGABYTE
    if not re.fullmatch(r"[1-9][0-9]{0,5}", given):
        raise SettingsError(f"{name} is {given!r}; write a whole number of megabytes, such as {default}.")
    return int(given) * MEGABYTE


def _days(environ: Mapping[str, str], name: str, default: int) -> int:
    given = environ.get(name, "").strip() or str(default)
    if not re.fullmatch(r"[0-9]{1,5}", given):
        raise SettingsError(f"{name} is {given!r}; write a whole number of days, such as {default}.")
    return int(given)


def _log_json(environ: Mapping[str, str]) -> bool:
    given = environ.get("ERRAND_LOG", "").strip().lower()
    if given not in ("", "text", "json"):
        raise SettingsError(f"ERRAND_LOG is {given!r}; write text or json.")
    return given == "json"


def _metrics_token(environ: Mapping[str, str]) -> str:
    given = environ.get("ERRAND_METRICS_TOKEN", "").strip()
    if given and (len(given) < SHORTEST_METRICS_TOKEN or not given.isascii() or not given.isprintable()):
        raise SettingsError(
            f"ERRAND_METRICS_TOKEN needs at least {SHORTEST_METRICS_TOKEN} characters, of ASCII alone."
        )
    return given


def _rate(environ: Mapping[str, str], name: str, default: int) -> int:
    given = environ.get(name, "").strip() or str(default)
    if not re.fullmatch(r"[0-9]{1,7}", given):
        raise SettingsError(f"{name} is {given!r}; write how many in a minute, such as {default}, or 0.")
    return int(given)


def _time_zone(environ: Mapping[str, str]) -> str:
    name = environ.get("ERRAND_TIME_ZONE", "").strip() or "UTC"
    try:
        return zone_named(name).key
    except BadZone as error:
        raise SettingsError(f"ERRAND_TIME_ZONE: {error}") from error


def _paths(environ: Mapping[str, str], name: str) -> tuple[Path, ...]:
    parts = filter(None, environ.get(name, "").split(os.pathsep))
    return tuple(Path(part).expanduser().absolute() for part in parts)


def _data_files(environ: Mapping[str, str], folder: Path) -> Path:
    given = environ.get("ERRAND_DATA_FILES", "").strip()
    return Path(given).expanduser().absolute() if given else folder / "data-files"


def _redaction_file(environ: Mapping[str, str]) -> Path | None:
    given = environ.get("ERRAND_REDACTION", "").strip()
    return Path(given).expanduser().absolute() if given else None


def _jobs_from_database(environ: Mapping[str, str]) -> bool:
    given = environ.get("ERRAND_JOBS_FROM", "").strip().lower()
    if given not in ("", "folders", "database"):
        raise SettingsError(f"ERRAND_JOBS_FROM is {given!r}; write folders or database.")
    return given == "database"


def _hosts(environ: Mapping[str, str], name: str, example: str) -> tuple[str, ...]:
    hosts = tuple(filter(None, environ.get(name, "").lower().replace(",", " ").split()))
    for host in hosts:
        if not _HOST.fullmatch(host):
            raise SettingsError(f"{name} has {host!r}; it takes hosts, such as {example}.")
    return hosts


def _proxies(environ: Mapping[str, str]) -> int:
    given = environ.get("ERRAND_PROXIES", "").strip() or "0"
    if not re.fullmatch(r"[0-9]", given):
        raise SettingsError(
            f"ERRAND_PROXIES is {given!r}; write how many proxies stand before the web server, such as 1."
        )
    return int(given)


def _git_allow(environ: Mapping[str, str]) -> tuple[str, ...]:
    words = tuple(filter(None, environ.get("ERRAND_GIT_ALLOW", "").replace(",", " ").split()))
    if unknown := [word for word in words if word not in ALLOWANCES]:
        raise SettingsError(f"ERRAND_GIT_ALLOW has {unknown[0]!r}; it may have {', '.join(ALLOWANCES)}.")
    return words


def _secret_key(environ: Mapping[str, str]) -> str:
    given = environ.get("SECRET_KEY", "")
    if given and len(given) < SHORTEST_SECRET_KEY:
        raise SettingsError(
            f"SECRET_KEY is too short: give at least {SHORTEST_SECRET_KEY} characters that nobody guesses, or none."
        )
    return given


def _own_secret_key(folder: Path) -> str:
    path = folder / "secret_key"
    try:
        # Where there is one, the folder need not be writable: commands that only read work there, too.
        if not path.exists():
            # "x": two processes that start at once agree on the key of whichever came first.
            write_privately(path, secrets.token_urlsafe(48), exclusive=True)
    except FileExistsError:
        pass
    except OSError as error:
        raise SettingsError(f"The secret key cannot be kept in {path}: {error.strerror}.") from error
    try:
        key = path.read_text("utf-8").strip()
    except OSError as error:
        raise SettingsError(
            f"The secret key in {path} cannot be read: {error.strerror}. Do this as the user whose file it is."
        ) from error
    if len(key) < SHORTEST_SECRET_KEY:
        raise SettingsError(f"The secret key in {path} is too short. Remove the file to have a new one made.")
    return key


def write_privately(path: Path, text: str, *, exclusive: bool = False) -> None:
    """Write a whole file, readable by its owner only, or none: others never see half of it."""
    path = path.resolve()  # What a link names is written, not the link.
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if os.geteuid() == 0:
            # An administrator does it for whoever the portal runs as.
            owner = path.parent.stat()
            os.chown(temporary, owner.st_uid, owner.st_gid)
        if exclusive:
            os.link(temporary, path)
        else:
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def jobs_roots(environ: Mapping[str, str], remembered: Mapping[str, Any]) -> tuple[Path, ...]:
    """Return the folders of job files: those in the environment, else those that the instance remembers."""
    given = [part for part in environ.get("JOBS_ROOT", "").split(os.pathsep) if part]
    folders = given or remembered.get("jobs_roots") or [str(PROJECT_ROOT / "jobs" / "local")]
    return tuple(Path(folder).expanduser().absolute() for folder in folders)


def _schleuder_config(environ: Mapping[str, str], remembered: Mapping[str, Any]) -> Path | None:
    given = environ.get("ERRAND_JOBSCHLEUDER", "").strip() or remembered.get("schleuder_config")
    return Path(given).expanduser().absolute() if given else None


def plugin_names(environ: Mapping[str, str], remembered: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the plugin packages, likewise."""
    if "ERRAND_PLUGINS" in environ:
        return tuple(name.strip() for name in environ["ERRAND_PLUGINS"].split(",") if name.strip())
    return tuple(remembered.get("plugins") or ())
