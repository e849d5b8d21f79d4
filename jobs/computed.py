"""What only the author's code can tell of a job's inputs: computed choices and defaults, and `validate`.

Only processes that may run job code ever call this.
"""

import datetime
import inspect
import json
from collections.abc import Iterable, Mapping
from typing import Any

from jobs.errors import InvalidData, InvalidValue
from jobs.job import BaseJob
from jobs.variables import Variable, plain_choices

#: A longer list belongs into a model, whose picker has a search.
MOST_CHOICES = 10_000

#: Of any answer, as JSON.
MOST_BYTES = 2_000_000

REFUSED = "The job does not accept these inputs."

#: One sentence for each thing that is wrong, by variable or for the inputs as a whole; None: nothing is.
Verdict = dict[str, list[str]] | list[str] | None


#: Of the variables that something depends on; None: it depends on none.
Values = Mapping[str, Any] | None

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_JOB_NAMES = ("self", "cls", "job")


class _NotYet(KeyError):
    """The code reads a value that is not given yet, or does not fit: there is nothing to compute."""


class _Given(dict[str, Any]):
    """The values as the author's code gets them."""

    def __missing__(self, name: str) -> Any:
        raise _NotYet(name)


class NoAnswer(ValueError):
    """What the author's code returned cannot be used: a clause that says why."""


def has_validate(cls: type[BaseJob]) -> bool:
    """Tell whether the job judges its inputs itself: a `validate` that takes anything but the data is its own affair."""
    method = getattr(cls, "validate", None)
    if isinstance(method, Variable) or not callable(method):
        return False
    plain = inspect.isfunction(inspect.getattr_static(cls, "validate"))
    try:
        inspect.signature(method).bind(*[None] * (2 if plain else 1))
    except (TypeError, ValueError):
        return False
    return True


def choices(cls: type[BaseJob], name: str, values: Values = None) -> list[list[Any]]:
    """Return the choices of a variable, as its description would have them. Raises NoAnswer.

    values: of the variables that it depends on, as far as they fit.
    """
    try:
        returned = _call(cls, getattr(_variable(cls, name), "choices", ()), values)
    except _NotYet:
        return []
    try:
        found = plain_choices(returned)
    except _NotYet:
        return []  # A generator comes to the value only now.
    except (TypeError, ValueError) as error:
        raise NoAnswer("the job's code did not return a list of (value, label) pairs") from error
    if sum(len(second) if isinstance(second, list) else 1 for _, second in found) > MOST_CHOICES:
        raise NoAnswer(f"the job's code returned more than {MOST_CHOICES:,} choices")
    _check_plain(found)
    return found


def default(cls: type[BaseJob], name: str, values: Values = None) -> Any:
    """Return the default of a variable as JSON: for an object its key. Raises NoAnswer."""
    variable = _variable(cls, name)
    try:
        value = _value(variable.plain(_call(cls, variable.default, values)))
    except _NotYet:
        return None
    _check_plain(value)
    return value


def description(cls: type[BaseJob], name: str, values: Values = None) -> str:
    """Return the help of a variable. Raises NoAnswer."""
    try:
        text = _call(cls, _variable(cls, name).description, values)
    except _NotYet:
        return ""
    if not isinstance(text, str):
        raise NoAnswer("the job's code did not return text")
    _check_plain(text)
    return inspect.cleandoc(text)


def takes_values(cls: type[BaseJob], option: Any) -> bool:
    """Tell whether a function that computes an option wants the values of other variables."""
    try:
        return _wants(*_bound(cls, option, make=False))[1]
    except AttributeError:
        return False


def verdict(job: BaseJob, data: Mapping[str, Any]) -> Verdict:
    """Return what the job's `validate` has to say against `data`. What else it raises comes through."""
    validate: Any = getattr(job, "validate", None)
    if validate is None:
        return None
    try:
        validate(dict(data))
    except InvalidData as error:
        return _sentences(error.errors) or [REFUSED]
    except InvalidValue as error:
        return [str(error) or REFUSED]
    return None


def _variable(cls: type[BaseJob], name: str) -> Variable:
    try:
        return cls._get_vars()[name]
    except KeyError:
        raise NoAnswer(f"the job has no variable {name} any more") from None


def _call(cls: type[BaseJob], option: Any, values: Values) -> Any:
    """Have the author's code compute an option; what its function wants, the job or `values`, it gets."""
    function, is_method = _bound(cls, option)
    if not callable(function):
        return function  # Since the last refresh its author has written the value itself.
    wants_job, wants_values = _wants(function, is_method, depends=values is not None)
    arguments: list[Any] = []
    if wants_job:
        arguments.append(cls() if wants_job == "self" else cls)
    if wants_values:
        arguments.append(_Given(values or {}))
    found = function(*arguments)
    # A generator only now does what it does.
    return list(found) if inspect.isgenerator(found) else found


def _bound(cls: type[BaseJob], option: Any, *, make: bool = True) -> tuple[Any, bool]:
    """Return the function that an option is, and whether it has its job already."""
    if isinstance(option, str):
        # By name, any method will do: one that takes `self` gets a job that has not begun.
        return (getattr(cls(), option), True) if make else (_unbound(cls, option), True)
    if isinstance(option, classmethod | staticmethod):
        return option.__get__(None, cls), isinstance(option, classmethod)
    return option, False


def _unbound(cls: type[BaseJob], name: str) -> Any:
    """Return a method as its instance would have it, without making one."""
    found = inspect.getattr_static(cls, name)
    return found.__get__(object.__new__(cls), cls) if hasattr(found, "__get__") else found


def _wants(function: Any, is_method: bool, *, depends: bool = False) -> tuple[str, bool]:
    """Return what the function calls the job ("" if it does not want it), and whether it wants values."""
    try:
        names = [
            name
            for name, parameter in inspect.signature(function).parameters.items()
            if parameter.default is parameter.empty and parameter.kind in _POSITIONAL
        ]
    except (TypeError, ValueError):
        return "", False  # Written in C, and silent about what it takes; or no function at all.
    if is_method:
        return "", bool(names)
    if len(names) == 1:
        # One thing alone is the job, as it was before there were values; unless it is called so, or can be nothing else.
        is_values = names[0] == "values" or (depends and names[0] not in _JOB_NAMES)
        return ("", True) if is_values else (names[0], False)
    return (names[0], True) if names else ("", False)


def _value(value: Any) -> Any:
    """Turn what code likes to return into what JSON has."""
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if hasattr(value, "pk"):
        return value.pk
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        return value
    return [_value(item) for item in value]


def _check_plain(value: Any) -> None:
    try:
        text = json.dumps(value, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise NoAnswer(f"the job's code did not return plain values: {error}") from error
    if len(text) > MOST_BYTES:
        raise NoAnswer(f"the job's code returned more than {MOST_BYTES:,} bytes")


def _sentences(errors: dict[str, list[str]] | list[str]) -> dict[str, list[str]] | list[str]:
    if isinstance(errors, list):
        return [str(sentence) for sentence in errors]
    return {str(name): [str(sentence) for sentence in sentences] for name, sentences in errors.items()}
