"""The command line. Each command's module is imported only when that command is called."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

if TYPE_CHECKING:
    from store.settings import Settings
    from webapp.cli.portal import Elsewhere, Portal

#: Command name: (module, attribute, what `--help` says of it).
COMMANDS: Mapping[str, tuple[str, str, str]] = {
    "up": ("webapp.cli.up", "up", "Run everything on this machine: Redis, web, workers, scheduler."),
    "web": ("webapp.cli.processes", "web", "Serve the pages and the JSON API."),
    "worker": ("webapp.cli.processes", "worker", "Execute runs from the queues."),
    "scheduler": (
        "webapp.cli.processes",
        "scheduler",
        "Fire schedules and hooks, and put right what was lost.",
    ),
    "slack": (
        "webapp.cli.slack",
        "slack",
        "Listen to Slack by socket mode, and do what people there ask for.",
    ),
    "db": ("webapp.cli.db", "db", "Upgrade the databases."),
    "run": ("webapp.cli.run", "run", "Run a job: asks for its inputs, and follows its log."),
    "runjob": ("webapp.cli.runjob", "runjob", "Run a job as Nautobot's command does."),
    "results": ("webapp.cli.results", "results", "List and show results, cancel runs and run them again."),
    "logs": ("webapp.cli.logs", "logs", "Print what a run logs; -f follows it to its end."),
    "check": ("webapp.cli.check", "check", "Try the inputs of jobs, and say what their authors should know."),
    "jobs": ("webapp.cli.jobs", "jobs", "List, show, refresh, enable and disable jobs."),
    "sources": ("webapp.cli.sources", "sources", "List sources of jobs, and sync git repositories."),
    "schedules": ("webapp.cli.schedules", "schedules", "List, show, pause, resume and run schedules."),
    "suppressions": (
        "webapp.cli.suppressions",
        "suppressions",
        "Have no run of a job begin for some time.",
    ),
    "approvals": ("webapp.cli.approvals", "approvals", "See what waits for an approval, and decide on it."),
    "queues": ("webapp.cli.workers", "queues", "List queues, pause and resume them."),
    "audit": ("webapp.cli.audit", "audit", "See who did what, and check that nobody has altered it."),
    "keys": ("webapp.cli.keys", "keys", "See and change the keys that sensitive inputs are sealed for."),
    "token": ("webapp.cli.token", "token", "Create API tokens."),
    "data-files": ("webapp.cli.data_files", "data_files", "Look after text files that jobs read."),
    "user": ("webapp.cli.user", "user", "Create users."),
    "workers": ("webapp.cli.workers", "workers", "List workers, and have one end after its run."),
    "search": ("webapp.cli.search", "search", "See how far the search is, and make its index anew."),
    "backup": ("webapp.cli.backup", "backup", "Write all that an instance has to one file."),
    "restore": ("webapp.cli.backup", "restore", "Put a backup in the place of an empty instance."),
    "doctor": ("webapp.cli.doctor", "doctor", "Check every moving part, and say what to do."),
    "bots-scheduler": (
        "webapp.cli.bots_scheduler",
        "bots_scheduler",
        "Run everything with the options of Bots Scheduler.",
    ),
    "jobschleuder": (
        "webapp.cli.jobschleuder",
        "jobschleuder",
        "Do what the commands of jobschleuder do.",
    ),
    "completion": ("webapp.cli.completion", "completion", "Print what has a shell complete commands."),
    "sbom": ("webapp.cli.sbom", "sbom", "Print what Errand is made of, as CycloneDX."),
    "bench": ("webapp.cli.bench", "bench", "Measure how fast Errand is on this machine."),
    "soak": ("webapp.cli.soak", "soak", "Kill, poison and fuzz Errand for long, and count what broke."),
}

#: Those that help does not list: they are for whoever changes Errand.
HIDDEN: Mapping[str, tuple[str, str, str]] = {
    "help-docs": ("webapp.cli.help_docs", "help_docs", "Write the reference pages of docs/."),
}

#: The commands one may begin with.
MAKE_AN_INSTANCE = frozenset({"up", "web", "worker", "scheduler", "slack", "upgrade", "restore"})

ONLY_HERE = (
    "This is done on the portal's own machine only, and ERRAND_URL and ERRAND_TOKEN name one elsewhere. "
    "Unset ERRAND_TOKEN, or give --instance DIR for the instance here."
)


class LazyGroup(click.Group):
    """A group whose commands stand in COMMANDS, so that `--help` imports none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        known = {**COMMANDS, **HIDDEN}
        if cmd_name not in known:
            return None
        module, attribute, _ = known[cmd_name]
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_text) for name, (_, _, help_text) in COMMANDS.items()])


def _print_version(context: click.Context, _parameter: click.Parameter, asked: bool) -> None:
    if asked:
        from worker.presence import version

        click.echo(version())
        context.exit()


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Print the version and exit.",
)
def main() -> None:
    """Errand, a self-hosted job portal.

    Every command takes --instance DIR (or ERRAND_INSTANCE): the folder of everything that is not code.

    With the address of a portal and a token (--url and --token, or ERRAND_URL and ERRAND_TOKEN) commands that know
    these options work on that portal instead, from wherever you are.
    """


