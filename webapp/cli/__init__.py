"""The command line. Each command's module is imported only when that command is called."""

import os
from collections.abc import Callable, Mapping
from functools import wraps
from importlib import import_module
from pathlib import Path
from typing import Any

import click

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
    "db": ("webapp.cli.db", "db", "Upgrade the databases."),
    "run": ("webapp.cli.run", "run", "Run a job: asks for its inputs, and follows its log."),
    "runjob": ("webapp.cli.runjob", "runjob", "Run a job as Nautobot's command does."),
    "check": ("webapp.cli.check", "check", "Try the inputs of jobs, and say what their authors should know."),
    "jobs": ("webapp.cli.jobs", "jobs", "List, refresh, enable and disable jobs."),
    "sources": ("webapp.cli.sources", "sources", "List sources of jobs, and sync git repositories."),
    "schedules": (
        "webapp.cli.schedules",
        "schedules",
        "List schedules, and remove those that are long over.",
    ),
    "queues": ("webapp.cli.workers", "queues", "List queues, pause and resume them."),
    "audit": ("webapp.cli.audit", "audit", "See who did what, and check that nobody has altered it."),
    "keys": ("webapp.cli.keys", "keys", "See and change the keys that sensitive inputs are sealed for."),
    "token": ("webapp.cli.token", "token", "Create API tokens."),
    "user": ("webapp.cli.user", "user", "Create users."),
    "workers": ("webapp.cli.workers", "workers", "List workers, and have one end after its run."),
    "bench": ("webapp.cli.bench", "bench", "Measure how fast Errand is on this machine."),
    "soak": ("webapp.cli.soak", "soak", "Kill, poison and fuzz Errand for long, and count what broke."),
}


#: The commands one may begin with.
MAKE_AN_INSTANCE = frozenset({"up", "web", "worker", "scheduler", "upgrade"})


class LazyGroup(click.Group):
    """A group whose commands stand in COMMANDS, so that `--help` imports none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, attribute, _ = COMMANDS[cmd_name]
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_text) for name, (_, _, help_text) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Errand, a self-hosted job portal.

    Every command takes --instance DIR (or ERRAND_INSTANCE): the folder of everything that is not code.
    """


class UnusableSettings(click.ClickException):
    """A setting that cannot work: its sentence, and exit code 2."""

    exit_code = 2


def with_settings(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give `command` the option --instance, and hand it the settings of that instance first.

    Goes below `@group.command()`. A SettingsError, also a later one, ends the command with exit code 2.
    """

    @click.option(
        "--instance",
        type=click.Path(file_okay=False, path_type=Path),
        envvar="ERRAND_INSTANCE",
        metavar="DIR",
        help="The folder of everything that is not code.  [default: instance/ beside the code]",
    )
    @wraps(command)
    def with_instance(instance: Path | None, **options: Any) -> Any:
        from store.settings import SettingsError, load_settings

        try:
            # A folder that was only mistyped must not become one more instance.
            create = command.__name__ in MAKE_AN_INSTANCE or bool(os.environ.get("DATABASE_URL"))
            return command(load_settings(instance, create=create), **options)
        except SettingsError as error:
            raise UnusableSettings(str(error)) from error

    return with_instance


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
