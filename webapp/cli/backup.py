"""`./errand backup` and `./errand restore`: one file with all that an instance has."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from webapp.cli import with_settings
from webapp.cli.platform import clear_errors

if TYPE_CHECKING:
    from store.settings import Settings


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@with_settings
def backup(settings: "Settings", file: Path) -> None:
    """Write both databases, keys and files to FILE, while the portal goes on.

    It works before ./errand db upgrade, too: what an older version left is written as it is.

    Whoever has the file has all secrets of the portal: keep it where nobody else can read it. On PostgreSQL this needs
    pg_dump.
    """
    from worker.backup import BackupError, make

    with clear_errors():
        try:
            manifest = make(settings, file)
        except BackupError as error:
            raise click.ClickException(str(error)) from error
    size = file.stat().st_size
    click.echo(f"Wrote {file}: {size:,} bytes, {len(manifest.members)} parts.", err=True)
    click.echo(f"Secret in it: {', '.join(manifest.secret)}.", err=True)
    if manifest.outside:
        names = ", ".join(manifest.outside)
        click.echo(f"Not in it, for it is set in the environment: {names}. Keep that, too.", err=True)


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Replace what is there: it is lost.")
@with_settings
def restore(settings: "Settings", file: Path, force: bool) -> None:
    """Put a backup in the place of an instance that is empty and stopped.

    It is checked whole before anything is changed. Runs that waited when it was made wait again, and start when workers
    do. On PostgreSQL this needs pg_restore.
    """
    from worker.backup import BackupError
    from worker.backup import restore as put_back

    with clear_errors():
        try:
            manifest = put_back(settings, file, force=force)
        except BackupError as error:
            raise click.ClickException(str(error)) from error
    click.echo(f"Restored what was backed up at {manifest.made_at} by version {manifest.version}.", err=True)
    if manifest.outside:
        click.echo(f"Set as it was then: {', '.join(manifest.outside)}.", err=True)
