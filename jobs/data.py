"""The inputs of a run: checked on the way in, restored for the job."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jobs.errors import InvalidData, InvalidValue
from jobs.kinds import from_description
from jobs.showing import in_order, is_shown, refusal, sources
from jobs.variables import BooleanVar, Objects, Variable

UNKNOWN = "Job data contained an unknown property"
NOT_A_MAPPING = "Job data needs to be a dict"

#: Given a variable's description and the values it may depend on, returns it with what the job's code computes of it.
#: Raises InvalidData when that cannot be had.
Complete = Callable[[Mapping[str, Any], Mapping[str, Any]], Mapping[str, Any]]


@dataclass
class Judged:
    """What there is to say about inputs as a whole."""

    #: Of the variables that fit; of those that are not asked for, the empty value.
    data: dict[str, Any] = field(default_factory=dict)
    #: Sentences by variable.
    errors: dict[str, list[str]] = field(default_factory=dict)
    #: The variables that are not asked for.
    hidden: set[str] = field(default_factory=set)
    #: The descriptions of the variables that are asked for, completed.
    described: dict[str, Mapping[str, Any]] = field(default_factory=dict)


def clean(
    descriptions: Sequence[Mapping[str, Any]],
    raw: Any,
    *,
    objects: Objects,
    form: bool = False,
    complete: Complete | None = None,
) -> dict[str, Any]:
    """Return the data of a run, `{variable name: JSON value}`, for what was given in `raw`.

    form: `raw` is what a browser sends: text, or lists of text, and nothing for a box that is not
    ticked. Otherwise it is JSON, and a variable that is left out takes its default. In place of a value that the
    caller could not read stands the InvalidValue that says why.
    complete: asks the job's code for what it computes.
    Raises InvalidData with all that does not fit, not only the first.
    """
    if not isinstance(raw, Mapping):
        raise InvalidData([NOT_A_MAPPING])
    known = {description["name"] for description in descriptions}
    errors = {str(name): [UNKNOWN] for name in raw if name not in known}
    judged = judge(descriptions, raw, objects=objects, form=form, complete=complete, strict=True)
    # In the order of the form, whatever order they were judged in.
    names = [description["name"] for description in descriptions]
    errors |= {name: judged.errors[name] for name in names if name in judged.errors}
    if errors:
        raise InvalidData(errors)
    return {name: judged.data[name] for name in names}


def judge(
    descriptions: Sequence[Mapping[str, Any]],
    raw: Mapping[str, Any],
    *,
    objects: Objects,
    form: bool = False,
    complete: Complete | None = None,
    untouched: Collection[str] = (),
    strict: bool = False,
) -> Judged:
    """Judge each variable after those it depends on.

    untouched: the inputs of a form that hold nothing but their default, and are not in `raw`.
    strict: leave out the variables that depend on one that does not fit: nothing can be said of them.
    """
    judged = Judged()
    given = {
        description["name"]: _given(from_description(description), raw, form=form)
        for description in descriptions
    }
    unknown: set[str] = set()
    for description in in_order(descriptions):
        name = description["name"]
        if strict and unknown.intersection(sources(description)):
            unknown.add(name)
        elif is_shown(description, judged.data, judged.hidden):
            as_form = form and name not in untouched
            _judge_shown(description, raw, judged, given, objects, as_form, complete)
        else:
            judged.hidden.add(name)
            judged.data[name] = given[name] = empty_of(from_description(description))
            if not form and name in raw and not is_nothing(description, raw[name]):
                judged.errors[name] = [refusal(description, descriptions)]
        if name in judged.errors:
            unknown.add(name)
    return judged


def empty_of(variable: Variable) -> Any:
    """Return what is stored where nothing was asked for."""
    return [] if variable.multiple else variable.empty


def _judge_shown(
    description: Mapping[str, Any],
    raw: Mapping[str, Any],
    judged: Judged,
    given: dict[str, Any],
    objects: Objects,
    form: bool,
    complete: Complete | None,
) -> None:
    name = description["name"]
    try:
        described = complete(description, judged.data) if complete else description
        judged.described[name] = described
        variable = from_description(described)
        given[name] = _given(variable, raw, form=form)
        if not form and name in raw and raw[name] is None and variable.required:
            raise InvalidValue(f"{name} is a required field")
        if isinstance(given[name], InvalidValue):
            raise given[name]
        judged.data[name] = variable.clean(given[name], objects, given)
        # Others hear of it as it is stored, however it was given; "null" is an object's explicit none.
        given[name] = given[name] if given[name] == "null" else judged.data[name]
    except InvalidValue as error:
        judged.errors[name] = [str(error)]
    except InvalidData as error:
        judged.errors |= error.errors if isinstance(error.errors, dict) else {name: error.errors}


def is_nothing(description: Mapping[str, Any], value: Any) -> bool:
    """Tell whether a value that was given is what a variable holds that is not asked for."""
    variable = from_description(description)
    if value == "null" and description.get("null_option"):
        return True
    if isinstance(variable, BooleanVar) and isinstance(value, str | bool):
        return str(value).strip().lower() in ("false", "0", "off", "no", "")
    return variable.is_empty(value)


def restore(
    descriptions: Sequence[Mapping[str, Any]], data: Mapping[str, Any], objects: Objects
) -> dict[str, Any]:
    """Return what the job gets: objects in place of their keys. LookupError when one is gone."""
    restored = {}
    for variable in map(from_description, descriptions):
        restored[variable.name] = variable.restore(data.get(variable.name, variable.empty), objects)
    return restored


def as_given(descriptions: Sequence[Mapping[str, Any]], data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the data of a run as `clean` takes it."""
    nullable = {description["name"] for description in descriptions if description.get("null_option")}
    return {
        name: "null" if value is None and name in nullable else value
        for name, value in data.items()
        # What was left empty is left out: nobody had to fill it in then, and defaults are for those who did not choose.
        if value is not None or name in nullable
    }


def _given(variable: Variable, raw: Mapping[str, Any], *, form: bool) -> Any:
    if variable.name in raw:
        return raw[variable.name]
    return None if form else variable.default
