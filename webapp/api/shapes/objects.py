"""The objects that jobs work on, what jobs changed of them, and the buttons that stand on their pages."""

import math
from collections.abc import Iterable
from typing import Any

from typing_extensions import TypedDict

from store.object_model import ObjectModel
from store.objects import ModelInfo
from webapp.api.shapes import moment, text_id
from webapp.api.shapes.places import ObjectShape, data_object
from webapp.object_buttons import ShownButton
from webapp.object_changes import Change


class ModelShape(TypedDict):
    """A kind of objects."""

    name: str
    label: str
    label_plural: str
    #: Null: too many to count.
    count: int | None


class FactShape(TypedDict):
    """One fact of an object."""

    #: Where it stands: "status", "site__region".
    name: str
    title: str
    #: Another object is one of {"pk", "text", "url"}; several are a list.
    value: Any


class FullObjectShape(ObjectShape):
    """An object with the facts that its page shows."""

    model: str
    facts: list[FactShape]


class DifferenceShape(TypedDict):
    """One fact, before and after."""

    title: str
    before: Any
    after: Any


class ChangeShape(TypedDict):
    """What a job changed of an object, as far as its page shows it."""

    id: int
    #: "create", "update" or "delete".
    action: str
    changed_at: str
    username: str
    #: The run; null: you may not see it, or it is gone.
    result: str | None
    differences: list[DifferenceShape]


class ObjectButtonShape(TypedDict):
    """A button on the page of an object."""

    id: str
    text: str
    #: The menu that it stands in; null: it stands alone.
    group: str | None
    #: What whoever presses it is asked first; null: nothing.
    question: str | None


def model(info: ModelInfo, count: int | None) -> ModelShape:
    return {"name": info.name, "label": info.label, "label_plural": info.label_plural, "count": count}


def full_object(info: ModelInfo, instance: ObjectModel) -> FullObjectShape:
    facts: list[FactShape] = [
        {"name": fact.path, "title": fact.title, "value": value_of(fact.value(instance))}
        for fact in info.facts
    ]
    return {**data_object(instance), "model": info.name, "facts": facts}


def change(row: Change) -> ChangeShape:
    return {
        "id": row.id,
        "action": row.action,
        "changed_at": moment(row.at),
        "username": row.username,
        "result": text_id(row.run.id if row.run is not None else None),
        "differences": [
            {"title": each.title, "before": value_of(each.before), "after": value_of(each.after)}
            for each in row.differences
        ],
    }


def button(row: ShownButton, group: str) -> ObjectButtonShape:
    return {"id": str(row.id), "text": row.text, "group": group or None, "question": row.question or None}


def value_of(value: Any) -> Any:
    """Return a value as JSON has it: what JSON has not, as text."""
    if isinstance(value, ObjectModel):
        return data_object(value)
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, dict):
        return {str(key): value_of(each) for key, each in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, bytes):
        return [value_of(each) for each in value]
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
