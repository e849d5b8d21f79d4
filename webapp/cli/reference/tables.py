"""Tables and sentences of markdown, as the reference pages have them."""

import inspect
import re
from collections.abc import Iterable, Iterator, Sequence

#: `name: type`, or `self.name = value` with a type or without.
_ATTRIBUTE = re.compile(r"(?:self\.(?=\w+ ?[:=]))?(\w+)(?::| = )")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [_row(head), "|" + "---|" * len(head), *map(_row, rows)]
    return "\n".join(lines) + "\n"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in cells) + " |"


def first_line(thing: object) -> str:
    """Return the first line of its own docstring; empty without one."""
    said = vars(thing).get("__doc__") if inspect.isclass(thing) else getattr(thing, "__doc__", None)
    return inspect.cleandoc(said).partition("\n")[0] if said else ""


def arguments(cls: type, *, without: Iterable[str] = ()) -> Iterator[str]:
    """Yield what its constructor names, as code writes it: `size=None`."""
    init = next(vars(base)["__init__"] for base in cls.__mro__ if "__init__" in vars(base))
    for parameter in inspect.signature(init).parameters.values():
        if parameter.name in ("self", "_", "common", *without) or parameter.kind is parameter.VAR_KEYWORD:
            continue
        star = "*" if parameter.kind is parameter.VAR_POSITIONAL else ""
        default = "" if parameter.default is parameter.empty else f"={parameter.default!r}"
        yield f"{star}{parameter.name}{default}"


def comments(source: str) -> dict[str, str]:
    """Return what the `#:` comments of a class say, by the attribute below each: of its own, or of `self`."""
    found: dict[str, str] = {}
    words: list[str] = []
    for line in map(str.strip, source.splitlines()):
        if line.startswith("#:"):
            words.append(line[2:].strip())
            continue
        if named := _ATTRIBUTE.match(line):
            found[named[1]] = " ".join(words)
        words = []
    return found
