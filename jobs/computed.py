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


def choices(cls: type[BaseJob], name: str) -> list[list[Any]]:
    """Return the choices of a variable, as its description would have them. Raises NoAnswer."""
    returned = _call(cls, getattr(_variable(cls, name), "choices", ()))
    try:
        found = plain_choices(returned)
    except (TypeError, ValueError) as error:
        raise NoAnswer("the job's code did not return a list of (value, label) pairs") from error
    if sum(len(second) if isinstance(second, list) else 1 for _, second in found) > MOST_CHOICES:
        raise NoAnswer(f"the job's code returned more than {MOST_CHOICES:,} choices")
    _check_plain(found)
    return found


def default(cls: type[BaseJob], name: str) -> Any:
    """Return the default of a variable as JSON: for an object its key. Raises NoAnswer."""
    variable = _variable(cls, name)
    value = _value(variable.plain(_call(cls, variable.default)))
    _check_plain(value)
    return value


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


def _call(cls: type[BaseJob], option: Any) -> Any:
    """Have the author's code compute an option; a function that wants something gets the job class."""
    if isinstance(option, str):
        # By name, any method will do: one that takes `self` gets a job that has not begun.
        option = getattr(cls(), option)
    elif isinstance(option, classmethod | staticmethod):
        option = option.__get__(None, cls)
    if not callable(option):
        return option  # Since the last refresh its author has written the value itself.
    return option(cls) if _wants_something(option) else option()


def _wants_something(function: Any) -> bool:
    try:
        inspect.signature(function).bind()
    except TypeError:
        return True
    except ValueError:
        return False  # Written in C, and silent about what it takes.
    return False


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
