"""`./errand db`: the schema of both databases."""

from typing import TYPE_CHECKING

import click

from webapp.cli import with_settings
from webapp.cli.platform import clear_errors, upgraded

if TYPE_CHECKING:
    from store.settings import Settings


@click.group()
def db() -> None:
    """Upgrade the databases."""


@db.command()
@with_settings
def upgrade(settings: "Settings") -> None:
    """Bring both databases, with the tables of every plugin, to what this version needs."""
    from store.migrate import upgrade as upgrade_both
    from store.schema import TOO_NEW, is_ahead

    with clear_errors():
        if is_ahead(settings.database_url):
            raise click.ClickException(TOO_NEW)
        upgrade_both(settings)
    click.echo("The databases are up to date.")


@db.command()
@with_settings
def current(settings: "Settings") -> None:
    """Tell whether the platform's database is up to date; exit code 1 when it is not."""
    with upgraded(settings):
        click.echo("The database is up to date.")
