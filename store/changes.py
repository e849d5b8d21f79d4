"""Change records: who changed which object, in which run, and how.

They are rows in DATA, written in the transaction of the change: there is no record without its change and no change
without its record. They come from SQLAlchemy's events, so what goes past them is not seen: `QuerySet.update`, raw SQL,
and what the database itself deletes or clears where an object goes that others refer to.

Rows whose `taken` is false are an outbox: whoever has to act on changes takes them from there, after the commit.
"""

import math
import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Connection,
    Index,
    Integer,
    Row,
    String,
    Table,
    Uuid,
    false,
    func,
    insert,
    inspect,
    select,
    update,
)
from sqlalchemy.orm import Session

from store.columns import UtcDateTime, now
from store.object_model import ObjectModel
from store.text import clean_json, clean_text

CREATE, UPDATE, DELETE = "create", "update", "delete"

LONGEST_TEXT = 200
#: Characters that are kept of a value.
LONGEST_VALUE = 10_000

object_changes = Table(
    "errand_object_changes",
    ObjectModel.metadata,
    # SQLite numbers rows by itself only where the column's type is INTEGER to the letter.
    Column("id", BigInteger().with_variant(Integer(), "sqlite"), primary_key=True),
    Column("result_id", Uuid, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("username", String(150), nullable=False),
    Column("changed_at", UtcDateTime(), nullable=False),
    Column("action", String(10), nullable=False),
    Column("object_type", String(100), nullable=False),
    Column("object_pk", String(100), nullable=False),
    #: What the object called itself then.
    Column("object_text", String(LONGEST_TEXT), nullable=False),
    #: {column: value}; of an update those that changed. Null before a create and after a delete.
    Column("before", JSON(none_as_null=True)),
    Column("after", JSON(none_as_null=True)),
    Column("taken", Boolean, nullable=False, server_default=false()),
)
Index(
    "ix_errand_object_changes_object",
    object_changes.c.object_type,
    object_changes.c.object_pk,
    object_changes.c.id,
)
Index("ix_errand_object_changes_result_id", object_changes.c.result_id)
Index(
    "ix_errand_object_changes_waiting",
    object_changes.c.id,
    sqlite_where=~object_changes.c.taken,
    postgresql_where=~object_changes.c.taken,
)


class Author(NamedTuple):
    """Whose changes they are."""

    result_id: uuid.UUID
    attempt: int
    username: str


def record_changes(session: Session, author: Author) -> None:
    """Write down what the flush that has just been made changed, in its transaction."""
    at = now()
    rows = [
        *(_row(author, at, CREATE, obj, None, _values(obj)) for obj in _objects(session.new)),
        *(
            _row(author, at, UPDATE, obj, *changed)
            for obj in _objects(session.dirty)
            if (changed := _changed(obj)) is not None
        ),
        *(_row(author, at, DELETE, obj, _values(obj), None) for obj in _objects(session.deleted)),
    ]
    if rows:
        session.connection().execute(insert(object_changes), rows)


def changes_of(
    session: Session, object_type: str, pk: Any, *, before_id: int | None = None, limit: int = 50
) -> Sequence[Row[Any]]:
    """Return the changes of an object, the newest first; those before `before_id` only."""
    query = select(object_changes).where(
        object_changes.c.object_type == object_type, object_changes.c.object_pk == str(pk)
    )
    if before_id is not None:
        query = query.where(object_changes.c.id < before_id)
    return session.execute(query.order_by(object_changes.c.id.desc()).limit(limit)).all()


def count_changes(session: Session, object_type: str, pk: Any) -> int:
    """Return how many changes of an object there are."""
    query = select(func.count()).where(
        object_changes.c.object_type == object_type, object_changes.c.object_pk == str(pk)
    )
    return session.scalar(query) or 0


def waiting_changes(session: Session, *, limit: int = 100) -> Sequence[Row[Any]]:
    """Return changes that nobody has taken yet, the oldest first. Who has dealt with them calls `mark_taken`."""
    query = select(object_changes).where(~object_changes.c.taken).order_by(object_changes.c.id)
    return session.execute(query.limit(limit)).all()


def mark_taken(connection: Connection, ids: Sequence[int]) -> None:
    """Have changes be no longer waiting, once the caller commits."""
    connection.execute(update(object_changes).where(object_changes.c.id.in_(ids)).values(taken=True))


def change(session: Session, change_id: int) -> Row[Any] | None:
    """Return one change; None where there is none."""
    return session.execute(select(object_changes).where(object_changes.c.id == change_id)).one_or_none()


def take_changes(session: Session, *, limit: int = 100) -> Sequence[Row[Any]]:
    """Take changes that nobody has taken yet, the oldest first. They are taken when the caller commits."""
    query = (
        select(object_changes)
        .where(~object_changes.c.taken)
        .order_by(object_changes.c.id)
        .limit(limit)
        # Two that take at once take different ones. SQLite has one writer anyway.
        .with_for_update(skip_locked=True)
    )
    rows = session.execute(query).all()
    if rows:
        ids = [row.id for row in rows]
        session.execute(update(object_changes).where(object_changes.c.id.in_(ids)).values(taken=True))
    return rows


def _objects(changed: Iterable[object]) -> list[ObjectModel]:
    return [obj for obj in changed if isinstance(obj, ObjectModel)]


def _row(
    author: Author,
    at: datetime,
    action: str,
    obj: ObjectModel,
    before: dict[str, Any] | None,
    after: dict[str, Any] | None,
) -> dict[str, Any]:
    return {
        **author._asdict(),
        "changed_at": at,
        "action": action,
        "object_type": type(obj).object_type,
        "object_pk": str(obj.pk),
        "object_text": clean_text(_text(obj))[:LONGEST_TEXT],
        "before": before,
        "after": after,
    }


def values_of(obj: ObjectModel) -> dict[str, Any]:
    """Return the columns of an object that are loaded, as a change record has them."""
    return _values(obj)


def _text(obj: ObjectModel) -> str:
    try:
        return str(obj)
    except Exception:
        # A model's own text may need what is gone by now. That must not cost the change.
        return f"{type(obj).__name__} {obj.pk}"


def _values(obj: ObjectModel) -> dict[str, Any]:
    loaded = inspect(obj).dict
    return {name: _plain(loaded[name]) for name in _columns(obj) if name in loaded}


def _changed(obj: ObjectModel) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Return the changed columns as they were and as they are; None when no column changed."""
    before, after = {}, {}
    for name in _columns(obj):
        history = inspect(obj).attrs[name].history
        if history.has_changes():
            # What had not been loaded when it was set is not known.
            before[name] = _plain(history.deleted[0]) if history.deleted else None
            after[name] = _plain(history.added[0]) if history.added else None
    return (before, after) if after else None


def _columns(obj: ObjectModel) -> list[str]:
    return [column.key for column in inspect(type(obj)).column_attrs]


def _plain(value: Any) -> Any:
    """Return a value of a column as JSON can keep it."""
    if value is None or isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    if isinstance(value, dict | list):
        return clean_json(value)
    text = value.isoformat() if isinstance(value, datetime) else str(value)
    text = clean_text(text)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"
