"""All kinds of variables, and how one is made again from its description."""

from collections.abc import Iterable, Mapping
from typing import Any

from jobs.addresses import IPAddressVar, IPAddressWithMaskVar, IPNetworkVar
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
        SecretVar,
    )
}


def from_description(description: Mapping[str, Any]) -> Variable:
    """Make the variable again that `describe` described."""
    kind = KINDS[description["type"]]
    names = ("label", "description", "default", "required", *kind.options)
    options: dict[str, Any] = {name: description.get(name) for name in names}
    variable = kind(**options)
    variable.name = description["name"]
    if isinstance(variable, ChoiceVar):
        variable.names_choices = "choices" in description.get("computed", ())
    return variable


def file_names(descriptions: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the names of the variables that are files."""
    return [description["name"] for description in descriptions if description["type"] == "FileVar"]


def secret_names(descriptions: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the names of the variables that nobody may read."""
    return [description["name"] for description in descriptions if description["type"] == "SecretVar"]
