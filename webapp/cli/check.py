"""`./errand check`: what an author should know before anybody runs their jobs."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from webapp.cli import with_settings
from webapp.cli.platform import clear_errors

if TYPE_CHECKING:
    from store.settings import Settings
    from worker.checking import Finding

MARKS = {"error": "ERROR", "warning": "warning", "advice": "advice"}


@click.command()
@click.argument("class_paths", nargs=-1, metavar="[CLASS_PATH]...")
@click.option(
    "--jobs",
    "folders",
    multiple=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="A folder of job files, in place of those of the instance. May be given several times.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list of findings.")
@with_settings
def check(settings: "Settings", class_paths: Sequence[str], folders: Sequence[Path], as_json: bool) -> None:
    """Load all jobs, or those whose class paths begin so, and try their inputs with all there is.

    Nothing is stored and nothing is run. The exit code is 1 when there is an error.
    """
    from dataclasses import asdict, replace

    from worker import checking

    if folders:
        settings = replace(settings, jobs_roots=tuple(folder.absolute() for folder in folders))
    with clear_errors():
        checked, findings = checking.check(settings, class_paths)
    if class_paths and not checked and not findings:
        raise click.ClickException(f"There is no job {' or '.join(class_paths)}.")
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        _print(checked, findings)
    if any(finding.weight == "error" for finding in findings):
        raise SystemExit(1)


def _print(checked: Sequence[str], findings: "Sequence[Finding]") -> None:
    from store.text import entry_text

    for finding in findings:
        about = f" {finding.about}:" if finding.about else ""
        click.echo(f"{MARKS[finding.weight]:8}{finding.class_path}{about or ':'} {entry_text(finding.text)}")
    jobs = "1 job" if len(checked) == 1 else f"{len(checked)} jobs"
    counts = [sum(finding.weight == weight for finding in findings) for weight in MARKS]
    click.echo(f"Checked {jobs}: {counts[0]} errors, {counts[1]} warnings, {counts[2]} pieces of advice.")
