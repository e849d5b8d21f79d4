"""`./errand help-docs`: what `--help` says of every command, in docs/cli.md, and the other pages of reference."""

from collections.abc import Iterator

import click

from store.settings import PROJECT_ROOT

PAGE = PROJECT_ROOT / "docs" / "cli.md"

#: What stands below this line is written by this command.
MARK = "<!-- Below this line ./errand help-docs writes what --help says. -->\n"

COLUMNS = 100


@click.command("help-docs")
def help_docs() -> None:
    """Write what --help says of every command into docs/cli.md, and the reference that the code knows."""
    from webapp.cli import reference

    root = click.get_current_context().find_root().command
    PAGE.write_text(page(root, PAGE.read_text("utf-8")), "utf-8")
    reference.write_all()


def page(root: click.Command, before: str) -> str:
    """Return the page as it should be, with all that people wrote above the mark."""
    head, _, _ = before.partition(MARK)
    return "\n".join([head + MARK, *_sections(root, "./errand", None)])


def _sections(command: click.Command, name: str, parent: click.Context | None) -> Iterator[str]:
    """Yield what is said of a command, and of those below it."""
    context = click.Context(
        command,
        parent,
        info_name=name,
        terminal_width=COLUMNS,
        max_content_width=COLUMNS,
        help_option_names=["-h", "--help"],
    )
    # The heading is the command as it is typed.
    title = context.command_path
    yield f"{'##' if parent is None or parent.parent is None else '###'} {title}\n"
    yield f"```text\n{command.get_help(context)}\n```\n"
    if isinstance(command, click.Group):
        for below in command.list_commands(context):
            found = command.get_command(context, below)
            if found is not None:
                yield from _sections(found, below, context)
