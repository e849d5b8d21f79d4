"""A change of an object, as receivers in the manner of Nautobot know it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from jobs.request import RequestUser


@dataclass(frozen=True, slots=True)
class ContentType:
    """What kind of object it was."""

    app_label: str
    model: str

    def __str__(self) -> str:
        return f"{self.app_label}.{self.model}"


class ObjectChange:
    """One change: who changed which object, in which run, and how."""

    change_context = "job"
    related_object = None

    def __init__(self, row: Any, changed_object: Any) -> None:
        #: The number of the change.
        self.id = self.pk = row.id
        #: When it was made, in UTC.
        self.time: datetime = row.changed_at
        #: Who made it, with `username`; None: nobody in particular.
        self.user = RequestUser(row.username) if row.username else None
        #: The name alone.
        self.user_name: str = row.username
        #: The id of the run that made it.
        self.request_id = row.result_id
        #: "create", "update" or "delete".
        self.action: str = row.action
        #: What kind of object it was, as `app_label` and `model`.
        self.changed_object_type = ContentType(*row.object_type.split(".", 1))
        #: The key of the object, as text.
        self.changed_object_id: str = row.object_pk
        #: The object; None after a delete, and where it is gone by now.
        self.changed_object = changed_object
        #: What the object was called then.
        self.object_repr: str = row.object_text
        self._before, self._after = row.before, row.after
        #: {column: value} after the change; of an object that was deleted, before it. Of an update the changed columns
        #: are as the change left them, the others as they are now.
        self.object_data: dict[str, Any] = {**_values(changed_object), **(row.after or row.before or {})}

    def __str__(self) -> str:
        return f"{self.changed_object_type} {self.object_repr} {self.action}d by {self.user_name}"

    def get_snapshots(self) -> dict[str, Any]:
        """Return the object before and after, and what differs: of an update, the columns that it changed."""
        differences = {"removed": self._before, "added": self._after}
        return {"prechange": self._before, "postchange": self._after, "differences": differences}


def change_of(change_id: int) -> ObjectChange:
    """Return a change by its number. Raises LookupError, with a sentence."""
    # Imported here: discovery does without a database.
    from store.changes import change
    from store.data import current_session
    from store.registry import UnknownModel, get_model

    session = current_session()
    row = change(session, change_id)
    if row is None:
        raise LookupError(f"There is no change {change_id}.")
    changed_object = None
    if row.action != "delete":
        try:
            model: Any = get_model(row.object_type)
        except UnknownModel as error:
            raise LookupError(str(error)) from error
        column = type(model.__mapper__.primary_key[0].type).__name__
        pk = int(row.object_pk) if "Int" in column else row.object_pk
        changed_object = session.get(model, pk)
    return ObjectChange(row, changed_object)


def _values(obj: Any) -> dict[str, Any]:
    if obj is None:
        return {}
    from store.changes import values_of

    return values_of(obj)
