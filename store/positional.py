"""Arguments by position, as jobs of Bots Scheduler take them, and inputs by name: of each other, without the job's code."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jobs.bots.arguments import ALL, MORE, REST

Descriptions = Sequence[Mapping[str, Any]]


def to_data(variables: Descriptions, pub_args: Sequence[Any]) -> dict[str, Any]:
    """Return the inputs that stand for arguments in their order. What is left out at the end is left out here, too.

    variables: descriptions as a job's record has them.
    """
    rest = list(pub_args)
    data: dict[str, Any] = {}
    for name, place in _places(variables):
        if place in (ALL, REST):
            if rest or place == ALL:
                data[name], rest = rest, []
        elif rest:
            data[name] = rest.pop(0)
    if rest:
        data[MORE] = rest  # Whoever checks inputs refuses it of a job that takes none.
    return data


def to_args(variables: Descriptions, data: Mapping[str, Any]) -> list[Any]:
    """Return inputs as arguments in their order."""
    arguments: list[Any] = []
    for name, place in _places(variables):
        if place in (ALL, REST):
            arguments += data.get(name) or []
        else:
            arguments.append(data.get(name))
    return arguments


def _places(variables: Descriptions) -> Iterator[tuple[str, Any]]:
    """Yield names and places in the order of arguments; jobs of other dialects have them as their form has."""
    for number, variable in enumerate(variables):
        yield variable["name"], variable.get("place", number)
