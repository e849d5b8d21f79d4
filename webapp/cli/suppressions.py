"""`./errand suppressions`: times in which no run of a job begins."""

from datetime import datetime, time
from typing import TYPE_CHECKING, Any

import click

from webapp.cli import with_portal
from webapp.cli.completion import a_job

if TYPE_CHECKING:
    from webapp.cli.portal import Portal


class Moment(click.ParamType[datetime]):
    """A time of today, or of another day, on the clock of this machine unless it names a zone."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        text = str(value)
        try:
            if "-" in text:
                return datetime.fromisoformat(text).astimezone()
            return datetime.combine(datetime.now().astimezone(), time.fromisoformat(text)).astimezone()
        except (ValueError, OverflowError):
            self.fail("Give a time such as 14:30, or 2030-05-15T14:30.")


@click.group()
def suppressions() -> None:
    """Have no run of a job begin for some time. What waits starts when it is over."""


@suppressions.command("list")
@click.argument("class_path", metavar="CLASS_PATH", shell_complete=a_job)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list, shaped as in the API.")
@with_portal
def list_suppressions(portal: "Portal", class_path: str, as_json: bool) -> None:
    """List the suppressions of a job that are not over, one a line: id, from, to (UTC), by whom."""
    from webapp.cli.printing import short_time, show

    columns = (
        ("Id", lambda row: row["id"]),
        ("From", lambda row: short_time(row["starts_at"])),
        ("To", lambda row: short_time(row["ends_at"])),
        ("By", lambda row: row["user"]),
    )
    show(portal.get(f"/jobs/{class_path}/suppressions")["results"], columns, as_json=as_json)


@suppressions.command()
@click.argument("class_path", metavar="CLASS_PATH", shell_complete=a_job)
@click.argument("until", type=Moment())
@click.option("--from", "begins", type=Moment(), help="When it begins; now, unless you say.")
@with_portal
def add(portal: "Portal", class_path: str, until: datetime, begins: datetime | None) -> None:
    """Have no run of a job begin until UNTIL, and print the id of the suppression."""
    said = {"ends_at": until.isoformat(), **({"starts_at": begins.isoformat()} if begins else {})}
    click.echo(portal.post(f"/jobs/{class_path}/suppressions", said)["id"])


@suppressions.command()
@click.argument("class_path", metavar="CLASS_PATH", shell_complete=a_job)
@click.argument("number", required=False, type=click.IntRange(1), metavar="[ID]")
@with_portal
def remove(portal: "Portal", class_path: str, number: int | None) -> None:
    """End a suppression of a job, or all of them."""
    address = f"/jobs/{class_path}/suppressions"
    if number is not None:
        portal.delete(f"{address}/{number}")
        click.echo("The suppression is ended.", err=True)
        return
    ended = portal.delete(address)["ended"]
    click.echo(f"Ended {ended} suppression{'' if ended == 1 else 's'}.", err=True)