class UnusableSettings(click.ClickException):
    """A setting that cannot work: its sentence, and exit code 2."""

    exit_code = 2


instance_option = click.option(
    "--instance",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="ERRAND_INSTANCE",
    metavar="DIR",
    help="The folder of everything that is not code.  [default: instance/ beside the code]",
)


def with_settings(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give `command` the option --instance, and hand it the settings of that instance first.

    Goes below `@group.command()`. A SettingsError, also a later one, ends the command with exit code 2.
    """

    @instance_option
    @wraps(command)
    def with_instance(instance: Path | None, **options: Any) -> Any:
        makes = command.__name__ in MAKE_AN_INSTANCE
        elsewhere = os.environ.get("ERRAND_URL") and os.environ.get("ERRAND_TOKEN")
        if elsewhere and not makes and not _was_typed("instance"):
            raise click.UsageError(ONLY_HERE)
        with clear_settings():
            # A folder that was only mistyped must not become one more instance.
            return command(_settings(instance, create=makes), **options)

    return with_instance


@dataclass(frozen=True, slots=True)
class Place:
    """Where a command does its work: at a portal elsewhere, or on the instance here."""

    #: None: here.
    elsewhere: "Elsewhere | None"
    #: Here: as whom, where that was said.
    username: str | None
    _instance: Path | None

    @property
    def settings(self) -> "Settings":
        """Of the instance here. Raises SettingsError."""
        return _settings(self._instance)

    @contextmanager
    def portal(self) -> "Iterator[Portal]":
        """Give the portal, which answers alike wherever it is."""
        from webapp.cli.portal import Here

        if self.elsewhere is not None:
            yield self.elsewhere
            return
        from webapp.cli.platform import upgraded

        settings = self.settings
        with upgraded(settings):
            here = Here(settings, self.username)
            try:
                yield here
            finally:
                here.close()


def with_place(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give `command` the options that say where it does its work, and hand it that place first.

    Goes below `@group.command()`, in place of `with_settings`.
    """

    @click.option(
        "--url", envvar="ERRAND_URL", metavar="URL", help="The portal to work on.  [env: ERRAND_URL]"
    )
    @click.option(
        "--token", envvar="ERRAND_TOKEN", metavar="TOKEN", help="Your token there.  [env: ERRAND_TOKEN]"
    )
    @click.option(
        "--username",
        "-u",
        envvar="ERRAND_USER",
        metavar="NAME",
        help="Here: as whom.  [default: ERRAND_USER, or the only superuser]",
    )
    @instance_option
    @wraps(command)
    def placed(
        url: str | None, token: str | None, username: str | None, instance: Path | None, **options: Any
    ) -> Any:
        with clear_settings():
            return command(_place(url, token, username, instance), **options)

    return placed


def with_portal(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give `command` the same options, and hand it the portal itself, opened."""

    @with_place
    @wraps(command)
    def opened(place: Place, **options: Any) -> Any:
        with place.portal() as portal:
            return command(portal, **options)

    return opened


def _place(url: str | None, token: str | None, username: str | None, instance: Path | None) -> Place:
    if not _is_elsewhere(url, token):
        return Place(None, username, instance)
    from webapp.cli.portal import Elsewhere

    if _was_typed("username"):
        raise click.UsageError("--username is for the instance here: elsewhere the token says who you are.")
    return Place(Elsewhere(str(url), str(token)), None, instance)


def _is_elsewhere(url: str | None, token: str | None) -> bool:
    """Tell whether a command goes to a portal elsewhere: it takes an address and a token, and no instance named here.

    The address alone does not: ERRAND_URL is also how a portal knows its own.
    """
    if _was_typed("instance"):
        if _was_typed("url") or _was_typed("token"):
            raise click.UsageError(
                "Give --instance for the one here, or --url and --token for one elsewhere."
            )
        return False
    if token and not url:
        raise click.UsageError("There is a token, but no address: give --url, or ERRAND_URL.")
    if _was_typed("url") and not token:
        raise click.UsageError("There is an address, but no token: give --token, or better ERRAND_TOKEN.")
    return bool(url and token)


def _was_typed(name: str) -> bool:
    """Tell whether an option stands on the command line, and not only in the environment."""
    return click.get_current_context().get_parameter_source(name) is ParameterSource.COMMANDLINE


@contextmanager
def clear_settings() -> Iterator[None]:
    from store.settings import SettingsError

    try:
        yield
    except SettingsError as error:
        raise UnusableSettings(str(error)) from error


def _settings(instance: Path | None, *, create: bool = False) -> "Settings":
    from store.settings import load_settings

    return load_settings(instance, create=create or bool(os.environ.get("DATABASE_URL")))


def with_run_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give `command`, which asks for a run, the options of that run alone, as `options` (see worker.run_options)."""

    @click.option("--profile", is_flag=True, help="Keep with the result where the run spends its time.")
    @click.option(
        "--ignore-singleton-lock", is_flag=True, help="Begin even beside another run, where that may not be."
    )
    @wraps(command)
    def with_options(profile: bool, ignore_singleton_lock: bool, **given: Any) -> Any:
        from worker.run_options import RunOptions

        options = RunOptions(profile=profile, ignore_singleton_lock=ignore_singleton_lock)
        return command(**given, options=options)

    return with_options
