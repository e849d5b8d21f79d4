"""Inputs that go together under a name: `Meta.presets`."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from jobs.errors import BadJob, InvalidValue
from jobs.form import NoObjects
from jobs.kinds import from_description

LONGEST_NAME = 60
MOST_PRESETS = 50

#: What neither an address nor a page may carry.
_NOT_IN_PRESETS = {"FileVar": "a file", "SecretVar": "a secret"}


def checked_presets(variables: Sequence[Mapping[str, Any]], presets: Any) -> dict[str, dict[str, Any]]:
    """Return presets as JSON-able data. Raises BadJob for what no form could be filled in with."""
    by_name = {variable["name"]: variable for variable in variables}
    if len(presets) > MOST_PRESETS:
        raise BadJob(f"There are more than {MOST_PRESETS} presets.")
    return {_named(name): _checked(name, inputs, by_name) for name, inputs in presets.items()}


def _named(name: Any) -> str:
    if not isinstance(name, str) or not 0 < len(name) <= LONGEST_NAME or name != name.strip():
        raise BadJob(f"The name of a preset has 1 to {LONGEST_NAME} characters, and no blanks around them.")
    return name


def _checked(preset: str, inputs: Any, by_name: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    if not isinstance(inputs, Mapping):
        raise BadJob(f'Preset "{preset}" must be a mapping of variables to values.')
    checked = {}
    for name, value in inputs.items():
        if name not in by_name:
            raise BadJob(f'Preset "{preset}" names {name!r}, which is no variable of the job.')
        kind = by_name[name]["type"]
        if kind in _NOT_IN_PRESETS:
            raise BadJob(f'Preset "{preset}" names {name!r}, which is {_NOT_IN_PRESETS[kind]}.')
        checked[str(name)] = from_description(by_name[name]).plain(value)
        _check_value(preset, by_name[name], checked[str(name)])
    return checked


def _check_value(preset: str, variable: Mapping[str, Any], value: Any) -> None:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise BadJob(f'Preset "{preset}" must have plain values: {variable["name"]}: {error}.') from error
    if "model" in variable or "choices" in variable.get("computed", ()):
        return  # What there is to choose from is only known when somebody does.
    try:
        # One that empties an input leaves it to whoever fills in the form.
        from_description({**variable, "required": False}).clean(value, NoObjects(), {})
    except InvalidValue as error:
        raise BadJob(f'Preset "{preset}" does not fit {variable["name"]}: {error}') from error
