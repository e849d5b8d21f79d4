"""Inputs that were sealed for an earlier run, judged where they are open: in the process of the job."""

from collections.abc import Mapping
from typing import Any

from jobs import computed
from jobs.data import as_given, judge
from jobs.data_files import data_file_names
from jobs.errors import InvalidData
from jobs.job import BaseJob
from jobs.showing import read_values
from jobs.variables import Objects
from store.object_model import ValidationError


def misfits(job: BaseJob, data: Mapping[str, Any], objects: Objects) -> list[str]:
    """Return the names of the inputs that the job would not take today. None is told with its value."""
    descriptions = [variable.describe() for variable in type(job)._get_vars().values()]

    def complete(variable: Mapping[str, Any], values: Mapping[str, Any]) -> Mapping[str, Any]:
        if "choices" not in (variable.get("computed") or ()):
            return variable
        given = read_values(variable, values) if variable.get("depends_on") else None
        try:
            return {**variable, "choices": computed.choices(type(job), variable["name"], given)}
        except computed.NoAnswer as error:
            raise InvalidData({variable["name"]: [str(error)]}) from error

    known = {name: value for name, value in data.items() if name in type(job)._get_vars()}
    # Its worker has put a copy in place of each name.
    known |= {name: known[name]["name"] for name in data_file_names(descriptions) if known.get(name)}
    judged = judge(descriptions, as_given(descriptions, known), objects=objects, complete=complete)
    return list(judged.errors)


def is_refused(job: BaseJob, data: Mapping[str, Any]) -> bool:
    """Tell whether the job's own `validate` has something against these inputs, as it gets them."""
    if not computed.has_validate(type(job)):
        return False
    try:
        return computed.verdict(job, data) is not None
    except ValidationError:
        return True
