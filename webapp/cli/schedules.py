"""`./errand schedules`: what runs at set times."""

from typing import TYPE_CHECKING

import click

from webapp.cli import with_settings
from webapp.cli.platform import platform_session

if TYPE_CHECKING:
    from store.settings import Settings


@click.group()
def schedules() -> None:
    """List schedules, and remove those that are long over."""


@schedules.command("list")
@with_settings
def list_schedules(settings: "Settings") -> None:
    """List schedules, one a line: id, state, next run (UTC), owner, job, times, name."""
    from sqlalchemy import select
    from sqlalchemy.orm import joinedload

    from store.models import Schedule
    from store.timing.saved import recurrence_of
    from worker.firing import why_not_now
    from worker.schedule_approvals import approval_of

    with platform_session(settings) as db:
        query = select(Schedule).options(joinedload(Schedule.job), joinedload(Schedule.user))
        for row in db.scalars(query.order_by(Schedule.name)).all():
            problem = why_not_now(row, approval_of(db, row.id)) or row.problem
            state = "over" if row.over else "paused" if not row.enabled else "problem" if problem else "on"
            coming = row.next_slot_at.isoformat(timespec="seconds") if row.next_slot_at else ""
            facts = (str(row.id), state, coming, row.username, row.class_path, recurrence_of(row).in_words())
            click.echo("\t".join((*facts, row.name)))


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
