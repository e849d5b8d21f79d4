"""The inputs of a run as its page shows them, and as another run takes them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.orm import Session

from jobs.files import in_units
from jobs.kinds import secret_names
from jobs.variables import flat_choices
from store import objects
from store.models import JobRecord, JobResult

#: What is shown of a secret, however long it is.
HIDDEN = "•" * 8

#: Longer text is folded away.
LONGEST_LINE = 200


@dataclass(slots=True)
class ShownInput:
    label: str
    text: str = ""
    #: (text, url) of objects.
    objects: list[tuple[str, str]] = field(default_factory=list)

    @property
    def folded(self) -> bool:
        return len(self.text) > LONGEST_LINE or "\n" in self.text


def shown_inputs(result: JobResult, job: JobRecord | None, data: Session) -> list[ShownInput]:
    """Return the inputs in the form's order; those the job no longer has come last, by their names."""
    variables = {variable["name"]: variable for variable in (job.variables if job else [])}
    # A secret that was given is not among them; one that was left empty is.
    secrets = [] if result.sensitive else secret_names(job.variables if job else ())
    given = {**dict.fromkeys(secrets, HIDDEN), **result.data}
    ordered = [name for name in variables if name in given]
    ordered += [name for name in given if name not in variables]
    return [_shown(variables.get(name, {"name": name, "type": ""}), given[name], data) for name in ordered]


def again(job: JobRecord, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the inputs of an earlier run as `submit` takes them."""
    nullable = {variable["name"] for variable in job.variables if variable.get("null_option")}
    return {
        name: "null" if value is None and name in nullable else value
        for name, value in inputs.items()
        # What was left empty is left out: nobody had to fill it in then, and defaults are for those who did not choose.
        if value is not None or name in nullable
    }


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
