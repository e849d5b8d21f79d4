"""The inputs of a run: checked on the way in, restored for the job."""

from collections.abc import Mapping, Sequence
from typing import Any

from jobs.errors import InvalidData, InvalidValue
from jobs.kinds import from_description
from jobs.variables import Objects, Variable

UNKNOWN = "Job data contained an unknown property"
NOT_A_MAPPING = "Job data needs to be a dict"


def clean(
    descriptions: Sequence[Mapping[str, Any]], raw: Any, *, objects: Objects, form: bool = False
) -> dict[str, Any]:
    """Return the data of a run, `{variable name: JSON value}`, for what was given in `raw`.

    form: `raw` is what a browser sends: text, or lists of text, and nothing for a box that is not
    ticked. Otherwise it is JSON, and a variable that is left out takes its default. In place of a value that the
    caller could not read stands the InvalidValue that says why.
    Raises InvalidData with all that does not fit, not only the first.
    """
    if not isinstance(raw, Mapping):
        raise InvalidData([NOT_A_MAPPING])
    variables = [from_description(description) for description in descriptions]
    known = {variable.name for variable in variables}
    errors = {str(name): [UNKNOWN] for name in raw if name not in known}
    given = {variable.name: _given(variable, raw, form=form) for variable in variables}
    data: dict[str, Any] = {}
    for variable in variables:
        try:
            if not form and variable.name in raw and raw[variable.name] is None and variable.required:
                raise InvalidValue(f"{variable.name} is a required field")
            if isinstance(given[variable.name], InvalidValue):
                raise given[variable.name]
            data[variable.name] = variable.clean(given[variable.name], objects, given)
        except InvalidValue as error:
            errors[variable.name] = [str(error)]
    if errors:
        raise InvalidData(errors)
    return data


def restore(
    descriptions: Sequence[Mapping[str, Any]], data: Mapping[str, Any], objects: Objects
) -> dict[str, Any]:
    """Return what the job gets: objects in place of their keys. LookupError when one is gone."""
    restored = {}
    for variable in map(from_description, descriptions):
        restored[variable.name] = variable.restore(data.get(variable.name, variable.empty), objects)
    return restored


def _given(variable: Variable, raw: Mapping[str, Any], *, form: bool) -> Any:
    if variable.name in raw:
        return raw[variable.name]
    return None if form else variable.default
