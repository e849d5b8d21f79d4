"""What asked for a run, as its page tells: a schedule, a hook, whoever was to approve another one; and what it led to."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from flask import url_for
from sqlalchemy import select
from sqlalchemy.orm import joinedload, load_only

from store.models import LEVELS, Button, Chain, ChainLink, Hook, JobResult, Schedule, User, Webhook
from store.permissions import visible
from webapp.auth import allowed, current_user
from webapp.database import db

#: A run that starts so much after its slot was late.
LATE = timedelta(minutes=1)

#: Of the runs that one led to, on its page.
MOST_SHOWN = 20

_SHOWN = (
    load_only(
        JobResult.name,
        JobResult.username,
        JobResult.status,
        JobResult.origin,
        JobResult.origin_name,
        JobResult.created_at,
        *(getattr(JobResult, f"count_{level}") for level in LEVELS),
    ),
    joinedload(JobResult.user).load_only(User.username, User.display_name),
)


@dataclass(frozen=True, slots=True)
class ShownOrigin:
    #: "By schedule", and what that is called.
    words: str
    name: str
    #: Its page, where the reader may see it and it is there still.
    url: str = ""


def origin_of(result: JobResult) -> ShownOrigin | None:
    """Return what asked for a run; None for a person."""
    match result.origin:
        case "" | "map":
            # The run that asked for it is told of as its parent.
            return None
        case "schedule":
            seen = visible(select(Schedule.id), current_user(), Schedule).where(
                Schedule.id == result.origin_id
            )
            there = db.session.scalar(seen) is not None
            url = url_for("schedules.show", schedule_id=result.origin_id) if there else ""
            return ShownOrigin("By schedule", result.origin_name, url)
        case "hook":
            there = allowed("view", Hook) and db.session.get(Hook, result.origin_id) is not None
            url = url_for("hooks.show", hook_id=result.origin_id) if there else ""
            return ShownOrigin("By hook", result.origin_name, url)
        case "button":
            there = allowed("view", Button) and db.session.get(Button, result.origin_id) is not None
            url = url_for("buttons.show", button_id=result.origin_id) if there else ""
            return ShownOrigin("By button", result.origin_name, url)
        case "chain":
            there = allowed("view", Chain) and db.session.get(Chain, result.origin_id) is not None
            url = url_for("chains.show", chain_id=result.origin_id) if there else ""
            return ShownOrigin("By chain", result.origin_name, url)
        case "webhook":
            # GitHub's that come as to bennettbot are no rows here.
            known = result.origin_id is not None and allowed("view", Webhook)
            there = known and db.session.get(Webhook, result.origin_id) is not None
            url = url_for("webhook_pages.show", webhook_id=result.origin_id) if there else ""
            return ShownOrigin("By webhook", result.origin_name, url)
        case "slack":
            return ShownOrigin("Asked for in Slack", result.origin_name)
        case "approval" | "plan":
            return ShownOrigin("", result.origin_name)
    return ShownOrigin(f"By {result.origin}", result.origin_name)


def parent_of(result: JobResult) -> JobResult | None:
    """Return the run that led to this one, if the reader may see it."""
    if result.parent_id is None:
        return None
    query = visible(select(JobResult), current_user(), JobResult).where(JobResult.id == result.parent_id)
    parent: JobResult | None = db.session.scalars(query).one_or_none()
    return parent


@dataclass(frozen=True, slots=True)
class Refusal:
    """A chain that ran nothing after a run. Of why, and of its page, only those know who may see chains."""

    chain: str
    reason: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class LedTo:
    """The runs that one has led to, the first ones first, and what it should have led to."""

    runs: Sequence[JobResult]
    #: There are more.
    more: bool
    refusals: Sequence[Refusal]


def led_to(result: JobResult) -> LedTo:
    """Return what came of a run, as far as the reader may see it."""
    query = visible(select(JobResult), current_user(), JobResult)
    # Of what it has asked for itself there is a view of its own.
    query = query.where(JobResult.parent_id == result.id, JobResult.map_number.is_(None))
    first = query.order_by(JobResult.created_at, JobResult.id).limit(MOST_SHOWN + 1)
    runs = db.session.scalars(first.options(*_SHOWN)).all()
    return LedTo(runs[:MOST_SHOWN], more=len(runs) > MOST_SHOWN, refusals=_refusals(result))


def _refusals(result: JobResult) -> list[Refusal]:
    query = (
        select(Chain.id, Chain.name, ChainLink.refused)
        .join(Chain, Chain.id == ChainLink.chain_id)
        .where(ChainLink.result_id == result.id, ChainLink.refused != "")
        .order_by(Chain.name)
        .limit(MOST_SHOWN)
    )
    rows = db.session.execute(query).all()
    if not rows or not allowed("view", Chain):
        return [Refusal(row.name) for row in rows]
    return [Refusal(row.name, row.refused, url_for("chains.show", chain_id=row.id)) for row in rows]


def late_for(result: JobResult) -> bool:
    """Tell whether a run was made well after the slot it was made for."""
    return result.slot_at is not None and result.created_at - result.slot_at > LATE
