"""`./errand bots-scheduler`: the options of Bots Scheduler, mapped on what Errand has."""

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from webapp.cli import clear_settings, instance_option

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from store.settings import Settings
    from webapp.bots.config_files import MailProfile

#: Options that say how Bots Scheduler keeps or does something, and the sentence on what becomes of it here.
UNMAPPED = {
    "executions_table": "tables are called as Errand calls them",
    "jobs_table": "tables are called as Errand calls them",
    "files_table": "tables are called as Errand calls them",
    "logs_table": "tables are called as Errand calls them",
    "no_venv_cache": "Errand's environment is made by ./errand from requirements.lock",
}

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.group("bots-scheduler")
def bots_scheduler() -> None:
    """Run Errand with the options of Bots Scheduler (see docs/bots-scheduler.md)."""


@bots_scheduler.command()
@click.option("--debug", is_flag=True, help="Let everybody have their runs profiled.")
@click.option(
    "--jobs",
    "-j",
    "jobs_folders",
    multiple=True,
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False, resolve_path=True, path_type=Path),
    help="A folder of jobs besides jobs/local; may be given again.",
)
@click.option(
    "--data-dir", "-d", type=click.Path(file_okay=False, path_type=Path), help="The folder of data files."
)
@click.option("--local", "-l", is_flag=True, help="Listen on 127.0.0.1 only, without TLS.")
@click.option("--port", "-p", default=8888, show_default=True, type=click.IntRange(1, 65535))
@click.option(
    "--smtp-config", type=_FILE, help="The file of SMTP profiles.  [default: conf/smtp.ini, if it is there]"
)
@click.option(
    "--smtp-profile",
    multiple=True,
    metavar="NAME",
    help="A profile to mail what jobs report by; may be given again. The first one is the portal's mail server, too.",
)
@click.option("--db-config", type=_FILE, help="The file of database profiles.")
@click.option("--db-profile", default="sqlite", show_default=True, metavar="NAME")
@click.option("--executions-table", metavar="NAME", hidden=True)
@click.option("--jobs-table", metavar="NAME", hidden=True)
@click.option("--files-table", metavar="NAME", hidden=True)
@click.option("--logs-table", metavar="NAME", hidden=True)
@click.option(
    "--job-coalesce", is_flag=True, help="As there, this turns off that one run stands for all missed."
)
@click.option(
    "--coalesce/--no-coalesce", default=None, help="Whether one run stands for all that were missed."
)
@click.option(
    "--job-max-instances", type=click.IntRange(1), help="How many runs of a schedule may go on at once."
)
@click.option(
    "--job-misfire", type=click.IntRange(0), metavar="SECONDS", help="How late a missed run may be."
)
@click.option(
    "--threadpool-size", default=2, show_default=True, type=click.IntRange(1), help="How many workers."
)
@click.option(
    "--max-workers", default=8, show_default=True, type=click.IntRange(1), help="At most so many of them."
)
@click.option("--timezone", metavar="ZONE", help="Of schedules that are made by the API.  [default: UTC]")
@click.option("--certificate", type=_FILE, help="A PEM file with the certificate and its key: serve by TLS.")
@click.option("--htpasswd", type=_FILE, help="Users and their passwords, hashed with bcrypt.")
@click.option("--no-venv-cache", "-c", is_flag=True, hidden=True)
@instance_option
def run(instance: Path | None, **given: Any) -> None:
    """Run everything: web, workers, scheduler, and where none is given Redis.

    New jobs are enabled. What Errand has no use for is said on standard error.
    """
    from store.settings import load_settings
    from webapp.cli.up import configured, locked, run_all

    with clear_settings():
        for name, sentence in UNMAPPED.items():
            if given[name]:
                click.echo(f"--{name.replace('_', '-')} has no effect: {sentence}.", err=True)
        os.environ.update(environment_of(given))
        settings = load_settings(instance)
        host = "127.0.0.1" if given["local"] else "0.0.0.0"  # noqa: S104
        _check(settings, host, given)
        with locked(settings.instance):
            settings = configured(settings, demo=False, jobs_folders=_folders(given["jobs_folders"]))
            _keep(settings, given["htpasswd"], _profiles(given))
            tls = given["certificate"] is not None and not given["local"]
            https = settings.https if settings.https is not None else False
            run_all(
                replace(settings, https=https),
                host=host,
                port=given["port"],
                workers=min(given["threadpool_size"], given["max_workers"]),
                demo=False,
                enable_new=True,
                tls=tls,
            )


def _check(settings: "Settings", host: str, given: Mapping[str, Any]) -> None:
    from webapp.cli.processes import check_host
    from webapp.cli.up import check_port

    check_host(host, settings.https)
    check_port(host, given["port"])


def environment_of(given: Mapping[str, Any]) -> dict[str, str]:
    """Return the variables that options stand for. Raises SettingsError."""
    from webapp.bots.config_files import database_url, mail_settings

    made: dict[str, str] = {}
    if given["debug"]:
        made["ERRAND_DEBUG"] = "1"
    if given["data_dir"] is not None:
        made["ERRAND_DATA_FILES"] = str(given["data_dir"].absolute())
    made |= _of_schedules(given)
    if given["db_config"] is not None:
        made["DATABASE_URL"] = database_url(given["db_config"], given["db_profile"])
    smtp = _smtp_file(given)
    if given["smtp_config"] is not None or given["smtp_profile"] or smtp.is_file():
        made |= mail_settings(smtp, next(iter(given["smtp_profile"]), None))
        # Whoever runs the portal has named these servers, so they may be inside.
        hosts = [profile.host for profile in _profiles(given)[1:]]
        if hosts:
            known = os.environ.get("ERRAND_WEBHOOK_HOSTS", "").replace(",", " ").split()
            made["ERRAND_WEBHOOK_HOSTS"] = " ".join(dict.fromkeys([*known, *hosts]))
    return made | _of_tls(given)


