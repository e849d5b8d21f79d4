"""What jobs changed of one object: who, in which run, and each fact before and after."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, load_only

from store import objects as registry
from store.models import JobResult
from store.permissions import visible
from webapp.auth import current_user
from webapp.database import db


@dataclass(frozen=True, slots=True)
class Difference:
    title: str
    #: Values, or objects; None: nothing was there.
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Change:
    id: int
    #: "create", "update" or "delete".
    action: str
    at: datetime
    username: str
    #: None: the reader may not see it, or it is gone.
    run: JobResult | None
    differences: list[Difference]


def changes_of(
    info: registry.ModelInfo, pk: Any, data: Session, *, before_id: int | None = None, limit: int
) -> list[Change]:
    """Return the newest changes of an object; what its page does not show of it, they do not either."""
    rows = registry.changes_of(data, info.name, pk, before_id=before_id, limit=limit)
    runs = _runs({row.result_id for row in rows})
    shown = _Shown(info, data)
    return [
        Change(
            row.id,
            row.action,
            row.changed_at,
            row.username,
            runs.get(row.result_id),
            shown.differences(row.before or {}, row.after or {}),
        )
        for row in rows
    ]


def _runs(ids: set[UUID]) -> dict[UUID, JobResult]:
    query = visible(select(JobResult), current_user(), JobResult).where(JobResult.id.in_(ids))
    found: Sequence[JobResult] = db.session.scalars(query.options(load_only(JobResult.name))).all()
    return {result.id: result for result in found}


class _Shown:
    """Reads records of columns as the facts of the object's page, in their order."""

    def __init__(self, info: registry.ModelInfo, data: Session) -> None:
        self._data = data
        mapper = info.model.__mapper__
        #: By column: what it is called, and the model that it refers to.
        self._facts: dict[str, tuple[str, Any]] = {}
        for fact in info.facts:
            # A longer path is about another object.
            name = fact.path
            if name in mapper.relationships:
                relation = mapper.relationships[name]
                for column in [] if relation.uselist else relation.local_columns:
                    key = mapper.get_property_by_column(column).key
                    self._facts.setdefault(key, (fact.title, relation.entity.class_))
            elif name in mapper.column_attrs:
                self._facts.setdefault(name, (fact.title, None))

    def differences(self, before: dict[str, Any], after: dict[str, Any]) -> list[Difference]:
        return [
            Difference(title, self._value(model, before.get(name)), self._value(model, after.get(name)))
            for name, (title, model) in self._facts.items()
            if _said(before.get(name)) != _said(after.get(name))
        ]

    def _value(self, model: Any, value: Any) -> Any:
        if model is None or value is None:
            return value
        # What it referred to then may be gone by now.
        found = self._data.get(model, value)
        return f"{value} (gone)" if found is None else found


def _said(value: Any) -> Any:
    """Return what a value says: an empty text says nothing."""
    return None if value == "" else value
