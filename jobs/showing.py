"""Which inputs are asked for: `shown_if` and `depends_on`, decided from descriptions alone.

Whoever judges inputs, shows them or asks for them goes through the variables `in_order` and asks `is_shown` of each.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from jobs.errors import BadJob

Description = Mapping[str, Any]

#: What is not known before it is sent, or may stand on no page.
_NO_SOURCES = {"FileVar": "a file", "SecretVar": "a secret"}


def is_shown(variable: Description, values: Mapping[str, Any], hidden: Collection[str]) -> bool:
    """Tell whether a variable is asked for.

    values: of the variables before it, as they are stored; what is not given, or does not fit, is left out.
    hidden: the variables before it that are not asked for.
    """
    conditions: Mapping[str, Any] = variable.get("shown_if") or {}
    return all(
        other not in hidden and any(_holds(values.get(other), wanted) for wanted in _listed(wanted_values))
        for other, wanted_values in conditions.items()
    )


def in_order(variables: Iterable[Description]) -> list[Description]:
    """Return the variables so that each comes after those it reads; for the rest as they are."""
    by_name = {variable["name"]: variable for variable in variables}
    found: dict[str, Description] = {}

    def add(name: str, ahead: tuple[str, ...]) -> None:
        if name in found or name not in by_name or name in ahead:
            return
        # What narrows a picker is only good to know before: it may itself depend on what the picker holds.
        behind = {*ahead, name}
        narrowing = [each for each in narrowed_by(by_name[name]) if not behind & _all_sources(each, by_name)]
        for other in (*sources(by_name[name]), *narrowing):
            add(other, (*ahead, name))
        found[name] = by_name[name]

    for name in by_name:
        add(name, ())
    return list(found.values())


def narrowed_by(variable: Description) -> list[str]:
    """Return the variables that `query_params` refer to."""
    found = []
    for value in (variable.get("query_params") or {}).values():
        for part in value if isinstance(value, list | tuple) else [value]:
            if isinstance(part, str) and part.startswith("$"):
                found.append(part[1:])
    return list(dict.fromkeys(found))


def sources(variable: Description) -> list[str]:
    """Return the variables that decide about this one: whether it is shown, or what is computed of it."""
    return list(dict.fromkeys([*(variable.get("shown_if") or ()), *(variable.get("depends_on") or ())]))


def read_values(variable: Description, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the job's code is told to compute something of this variable."""
    return {name: values[name] for name in variable.get("depends_on") or () if name in values}


def refusal(variable: Description, variables: Iterable[Description]) -> str:
    """Say why a value is refused that was given although nobody asked for it."""
    types = {each["name"]: each["type"] for each in variables}
    conditions: Mapping[str, Any] = variable.get("shown_if") or {}
    words = [_condition(other, types.get(other), _listed(wanted)) for other, wanted in conditions.items()]
    return f"This is not asked for unless {' and '.join(words)}."


def check(variables: Sequence[Description]) -> None:
    """Raise BadJob where `shown_if` or `depends_on` cannot work."""
    by_name = {variable["name"]: variable for variable in variables}
    for variable in variables:
        for option in ("shown_if", "depends_on"):
            for other in variable.get(option) or ():
                _check_source(variable, option, other, by_name)
        for other, wanted in (variable.get("shown_if") or {}).items():
            _check_wanted(variable, by_name[other], _listed(wanted))
    for variable in variables:
        _check_cycle(variable, by_name)


def _holds(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, bool):
        return _is_filled(value) is wanted
    values = value if isinstance(value, list) else [value]
    return any(each is not None and str(each) == str(wanted) for each in values)


def _is_filled(value: Any) -> bool:
    # Zero is a value like others.
    return not (value is None or value is False or value == "" or value == [])


def _listed(wanted: Any) -> list[Any]:
    return list(wanted) if isinstance(wanted, list | tuple) else [wanted]


def _condition(other: str, kind: str | None, wanted: list[Any]) -> str:
    said: Callable[[Any], str] = lambda each: str(each)  # noqa: E731
    if any(isinstance(each, bool) for each in wanted):
        words = (
            {True: "true", False: "false"} if kind == "BooleanVar" else {True: "filled in", False: "empty"}
        )
        said = lambda each: words[each] if isinstance(each, bool) else str(each)  # noqa: E731
    return f"{other} is {' or '.join(said(each) for each in wanted)}"


def _check_source(variable: Description, option: str, other: str, by_name: Mapping[str, Description]) -> None:
    if other not in by_name:
        raise BadJob(f"{option} of {variable['name']} names {other!r}, which is no variable of the job.")
    if by_name[other]["type"] in _NO_SOURCES:
        kind = _NO_SOURCES[by_name[other]["type"]]
        raise BadJob(
            f"{option} of {variable['name']} names {other!r}, which is {kind}: no form may go by it."
        )


def _check_wanted(variable: Description, other: Description, wanted: list[Any]) -> None:
    if not wanted:
        raise BadJob(f"shown_if of {variable['name']} names no value of {other['name']}.")
    for each in wanted:
        if not isinstance(each, bool | str | int | float):
            raise BadJob(f"shown_if of {variable['name']} must name plain values, not {type(each).__name__}.")
    if "choices" not in other or "choices" in other.get("computed", ()):
        return
    known = {str(value) for value in _values(other["choices"])}
    for each in wanted:
        if not isinstance(each, bool) and str(each) not in known:
            raise BadJob(
                f"shown_if of {variable['name']} wants {other['name']} to be {each!r}, which is none of its choices."
            )


def _values(choices: Iterable[Any]) -> Iterator[Any]:
    for value, label in choices:
        if isinstance(label, list):
            yield from (inner for inner, _ in label)
        else:
            yield value


def _check_cycle(variable: Description, by_name: Mapping[str, Description]) -> None:
    if variable["name"] in _all_sources(variable["name"], by_name):
        raise BadJob(f"{variable['name']} depends on itself, by shown_if or depends_on.")


def _all_sources(name: str, by_name: Mapping[str, Description]) -> set[str]:
    """Return the variables that one depends on, over others too."""
    found: set[str] = set()
    ahead = [name]
    while ahead:
        for other in sources(by_name.get(ahead.pop(), {})):
            if other not in found:
                found.add(other)
                ahead.append(other)
    return found
