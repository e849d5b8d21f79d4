"""Pickers of objects: what is chosen, and what is found for one search."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from jobs.variables import resolve_params
from store import objects
from store.text import clean_text
from webapp.formats import plural

MOST_OBJECTS = 50
LONGEST_SEARCH = 100

#: What an ObjectVar's explicit "none" is sent as.
NULL = "null"

#: One text, or several where a variable takes several.
Text = str | list[str]


@dataclass(frozen=True, slots=True)
class Option:
    value: str
    label: str
    chosen: bool
    group: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class Picker:
    """What is found for one search, after what is chosen."""

    model_label: str
    query: str
    chosen: list[Option]
    found: list[Option]
    more: bool
    problem: str = ""
    #: Something chosen no longer fits what the other inputs say.
    dropped: bool = False

    @property
    def help(self) -> str:
        if self.problem:
            return self.problem
        shown = plural(len(self.found), "match", "matches")
        return f"First {shown}: search to see others." if self.more else shown


def is_multiple(variable: Mapping[str, Any]) -> bool:
    return str(variable["type"]).startswith("Multi")


def picker(
    variable: Mapping[str, Any], values: Mapping[str, Text], data: Session, search: str, *, fitting: bool
) -> Picker:
    search = clean_text(search).strip()[:LONGEST_SEARCH]
    value = values.get(variable["name"], "")
    wanted = [value] if isinstance(value, str) else value
    try:
        info = objects.model_info(variable["model"])
    except objects.UnknownModel:
        problem = f"There are no objects of the kind {variable['model']}: its plugin is not installed."
        return Picker(variable["model"], search, [], [], False, problem)
    params = resolve_params(variable.get("query_params") or {}, values)
    chosen = [option for pk in wanted if (option := _chosen(variable, data, pk, params if fitting else {}))]
    try:
        page = objects.search(data, variable["model"], q=search, params=params, limit=MOST_OBJECTS)
    except objects.SearchRefused as error:
        return Picker(info.label_plural, search, chosen, [], False, str(error))
    taken = {option.value for option in chosen}
    found = [_option(variable, instance, False) for instance in page.objects if str(instance.pk) not in taken]
    return Picker(
        info.label_plural,
        search,
        chosen,
        _extra(variable, taken) + found,
        page.next is not None,
        dropped=fitting and len(chosen) < len([pk for pk in wanted if pk]),
    )


def _chosen(variable: Mapping[str, Any], data: Session, pk: str, params: Mapping[str, Any]) -> Option | None:
    """Return what is chosen, as far as it exists and fits `params`."""
    if pk == NULL and variable.get("null_option"):
        return Option(NULL, str(variable["null_option"]), True)
    if not pk:
        return None
    lookup = objects.ObjectLookup(data)
    try:
        key = lookup.find(variable["model"], pk, params)
        return _option(variable, lookup.load(variable["model"], key), True)
    except objects.LookupFailed:
        return None


def _extra(variable: Mapping[str, Any], taken: set[str]) -> list[Option]:
    """Return the ways to choose no object."""
    extra = []
    if variable.get("null_option") and NULL not in taken:
        extra.append(Option(NULL, str(variable["null_option"]), False))
    if not is_multiple(variable) and not variable.get("required"):
        extra.append(Option("", "None", not taken))
    return extra


def _option(variable: Mapping[str, Any], instance: Any, chosen: bool) -> Option:
    text = objects.text_of(instance, variable.get("display_field") or "display")
    return Option(str(instance.pk), text, chosen)
