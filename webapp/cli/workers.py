"""`./errand workers` and `./errand queues`: who works on what, and what waits."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click

from webapp.cli import with_settings
from webapp.cli.platform import did_you_mean, platform_session

if TYPE_CHECKING:
    from store.settings import Settings


@click.group()
def workers() -> None:
    """List workers, and have one end after its run."""


@workers.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list, shaped as in the API.")
@with_settings
def list_workers(settings: "Settings", as_json: bool) -> None:
    """List workers and schedulers, one a line: name, state, queues."""
    from webapp.api.shapes import places as shapes
    from worker.queue_facts import present_workers

    with platform_session(settings) as session:
        rows = present_workers(session)
        if as_json:
            text = _as_json([shapes.worker(row, row.result_id) for row in rows])
        else:
            text = "".join(f"{row.name}\t{row.shown_state}\t{','.join(row.queues)}\n" for row in rows)
    # Printed only now: a slow reader of our output must not hold the database.
    click.echo(text, nl=False)


@workers.command()
@click.argument("name")
@with_settings
def drain(settings: "Settings", name: str) -> None:
    """Have a worker end after its run."""
    _drain(settings, name, on=True)
    click.echo(f"{name} takes no new run, and ends after its current one.", err=True)


@workers.command()
@click.argument("name")
@with_settings
def resume(settings: "Settings", name: str) -> None:
    """Have a worker that was to end go on after all."""
    _drain(settings, name, on=False)
    click.echo(f"{name} goes on.", err=True)


@click.group()
def queues() -> None:
    """List queues, pause and resume them."""


@queues.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list, shaped as in the API.")
@with_settings
def list_queues(settings: "Settings", as_json: bool) -> None:
    """List queues, one a line: name, state, waiting runs, running runs, workers."""
    from webapp.api.shapes import places as shapes
    from worker.queue_facts import present_workers, queue_facts

    with platform_session(settings) as session:
        facts, _ = queue_facts(session, settings, present_workers(session))
    if as_json:
        click.echo(_as_json([shapes.queue(queue) for queue in facts]), nl=False)
        return
    for queue in facts:
        state = "paused" if queue.paused else "open"
        click.echo(f"{queue.name}\t{state}\t{queue.waiting}\t{queue.running}\t{queue.workers}")


@queues.command()
@click.argument("name")
@with_settings
def pause(settings: "Settings", name: str) -> None:
    """Let the runs of a queue wait: no worker takes them."""
    _set_paused(settings, name, paused=True)
    click.echo(f"Queue {name} is paused.", err=True)


@queues.command("resume")
@click.argument("name")
@with_settings
def resume_queue(settings: "Settings", name: str) -> None:
    """Have the runs of a queue taken again."""
    _set_paused(settings, name, paused=False)
    click.echo(f"Queue {name} goes on.", err=True)


def _drain(settings: "Settings", name: str, *, on: bool) -> None:
    from worker.presence import WORKER, set_drain
    from worker.queue_facts import present_workers

    with platform_session(settings) as session:
        if set_drain(session, name, on):
            return
        here = [row.name for row in present_workers(session) if row.here and row.kind == WORKER]
    hint = did_you_mean(name, here) or " `./errand workers list` shows those there are."
    raise click.ClickException(f"There is no worker {name!r} now.{hint}")


def _set_paused(settings: "Settings", name: str, *, paused: bool) -> None:
    from worker.pausing import set_paused
    from worker.queue_facts import known_queues

    with platform_session(settings) as session:
        known = known_queues(session)
        if name in known:
            # Whoever may use the command line needs no name.
            set_paused(session, name, paused=paused, by=None)
            return
    hint = did_you_mean(name, known) or " `./errand queues list` shows those there are."
    raise click.ClickException(f"There is no queue {name!r}.{hint}")


def _as_json(rows: Sequence[Mapping[str, object]]) -> str:
    return json.dumps(rows, indent=2) + "\n"
