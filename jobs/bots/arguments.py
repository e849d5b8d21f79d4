"""What a job of Bots Scheduler says of itself, in `info` or by `meta_info`, and the variables that its arguments become.

`run` takes its arguments by position. Each variable keeps its place among them in its description: a number from 0;
"all" for a list that is all of them; "rest" for those beyond the ones that were described.
"""

import inspect
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from jobs import kinds
from jobs.errors import BadJob
from jobs.json_text import JSONVar
from jobs.variables import BooleanVar, IntegerVar, StringVar, Variable

ALL, REST = "all", "rest"

#: The variable for what is given beyond the described arguments.
MORE = "more_arguments"

LONGEST_NAME = 60

DEFAULTS: Mapping[str, Any] = {
    "job_class_name": "",
    "notes": "",
    "arguments": [],
    "example_arguments": "",
    "report_title": None,
    "enabled": True,
}


def facts(cls: Any) -> dict[str, Any]:
    """Return what a class says of itself, with all defaults. Nothing of it is changed. Raises BadJob."""
    said = getattr(cls, "info", None)
    if said is not None and not isinstance(said, Mapping):
        raise BadJob(f"info must be a dict, not {type(said).__name__}.")
    known = {**DEFAULTS, **(said or {})}
    if cls._says_by_method():
        told = cls.meta_info()
        if not isinstance(told, Mapping):
            raise BadJob(f"meta_info must return a dict, not {type(told).__name__}.")
        known |= told
    return known


def variables(cls: Any) -> dict[str, Variable]:
    """Return the variables of a class in the order of its arguments. Raises BadJob."""
    arguments = _arguments(facts(cls)["arguments"])
    if len(arguments) == 1 and arguments[0].get("type") == "list":
        return _named([_argument(arguments[0], ALL, None)])
    defaults = _defaults(cls.run)
    made = [
        _argument(each, place, defaults[place] if place < len(defaults) else None)
        for place, each in enumerate(arguments)
    ]
    named = _named(made)
    if _takes_more(cls.run, len(made)):
        named[MORE] = _more(described=bool(made))
    return named


def positional(cls: Any, data: Mapping[str, Any]) -> list[Any]:
    """Return what `run` gets, of data as a job has it."""
    given: list[Any] = []
    for name, variable in cls._get_vars().items():
        value = data.get(name)
        if variable.place in (ALL, REST):
            given += value or []
        else:
            # A data file is to these jobs the path of one.
            given.append(str(value.path) if variable.type_name() == "DataFileVar" and value else value)
    return given


def _arguments(given: Any) -> Sequence[Mapping[str, Any]]:
    if not isinstance(given, list | tuple):
        raise BadJob(f"arguments must be a list, not {type(given).__name__}.")
    for number, argument in enumerate(given, 1):
        if not isinstance(argument, Mapping):
            raise BadJob(
                f"Argument {number} must be a dict with type and description, not {type(argument).__name__}."
            )
    return given


def _argument(argument: Mapping[str, Any], place: int | str, default: Any) -> Variable:
    make = _MAKERS.get(str(argument.get("type", "")).strip().lower(), _text)
    variable = make(argument)
    variable.place = place
    variable.label = str(argument.get("description") or "").strip()
    if default is not None and variable.default is None:
        variable.default = default
    return variable


def _text(_argument: Mapping[str, Any]) -> Variable:
    variable = StringVar()
    variable.keeps_numbers = True
    return variable


def _list(_argument: Mapping[str, Any]) -> Variable:
    variable = JSONVar(
        description='A JSON list, such as `["a", 1]`. Other text is a list of that text alone.'
    )
    variable.listed = True
    return variable


def _range(argument: Mapping[str, Any]) -> Variable:
    least, most, step = (argument.get(name, usual) for name, usual in (("min", 0), ("max", 10), ("step", 1)))
    return IntegerVar(least, most, step=step, default=least, widget="range")


def _file(argument: Mapping[str, Any]) -> Variable:
    kind = kinds.KINDS.get("DataFileVar")
    return kind() if kind is not None else _text(argument)


_MAKERS: Mapping[str, Callable[[Mapping[str, Any]], Variable]] = {
    "string": _text,
    "list": _list,
    "bool": lambda _: BooleanVar(),
    "range": _range,
    "file": _file,
}


def _more(*, described: bool) -> Variable:
    """Make the variable for further arguments: in sight only where it is the only one."""
    variable = JSONVar(
        label="More arguments" if described else "Arguments",
        description='A JSON list, such as `["a", 1]`: what `run` gets, in this order.',
        required=False,
        widget="hidden" if described else None,
    )
    variable.name, variable.place, variable.listed = MORE, REST, True
    return variable


# --- Names ----------------------------------------------------------------------------------------------------


def _named(made: Sequence[Variable]) -> dict[str, Variable]:
    """Return the variables by names that are made of their labels."""
    named: dict[str, Variable] = {}
    for number, variable in enumerate(made, 1):
        slug = _slug(variable.label) or f"argument_{number}"
        variable.name = next(name for name in _numbered(slug) if name not in named and name != MORE)
        named[variable.name] = variable
    return named


def _slug(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    words = re.sub(r"[^a-z0-9]+", "_", plain.lower()).strip("_")[:LONGEST_NAME].strip("_")
    return f"argument_{words}" if words[:1].isdigit() else words


def _numbered(name: str) -> Iterator[str]:
    yield name
    number = 1
    while True:
        number += 1
        yield f"{name}_{number}"


# --- What `run` takes -----------------------------------------------------------------------------------------


def _parameters(run: Callable[..., Any]) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(run).parameters.values())[1:]
    except (TypeError, ValueError):  # It is not written in Python.
        return []


def _defaults(run: Callable[..., Any]) -> list[Any]:
    """Return the defaults of the positional parameters; None for what cannot stand in a form."""
    places = [
        each for each in _parameters(run) if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)
    ]
    return [each.default if isinstance(each.default, str | int | float) else None for each in places]


def _takes_more(run: Callable[..., Any], described: int) -> bool:
    parameters = _parameters(run)
    if any(each.kind is each.VAR_POSITIONAL for each in parameters):
        return True
    return len(_defaults(run)) > described
