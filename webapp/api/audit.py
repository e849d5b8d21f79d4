"""The audit: who did what, and whether its chain holds."""

from typing import Any

from sqlalchemy import select

from store.audit import verify
from store.models import AuditRecord, User
from store.permissions import require
from store.withdrawn import shown_audit
from webapp.api.calls import Query, call
from webapp.api.given import Moment, Text
from webapp.api.listing import Order, Sorted, part
from webapp.api.paging import page
from webapp.api.shapes import Page
from webapp.api.shapes.people import AuditShape, VerdictShape, audit_record, verdict
from webapp.api.tokens import user
from webapp.database import db, looking

ORDER = Order({"id": AuditRecord.id, "created_at": AuditRecord.created_at}, AuditRecord.id, "-id")


class Audit(Sorted):
    """The three texts are the beginnings of what is looked for."""

    most = 1000
    actor: Text = ""
    action: Text = ""
    subject: Text = ""
    via: list[Text] = []
    since: Moment | None = None
    until: Moment | None = None


class Verify(Query):
    expected: Text | None = None


@call(query=Audit, answers={200: Page[AuditShape]}, tag="audit")
def audit(query: Audit) -> Any:
    """List what people did, the latest first."""
    require(user(), "view", User)
    wanted = select(AuditRecord).where(shown_audit())
    for name in ("actor", "action", "subject"):
        if given := getattr(query, name):
            wanted = wanted.where(getattr(AuditRecord, name).istartswith(given, autoescape=True))
    if query.via:
        wanted = wanted.where(AuditRecord.via.in_(query.via))
    if query.since is not None:
        wanted = wanted.where(AuditRecord.created_at >= query.since)
    if query.until is not None:
        wanted = wanted.where(AuditRecord.created_at < query.until)
    rows, more = part(db.session(), wanted, query, ORDER)
    return page([audit_record(row) for row in rows], more)


@call(query=Verify, answers={200: VerdictShape}, tag="audit")
def verify_audit(query: Verify) -> Any:
    """Look at every record of the chain: whether one was altered or taken out, or the expected head cut off."""
    require(user(), "view", User)
    with looking() as session:
        return verdict(verify(session, expected=query.expected or None))
