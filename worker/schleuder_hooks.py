"""Webhooks that run jobs of the registry of jobschleuder: general ones, made with its arguments."""

from collections.abc import Iterator

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, joinedload

from jobs.dialects import SCHLEUDER
from jobs.errors import InvalidData
from store.audit import note
from store.models import JobRecord, RegistryJob, User, Webhook
from store.permissions import require
from store.settings import Settings
from store.text import clean_text
from worker.asked import require_runnable
from worker.schleuder import inputs, record_of
from worker.webhooks import new_secret

LONGEST_NAME = 100


def webhooks(db: Session) -> Iterator[tuple[Webhook, str]]:
    """Yield the webhooks that run jobs of plugins, and the names of those."""
    query = select(Webhook).join(Webhook.job).where(JobRecord.dialect == SCHLEUDER).order_by(Webhook.name)
    for webhook in db.scalars(query.options(joinedload(Webhook.job))):
        yield webhook, webhook.job.class_name if webhook.job else ""


def add(db: Session, settings: Settings, row: RegistryJob, name: str, user: User) -> tuple[Webhook, str]:
    """Make a webhook that runs a job of the registry as `user`; return it and its secret. Commits `db`.

    Raises InvalidData, NotRunnable or Forbidden.
    """
    name = " ".join(clean_text(name).split())
    if not name or len(name) > LONGEST_NAME:
        raise InvalidData({"add": [f"A webhook needs a name of at most {LONGEST_NAME} characters."]})
    record = record_of(db, row.job)
    require_runnable(record)
    require(user, "run", record)
    webhook = Webhook(
        name=name,
        job=record,
        user=user,
        username=user.username,
        form="generic",
        rules=[],
        data=inputs(row),
        commit=None,
        queue="",
        enabled=True,
    )
    secret = new_secret(settings, webhook)
    db.add(webhook)
    note(
        db,
        "webhook.create",
        name,
        actor=user.username,
        after={"job": record.class_path, "inputs": webhook.data},
    )
    try:
        db.commit()
    except IntegrityError:
        db.rollback()
        raise InvalidData({"add": [f"There is a webhook called {name} already."]}) from None
    return webhook, secret


def address_of(settings: Settings, webhook: Webhook) -> str:
    """Return where requests go to; without the portal's own address where nobody has said that."""
    return f"{settings.notices.url}/hooks/in/{webhook.id}"
