"""Type hints as inputs: which variable serves a hint, and how its value becomes what the hint promises."""

import copy
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from functools import partial
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from typing import IO, Annotated, Any, BinaryIO, Literal, Union, get_args, get_origin

from jobs.addresses import IPAddressVar, IPAddressWithMaskVar, IPNetworkVar
from jobs.data_files import DataFile, DataFileVar
from jobs.errors import BadJob, InvalidValue
from jobs.files import FileVar
from jobs.form import NoObjects
from jobs.json_text import JSONVar
from jobs.moments import DateTimeVar, DateVar
from jobs.values import shortened
from jobs.variables import (
    BooleanVar,
    ChoiceVar,
    DecimalVar,
    IntegerVar,
    MultiChoiceVar,
    MultiObjectVar,
    ObjectVar,
    StringVar,
    TextVar,
    Variable,
)

#: A parameter without a default; None is one.
NOTHING: Any = object()

SERVED = (
    "str, int, float, Decimal, bool, date, datetime, addresses and networks of ipaddress and netaddr, Literal, Enum, "
    "models, a list of any of these, dict, list, Any, bytes and BinaryIO"
)

NOT_AN_OBJECT = 'Enter a JSON object, such as {"name": "value"}.'
NOT_A_LIST = 'Enter a JSON list, such as ["one", "two"].'


def _same(value: Any) -> Any:
    return value


@dataclass(frozen=True, slots=True)
class Kind:
    """How a hint is served, wherever it stands."""

    variable: Callable[..., Variable]
    #: Makes what the hint promises of what the variable restores. Raises ValueError with a sentence.
    convert: Callable[[Any], Any] = _same
    #: Makes of a default what the variable takes as one.
    plain: Callable[[Any], Any] = _same
    #: Whether only `convert` knows what fits: it is asked before the inputs are stored.
    judges: bool = False


@dataclass(frozen=True, slots=True)
class Input:
    """One parameter of a function as an input of its job."""

    variable: Variable
    kind: Kind
    optional: bool
    default: Any

    def give(self, value: Any) -> Any:
        """Return what the function gets for what the variable has restored. Raises ValueError with a sentence."""
        if not self._is_empty(value):
            return self.kind.convert(value)
        if self.optional:
            return None
        return value if self.default is NOTHING else self.default

    def _is_empty(self, value: Any) -> bool:
        if self.variable.empty == "" and isinstance(value, str):
            return not value.strip()
        return value is None or (self.variable.multiple and not value)


def input_for(name: str, hint: Any, default: Any = NOTHING) -> Input:
    """Return the input that serves the parameter. Raises BadJob for a hint that nothing serves."""
    bare, metadata, optional = _opened(hint)
    optional = optional or default is None
    own = next((item for item in metadata if isinstance(item, Variable)), None)
    kind = _kind(bare)
    if own is not None:
        variable = copy.copy(own)
        kind = kind if kind is not None and isinstance(own, type(kind.variable())) else Kind(type(own))
    elif kind is None:
        raise BadJob(
            f"{name} has the hint {_shown(hint)}, and no input gives that. There are: {SERVED}; each of them "
            "also as `| None`, and any variable by Annotated[type, variable]."
        )
    elif optional and bare is bool:
        raise BadJob(
            f'{name} cannot be left out: a switch is on or off. Write bool, or Literal["yes", "no"] | None.'
        )
    else:
        variable = kind.variable()
    _set_default(variable, kind, default, optional=optional)
    if help_text := next((item for item in metadata if isinstance(item, str)), ""):
        variable.description = variable.description or help_text
    return Input(variable, kind, optional, default)


def _opened(hint: Any) -> tuple[Any, list[Any], bool]:
    """Take a hint apart: the bare type, what Annotated says beside it, and whether None will do."""
    metadata: list[Any] = []
    optional = False
    while True:
        if get_origin(hint) is Annotated:
            hint, *more = get_args(hint)
            metadata += more
            continue
        if get_origin(hint) in (Union, types.UnionType):
            others = [each for each in get_args(hint) if each is not types.NoneType]
            optional = optional or len(others) < len(get_args(hint))
            if len(others) == 1:
                hint = others[0]
                continue
        if get_origin(hint) is Literal and None in get_args(hint):
            optional = True
        return hint, metadata, optional


def _set_default(variable: Variable, kind: Kind, default: Any, *, optional: bool) -> None:
    if optional:
        variable.required = False
    if default is NOTHING or default is None:
        return
    if isinstance(default, str | bytes | list | tuple | dict | set) and not default:
        # Nothing is what the function takes when nothing is filled in.
        variable.required = False
        return
    variable.default = kind.plain(default)


# --- kinds -------------------------------------------------------------------------------------------------------


def _dictionary(value: Any) -> Any:
    if not isinstance(value, dict):
        raise InvalidValue(NOT_AN_OBJECT)
    return value


def _list(value: Any) -> Any:
    if not isinstance(value, list):
        raise InvalidValue(NOT_A_LIST)
    return value


def _of_stdlib(kind: Any) -> Callable[[Any], Any]:
    return lambda value: kind(str(value))


_DICT = Kind(JSONVar, _dictionary, judges=True)
_LIST = Kind(JSONVar, _list, judges=True)

