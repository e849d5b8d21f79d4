"""What stands on a button: a template in a small part of Jinja's language, in which nothing takes long or grows.

It has no loops, calls, arithmetic or variables of its own, so it does no more than is written in it, once. Of objects it
sees columns, relations to one other object, and plain properties.
"""

import inspect
import time
from functools import lru_cache
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment
from sqlalchemy.exc import OperationalError

from store.objects import ObjectModel, current_session
from store.text import clean_text

LONGEST_TEMPLATE = 500
#: Of what a template makes; the rest is cut off.
LONGEST_TEXT = 80
#: Of any text that a template reads.
LONGEST_VALUE = 1_000
#: A template reads nothing more after so long: properties of objects can take their time.
MOST_SECONDS = 0.5

FILTERS = ("capitalize", "default", "length", "lower", "title", "trim", "truncate", "upper")
TESTS = ("==", "!=", "defined", "eq", "equalto", "false", "in", "ne", "none", "string", "true", "undefined")
NAMES = ("obj", "object")

#: What may be written, as Jinja calls it.
_PARTS = (
    nodes.Template,
    nodes.TemplateData,
    nodes.Output,
    nodes.If,
    nodes.CondExpr,
    nodes.Name,
    nodes.Getattr,
    nodes.Filter,
    nodes.Test,
    nodes.Keyword,
    nodes.Const,
    nodes.List,
    nodes.Tuple,
    nodes.Compare,
    nodes.Operand,
    nodes.And,
    nodes.Or,
    nodes.Not,
    nodes.Concat,
)

_REFUSED = {
    nodes.For: "Loops cannot be used here.",
    nodes.Call: "Nothing can be called here: write {{ obj.name }}.",
    nodes.Getitem: "Brackets cannot be used here: write {{ obj.name }}.",
}


class BadText(ValueError):
    """A template that cannot be used, or that failed for an object: a sentence."""


def check(template: str) -> None:
    """Raise BadText where a template cannot be used for any object."""
    _compiled(template)


def text_for(template: str, instance: ObjectModel) -> str:
    """Return what stands on the button of an object; "" where there is to be none. Raises BadText.

    That a database does not answer is no fault of the template: OperationalError goes through.
    """
    compiled, seen = _compiled(template), _Seen(instance, time.monotonic() + MOST_SECONDS)
    try:
        text = compiled.render(dict.fromkeys(NAMES, seen))
    except OperationalError:
        raise
    except (BadText, TemplateError) as error:
        raise BadText(str(error)) from None
    except Exception as error:  # Properties are the code of a plugin, and may raise anything.
        # Whatever they did, the rest of the page can go on reading.
        current_session().rollback()
        raise BadText(f"{type(error).__name__}: {clean_text(str(error))[:LONGEST_VALUE]}") from error
    text = " ".join(clean_text(text).split())
    return text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 1]}…"


@lru_cache(maxsize=200)
def _compiled(template: str) -> Template:
    if len(template) > LONGEST_TEMPLATE:
        raise BadText(f"Ensure this value has at most {LONGEST_TEMPLATE} characters.")
    try:
        for node in _ENVIRONMENT.parse(template).find_all(nodes.Node):
            _check_node(node)
        return _ENVIRONMENT.from_string(template)
    except TemplateError as error:
        raise BadText(f"This is no template: {error}") from None
    except (RecursionError, SyntaxError, MemoryError):
        raise BadText("This is nested too deeply.") from None


def _check_node(node: nodes.Node) -> None:
    if not isinstance(node, (*_PARTS, nodes.Helper)) or isinstance(node, tuple(_REFUSED)):
        raise BadText(_REFUSED.get(type(node), f"{type(node).__name__} cannot be used here."))
    if isinstance(node, nodes.Name) and node.name not in NAMES:
        raise BadText(f"There is no {node.name}: a text may use obj alone.")
    if isinstance(node, nodes.Filter) and node.name not in FILTERS:
        raise BadText(f"There is no filter {node.name}. There are: {', '.join(FILTERS)}.")
    if isinstance(node, nodes.Test) and node.name not in TESTS:
        raise BadText(f"There is no test {node.name}. There are: {', '.join(TESTS)}.")
    if isinstance(node, nodes.Getattr) and node.attr.startswith("_"):
        raise BadText(f"{node.attr} cannot be read here.")


class _Seen:
    """An object as a template sees it."""

    __slots__ = ("_instance", "_until")

    def __init__(self, instance: ObjectModel, until: float) -> None:
        self._instance, self._until = instance, until

    def __str__(self) -> str:
        return str(self._instance)[:LONGEST_VALUE]

    __repr__ = __str__

    def has(self, name: str) -> bool:
        model = type(self._instance)
        mapper = model.__mapper__
        if name.startswith("_"):
            return False
        if name in mapper.relationships:
            return not mapper.relationships[name].uselist
        return name in mapper.column_attrs or isinstance(inspect.getattr_static(model, name, None), property)

    def read(self, name: str) -> Any:
        value = getattr(self._instance, name)
        if time.monotonic() > self._until:
            raise BadText(f"It takes too long: {name} was read after more than {MOST_SECONDS:g} seconds.")
        if isinstance(value, ObjectModel):
            return _Seen(value, self._until)
        if value is None or isinstance(value, bool | int | float):
            return value
        return str(value)[:LONGEST_VALUE]


class _Environment(ImmutableSandboxedEnvironment):
    """Reads columns and properties of objects, and nothing of anything else."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, _Seen) and obj.has(attribute):
            return obj.read(attribute)
        return self.undefined(f"{obj} has no {attribute} that can be read here.")

    getitem = getattr  # type: ignore[assignment]


def _environment() -> _Environment:
    environment = _Environment(undefined=StrictUndefined, autoescape=False, cache_size=200)
    environment.globals.clear()
    environment.filters = {name: environment.filters[name] for name in FILTERS}
    environment.tests = {name: environment.tests[name] for name in TESTS}
    return environment


_ENVIRONMENT = _environment()
