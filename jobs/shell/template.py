"""Texts with `{name}` where the value of a variable goes; `{{` and `}}` are braces themselves."""

import shlex
from collections.abc import Callable, Iterator
from string import Formatter

from jobs.errors import BadJob
from jobs.shell.quoting import VALUE, safe_places
from jobs.shell.values import Texts


def parts_of(text: str) -> list[tuple[str, str]]:
    """Return (what stands before a variable, its name), "" for the name after the last one. Raises BadJob."""
    try:
        found = list(Formatter().parse(text))
    except ValueError as error:
        raise BadJob(
            f"{text!r} has a brace that belongs to nothing: write {{{{ and }}}} for braces of the command's own."
        ) from error
    parts: list[tuple[str, str]] = []
    for before, name, options, conversion in found:
        if name is not None and (not name.isidentifier() or options or conversion):
            shown = name + (f"!{conversion}" if conversion else "") + (f":{options}" if options else "")
            raise BadJob(
                f"{{{shown}}} in {text!r} is no variable: braces hold its name, and nothing else; write "
                "{{ and }} for braces of the command's own."
            )
        parts.append((before, name or ""))
    return parts


def names_in(text: str) -> list[str]:
    """Return the variables that a text names, in their order, each once. Raises BadJob."""
    return list(dict.fromkeys(name for _, name in parts_of(text) if name))


def filled(text: str, texts: Texts) -> str:
    """Return a text with the values in it; where there are several, with commas between them."""
    return _joined(text, texts, ",".join)


def quoted(text: str, texts: Texts) -> str:
    """Return a text for a shell: each value is one word of it, whatever it holds."""
    return _joined(text, texts, shlex.join)


def misplaced(text: str) -> list[str]:
    """Return the variables of a text for a shell that are not one word of it where they stand. Raises BadJob."""
    parts = parts_of(text)
    line = "".join(before.replace(VALUE, "") + (VALUE if name else "") for before, name in parts)
    names = [name for _, name in parts if name]
    return [name for name, is_safe in zip(names, safe_places(line), strict=True) if not is_safe]


def _joined(text: str, texts: Texts, join: Callable[[list[str]], str]) -> str:
    return "".join(before + (join(_listed(texts[name])) if name else "") for before, name in parts_of(text))


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def arguments(item: str, texts: Texts) -> Iterator[str]:
    """Yield what an item of a list of arguments stands for: itself, with the values in it.

    One that is nothing but a variable falls away where that is empty, and becomes several where that has several values.
    """
    match parts_of(item):
        case [("", name)] if name:
            yield from filter(None, _listed(texts[name]))
        case _:
            yield filled(item, texts)
