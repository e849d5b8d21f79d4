"""Who did what: written down with the change itself, and chained afterwards so that nobody can alter it unseen.

Each record of the chain holds a digest over itself and the one before it. They are chained in batches, by whoever comes
by (the scheduler does): what is written down never waits for others.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from store.models import AuditRecord, now
from store.text import clean_json, clean_text

#: Of texts, as the columns take them.
LONGEST_ACTOR, LONGEST_ADDRESS, LONGEST_SUBJECT = 150, 64, 400

#: So many are chained in one transaction.
BATCH = 500

#: What keeps two from chaining at once on PostgreSQL; SQLite has but one write turn.
_LOCK = 7_205_119

_NONE = "0" * 64


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something now, and from where."""

    username: str = ""
    via: str = ""
    address: str = ""


_NOBODY = Actor()
_actor: ContextVar[Actor | None] = ContextVar("errand_actor", default=None)


@contextmanager
def acting(actor: Actor) -> Iterator[None]:
    """Have what is written down in this block be done by `actor`."""
    token = _actor.set(actor)
    try:
        yield
    finally:
        _actor.reset(token)


def act_as(actor: Actor) -> None:
    """Have what is written down from here on, in this context, be done by `actor`."""
    _actor.set(actor)


def note(
    db: Session,
    action: str,
    subject: str,
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    actor: str | None = None,
) -> None:
    """Write down what somebody does, in the transaction of `db`: both are stored or neither.

    before, after: of a change, what of it differs. No secrets. actor: whose name it is, where that is known better.
    """
    who = _actor.get() or _NOBODY
    if before is not None and after is not None:
        changed = {key for key in {*before, *after} if before.get(key) != after.get(key)}
        before, after = (
            {key: each[key] for key in sorted(changed & each.keys())} for each in (before, after)
        )
    db.add(
        AuditRecord(
            actor=clean_text(who.username if actor is None else actor)[:LONGEST_ACTOR],
            via=who.via,
            address=clean_text(who.address)[:LONGEST_ADDRESS],
            action=action,
            subject=clean_text(subject)[:LONGEST_SUBJECT],
            before=None if before is None else clean_json(dict(before)),
            after=None if after is None else clean_json(dict(after)),
        )
    )


# --- The chain ------------------------------------------------------------------------------------------------


def seal(db: Session) -> int:
    """Chain what has been written down since the last time, one batch of it. Commits `db`; returns how many."""
    if db.get_bind().dialect.name == "postgresql":
        db.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    last = db.execute(
        select(AuditRecord.position, AuditRecord.digest)
        .where(AuditRecord.position.is_not(None))
        .order_by(AuditRecord.position.desc())
        .limit(1)
    ).first()
    position, digest = (last[0] or 0, last[1] or _NONE) if last is not None else (0, _NONE)
    waiting = select(AuditRecord).where(AuditRecord.position.is_(None)).order_by(AuditRecord.id).limit(BATCH)
    records = db.scalars(waiting).all()
    moment = now()
    for record in records:
        position += 1
        digest = _digest(record, position, digest)
        record.position, record.digest, record.sealed_at = position, digest, moment
    db.commit()
    return len(records)


@dataclass
class Verdict:
    """What a look at the whole chain has found."""

    sealed: int = 0
    waiting: int = 0
    #: The digest of the last record: whoever notes it down elsewhere can tell later whether the end was cut off.
    head: str = _NONE
    #: Sentences.
    problems: list[str] = field(default_factory=list)


def verify(db: Session, *, expected: str | None = None) -> Verdict:
    """Look at every record of the chain. expected: a head that was noted down once, and has to be in it still."""
    verdict = Verdict(waiting=db.scalar(select(func.count()).where(AuditRecord.position.is_(None))) or 0)
    seen = expected in (None, _NONE)
    query = select(AuditRecord).where(AuditRecord.position.is_not(None)).order_by(AuditRecord.position)
    for record in db.scalars(query.execution_options(yield_per=BATCH)):
        verdict.sealed += 1
        if record.position != verdict.sealed:
            verdict.problems.append(f"Record {verdict.sealed} is missing.")
            verdict.sealed = record.position or verdict.sealed
        elif record.digest != _digest(record, verdict.sealed, verdict.head):
            verdict.problems.append(f"Record {verdict.sealed} (id {record.id}) is not as it was written.")
        # Go on from what stands there: one altered record is one problem, not all behind it.
        verdict.head = record.digest or _NONE
        seen = seen or verdict.head == expected
        db.expunge(record)
    if not seen:
        verdict.problems.append(
            "The head that was expected is not in the chain: its end was cut off, or rewritten."
        )
    return verdict


def _digest(record: AuditRecord, position: int, before: str) -> str:
    facts = [
        position,
        before,
        record.id,
        record.created_at.isoformat(),
        record.actor,
        record.via,
        record.address,
        record.action,
        record.subject,
        record.before,
        record.after,
    ]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
