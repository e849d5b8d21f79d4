"""`./errand completion`: what has a shell complete commands, options, jobs and results."""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from uuid import UUID

import click
from click.shell_completion import CompletionItem, get_completion_class

#: As many as anybody looks through; of results the latest.
MOST_OFFERED = 200

#: A shell that is waited for is a shell that is cursed.
ANSWER_SECONDS = 2

Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print what has this shell complete commands, options, jobs and results.

    \b
    bash:  errand completion bash > ~/.local/share/bash-completion/completions/errand
    zsh:   errand completion zsh > a file _errand in a folder of $fpath
    fish:  errand completion fish > ~/.config/fish/completions/errand.fish

    The shell calls the command by its name, errand: have a link to it in a folder of PATH.
    """
    found = get_completion_class(shell)
    assert found is not None  # noqa: S101 - click knows these three
    root = click.get_current_context().find_root()
    click.echo(found(root.command, {}, "errand", "_ERRAND_COMPLETE").source())


def _offers(statement: str, path: str, names: Sequence[str], **only: str) -> Complete:
    """Return what completes from a statement on the database here, or from a list of a portal elsewhere.

    names: of a row what is typed, and what is said about it. only: what narrows the list elsewhere.
    """

    def complete(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        try:
            rows = _elsewhere(ctx, path, names, only) if _is_elsewhere(ctx) else _here(ctx, statement)
        except Exception:
            # Whatever is the matter: nothing may be written into the line that somebody types.
            return []
        return [CompletionItem(name, help=said) for name, said in rows if name.startswith(incomplete)]

    return complete


def _is_elsewhere(ctx: click.Context) -> bool:
    return bool(_said(ctx, "url", "ERRAND_URL") and _said(ctx, "token", "ERRAND_TOKEN"))


def _elsewhere(
    ctx: click.Context, path: str, names: Sequence[str], only: Mapping[str, str]
) -> list[tuple[str, str]]:
    from webapp.cli.portal import Elsewhere

    url, token = _said(ctx, "url", "ERRAND_URL"), _said(ctx, "token", "ERRAND_TOKEN")
    portal = Elsewhere(url, token, seconds=(ANSWER_SECONDS, ANSWER_SECONDS))
    page = portal.get(path, fields=",".join(names), limit=MOST_OFFERED, **only)
    return [(row[names[0]], row[names[1]]) for row in page["results"]]


def _here(ctx: click.Context, statement: str) -> list[tuple[str, str]]:
    """Ask the database alone: all that the command itself would load takes too long for a press of a key."""
    from sqlalchemy import create_engine, text

    from store.settings import load_settings

    instance = _said(ctx, "instance", "ERRAND_INSTANCE")
    settings = load_settings(instance or None, create=False)
    with create_engine(settings.database_url).connect() as connection:
        return [(_name(row[0]), str(row[1])) for row in connection.execute(text(statement))]


def _said(ctx: click.Context, option: str, variable: str) -> str:
    return str(ctx.params.get(option) or os.environ.get(variable) or "")


def _name(value: object) -> str:
    """Return an id as the API has it: SQLite keeps it without its hyphens."""
    text = str(value)
    return str(UUID(text)) if re.fullmatch("[0-9a-f]{32}", text) else text


_LATEST = f"ORDER BY created_at DESC LIMIT {MOST_OFFERED}"

a_job = _offers(
    "SELECT class_path, name FROM job_records WHERE installed ORDER BY class_path",
    "/jobs",
    ("class_path", "name"),
)
a_result = _offers(
    f"SELECT id, class_path FROM job_results {_LATEST}",  # noqa: S608
    "/results",
    ("id", "class_path"),
)
a_waiting_result = _offers(
    f"SELECT id, class_path FROM job_results WHERE status = 'awaiting_approval' {_LATEST}",  # noqa: S608
    "/results",
    ("id", "class_path"),
    status="awaiting_approval",
)
a_schedule = _offers("SELECT id, name FROM schedules ORDER BY name", "/schedules", ("id", "name"))
