"""`./errand sources`: where jobs come from."""

from typing import TYPE_CHECKING

import click

from webapp.cli import with_settings
from webapp.cli.platform import did_you_mean, open_platform, platform_session

if TYPE_CHECKING:
    from uuid import UUID

    from store.platform import Platform
    from store.settings import Settings


@click.group()
def sources() -> None:
    """List sources of jobs, and sync git repositories."""


@sources.command("list")
@with_settings
def list_sources(settings: "Settings") -> None:
    """List sources, one a line: name, kind, commit, what the last sync came to, where it is."""
    from sqlalchemy import select

    from store.models import GitSource, JobSource
    from worker.syncs import latest

    with platform_session(settings) as db:
        rows = {row.name: row for row in db.scalars(select(JobSource))}
        repositories = {row.name: row for row in db.scalars(select(GitSource))}
        syncs = latest(db)
        lines = []
        for name in sorted(rows | repositories):
            row, repository = rows.get(name), repositories.get(name)
            sync = syncs.get(repository.id) if repository is not None else None
            kind = row.kind if row is not None else "git"
            commit = row.code_commit if row is not None else ""
            place = repository.url if repository is not None else row.location if row is not None else ""
            lines.append("\t".join((name, kind, commit, sync.state if sync is not None else "", place)))
    for line in lines:
        click.echo(line)


@sources.command()
@click.argument("slug")
@click.option("--test", is_flag=True, help="Only ask the server what it has; nothing is fetched.")
@with_settings
def sync(settings: "Settings", slug: str, test: bool) -> None:
    """Look at a git repository now, here, and use its newest commit if it is fit for use.

    Load errors are named on standard error. The exit code is 1 where the commit before stays in use.
    """
    from sqlalchemy import select

    from store.audit import note
    from store.models import GIT, GitSource
    from worker.syncs import ask, sync_now

    with open_platform(settings) as platform:
        with platform.session() as db:
            known = {row.slug: row for row in db.scalars(select(GitSource))}
            source = known.get(slug.removeprefix(GIT))
            if source is None:
                hint = did_you_mean(slug, list(known))
                raise click.ClickException(f"There is no git repository {slug!r} among the sources.{hint}")
            asked = ask(db, source, via="command", test=test)
            note(db, "source.test" if test else "source.sync", source.name)
            db.commit()
        if not sync_now(settings, platform, asked.id):
            raise click.ClickException("Another sync of it is at work; this one comes after it.")
        _tell(platform, asked.id)


def _tell(platform: "Platform", sync_id: "UUID") -> None:
    from store.models import SourceSync

    with platform.reading() as db:
        done = db.get(SourceSync, sync_id)
    if done is None:
        raise click.ClickException("The source was deleted meanwhile.")
    for error in done.errors:
        click.echo(error["message"], err=True)
    if done.state == "failed":
        raise click.ClickException(done.outcome)
    click.echo(done.outcome)
