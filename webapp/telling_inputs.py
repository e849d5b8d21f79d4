"""What tells runs of one job apart in a list: the inputs that say most, in a line for each run."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from flask import current_app
from sqlalchemy import Text, case, cast, func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from jobs.variables import flat_choices
from store import objects
from store.models import JobRecord, JobResult, Status
from webapp.auth import allowed
from webapp.database import db
from webapp.formats import plural

MOST_SAID = 3
LONGEST_TEXT = 40
#: Inputs that are longer, as JSON, are not even read for a list.
LONGEST_DATA = 4_000

#: (model, key): the object's name.
Names = Mapping[tuple[str, Any], str]

#: What says little in a line, or too much.
UNTOLD = ("FileVar", "JSONVar", "SecretVar", "BooleanVar", "TextVar")


def inputs_told(results: Sequence[JobResult]) -> dict[UUID, str]:
    """Return a line with the most telling inputs of each run that has no other line below its name.

    Inputs that are, or may be, sensitive are not in what is read here.
    """
    wanted = [
        each for each in results if each.job_id and not (each.cause and each.status != Status.COMPLETED)
    ]
    given = _given([each.id for each in wanted])
    variables = _variables({each.job_id for each in wanted if given.get(each.id)})
    told = {
        each.id: list(_telling(variables.get(each.job_id, ()), given[each.id]))
        for each in wanted
        if given.get(each.id)
    }
    names = _names(value for values in told.values() for value in values)
    lines = {key: _line(values, names) for key, values in told.items()}
    return {key: line for key, line in lines.items() if line}


#: A variable, and what it was given.
Value = tuple[Mapping[str, Any], Any]


def _given(ids: Sequence[UUID]) -> dict[UUID, dict[str, Any]]:
    short = func.length(cast(JobResult.data, Text)) <= LONGEST_DATA
    query = select(JobResult.id, case((short, JobResult.data))).where(JobResult.id.in_(ids))
    return {key: data for key, data in db.session.execute(query) if data} if ids else {}


def _variables(job_ids: Iterable[UUID | None]) -> dict[UUID | None, list[Any]]:
    query = select(JobRecord.id, JobRecord.variables).where(JobRecord.id.in_(job_ids))
    return {row[0]: row[1] for row in db.session.execute(query)} if job_ids else {}


def _telling(variables: Iterable[Mapping[str, Any]], data: Mapping[str, Any]) -> Iterable[Value]:
    """Return what differs from what the form begins with: objects first, otherwise in its order."""
    values = [
        (variable, data[variable["name"]])
        for variable in variables
        if variable["name"] in data
        and variable["type"] not in UNTOLD
        and data[variable["name"]] not in (None, "", [], variable.get("default"))
    ]
    return sorted(values, key=lambda value: "model" not in value[0])[:MOST_SAID]


def _names(values: Iterable[Value]) -> dict[tuple[str, Any], str]:
    """Return the names of the objects among the inputs that the reader may view: one query for each model."""
    keys: dict[str, set[Any]] = {}
    for variable, value in values:
        if "model" in variable and (key := _only(value)) is not None:
            keys.setdefault(variable["model"], set()).add(key)
    if not keys:
        return {}
    try:
        with current_app.extensions["errand"].data.session() as data:
            return {name: text for model, own in keys.items() for name, text in _of_model(model, own, data)}
    except DBAPIError as error:
        # They are in a database of their own: without it, the list still says all else.
        current_app.logger.error("Objects cannot be named: %s", error.orig)
        return {}


def _of_model(model: str, keys: Iterable[Any], data: Session) -> list[tuple[tuple[str, Any], str]]:
    try:
        info = objects.model_info(model)
    except objects.UnknownModel:
        return []
    found = objects.QuerySet[Any](info.model, session=data).filter(pk__in=list(keys))
    return [((model, each.pk), objects.text_of(each)) for each in found if allowed("view", each)]


def _only(value: Any) -> Any:
    """Return the one key of a value; None where there are several."""
    if isinstance(value, list):
        return value[0] if len(value) == 1 else None
    return value


def _line(values: Iterable[Value], names: Names) -> str:
    return ", ".join(text for text in (_text(*value, names) for value in values) if text)


def _text(variable: Mapping[str, Any], value: Any, names: Names) -> str:
    if "model" in variable:
        return _short(_object(variable, value, names))
    if "choices" in variable:
        labels = {str(key): str(label) for key, label in flat_choices(variable["choices"])}
        chosen = value if isinstance(value, list) else [value]
        value = ", ".join(labels.get(str(each), str(each)) for each in chosen)
    return f"{variable.get('label') or variable['name']}: {_short(str(value))}"


def _object(variable: Mapping[str, Any], value: Any, names: Names) -> str:
    key = _only(value)
    if key is not None:
        return names.get((variable["model"], key), "")
    label = str(variable.get("label") or variable["name"])
    return f"{label}: {plural(len(value), 'object')}" if isinstance(value, list) else ""


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 1].rstrip()}…"
