"""`./errand doctor`: every moving part, whether it works, and what to do where it does not."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from webapp.cli import with_settings

if TYPE_CHECKING:
    from rich.console import Console

    from store.settings import Settings
    from worker.checkup import Finding


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list of what was found.")
@with_settings
def doctor(settings: "Settings", as_json: bool) -> None:
    """Check every moving part, and say what to do.

    One a line: ok, warn or bad, the part, what there is to say of it, what to do. The exit code is 1 where
    something is bad. Nothing is changed.
    """
    from webapp.cli.printing import print_json
    from worker.checkup import BAD, look

    found: Iterable[Finding] = look(settings)
    if as_json:
        found = list(found)
        print_json([asdict(each) for each in found])
    else:
        found = list(_told(found))
    if any(each.state == BAD for each in found):
        raise SystemExit(1)


def _told(found: "Iterable[Finding]") -> "Iterator[Finding]":
    """Print each as it becomes known: some take seconds where something is wrong."""
    from webapp.cli.printing import at_a_terminal, console

    writer = console() if at_a_terminal() else None
    for each in found:
        _print(each, writer)
        yield each


def _print(finding: "Finding", writer: "Console | None") -> None:
    from webapp.cli.printing import STYLES, one_line

    says, advice = one_line(finding.says), one_line(finding.advice)
    if writer is None:
        click.echo("\t".join((finding.state, finding.part, says, advice)).rstrip("\t"))
        return
    writer.print(f"{finding.state:<5}", style=STYLES[finding.state], end="")
    writer.print(f"{finding.part:<20} {says}")
    if advice:
        writer.print(f"{'':<26}-> {advice}", style="bold")