_KINDS: dict[Any, Kind] = {
    str: Kind(StringVar),
    int: Kind(IntegerVar),
    float: Kind(DecimalVar, float),
    Decimal: Kind(DecimalVar),
    bool: Kind(BooleanVar),
    date: Kind(DateVar),
    datetime: Kind(DateTimeVar),
    IPv4Address: Kind(partial(IPAddressVar, version=4), _of_stdlib(IPv4Address)),
    IPv6Address: Kind(partial(IPAddressVar, version=6), _of_stdlib(IPv6Address)),
    IPv4Interface: Kind(partial(IPAddressWithMaskVar, version=4), _of_stdlib(IPv4Interface)),
    IPv6Interface: Kind(partial(IPAddressWithMaskVar, version=6), _of_stdlib(IPv6Interface)),
    IPv4Network: Kind(partial(IPNetworkVar, version=4), _of_stdlib(IPv4Network)),
    IPv6Network: Kind(partial(IPNetworkVar, version=6), _of_stdlib(IPv6Network)),
    bytes: Kind(FileVar, lambda file: file.read()),
    BinaryIO: Kind(FileVar),
    IO[bytes]: Kind(FileVar),
    DataFile: Kind(DataFileVar),
    dict: _DICT,
    list: _LIST,
    Any: Kind(JSONVar),
}

#: Of netaddr, by name: only who uses it should need its memory.
_NETADDR = {"IPAddress": Kind(IPAddressVar), "IPNetwork": Kind(IPNetworkVar)}


def _kind(hint: Any) -> Kind | None:
    """Return how a bare hint is served; None: it is not."""
    origin = get_origin(hint)
    if origin is Literal:
        return _choice(_literals(hint))
    if origin is dict:
        return _DICT
    if origin is list:
        return _list_of(*get_args(hint))
    if isinstance(hint, type) and issubclass(hint, Enum):
        return _choice(_members(hint))
    if (model := _model_of(hint)) is not None:
        return Kind(partial(ObjectVar, model=model))
    if getattr(hint, "__module__", "").partition(".")[0] == "netaddr":
        return _NETADDR.get(getattr(hint, "__name__", ""))
    try:
        return _KINDS.get(hint)
    except TypeError:  # A hint may be anything, also what no dictionary takes.
        return None


def _list_of(item: Any = Any) -> Kind | None:
    if item is Any or item in (dict, list) or get_origin(item) in (dict, list):
        return _LIST
    if (model := _model_of(item)) is not None:
        return Kind(partial(MultiObjectVar, model=model), list, list)
    kind = _kind(item)
    if kind is None or item is bool or kind.variable in (FileVar, DataFileVar):
        return None
    variable = kind.variable()
    if isinstance(variable, ChoiceVar):
        return Kind(
            partial(MultiChoiceVar, choices=variable.choices),
            lambda values: [kind.convert(value) for value in values],
            lambda values: [kind.plain(value) for value in values],
        )
    return Kind(
        TextVar,
        partial(_read_lines, kind=kind, item=variable),
        lambda values: "\n".join(str(variable.plain(value)) for value in values),
        judges=kind is not _KINDS[str],
    )


def _read_lines(text: str, *, kind: Kind, item: Variable) -> list[Any]:
    """Read a text with an item a line; lines without anything are none."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                found.append(kind.convert(item.restore(item.parse(line.strip()), NoObjects())))
            except InvalidValue as error:
                raise InvalidValue(f"Line {number}: {error}") from error
    return found


def _choice(options: Mapping[str, tuple[Any, str]]) -> Kind:
    """Serve one of some values. options: {text: (value, label)}."""
    texts = [(value, text) for text, (value, _) in options.items()]
    return Kind(
        partial(ChoiceVar, choices=[(text, label) for text, (_, label) in options.items()]),
        partial(_chosen, options),
        lambda wanted: next((text for value, text in texts if value == wanted), str(wanted)),
    )


def _chosen(options: Mapping[str, tuple[Any, str]], text: str) -> Any:
    if text not in options:
        raise InvalidValue(f"{shortened(text)} is not one of the available choices any more.")
    return options[text][0]


def _literals(hint: Any) -> dict[str, tuple[Any, str]]:
    values = [value for value in get_args(hint) if value is not None]
    texts = [str(value.value if isinstance(value, Enum) else value) for value in values]
    if len(set(texts)) < len(texts):
        raise BadJob(f"Two values of {_shown(hint)} have the same text.")
    return {text: (value, text) for text, value in zip(texts, values, strict=True)}


def _members(kind: type[Enum]) -> dict[str, tuple[Any, str]]:
    """Return the members by what stands for them outside: their values where those are texts or numbers, else their names."""
    values = [member.value for member in kind]
    by_value = all(isinstance(value, str | int) and not isinstance(value, bool) for value in values)
    by_value = by_value and len({str(value) for value in values}) == len(values)
    return {
        str(member.value) if by_value else member.name: (member, _in_words(member.name)) for member in kind
    }


def _in_words(name: str) -> str:
    words = name.strip("_").replace("_", " ").lower()
    return words[:1].upper() + words[1:]


def _model_of(hint: Any) -> Any:
    # Only its name is needed of a model; the room it lives in is none of ours.
    return hint if isinstance(hint, type) and isinstance(getattr(hint, "object_type", None), str) else None


def _shown(hint: Any) -> str:
    return hint.__name__ if isinstance(hint, type) and not get_args(hint) else str(hint)
