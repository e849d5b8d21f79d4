"""The inputs of a run as its page shows them, and as another run takes them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.orm import Session

from jobs.files import in_units
from jobs.variables import flat_choices
from store import objects
from store.models import JobRecord, JobResult, Schedule
from store.sealing import SHOWN_DIGITS

#: Longer text is folded away.
LONGEST_LINE = 200


@dataclass(slots=True)
class ShownInput:
    label: str
    text: str = ""
    #: (text, url) of objects.
    objects: list[tuple[str, str]] = field(default_factory=list)
    #: It is, or was, sealed: `text` tells of it what may be told.
    sealed: bool = False

    @property
    def folded(self) -> bool:
        return len(self.text) > LONGEST_LINE or "\n" in self.text


def shown_inputs(result: JobResult | Schedule, job: JobRecord | None, data: Session) -> list[ShownInput]:
    """Return the inputs in the form's order; those the job no longer has come last, by their names."""
    variables = {variable["name"]: variable for variable in (job.variables if job else [])}
    sealed = result.sealed_facts or {}
    given = {*sealed, *result.data}
    ordered = [name for name in variables if name in given]
    ordered += sorted(given - variables.keys())
    return [_one(variables.get(name), name, result, data) for name in ordered]


def shown_input(name: str, result: JobResult, job: JobRecord | None, data: Session) -> ShownInput:
    """Return one input that the run was given."""
    found = (variable for variable in (job.variables if job else []) if variable["name"] == name)
    return _one(next(found, None), name, result, data)


def _one(
    variable: Mapping[str, Any] | None, name: str, result: JobResult | Schedule, data: Session
) -> ShownInput:
    if (fact := (result.sealed_facts or {}).get(name)) is not None:
        return _sealed(variable or {}, name, fact)
    return _shown(variable or {"name": name, "type": ""}, result.data[name], data)


def _sealed(variable: Mapping[str, Any], name: str, fact: Mapping[str, Any]) -> ShownInput:
    if "empty" in fact:
        return ShownInput(variable.get("label") or name)
    length = f"{fact['length']:,} character{'s' * (fact['length'] != 1)}, " if "length" in fact else ""
    text = f"Set, {length}fingerprint {fact['fingerprint'][:SHOWN_DIGITS]}"
    return ShownInput(variable.get("label") or name, text, sealed=True)


def _shown(variable: Mapping[str, Any], value: Any, data: Session) -> ShownInput:
    shown = ShownInput(variable.get("label") or variable["name"])
    if "model" in variable:
        keys = value if isinstance(value, list) else [] if value is None else [value]
        shown.objects = [_object(variable["model"], key, data) for key in keys]
        shown.text = str(variable.get("null_option") or "") if not keys else ""
    elif variable["type"] == "FileVar" and isinstance(value, Mapping):
        shown.text = f"{value.get('name')} ({in_units(int(value.get('size') or 0))})"
    elif isinstance(value, bool) and variable["type"] != "JSONVar":
        shown.text = "Yes" if value else "No"
    elif "choices" in variable:
        labels = {str(key): str(label) for key, label in flat_choices(variable["choices"])}
        values = value if isinstance(value, list) else [value]
        shown.text = ", ".join(labels.get(str(each), str(each)) for each in values)
    elif variable["type"] == "JSONVar":
        shown.text = "" if value is None else json.dumps(value, ensure_ascii=False)
    else:
        shown.text = "" if value is None else str(value)
    return shown


def _object(model: str, key: Any, data: Session) -> tuple[str, str]:
    try:
        instance = objects.ObjectLookup(data).load(model, key)
    except objects.LookupFailed:
        return f"{model} {key} (gone)", ""
    return str(instance), instance.get_absolute_url()
