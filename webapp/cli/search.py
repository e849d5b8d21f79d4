"""`./errand search`: the index in which entries of all runs are found."""

from typing import TYPE_CHECKING

import click

from webapp.cli import with_settings
from webapp.cli.platform import open_platform

if TYPE_CHECKING:
    from store.settings import Settings


@click.group()
def search() -> None:
    """See how far the search across all runs is, and make its index anew."""


@search.command()
@with_settings
def status(settings: "Settings") -> None:
    """Print about how many entries cannot be found yet, and since when they are there."""
    from store.entry_search import entry_index

    with open_platform(settings) as platform, platform.reading() as db:
        behind = entry_index(settings.database_url).backlog(db)
    since = "" if behind.since is None else behind.since.isoformat(timespec="seconds")
    click.echo(f"{behind.entries}\t{since}".rstrip())


@search.command()
@with_settings
def rebuild(settings: "Settings") -> None:
    """Make the index anew from what the database has, and print how many entries are in it.

    The portal may go on meanwhile; until this has ended, less is found.
    """
    from store.entry_search import entry_index
    from worker.entry_search import rebuild as make_anew

    def say(count: int) -> None:
        if count % 100_000 == 0:
            click.echo(f"{count:,} entries so far.", err=True)

    with open_platform(settings) as platform:
        count = make_anew(platform, entry_index(settings.database_url), say)
    click.echo(count)
