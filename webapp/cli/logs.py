"""`./errand logs`: what a run logs."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from webapp.cli import with_portal
from webapp.cli.completion import a_result

if TYPE_CHECKING:
    from webapp.cli.portal import Portal

LEVELS = ("debug", "default", "info", "success", "warning", "failure", "error", "critical")


@click.command()
@click.argument("result", shell_complete=a_result)
@click.option("--follow", "-f", is_flag=True, help="Go on until the run has ended; the exit code says how.")
@click.option(
    "--level", "levels", multiple=True, type=click.Choice(LEVELS), help="Only this level; may be repeated."
)
@click.option("--grep", metavar="TEXT", help="Only entries with this in them; case does not matter.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print each entry as a line of JSON, as the API has it."
)
@with_portal
def logs(
    portal: "Portal",
    result: str,
    follow: bool,
    levels: Sequence[str],
    grep: str | None,
    as_json: bool,
) -> None:
    """Print what a run has logged; with -f also what it logs from now on.

    With -f the exit code is 0 when the run completed, 1 failed, 3 errored, 4 canceled or denied; 2 when there is no
    such run. Ctrl-C leaves it as it is.
    """
    from webapp.cli.asking import refusals
    from webapp.cli.printing import at_a_terminal
    from webapp.cli.reading import EXIT_CODES, INTERRUPTED, Reading, entry_of
    from webapp.cli.watching import Watching

    reading = Reading()

    def entry(said: Any) -> None:
        if as_json:
            click.echo(json.dumps(said))
        else:
            reading.entry(entry_of(said))

    def look(said: Any) -> None:
        reading.progress(said["progress"])

    with refusals():
        # Somebody has to see the bar that is moved.
        seen = look if at_a_terminal() and not as_json else None
        watching = Watching(portal, result, entry, seen, only={"level": levels, "q": grep})
        if not follow:
            watching.until_now()
            return
        try:
            ended = watching.until_final()
        except KeyboardInterrupt:
            raise SystemExit(INTERRUPTED) from None
        finally:
            reading.close()
        if not as_json:
            reading.result(ended)
    raise SystemExit(EXIT_CODES[ended["status"]])
