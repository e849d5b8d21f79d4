"""`./errand soak`: what takes longer than tests may, run by hand."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from benchmarks.catalog import DATABASES
from benchmarks.soak.catalog import SOAKS


def _help_of_soaks() -> str:
    width = max(map(len, SOAKS))
    lines = [f"  {name.ljust(width)}  {one.help}" for name, one in SOAKS.items()]
    return "\n".join(["\b", "Names:", *lines])


@click.command(epilog=_help_of_soaks())
@click.argument("names", nargs=-1, type=click.Choice(list(SOAKS)), metavar="[NAME]...")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--quick", is_flag=True, help="Less of everything: for a first look.")
@click.option(
    "--database",
    type=click.Choice([*DATABASES, "both"]),
    default="both",
    show_default=True,
    help="What to work on. PostgreSQL: the server in BENCH_POSTGRES_URL, else one of its own.",
)
@click.option("--seed", type=click.IntRange(0), help="The first seed: the same one makes the same choices.")
@click.option("--seeds", type=click.IntRange(1), help="How many seeds.  [default: 5]")
@click.option("--runs", type=click.IntRange(1), help="How many runs with each seed.  [default: 500]")
@click.option("--schedules", type=click.IntRange(1), help="How many schedules fire.  [default: 10000]")
@click.option("--children", type=click.IntRange(1), help="How many runs one run asks for.  [default: 10000]")
@click.option(
    "--row", "rows", type=click.IntRange(1), multiple=True, help="Of guards: only this row of its table."
)
@click.option("--seconds", type=click.FloatRange(0), help="How long what has no end goes on.  [default: 300]")
@click.option(
    "--before",
    metavar="COMMIT",
    help="The version before, to upgrade from.  [default: that before the last migration]",
)
@click.option(
    "--instance",
    type=click.Path(file_okay=False, exists=True, path_type=Path),
    envvar="ERRAND_INSTANCE",
    metavar="DIR",
    help="Work on the disk of this folder.  [default: the folder for temporary files]",
)
def soak(
    names: Sequence[str], as_json: bool, quick: bool, database: str, instance: Path | None, **given: Any
) -> None:
    """Break Errand at random for as long as you like, and count what did not hold.

    Without NAME all of it is done. Each soak makes fresh instances of its own, and removes them; no other is touched.
    The exit code is 1 when something did not hold.
    """
    from benchmarks import report
    from benchmarks.soak.run import soak as begin
    from webapp.cli.processes import end_on_signals

    end_on_signals()
    plan = _plan(quick, given)
    databases = DATABASES if database == "both" else (database,)
    inside = instance.absolute() if instance else None
    chosen = [name for name in SOAKS if not names or name in names]
    taken = []
    for one in begin(chosen, databases, plan, inside=inside, say=_say):
        taken.append(one)
    data = {"seed": plan.seed, "seeds": plan.seeds, "runs": plan.runs, **report.as_data(taken, quick=quick)}
    click.echo(json.dumps(data, indent=2) if as_json else report.as_table(taken))
    if not data["held"]:
        raise SystemExit(1)


def _plan(quick: bool, given: Mapping[str, Any]) -> Any:
    import secrets
    from dataclasses import replace

    from benchmarks.soak.plan import FULL, QUICK

    chosen = {name: value for name, value in given.items() if value is not None}
    return replace(QUICK if quick else FULL, **{"seed": secrets.randbelow(1_000_000), **chosen})


def _say(what: str) -> None:
    click.echo(what, err=True)
