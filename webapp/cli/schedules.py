"""`./errand schedules`: what runs at set times."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from webapp.cli import Place, with_place, with_settings
from webapp.cli.completion import a_schedule
from webapp.cli.platform import platform_session

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from store.models import Schedule, User
    from store.settings import Settings

as_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, as the API answers it.")


@click.group()
def schedules() -> None:
    """List, show, pause, resume and run schedules, and remove those that are long over."""


@schedules.command("list")
@as_json_option
@with_place
def list_schedules(place: Place, as_json: bool) -> None:
    """List schedules, one a line: id, state, next run (UTC), owner, job, times, name."""
    from webapp.cli.printing import show

    columns = (
        ("Id", lambda row: row["id"]),
        ("State", _state),
        ("Next run", lambda row: _seconds(row["next_at"])),
        ("Owner", lambda row: row["user"]),
        ("Job", lambda row: row["class_path"]),
        ("Times", lambda row: row["words"]),
        ("Name", lambda row: row["name"]),
    )
    if place.elsewhere is not None:
        rows: Any = place.elsewhere.every("/schedules", sort="name")
    else:
        rows = _all(place.settings)
    show(rows, columns, as_json=as_json)


@schedules.command("show")
@click.argument("schedule", shell_complete=a_schedule)
@as_json_option
@with_place
def show_schedule(place: Place, schedule: str, as_json: bool) -> None:
    """Show a schedule: when it runs, as whom, with which inputs, what is wrong with it."""
    from webapp.cli.printing import print_json, show_one

    if place.elsewhere is not None:
        found = place.elsewhere.get(f"/schedules/{schedule}")
    else:
        with _found(place, schedule) as (db, row, _):
            found = _shape(db, row)
    if as_json:
        print_json(found)
    else:
        show_one(_facts(found))


@schedules.command()
@click.argument("schedule", shell_complete=a_schedule)
@with_place
def pause(place: Place, schedule: str) -> None:
    """Have a schedule make no runs until somebody resumes it."""
    from worker import schedules as acts

    _switch(place, schedule, "pause", acts.pause)
    click.echo("The schedule is paused.", err=True)


@schedules.command()
@click.argument("schedule", shell_complete=a_schedule)
@with_place
def resume(place: Place, schedule: str) -> None:
    """Have a paused schedule go on with what is to come."""
    from worker import schedules as acts

    _switch(place, schedule, "resume", acts.resume)
    click.echo("The schedule is on again.", err=True)


@schedules.command()
@click.argument("schedule", shell_complete=a_schedule)
@with_place
def run(place: Place, schedule: str) -> None:
    """Have a schedule make one more run now, and print the id of its result."""
    from worker.schedules import run_now

    if place.elsewhere is not None:
        click.echo(place.elsewhere.post(f"/schedules/{schedule}/run")["id"])
        return
    with _found(place, schedule) as (db, row, user):
        if row.job is None:
            raise click.ClickException("Its job is not there any more.")
        made = run_now(db, place.settings, row, row.job, user())
    click.echo(made.id)


@schedules.command("remove-stale")
@click.argument("days", type=click.IntRange(0, 36_500))
@with_settings
def remove_stale(settings: "Settings", days: int) -> None:
    """Remove schedules that were to run once, more than DAYS ago. Their results stay."""
    from datetime import timedelta

    from sqlalchemy import select

    from store.audit import note
    from store.models import Schedule, now

    with platform_session(settings) as db:
        stale = (Schedule.interval == "future", Schedule.start_at < now() - timedelta(days=days))
        rows = db.scalars(select(Schedule).where(*stale)).all()
        for row in rows:
            note(db, "schedule.delete", str(row.id), before={"name": row.name, "job": row.class_path})
            db.delete(row)
        db.commit()
    click.echo(f"Removed {len(rows):,} schedules.", err=True)


def _switch(place: Place, schedule: str, verb: str, act: "Callable[[Session, Schedule, User], None]") -> None:
    if place.elsewhere is not None:
        place.elsewhere.post(f"/schedules/{schedule}/{verb}")
        return
    with _found(place, schedule) as (db, row, user):
        act(db, row, user())


# --- What is here, in the words of the API ---


@contextmanager
def _found(place: Place, schedule: str) -> "Iterator[tuple[Session, Schedule, Callable[[], User]]]":
    """Give a schedule, its session, and what tells in whose name something is done to it."""
    from store.permissions import Forbidden
    from webapp.cli.run import who
    from worker.asked import NotRunnable
    from worker.firing import read

    try:
        with platform_session(place.settings) as db:
            row = read(db, _id(schedule))
            if row is None:
                raise click.ClickException(NO_SCHEDULE)
            yield db, row, lambda: who(db, place.username)
    except (Forbidden, NotRunnable) as refusal:
        raise click.ClickException(str(refusal)) from refusal


NO_SCHEDULE = "There is no such schedule, or you may not see it."


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise click.ClickException(NO_SCHEDULE) from None


def _all(settings: "Settings") -> list[Mapping[str, Any]]:
    from sqlalchemy import select
    from sqlalchemy.orm import joinedload

    from store.models import Schedule

    with platform_session(settings) as db:
        query = select(Schedule).options(joinedload(Schedule.job), joinedload(Schedule.user))
        return [_line(db, row) for row in db.scalars(query.order_by(Schedule.name))]


def _line(db: "Session", row: "Schedule") -> dict[str, Any]:
    from store.timing.saved import recurrence_of
    from webapp.api.shapes import time
    from worker.firing import why_not_now
    from worker.schedule_approvals import approval_of

    return {
        "id": str(row.id),
        "name": row.name,
        "class_path": row.class_path,
        "user": row.username,
        "enabled": row.enabled,
        "over": row.over,
        "words": recurrence_of(row).in_words(),
        "queue": row.queue,
        "commit": row.commit,
        "next_at": time(row.next_slot_at),
        "problem": why_not_now(row, approval_of(db, row.id)) or row.problem or None,
        "total_run_count": row.total_run_count,
    }


def _shape(db: "Session", row: "Schedule") -> dict[str, Any]:
    return {**_line(db, row), "data": row.data, "sealed": row.sealed_facts or {}}


# --- What is printed ---


def _state(row: Mapping[str, Any]) -> str:
    # Elsewhere nobody says whether one that is paused is over.
    if row.get("over") or (row["enabled"] and not row["next_at"]):
        return "over"
    return "paused" if not row["enabled"] else "problem" if row["problem"] else "on"


def _seconds(moment: str | None) -> str:
    return datetime.fromisoformat(moment).isoformat(timespec="seconds") if moment else ""


def _facts(found: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [
        ("id", found["id"]),
        ("name", found["name"]),
        ("job", found["class_path"]),
        ("state", _state(found)),
        ("problem", found["problem"]),
        ("runs", found["words"]),
        ("next run", _seconds(found["next_at"])),
        ("as", found["user"]),
        ("queue", found["queue"]),
        ("saves changes", found["commit"]),
        ("runs so far", found["total_run_count"]),
        *((f"input {name}", value) for name, value in found["data"].items()),
        *((f"input {name}", "(sealed)") for name in found["sealed"]),
    ]
