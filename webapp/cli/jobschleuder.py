"""`./errand jobschleuder`: the commands of jobschleuder, with the options that they have there."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from webapp.cli import with_settings

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from jobs.schleuder.config import Config
    from jobs.schleuder.registry import Registry
    from store.models import User
    from store.settings import Settings

#: Global options that have nothing to say here, and why.
UNMAPPED = {
    "loghandler": "logs go where each process writes them",
    "uuid": "every run has an id of its own",
    "debug_veritas": "veritas is not part of Errand",
}


@dataclass(frozen=True, slots=True)
class Given:
    """What was said before the command."""

    config: str
    username: str | None
    loglevel: str


@click.group("jobschleuder")
@click.option(
    "--loglevel",
    default="",
    metavar="LEVEL",
    help="What a single worker, or the scheduler, says: debug, info, ...",
)
@click.option("--loghandler", metavar="HANDLER", hidden=True)
@click.option("--uuid", metavar="UUID", hidden=True)
@click.option(
    "--config", default="", metavar="FILE", help="The config, if it is not found. It is remembered."
)
@click.option("--debug-veritas", is_flag=True, hidden=True)
@click.option(
    "--username",
    "-u",
    envvar="ERRAND_USER",
    metavar="NAME",
    help="As whom jobs run.  [default: ERRAND_USER, or the only superuser]",
)
def jobschleuder(loglevel: str, config: str, username: str | None, **unmapped: Any) -> None:
    """Do what the commands of jobschleuder do (see docs/jobschleuder.md)."""
    for name, reason in UNMAPPED.items():
        if unmapped[name]:
            click.echo(f"--{name.replace('_', '-')} has no effect: {reason}.", err=True)
    click.get_current_context().obj = Given(config, username, loglevel)
    if loglevel:
        _set_level(loglevel)


def _set_level(name: str) -> None:
    import logging

    level = logging.getLevelNamesMapping().get(name.upper())
    if level is None:
        raise click.BadParameter(f"{name!r} is no level: write debug, info, warning, error or critical.")
    # What comes later asks for another level, and does not get it.
    logging.basicConfig(level=level, format="%(message)s")


# --- registry -------------------------------------------------------------------------------------------------


@jobschleuder.command()
@click.option(
    "--import",
    "-i",
    "import_filename",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Import a file. All that was in the registry is gone then.",
)
@click.option("--show-jobs", "-sj", is_flag=True, help="Show all jobs.")
@click.option("--show-registry", "-sr", is_flag=True, help="Show the registry.")
@with_settings
def registry(
    settings: "Settings", import_filename: Path | None, show_jobs: bool, show_registry: bool
) -> None:
    """Import jobs, and show them and when they run."""
    _config(settings)
    with _opened(settings) as db:
        if import_filename is not None:
            _import(db, import_filename)
        if show_jobs:
            _show_jobs(db)
        if show_registry:
            _show_registry(db)
    _or_help(import_filename, show_jobs, show_registry)


def _import(db: "Session", file: Path) -> None:
    """Import a file whole, or leave the registry as it is."""
    from worker.schleuder import import_registry

    read = _read(file)
    for line, sentence in read.unheeded:
        click.echo(f"{file}, line {line}: {sentence}", err=True)
    import_registry(db, read)
    click.echo(
        f"Imported {len(read.entries)} jobs. They run on their schedules after: "
        "./errand jobschleuder scheduler --init",
        err=True,
    )
    for sentence in _unknown(db, read):
        click.echo(sentence, err=True)


def _read(file: Path) -> "Registry":
    from jobs.schleuder.registry import BadRegistry, read_registry
    from worker.schleuder import why_no_cron

    try:
        return read_registry(file.read_text("utf-8"), why_no_cron)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text in UTF-8"
        raise click.ClickException(f"{file} cannot be read: {reason}. Nothing was imported.") from error
    except BadRegistry as error:
        said = "\n".join(f"{file}, line {line}: {reason}" for line, reason in error.problems)
        raise click.ClickException(f"Nothing was imported.\n{said}") from error


def _unknown(db: "Session", read: "Registry") -> Iterator[str]:
    """Yield a sentence about each job that cannot be run as it is."""
    from worker.asked import NotRunnable, require_runnable
    from worker.schleuder import record_of

    for name in dict.fromkeys(entry.job for entry in read.entries):
        try:
            require_runnable(record_of(db, name))
        except NotRunnable as refusal:
            yield f"{refusal} See ./errand jobs refresh, and ./errand jobs enable."


# --- scheduler ------------------------------------------------------------------------------------------------


@jobschleuder.command("scheduler")
@click.option(
    "--init", "-i", is_flag=True, help="Make the schedules of the registry; those of before are gone."
)
@click.option("--schedule", "-s", is_flag=True, help="Run what is due, again and again.")
@click.option("--no-daemon", "-nd", is_flag=True, help="Once only.")
@click.option("--show-jobs", is_flag=True, hidden=True)
@click.option("--show-scheduled-jobs", "-sj", is_flag=True, help="Show what is due now.")
@click.option("--show-all-scheduled-jobs", "-aj", is_flag=True, help="Show the next run of each job.")
@click.option("--run-now", "-rn", type=int, metavar="ID", help="Run a job now, by its id among all jobs.")
@with_settings
def scheduling(settings: "Settings", **asked: Any) -> None:
    """Make schedules of the registry, show them, and run what is due."""
    _config(settings)
    if asked["no_daemon"] and not asked["schedule"]:
        raise click.UsageError("--no-daemon says how to --schedule: give both.")
    with _opened(settings) as db:
        if asked["init"]:
            _init(db, settings)
        if asked["show_jobs"]:
            _show_jobs(db)
        if asked["show_scheduled_jobs"]:
            _show_scheduled(db, settings, "Current scheduled Jobs", due=True)
        if asked["show_all_scheduled_jobs"]:
            _show_scheduled(db, settings, "All scheduled Jobs", due=False)
        if asked["run_now"] is not None:
            _run_now(db, settings, asked["run_now"])
    if asked["schedule"]:
        _schedule(settings, once=asked["no_daemon"])
    _or_help(*(value not in (None, False) for value in asked.values()))


def _init(db: "Session", settings: "Settings") -> None:
    from webapp.cli.asking import refusals
    from worker.schleuder import initialise

    with refusals():
        done = initialise(db, settings, _who(db), _zone(settings))
    click.echo(f"Scheduled {done.scheduled} jobs.", err=True)
    if done.left_out:
        said = "\n".join(f"{entry.job.job} ({entry.schedule}): {reason}" for entry, reason in done.left_out)
        raise click.ClickException(f"These have no schedule:\n{said}")


def _run_now(db: "Session", settings: "Settings", number: int) -> None:
    from store.models import RegistryJob
    from webapp.cli.asking import refusals
    from worker.schleuder import run_now

    row = db.get(RegistryJob, number)
    if row is None:
        raise click.ClickException(
            f"There is no job with the id {number}: ./errand jobschleuder registry --show-jobs lists them."
        )
    with refusals():
        click.echo(run_now(db, settings, row, _who(db)).id)


def _schedule(settings: "Settings", *, once: bool) -> None:
    from webapp.cli.processes import hand_on

    if not once:
        from worker.scheduler import main

        hand_on(settings)
        main(settings)
        return
    from store.platform import Platform
    from worker.firing import fire_due

    platform = Platform(settings.database_url)
    try:
        fired = fire_due(platform, settings)
    finally:
        platform.dispose()
    click.echo(f"Asked for {len(fired.runs)} runs.", err=True)
    for cause in fired.missed.values():
        click.echo(cause, err=True)


def _zone(settings: "Settings") -> str:
    """Return the zone of schedules: the portal's, where somebody said so, else that of this machine's clock."""
    from store.timing.zones import local_zone

    said = bool(os.environ.get("ERRAND_TIME_ZONE", "").strip())
    return settings.time_zone if said else local_zone() or settings.time_zone


# --- worker and listener --------------------------------------------------------------------------------------


@jobschleuder.command()
@click.option(
    "--id", "worker_id", default="", metavar="ID", help="What the names of these workers begin with."
)
@click.option("--worker", "count", default=1, show_default=True, type=click.IntRange(1), help="How many.")
@click.option("--queues", default="default", show_default=True, metavar="A,B", help="The queues to work on.")
@click.option("--labels", default="", metavar="A,B", help="As ./errand worker has it.")
@with_settings
def worker(settings: "Settings", worker_id: str, count: int, queues: str, labels: str) -> None:
    """Execute runs from the queues."""
    from webapp.cli.processes import checked_labels, work

    _config(settings)
    work(settings, queues, count, name=worker_id, labels=checked_labels(labels))


@jobschleuder.command()
@click.option(
    "--add", "name", metavar="NAME", help="Make a webhook of this name, and print its address and secret."
)
@click.option(
    "--job", "number", type=int, metavar="ID", help="The job that it runs, by its id among all jobs."
)
@with_settings
def listener(settings: "Settings", name: str | None, number: int | None) -> None:
    """List the webhooks that run jobs of the registry, or make one. The web process answers them."""
    _config(settings)
    with _opened(settings) as db:
        if name is None and number is None:
            _list_webhooks(db, settings)
            return
        if name is None or number is None:
            raise click.UsageError("Give both --add NAME and --job ID.")
        _add_webhook(db, settings, name, number)


def _list_webhooks(db: "Session", settings: "Settings") -> None:
    from worker.schleuder_hooks import address_of, webhooks

    rows = [(hook.name, job, address_of(settings, hook), str(hook.enabled)) for hook, job in webhooks(db)]
    _table("Webhooks", ("name", "job", "address", "enabled"), rows)
    click.echo("The web process answers them: nothing has to listen here.", err=True)


def _add_webhook(db: "Session", settings: "Settings", name: str, number: int) -> None:
    from store.models import RegistryJob
    from webapp.cli.asking import refusals
    from worker.schleuder_hooks import add, address_of

    row = db.get(RegistryJob, number)
    if row is None:
        raise click.ClickException(f"There is no job with the id {number}.")
    with refusals():
        hook, secret = add(db, settings, row, name, _who(db))
    click.echo(f"address: {address_of(settings, hook)}\nsecret:  {secret}")
    click.echo("The secret is not shown again. How to sign requests: docs/webhooks.md", err=True)


# --- What all of them share -----------------------------------------------------------------------------------


def _config(settings: "Settings") -> "Config":
    """Return the config, and remember one that was named, with the folder that its plugins are in."""
    from jobs.schleuder.config import BadConfig, find_config, read_config

    given = _given()
    named = given.config or str(settings.schleuder_config or "")
    path = find_config(named, _projects(settings))
    if path is None:
        raise click.ClickException(f"unable to read config: {named or 'jobschleuder.yaml'} was not found.")
    try:
        config = read_config(path)
    except BadConfig as error:
        raise click.ClickException(str(error)) from error
    if given.config:
        _remember(settings, config)
    return config


def _projects(settings: "Settings") -> Sequence[Path]:
    roots = settings.jobs_roots
    return list(dict.fromkeys([*roots, *(root.parent for root in roots), Path.cwd()]))


def _remember(settings: "Settings", config: "Config") -> None:
    from store.settings import remember

    path = config.path.absolute()
    values: dict[str, Any] = {}
    if settings.schleuder_config != path:
        values["schleuder_config"] = str(path)
    known = any(
        listed.place.is_relative_to(root) for root in settings.jobs_roots for listed in config.plugins
    )
    if not known and not os.environ.get("JOBS_ROOT"):
        values["jobs_roots"] = [str(root) for root in (*settings.jobs_roots, config.project.absolute())]
    if values:
        remember(settings.instance, **values)
        click.echo(
            "This config counts from now on: begin web and workers anew, then ./errand jobs refresh", err=True
        )


def _given() -> Given:
    given: Given = click.get_current_context().obj
    return given


@contextmanager
def _opened(settings: "Settings") -> "Iterator[Session]":
    from webapp.cli.platform import platform_session

    with platform_session(settings) as db:
        yield db


def _who(db: "Session") -> "User":
    from webapp.cli.run import who

    return who(db, _given().username)


def _or_help(*done: object) -> None:
    if not any(done):
        click.echo(click.get_current_context().get_help())


def _show_jobs(db: "Session") -> None:
    from worker.schleuder import jobs

    rows = [
        (row.id, row.job, row.description, row.preprocessing, row.postprocessing, row.arguments)
        for row in jobs(db)
    ]
    _table("All Jobs", ("id", "job", "descr", "pre", "post", "args"), rows)


def _show_registry(db: "Session") -> None:
    from worker.schleuder import entries

    rows = [(row.id, row.job_id, row.job.description, row.schedule) for row in entries(db)]
    _table("Job registry", ("id", "job", "description", "schedule"), rows)


def _show_scheduled(db: "Session", settings: "Settings", title: str, *, due: bool) -> None:
    from zoneinfo import ZoneInfo

    from worker.schleuder import scheduled

    rows = [
        (
            entry.job_id,
            entry.job.job,
            entry.job.description,
            entry.job.preprocessing,
            entry.job.arguments,
            entry.id,
            entry.schedule,
            made.id,
            made.next_slot_at.astimezone(ZoneInfo(made.zone)) if made.next_slot_at else "",
        )
        for entry, made in scheduled(db, due=due)
    ]
    columns = ("job_id", "job", "descr", "pre", "args", "rid", "sched", "sid", "nextrun")
    _table(title, columns, rows)


def _table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print a table as jobschleuder does."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from webapp.cli.printing import at_a_terminal, one_line

    table = Table(title=title)
    for column in columns:
        table.add_column(column)
    for row in rows:
        table.add_row(*(Text(one_line(_plain(value))) for value in row), style="bright_green")
    # What no person reads is not folded.
    Console(width=None if at_a_terminal() else 400).print(table)


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | Mapping) else str(value)
