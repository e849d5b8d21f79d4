"""`./errand audit`: who did what, and whether anybody altered what was written down."""

from typing import TYPE_CHECKING

import click

from webapp.cli import with_settings
from webapp.cli.platform import platform_session

if TYPE_CHECKING:
    from store.settings import Settings


@click.group()
def audit() -> None:
    """See who did what, and check that nobody has altered it."""


@audit.command("list")
@click.option("--count", default=50, show_default=True, type=click.IntRange(1, 100_000), metavar="N")
@with_settings
def list_records(settings: "Settings", count: int) -> None:
    """List the latest records, one a line, the latest last."""
    from sqlalchemy import select

    from store.models import AuditRecord
    from store.withdrawn import shown_audit
    from webapp.cli.printing import one_line

    with platform_session(settings) as session:
        rows = session.scalars(
            select(AuditRecord).where(shown_audit()).order_by(AuditRecord.id.desc()).limit(count)
        ).all()
        for row in reversed(rows):
            moment = row.created_at.isoformat(timespec="seconds")
            facts = (row.actor, row.via, row.address, row.action, row.subject)
            # A name may hold a line's end, and what follows would pass for a record.
            click.echo("\t".join((moment, *map(one_line, facts))))


@audit.command()
@click.option(
    "--expect", metavar="HEAD", help="A head that was printed before, and has to be in the chain still."
)
@with_settings
def verify(settings: "Settings", expect: str | None) -> None:
    """Look at every record; print the head of the chain, and exit with 1 where one was altered or is missing.

    Note the head down elsewhere: with --expect it shows later that the end was not cut off.
    """
    from store.audit import BATCH, seal
    from store.audit import verify as look

    with platform_session(settings) as session:
        while seal(session) == BATCH:
            pass
        verdict = look(session, expected=expect)
    for problem in verdict.problems[:20]:
        click.echo(problem, err=True)
    if verdict.problems:
        raise click.ClickException(f"{len(verdict.problems):,} problems in {verdict.sealed:,} records.")
    click.echo(f"{verdict.sealed:,} records, none altered.", err=True)
    click.echo(verdict.head)
