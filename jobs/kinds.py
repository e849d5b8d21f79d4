"""All kinds of variables, and how one is made again from its description."""

import inspect
from collections.abc import Iterable, Mapping
from typing import Any

from jobs.addresses import IPAddressVar, IPAddressWithMaskVar, IPNetworkVar
from jobs.data_files import DataFileVar
from jobs.errors import InvalidValue
from jobs.files import FileVar
from jobs.json_text import JSONVar
from jobs.moments import DateTimeVar, DateVar
from jobs.variables import (
    BooleanVar,
    ChoiceVar,
    DecimalVar,
    DryRunVar,
    IntegerVar,
    MultiChoiceVar,
    MultiObjectVar,
    Objects,
    ObjectVar,
    SecretVar,
    StringVar,
    TextVar,
    Variable,
)

KINDS: dict[str, type[Variable]] = {
    kind.__name__: kind
    for kind in (
        StringVar,
        TextVar,
        IntegerVar,
        DecimalVar,
        BooleanVar,
        DryRunVar,
        ChoiceVar,
        MultiChoiceVar,
        ObjectVar,
        MultiObjectVar,
        IPAddressVar,
        IPAddressWithMaskVar,
        IPNetworkVar,
        DateVar,
        DateTimeVar,
        JSONVar,
        FileVar,
        DataFileVar,
        SecretVar,
    )
}


#: What decides over values: in a class that nobody registered it would be lost where there is only a description.
_RULES = frozenset({"check_text", "clean", "empty", "is_empty", "multiple", "parse", "restore"})


class KindError(Exception):
    """A kind of variable that cannot be registered, as a sentence for its author."""


def register_kind(kind: type[Variable]) -> None:
    """Make a kind known that is a subclass of one of ours: its rules then hold wherever values are checked.

    Doing it again changes nothing. Raises KindError.
    """
    name = kind.__name__
    if KINDS.get(name, kind) is not kind:
        raise KindError(f"two kinds of variables are called {name}.")
    if kind.type_name() not in KINDS:
        raise KindError(
            f"{name} must be a subclass of a kind that there is: StringVar, IntegerVar and so on."
        )
    try:
        inspect.signature(kind).bind(**dict.fromkeys(_arguments(kind)))
    except (TypeError, ValueError) as error:
        needed = ", ".join(_arguments(kind))
        raise KindError(
            f"{name} must take {needed} by name, as it is made again from them: {error}."
        ) from error
    kind.kind = name
    KINDS[name] = kind


def rules_of_its_own(kind: type[Variable]) -> list[str]:
    """Return what a class changes of the rules for values though no plugin registered it."""
    own: set[str] = set()
    for cls in kind.__mro__:
        if KINDS.get(cls.__name__) is cls or cls is Variable:
            break
        own |= _RULES & vars(cls).keys()
    return sorted(own)


def from_description(description: Mapping[str, Any]) -> Variable:
    """Make the variable again that `describe` described."""
    name = description.get("kind") or description["type"]
    kind = KINDS.get(name) or _missing(name, description["type"])
    options: dict[str, Any] = {name: description.get(name) for name in _arguments(kind)}
    variable = kind(**options)
    variable.name = description["name"]
    for name in kind.seldom:
        if name in description:
            setattr(variable, name, description[name])
    if isinstance(variable, ChoiceVar):
        variable.names_choices = "choices" in description.get("computed", ())
    return variable


def _arguments(kind: type[Variable]) -> tuple[str, ...]:
    return ("label", "description", "default", "required", *kind.options)


def _missing(name: str, type_name: str) -> type[Variable]:
    """Return what stands in for a kind whose plugin is not here: it can be shown, and takes nothing."""

    def refuse(_variable: Variable, _raw: Any, _objects: Objects, _siblings: Mapping[str, Any]) -> Any:
        raise InvalidValue(
            f"This is a {name}, of a plugin that is not loaded here. An administrator can help."
        )

    return type(type_name, (KINDS[type_name],), {"clean": refuse})


def file_names(descriptions: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the names of the variables that are files."""
    return [description["name"] for description in descriptions if description["type"] == "FileVar"]


def secret_names(descriptions: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the names of the variables that nobody may read."""
    return [description["name"] for description in descriptions if description["type"] == "SecretVar"]
