"""`./errand bench`: how fast this machine runs Errand, beside what it can do without."""

import json
from collections.abc import Sequence
from pathlib import Path

import click

from benchmarks.catalog import DATABASES, MEASURES


def _help_of_measures() -> str:
    width = max(map(len, MEASURES))
    lines = [f"  {name.ljust(width)}  {measure.help}" for name, measure in MEASURES.items()]
    return "\n".join(["\b", "Measures:", *lines])


@click.command(epilog=_help_of_measures())
@click.argument("measures", nargs=-1, type=click.Choice(list(MEASURES)), metavar="[MEASURE]...")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--quick", is_flag=True, help="Do everything less often: rougher figures, sooner.")
@click.option(
    "--database",
    type=click.Choice([*DATABASES, "both"]),
    default="both",
    show_default=True,
    help="What to measure on. PostgreSQL: the server in BENCH_POSTGRES_URL, else one of its own.",
)
@click.option(
    "--instance",
    type=click.Path(file_okay=False, exists=True, path_type=Path),
    envvar="ERRAND_INSTANCE",
    metavar="DIR",
    help="Measure on the disk of this folder.  [default: the folder for temporary files]",
)
def bench(measures: Sequence[str], as_json: bool, quick: bool, database: str, instance: Path | None) -> None:
    """Measure how fast Errand is here, beside the limits of this machine in the same minutes.

    Without MEASURE all are taken. Each makes a fresh instance of its own, and removes it; no other is touched.
    The exit code is 1 when a figure misses what must hold.
    """
    from benchmarks import report
    from benchmarks.plan import FULL, QUICK
    from benchmarks.run import take
    from webapp.cli.processes import end_on_signals

    end_on_signals()
    databases = DATABASES if database == "both" else (database,)
    inside = instance.absolute() if instance else None
    chosen = [name for name in MEASURES if not measures or name in measures]
    taken = []
    for one in take(chosen, databases, QUICK if quick else FULL, inside=inside, say=_say):
        taken.append(one)
    click.echo(
        json.dumps(report.as_data(taken, quick=quick), indent=2) if as_json else report.as_table(taken)
    )
    if not all(one.held for one in taken):
        raise SystemExit(1)


def _say(what: str) -> None:
    click.echo(what, err=True)
