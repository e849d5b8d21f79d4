"""Inputs as a list of positional arguments, as Bots Scheduler has them, and as the variables of a job have them."""

from collections.abc import Mapping, Sequence
from typing import Any

from jobs.errors import InvalidData

#: The variable that takes what is left over.
MORE = "more_arguments"


def to_data(variables: Sequence[Mapping[str, Any]], pub_args: Sequence[Any]) -> dict[str, Any]:
    """Return the inputs that a list of arguments gives. Raises InvalidData where there are more than the job takes."""
    names = [variable["name"] for variable in variables]
    own = [name for name in names if name != MORE]
    data = dict(zip(own, pub_args, strict=False))
    if surplus := list(pub_args[len(own) :]):
        if MORE not in names:
            raise InvalidData([f"There are {len(pub_args)} arguments, and the job takes {len(own)}."])
        data[MORE] = surplus
    return data


def to_args(variables: Sequence[Mapping[str, Any]], data: Mapping[str, Any]) -> list[Any]:
    """Return the list of arguments that inputs stand for."""
    own = [variable["name"] for variable in variables if variable["name"] != MORE]
    return [*(data.get(name) for name in own), *(data.get(MORE) or ())]
