"""`./errand workers` and `./errand queues`: who works on what, and what waits."""

from typing import TYPE_CHECKING

import click

from webapp.cli import Place, with_place, with_portal
from webapp.cli.platform import did_you_mean, platform_session

if TYPE_CHECKING:
    from webapp.cli.portal import Portal


@click.group()
def workers() -> None:
    """List workers, and have one end after its run."""


@workers.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list, shaped as in the API.")
@with_portal
def list_workers(portal: "Portal", as_json: bool) -> None:
    """List workers and schedulers, one a line: name, state, queues."""
    from webapp.cli.printing import show

    columns = (
        ("Name", lambda row: row["name"]),
        ("State", lambda row: row["state"]),
        ("Queues", lambda row: ",".join(row["queues"])),
    )
    show(portal.every("/workers"), columns, as_json=as_json)


@workers.command()
@click.argument("name")
@with_place
def drain(place: Place, name: str) -> None:
    """Have a worker end after its run."""
    _drain(place, name, on=True)
    click.echo(f"{name} takes no new run, and ends after its current one.", err=True)


@workers.command()
@click.argument("name")
@with_place
def resume(place: Place, name: str) -> None:
    """Have a worker that was to end go on after all."""
    _drain(place, name, on=False)
    click.echo(f"{name} goes on.", err=True)


@click.group()
def queues() -> None:
    """List queues, pause and resume them."""


@queues.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list, shaped as in the API.")
@with_portal
def list_queues(portal: "Portal", as_json: bool) -> None:
    """List queues, one a line: name, state, waiting runs, running runs, workers."""
    from webapp.cli.printing import show

    columns = (
        ("Name", lambda row: row["name"]),
        ("State", lambda row: "paused" if row["paused"] else "open"),
        ("Waiting", lambda row: row["waiting"]),
        ("Running", lambda row: row["running"]),
        ("Workers", lambda row: row["workers"]),
    )
    show(portal.every("/queues"), columns, as_json=as_json)


@queues.command()
@click.argument("name")
@with_place
def pause(place: Place, name: str) -> None:
    """Let the runs of a queue wait: no worker takes them."""
    _set_paused(place, name, paused=True)
    click.echo(f"Queue {name} is paused.", err=True)


@queues.command("resume")
@click.argument("name")
@with_place
def resume_queue(place: Place, name: str) -> None:
    """Have the runs of a queue taken again."""
    _set_paused(place, name, paused=False)
    click.echo(f"Queue {name} goes on.", err=True)


def _drain(place: Place, name: str, *, on: bool) -> None:
    if place.elsewhere is not None:
        place.elsewhere.post(f"/workers/{name}/{'drain' if on else 'resume'}")
        return
    from worker.presence import WORKER, set_drain
    from worker.queue_facts import present_workers

    with platform_session(place.settings) as session:
        if set_drain(session, name, on):
            return
        here = [row.name for row in present_workers(session) if row.here and row.kind == WORKER]
    hint = did_you_mean(name, here) or " `./errand workers list` shows those there are."
    raise click.ClickException(f"There is no worker {name!r} now.{hint}")


def _set_paused(place: Place, name: str, *, paused: bool) -> None:
    if place.elsewhere is not None:
        place.elsewhere.post(f"/queues/{name}/{'pause' if paused else 'resume'}")
        return
    from worker.pausing import set_paused
    from worker.queue_facts import known_queues

    with platform_session(place.settings) as session:
        known = known_queues(session)
        if name in known:
            # Whoever may use the command line needs no name.
            set_paused(session, name, paused=paused, by=None)
            return
    hint = did_you_mean(name, known) or " `./errand queues list` shows those there are."
    raise click.ClickException(f"There is no queue {name!r}.{hint}")
