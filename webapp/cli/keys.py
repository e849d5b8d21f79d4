"""`./errand keys`: what workers open sealed inputs with."""

from typing import TYPE_CHECKING

import click

from webapp.cli import with_settings
from webapp.cli.platform import platform_session

if TYPE_CHECKING:
    from store.settings import Settings


@click.group()
def keys() -> None:
    """See and change the keys that sensitive inputs are sealed for."""


@keys.command("list")
@with_settings
def list_keys(settings: "Settings") -> None:
    """List the keys, the newest first: fingerprint, since when, whether it is here, how many inputs it seals."""
    from sqlalchemy import select

    from store.models import WorkerKey
    from worker.keyring import boxes, by_fingerprint, private_keys

    here = by_fingerprint(private_keys(settings))
    with platform_session(settings) as db:
        for key in db.scalars(select(WorkerKey).order_by(WorkerKey.id.desc())).all():
            state = "in use" if key.retired_at is None else "replaced"
            place = "here" if key.fingerprint in here else "not here"
            since = key.created_at.isoformat(timespec="seconds")
            click.echo(f"{key.fingerprint}\t{since}\t{state}\t{place}\t{boxes(db, key.fingerprint)}")


@keys.command()
@with_settings
def make(_settings: "Settings") -> None:
    """Print a new private key, for WORKER_KEY. Nothing is changed."""
    from worker.keyring import make_key

    click.echo(make_key())


@keys.command()
@click.option("--lost", is_flag=True, help="The old key is lost: what it sealed stays closed.")
@with_settings
def rotate(settings: "Settings", lost: bool) -> None:
    """Seal inputs with a new key from now on, and those that are kept anew. The first time this makes the key.

    The new key is put into the file worker_key of the instance folder, before the old one: copy the file to the other
    workers' machines. With WORKER_KEY, put the new key first, and start the workers anew, before this.
    """
    from worker.keyring import CannotRotate
    from worker.keyring import rotate as seal_anew

    with platform_session(settings) as db:
        try:
            fingerprint, count = seal_anew(db, settings, lost=lost)
        except CannotRotate as error:
            raise click.ClickException(str(error)) from error
    click.echo(f"Inputs are sealed for the worker key {fingerprint} from now on.")
    click.echo(f"Sealed anew: the inputs of {count:,} run{'' if count == 1 else 's'}.")
