"""`./errand keys`: what workers open sealed inputs with."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from webapp.cli import instance_option, with_settings
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
@instance_option
def make(instance: Path | None) -> None:
    """Print a new private key, for WORKER_KEY. Nothing is changed, and there need not be an instance yet."""
    from worker.keyring import make_key

    click.echo(make_key())


@keys.command()
@with_settings
def prepare(settings: "Settings") -> None:
    """Put a new key into the file worker_key, before the others, for the next rotation.

    Copy the file to the other machines with workers before that: nothing is sealed with the key yet.
    """
    from worker.keyring import CannotRotate, path_of
    from worker.keyring import prepare as make_ready

    try:
        fingerprint = make_ready(settings)
    except CannotRotate as error:
        raise click.ClickException(str(error)) from error
    click.echo(
        f"The worker key {fingerprint} is in {path_of(settings)}. `./errand keys rotate` begins to use it."
    )


@keys.command()
@click.option("--lost", is_flag=True, help="The old key is lost: what it sealed stays closed.")
@with_settings
def rotate(settings: "Settings", lost: bool) -> None:
    """Seal inputs with a new key from now on, and those that are kept anew. The first time this makes the key.

    With workers on several machines, give them the new key first: `prepare` it and copy the file worker_key, or put it
    first into WORKER_KEY and start the workers anew. On one machine this makes it, too.
    """
    from worker.keyring import CannotRotate
    from worker.keyring import rotate as seal_anew

    with platform_session(settings) as db:
        try:
            done = seal_anew(db, settings, lost=lost)
        except CannotRotate as error:
            raise click.ClickException(str(error)) from error
    click.echo(f"Inputs are sealed for the worker key {done.fingerprint} from now on.")
    click.echo(f"Sealed anew: the inputs of {done.resealed:,} run{'' if done.resealed == 1 else 's'}.")
    if done.closed:
        raise click.ClickException(f"{done.closed:,} could not be opened, and stay as they are.")
