"""`./errand workers` and `./errand queues`: who works on what, and what waits."""

import time
from collections.abc import Sequence
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
    """List workers and schedulers, one a line: name, state, queues, last beat.

    A silent one should have been heard from by now: its process may have died, or its host be away.
    """
    from webapp.cli.printing import short_time, show

    columns = (
        ("Name", lambda row: row["name"]),
        # An older portal says nothing of silence.
        ("State", lambda row: "silent" if row.get("silent") else row["state"]),
        ("Queues", lambda row: ",".join(row["queues"])),
        ("Last beat", lambda row: short_time(row["seen_at"])),
    )
    show(portal.every("/workers"), columns, as_json=as_json)


@workers.command()
@click.argument("names", nargs=-1)
@click.option("--all", "every", is_flag=True, help="All workers that are here.")
@click.option(
    "--one-by-one",
    is_flag=True,
    help="Each when the one before has ended and as many work as before: a restart without a pause.",
)
@click.option(
    "--wait",
    "wait_seconds",
    type=click.FloatRange(0),
    metavar="SECONDS",
    help="Wait until they have ended, at most so long.  [one by one: 600 for each]",
)
@with_place
def drain(
    place: Place, names: tuple[str, ...], every: bool, one_by_one: bool, wait_seconds: float | None
) -> None:
    """Have workers end after their runs.

    What starts workers anew, such as --count, `./errand up` or systemd, then starts them with the code of today.
    """
    if bool(names) == every:
        raise click.UsageError("Name workers, or give --all.")
    here = _listening(place)
    chosen = sorted(here) if every else list(names)
    for name in chosen:
        _drain(place, name, on=True)
        click.echo(f"{name} takes no new run, and ends after its current one.", err=True)
        if one_by_one:
            _wait(place, [name], len(here), 600.0 if wait_seconds is None else wait_seconds)
    if wait_seconds is not None and not one_by_one:
        _wait(place, chosen, 0, wait_seconds)


def _listening(place: Place) -> set[str]:
    """Return the names of the workers that take runs."""
    with place.portal() as portal:
        rows = portal.every("/workers")
        return {row["name"] for row in rows if row["kind"] == "worker" and row["state"] in ("idle", "busy")}


def _wait(place: Place, names: Sequence[str], working: int, seconds: float) -> None:
    """Wait until those are gone and so many work."""
    deadline = time.monotonic() + seconds
    while True:
        with place.portal() as portal:
            here = {
                row["name"] for row in portal.every("/workers") if row["state"] not in ("stopped", "lost")
            }
        left = sorted(here.intersection(names))
        if not left and len(_listening(place)) >= working:
            return
        if time.monotonic() >= deadline:
            what = f"{', '.join(left)} did not end" if left else "Nobody came in its place"
            raise click.ClickException(f"{what} within {seconds:g} seconds.")
        time.sleep(0.5)


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
