"""`./errand approvals`: what waits for somebody to approve it, and the decision."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

import click

from webapp.cli import Place, with_place
from webapp.cli.completion import a_waiting_result
from webapp.cli.platform import platform_session

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from store.models import Approval
    from store.settings import Settings
    from webapp.cli.portal import Portal

NO_REQUEST = "Nothing of this id waits for an approval, or you may not see it."

Verb = Literal["approve", "deny"]

ANY = "any"


class Drift(click.ParamType[int | str]):
    """A number of changes, or any."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | str:
        text = str(value)
        if text == ANY or (text.isascii() and text.isdecimal() and len(text) < 6):
            return ANY if text == ANY else int(text)
        self.fail(f"Give a number, or {ANY}.")


@click.group()
def approvals() -> None:
    """See what waits for an approval, and decide on it.

    Nobody decides on what they have asked for themselves.
    """


@approvals.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
@with_place
def list_approvals(place: Place, as_json: bool) -> None:
    """List what waits, one a line: id of the run or schedule, which of them it is, since when, by whom, job."""
    from webapp.cli.printing import short_time, show

    columns = (
        ("Id", lambda row: row["id"]),
        ("Kind", lambda row: row["kind"]),
        ("Asked for", lambda row: short_time(row["created_at"])),
        ("By", lambda row: row["user"]),
        ("Job", lambda row: row["class_path"]),
    )
    if place.elsewhere is not None:
        rows: Any = place.elsewhere.every("/approvals", view="waiting")
    else:
        rows = _waiting(place.settings)
    show(rows, columns, as_json=as_json)


_plan_option = click.option(
    "--plan",
    type=click.UUID,
    metavar="RESULT",
    help="The run that made the plan you have read, where there is one.",
)


@approvals.command()
@click.argument("request", metavar="ID", shell_complete=a_waiting_result)
@click.option("--comment", default="", metavar="TEXT", help="What whoever asked for it will read.")
@_plan_option
@click.option("--drift", type=Drift(), help="How many changes of the plan may be others: a number, or any.")
@click.option("--late", is_flag=True, help="Of a schedule: also where it was to run before now.")
@with_place
def approve(
    place: Place, request: str, comment: str, plan: UUID | None, drift: int | str | None, late: bool
) -> None:
    """Approve a run, or a schedule: it starts as soon as it may."""
    said = {"plan": plan and str(plan), "drift": drift, "late": late}
    more = {name: value for name, value in said.items() if value}
    _decide(place, request, "approve", {"comment": comment, **more})
    click.echo("It is approved.", err=True)


@approvals.command()
@click.argument("request", metavar="ID", shell_complete=a_waiting_result)
@click.option("--comment", required=True, metavar="TEXT", help="Why: whoever asked for it will read that.")
@with_place
def deny(place: Place, request: str, comment: str) -> None:
    """Deny a run, or a schedule."""
    _decide(place, request, "deny", {"comment": comment})
    click.echo("It is denied.", err=True)


def _decide(place: Place, request: str, verb: Verb, said: Mapping[str, Any]) -> None:
    from webapp.cli.asking import sentences

    try:
        key = UUID(request)
    except ValueError:
        raise click.ClickException(NO_REQUEST) from None
    if place.elsewhere is not None:
        _decide_elsewhere(place.elsewhere, key, verb, said)
        return
    from jobs.errors import InvalidData
    from store.permissions import Forbidden, NotVisible
    from worker.approvals import AlreadyDecided

    try:
        _decide_here(place, key, verb, said)
    except InvalidData as error:
        raise click.ClickException(sentences(error)) from error
    except NotVisible as error:
        raise click.ClickException(NO_REQUEST) from error
    except (Forbidden, AlreadyDecided) as error:
        raise click.ClickException(str(error)) from error


def _decide_elsewhere(portal: "Portal", key: UUID, verb: Verb, said: Mapping[str, Any]) -> None:
    from webapp.cli.portal import CANNOT, Refusal

    try:
        portal.post(f"/approvals/runs/{key}/{verb}", said)
    except Refusal as refusal:
        if refusal.status != 404 or refusal.message == CANNOT:
            raise
        try:
            portal.post(f"/approvals/schedules/{key}/{verb}", said)
        except Refusal as none:
            if none.status != 404:
                raise
            raise click.ClickException(NO_REQUEST) from none


def _decide_here(place: Place, key: UUID, verb: Verb, said: Mapping[str, Any]) -> None:
    from store.models import JobResult
    from webapp.cli.run import who
    from worker import approvals as of_runs
    from worker import schedule_approvals as of_schedules
    from worker.firing import read

    decision: of_runs.Decision = "approved" if verb == "approve" else "denied"
    plan = UUID(said["plan"]) if "plan" in said else None
    drift = None if said.get("drift") == ANY else said.get("drift", 0)
    settings = place.settings
    with platform_session(settings) as db:
        user = who(db, place.username)
        given: dict[str, Any] = {"user": user, "comment": said["comment"], "plan": plan, "drift": drift}
        if (result := db.get(JobResult, key)) is not None:
            of_runs.decide(db, settings, result, decision, **given)
        elif (schedule := read(db, key)) is not None:
            of_schedules.decide(db, schedule, decision, late=said.get("late", False), **given)
        else:
            raise click.ClickException(NO_REQUEST)


def _waiting(settings: "Settings") -> Sequence[Mapping[str, Any]]:
    """Return what waits here, in the words of the API."""
    with platform_session(settings) as db:
        return [_line(each) for each in _rows(db)]


def _rows(db: "Session") -> "Sequence[Approval]":
    from sqlalchemy import and_, or_, select
    from sqlalchemy.orm import joinedload

    from store.models import Approval, JobResult, Schedule, Status

    of_run = and_(Approval.schedule_id.is_(None), JobResult.status == Status.AWAITING_APPROVAL)
    of_schedule = and_(Approval.result_id.is_(None), Schedule.id.is_not(None))
    query = (
        select(Approval)
        .outerjoin(JobResult, JobResult.id == Approval.result_id)
        .outerjoin(Schedule, Schedule.id == Approval.schedule_id)
        .where(Approval.decision.is_(None), or_(of_run, of_schedule))
        .options(joinedload(Approval.result), joinedload(Approval.schedule))
        .order_by(Approval.id)
    )
    return db.scalars(query).all()


def _line(approval: "Approval") -> Mapping[str, Any]:
    from webapp.api.shapes import moment, time

    about = approval.schedule or approval.result
    assert about is not None  # noqa: S101 - see _rows
    return {
        "kind": "schedule" if approval.schedule is not None else "run",
        "id": str(about.id),
        "name": about.name,
        "class_path": about.class_path,
        "user": about.username,
        "created_at": moment(approval.created_at),
        "expires_at": time(approval.expires_at),
    }
