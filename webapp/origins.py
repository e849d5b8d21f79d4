"""What asked for a run, as its page tells: a schedule, a hook, whoever was to approve another one."""

from dataclasses import dataclass
from datetime import timedelta

from flask import url_for
from sqlalchemy import select

from store.models import Button, Chain, Hook, JobResult, Schedule, Webhook
from store.permissions import visible
from webapp.auth import allowed, current_user
from webapp.database import db

#: A run that starts so much after its slot was late.
LATE = timedelta(minutes=1)


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
        case "":
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
            there = allowed("view", Webhook) and db.session.get(Webhook, result.origin_id) is not None
            url = url_for("webhook_pages.show", webhook_id=result.origin_id) if there else ""
            return ShownOrigin("By webhook", result.origin_name, url)
        case "approval":
            return ShownOrigin("", result.origin_name)
    return ShownOrigin(f"By {result.origin}", result.origin_name)


def parent_of(result: JobResult) -> JobResult | None:
    """Return the run that led to this one, if the reader may see it."""
    if result.parent_id is None:
        return None
    query = visible(select(JobResult), current_user(), JobResult).where(JobResult.id == result.parent_id)
    parent: JobResult | None = db.session.scalars(query).one_or_none()
    return parent


def late_for(result: JobResult) -> bool:
    """Tell whether a run was made well after the slot it was made for."""
    return result.slot_at is not None and result.created_at - result.slot_at > LATE