def _smtp_file(given: Mapping[str, Any]) -> Path:
    return given["smtp_config"] or Path("conf/smtp.ini")


def _profiles(given: Mapping[str, Any]) -> "list[MailProfile]":
    """Return the profiles that were named. Raises SettingsError."""
    from webapp.bots.config_files import mail_profile

    return [mail_profile(_smtp_file(given), name) for name in dict.fromkeys(given["smtp_profile"])]


def _of_schedules(given: Mapping[str, Any]) -> dict[str, str]:
    coalesce = given["coalesce"] if given["coalesce"] is not None else not given["job_coalesce"]
    options = {
        "COALESCE": str(int(coalesce)),
        "MAX_INSTANCES": given["job_max_instances"],
        "MISFIRE": given["job_misfire"],
        "TIMEZONE": given["timezone"],
    }
    return {f"ERRAND_NDSCHEDULER_{name}": str(value) for name, value in options.items() if value is not None}


def _of_tls(given: Mapping[str, Any]) -> dict[str, str]:
    if given["local"]:
        if given["certificate"] is not None:
            click.echo("--certificate has no effect with --local.", err=True)
        return {"ERRAND_HTTPS": "0"}
    if given["certificate"] is None:
        return {}
    file = given["certificate"].absolute()
    if not file.is_file():
        raise click.UsageError(f"There is no certificate at {file}.")
    if any(each.isspace() or each in "'\"\\" for each in str(file)):
        raise click.UsageError(f"The path of a certificate must not have blanks or quotes: {file}.")
    arguments = f"{os.environ.get('GUNICORN_CMD_ARGS', '')} --certfile {file} --keyfile {file}"
    return {"ERRAND_HTTPS": "1", "GUNICORN_CMD_ARGS": arguments.strip()}


def _folders(given: tuple[Path, ...]) -> tuple[Path, ...]:
    from store.settings import PROJECT_ROOT

    return (PROJECT_ROOT / "jobs" / "local", *given) if given else ()


def _keep(settings: "Settings", path: Path | None, profiles: "list[MailProfile]") -> None:
    """Keep the users of an htpasswd file, and the profiles as channels."""
    from store.migrate import upgrade
    from store.platform import Platform
    from webapp.bots.htpasswd import keep_users

    if path is None and not profiles:
        return
    upgrade(settings)
    platform = Platform(settings.database_url)
    try:
        with platform.session() as db:
            sentences = keep_users(db, path) if path is not None else []
            for sentence in (*sentences, *_keep_channels(db, settings, profiles)):
                click.echo(sentence, err=True)
    except OSError as error:
        raise click.ClickException(f"{path} cannot be read: {error.strerror}.") from error
    finally:
        platform.dispose()


def _keep_channels(db: "Session", settings: "Settings", profiles: "list[MailProfile]") -> Iterator[str]:
    from webapp.bots.channels import keep_channels
    from webapp.cli.up import first_admin

    if not profiles:
        return
    owner = first_admin(db)
    if owner is None:
        yield "No profile mails anything yet: there is no superuser to answer for its channel."
        return
    yield from keep_channels(db, settings, profiles, owner)


# --- Beginning anew ---

_yes_option = click.option("--yes", "-y", is_flag=True, help="Do not ask.")
_data_option = click.option(
    "--data-dir", "-d", type=click.Path(file_okay=False, path_type=Path), help="The folder of data files."
)


@bots_scheduler.command()
@_yes_option
@_data_option
@instance_option
def clean(instance: Path | None, data_dir: Path | None, yes: bool) -> None:
    """Delete what was kept: the SQLite databases, and all data files."""
    _remove(instance, data_dir, yes=yes, more=())


@bots_scheduler.command()
@_yes_option
@_data_option
@instance_option
def reset(instance: Path | None, data_dir: Path | None, yes: bool) -> None:
    """Delete what was kept, and what the instance remembers of options. The environment in .venv stays."""
    _remove(instance, data_dir, yes=yes, more=("settings.json",))


def _remove(instance: Path | None, data_dir: Path | None, *, yes: bool, more: tuple[str, ...]) -> None:
    from store.settings import load_settings
    from webapp.cli.up import locked

    with clear_settings():
        settings = load_settings(instance, create=False)
        with locked(settings.instance):
            found = [path for path in _kept(settings, data_dir, more) if path.exists()]
            if not settings.database_url.startswith("sqlite"):
                click.echo("The database is on a server, and stays as it is.", err=True)
            if not found:
                click.echo("There is nothing to delete.", err=True)
                return
            for path in found:
                click.echo(path)
            if not yes and not (sys.stdin.isatty() and click.confirm("Delete all of this?", err=True)):
                raise click.ClickException("Nothing was deleted. With --yes it is done without asking.")
            for path in found:
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    click.echo(f"Deleted {len(found)} files and folders.", err=True)


def _kept(settings: "Settings", data_dir: Path | None, more: tuple[str, ...]) -> list[Path]:
    from sqlalchemy import make_url

    urls = map(make_url, (settings.database_url, settings.data_database_url))
    files = [Path(url.database) for url in urls if url.get_backend_name() == "sqlite" and url.database]
    beside = [file.with_name(file.name + end) for file in files for end in ("-wal", "-shm", "-journal")]
    folder = data_dir or Path(os.environ.get("ERRAND_DATA_FILES") or settings.instance / "data-files")
    inside = sorted(folder.iterdir()) if folder.is_dir() else []
    return [*files, *beside, *inside, *(settings.instance / name for name in more)]
