"""`./errand results`: what became of runs."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from webapp.cli import with_portal, with_settings
from webapp.cli.completion import a_job, a_result

if TYPE_CHECKING:
    from store.settings import Settings
    from webapp.cli.portal import Portal

STATES = ("awaiting_approval", "pending", "running", "completed", "failed", "errored", "canceled", "denied")

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}

as_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, as the API answers it.")


class Since(click.ParamType[str]):
    """A moment, or how long ago one was; given on as the API takes it."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = str(value)
        try:
            if text[-1:] in _UNITS and text[:-1].isdecimal():
                moment = datetime.now(UTC) - timedelta(**{_UNITS[text[-1]]: int(text[:-1])})
            else:
                moment = datetime.fromisoformat(text)
        except (ValueError, OverflowError):
            self.fail(
                "Give a time, such as 2026-01-31 or 2026-01-31T09:30, or how long ago, such as 2h or 7d."
            )
        return moment.astimezone(UTC).isoformat()


@click.group()
def results() -> None:
    """List and show results, cancel runs and run them again."""


@results.command("list")
@click.option("--job", metavar="JOB", shell_complete=a_job, help="Only of this job: its class path, or id.")
@click.option(
    "--status", multiple=True, type=click.Choice(STATES), help="Only in this state; may be repeated."
)
@click.option("--user", "users", multiple=True, metavar="NAME", help="Only of this person; may be repeated.")
@click.option("--queue", "queues", multiple=True, metavar="NAME", help="Only of this queue; may be repeated.")
@click.option("--since", type=Since(), metavar="TIME", help="Only asked for since then: a time, or 2h, 7d.")
@click.option("--search", metavar="TEXT", help="Only with this in the job's name or the cause.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 100_000), metavar="N")
@as_json_option
@with_portal
def list_results(
    portal: "Portal",
    job: str | None,
    status: Sequence[str],
    users: Sequence[str],
    queues: Sequence[str],
    since: str | None,
    search: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """List results, the latest first: id, state, when it was asked for, by whom, job, why it ended."""
    from webapp.cli.printing import show

    rows = portal.every(
        "/results", job=job, status=status, user=users, queue=queues, since=since, q=search, limit=limit
    )
    show(rows, _columns(), as_json=as_json)


@results.command("show")
@click.argument("result", shell_complete=a_result)
@as_json_option
@with_portal
def show_result(portal: "Portal", result: str, as_json: bool) -> None:
    """Show a result: its inputs, what it returned, why it ended."""
    from webapp.cli.printing import print_json, show_one

    found = portal.get(f"/results/{result}")
    if as_json:
        print_json(found)
    else:
        # An older portal says nothing of it.
        asked = portal.get(f"/results/{result}/children", limit=1) if found.get("gathers") else None
        show_one([*_facts(found), *(_children(asked) if asked else ())])


@results.command("report")
@click.argument("result", shell_complete=a_result)
@click.option(
    "--format",
    "form",
    default="txt",
    show_default=True,
    type=click.Choice(("txt", "md", "html", "json", "csv")),
    help="As what to print it.",
)
@click.option("--table", default=1, show_default=True, metavar="N", help="Which table csv gives.")
@with_portal
def print_report(portal: "Portal", result: str, form: str, table: int) -> None:
    """Print the report of a run, as text or as a file for programs."""
    from store.text import entry_text
    from webapp.cli.asking import refusals
    from webapp.cli.printing import at_a_terminal

    with refusals():
        if form == "json":
            from webapp.cli.printing import print_json

            print_json(portal.get(f"/results/{result}/report", format=form))
        else:
            text = portal.text(f"/results/{result}/report", format=form, table=table)
            # A terminal obeys some characters; a file, or the next program, gets it as it is.
            click.echo(entry_text(text) if at_a_terminal() else text, nl=False)


@results.command()
@click.argument("result", shell_complete=a_result)
@as_json_option
@with_portal
def cancel(portal: "Portal", result: str, as_json: bool) -> None:
    """Stop a run, or have it not start."""
    from webapp.cli.printing import print_json

    found = portal.post(f"/results/{result}/cancel")
    if as_json:
        print_json(found)
    else:
        asked = "Asked the run to cancel." if found["status"] == "running" else "The run is canceled."
        click.echo(asked, err=True)


@results.command()
@click.argument("result", shell_complete=a_result)
@click.option(
    "--incomplete", is_flag=True, help="Of a run that asked for others: those that did not complete."
)
@as_json_option
@with_portal
def rerun(portal: "Portal", result: str, incomplete: bool, as_json: bool) -> None:
    """Run a job again with the inputs of a run, and print the id of the new one."""
    from webapp.cli.printing import print_json

    made = portal.post(f"/results/{result}/{'children/again' if incomplete else 'rerun'}")
    if as_json:
        print_json(made)
    else:
        click.echo(made["id"])


@results.command()
@click.option("--dry-run", is_flag=True, help="Only print what would be removed.")
@click.option(
    "--older-than",
    type=click.IntRange(1, 36_500),
    metavar="DAYS",
    help="Remove all that ended so many days ago, in place of what the portal and its jobs say.",
)
@with_settings
def prune(settings: "Settings", dry_run: bool, older_than: int | None) -> None:
    """Remove old results now, a slice at a time; print job, state, results and entries of each.

    What is kept by hand stays. A scheduler does this by itself, as the portal's settings and those of its jobs say.
    """
    from webapp.cli.platform import open_platform
    from worker.retention import Pruner, Rules, rules, walk

    with open_platform(settings) as platform:
        with platform.reading() as db:
            by = Rules(older_than, older_than) if older_than else rules(db, settings)
            found: Counter[tuple[str, str]] = Counter()
            entries: Counter[tuple[str, str]] = Counter()
            for due, _ in walk(db, by, None):
                for each in due:
                    found[each.class_path, each.status] += 1
                    entries[each.class_path, each.status] += each.entries
        for (path, state), number in sorted(found.items()):
            click.echo(f"{path}\t{state}\t{number}\t{entries[path, state]}")
        if not by.shortest:
            click.echo("Results are kept for good: no setting and no job says otherwise.", err=True)
        elif not dry_run:
            pruner = Pruner(settings, platform, by=by)
            while True:
                pause = pruner.run_once()
                if pruner.ended:
                    break
                time.sleep(pause)
            click.echo(f"Removed {pruner.results:,} results with {pruner.entries:,} entries.", err=True)


def _columns() -> Sequence[Any]:
    from webapp.cli.printing import short_time

    return (
        ("Id", lambda row: row["id"]),
        ("State", lambda row: row["status"]),
        ("Asked for", lambda row: short_time(row["created_at"])),
        ("By", lambda row: row["user"]),
        ("Job", lambda row: row["class_path"]),
        ("Cause", lambda row: row["cause"]),
    )


def _children(asked: Mapping[str, Any]) -> list[tuple[str, Any]]:
    counts = ", ".join(f"{number} {status}" for status, number in asked["counts"].items())
    return [("runs", f"{counts or 'none made yet'}, of {asked['asked']} that it asked for")]


def _facts(found: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return what a person wants to know of a result, in the order in which they ask for it."""
    from webapp.cli.printing import short_time

    counts = ", ".join(f"{number} {level}" for level, number in found["counts"].items() if number)
    return [
        ("id", found["id"]),
        ("job", found["class_path"]),
        ("state", found["status"]),
        ("cause", found["cause"] or found["note"]),
        ("user", found["user"]),
        ("saves changes", found["commit"]),
        ("queue", found["queue"]),
        ("worker", found["worker"]),
        ("asked for", short_time(found["created_at"])),
        ("started", short_time(found["started_at"])),
        ("finished", short_time(found["finished_at"])),
        ("entries", counts),
        *((f"input {name}", value) for name, value in found["data"].items()),
        *((f"input {name}", "(sealed)") for name in found["sealed"]),
        ("returned", found["return_value"]),
        ("output", found["output"].strip("\n")),
    ]
