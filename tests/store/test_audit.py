"""What is written down of who did what, and that nothing of it can be altered unseen."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from store.audit import BATCH, Actor, acting, note, seal, verify
from store.models import AuditRecord

from .test_decisions import db  # noqa: F401


@pytest.fixture(autouse=True)
def nobody_acts():
    with acting(Actor()):
        yield


def write(db: Session, count: int) -> None:  # noqa: F811
    for number in range(count):
        note(db, "job.enable", f"local/a/A{number}", before={"enabled": False}, after={"enabled": True})
    db.commit()


def test_only_what_differs_is_kept_and_who_did_it(db: Session):  # noqa: F811
    with acting(Actor("alice\x00", "page", "10.0.0.1")):
        note(db, "user.change", "bob", before={"a": 1, "b": [2]}, after={"a": 1, "b": [3], "c": "\x1b"})
    note(db, "user.link", "x" * 999)
    db.commit()
    first, second = db.scalars(select(AuditRecord).order_by(AuditRecord.id))
    assert (first.actor, first.via, first.address) == ("alice\ufffd", "page", "10.0.0.1")
    assert (first.before, first.after) == ({"b": [2]}, {"b": [3], "c": "\ufffd"})
    assert (second.actor, second.before, len(second.subject)) == ("", None, 400)


def test_the_chain_grows_in_batches_and_is_whole(db: Session):  # noqa: F811
    write(db, BATCH + 3)
    assert verify(db).waiting == BATCH + 3
    assert (seal(db), seal(db), seal(db)) == (BATCH, 3, 0)
    verdict = verify(db)
    assert (verdict.sealed, verdict.waiting, verdict.problems) == (BATCH + 3, 0, [])
    write(db, 1)
    seal(db)
    assert verify(db, expected=verdict.head).problems == []
    assert verify(db).head != verdict.head


ALTERED: dict[str, Any] = {
    "actor": "bob",
    "via": "api",
    "address": "10.0.0.2",
    "action": "job.disable",
    "subject": "local/a/A2 ",
    "before": {"enabled": True},
    "after": None,
    "digest": "0" * 64,
    "position": 99,
}


@pytest.mark.parametrize("column", ALTERED)
def test_a_record_that_was_altered_is_found(db: Session, column: str):  # noqa: F811
    write(db, 5)
    seal(db)
    db.execute(update(AuditRecord).where(AuditRecord.position == 3).values({column: ALTERED[column]}))
    db.commit()
    problems = verify(db).problems
    assert problems
    assert "3" in problems[0]


def test_a_time_that_was_altered_is_found(db: Session):  # noqa: F811
    write(db, 3)
    seal(db)
    record = db.scalars(select(AuditRecord).where(AuditRecord.position == 2)).one()
    record.created_at += timedelta(microseconds=1)
    db.commit()
    assert "Record 2 " in verify(db).problems[0]


def test_what_was_taken_out_or_cut_off_is_found(db: Session):  # noqa: F811
    write(db, 5)
    seal(db)
    head = verify(db).head
    db.execute(delete(AuditRecord).where(AuditRecord.position == 5))
    db.commit()
    assert verify(db).problems == []
    assert "was cut off" in verify(db, expected=head).problems[0]
    db.execute(delete(AuditRecord).where(AuditRecord.position == 2))
    db.commit()
    assert verify(db).problems[0] == "Record 2 is missing."
