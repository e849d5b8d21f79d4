"""Commands in a table: each of its entries becomes a job."""

import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from jobs.describe import FACTS, describe
from jobs.errors import BadJob
from jobs.kinds import KINDS
from jobs.shell.base import BadPart, ShellJob
from jobs.variables import Variable

#: Where something stands in a table: ("disk", "variables", "path").
Path = tuple[Any, ...]

#: Says for people where that is: "commands.yaml, line 12".
Where = Callable[[Path], str]

#: What an entry says of the command itself, and which attribute of its class that is.
PARTS = {
    "command": "command",
    "shell": "shell",
    "folder": "working_folder",
    "environment": "added_environment",
    "report": "report_format",
    "files": "files",
    "expects": "expects",
}

_KEY = re.compile(r"[A-Za-z0-9_-]{1,100}")


def shell_jobs(table: Mapping[str, Any]) -> list[type[ShellJob]]:
    """Make jobs of a table: {key: {"command": [...], "variables": {...}, ...}}. To be listed in the module's `jobs`."""
    module = str(sys._getframe(1).f_globals.get("__name__", ""))
    return jobs_of(table, lambda path: ".".join(map(str, path)) or "shell_jobs", module)


def jobs_of(table: Any, where: Where, module: str) -> list[type[ShellJob]]:
    """Make a job of each entry; one with a mistake becomes a job that says so when it is looked at.

    Raises BadJob where there are no entries to look at.
    """
    if not isinstance(table, Mapping) or not table:
        raise BadJob(f"{where(())}: commands are a mapping, with at least one command by its name.")
    for key in table:
        if not isinstance(key, str) or not _KEY.fullmatch(key):
            raise BadJob(
                f"{where((key,))}: {key!r} cannot be the name of a command: use letters, digits, - and _ only."
            )
    return [_Entry(key, given, where, module).job() for key, given in table.items()]


class _Entry:
    """An entry on its way to a class. Mistakes are collected: an author wants to see all of them."""

    def __init__(self, key: str, given: Any, where: Where, module: str) -> None:
        self._key = key
        self._given = given
        self._where = where
        self._module = module
        self._problems: list[str] = []

    def job(self) -> type[ShellJob]:
        if not isinstance(self._given, Mapping):
            self._mind((), "a command is a mapping, with at least `command`.")
            return self._class({})
        for name in self._given:
            if name not in PARTS and name not in FACTS and name != "variables":
                self._mind((name,), f"a command has no {name!r}. There are: {', '.join(_known())}.")
        if "command" not in self._given:
            self._mind((), "the command itself is missing: `command` says what to run.")
        variables = dict(self._variables(self._given.get("variables") or {}))
        cls = self._class(variables)
        if not self._problems:
            self._describe(cls)
        cls._problems = tuple(self._problems)
        return cls

    def _class(self, variables: Mapping[str, Variable]) -> type[ShellJob]:
        given = self._given if isinstance(self._given, Mapping) else {}
        parts = {PARTS[name]: value for name, value in given.items() if name in PARTS}
        facts = {name: value for name, value in given.items() if name in FACTS}
        body = {
            **parts,
            "__module__": self._module,
            "Meta": type("Meta", (), facts),
            "_variables": variables,
            "_problems": tuple(self._problems),
        }
        return type(self._key, (ShellJob,), body)

    def _describe(self, cls: type[ShellJob]) -> None:
        try:
            describe(cls, grouping="")
        except BadPart as error:
            self._mind(error.path, str(error))
        except BadJob as error:
            # Most sentences begin with what they are about.
            about = str(error).partition(" ")[0]
            self._mind((about,), str(error))

    def _variables(self, given: Any) -> Iterator[tuple[str, Variable]]:
        if not isinstance(given, Mapping):
            self._mind(("variables",), "variables are a mapping, each by its name.")
            return
        for name, options in given.items():
            path = ("variables", name)
            if not isinstance(name, str) or not name.isidentifier():
                self._mind(
                    path, f"{name!r} cannot be the name of a variable: use letters, digits and _ only."
                )
                continue
            try:
                variable = _variable(options)
                variable.name = name
                variable.check()
            except BadPart as error:
                self._mind((*path, *error.path), str(error))
            except BadJob as error:
                self._mind(path, str(error))
            else:
                yield name, variable

    def _mind(self, path: Path, problem: str) -> None:
        self._problems.append(f"{self._where((self._key, *path))}: {problem}")


def _known() -> list[str]:
    return ["variables", *PARTS, *FACTS]


def _variable(given: Any) -> Variable:
    """Make a variable of what a table says of it: the name of its kind, or that and its options. Raises BadJob."""
    if isinstance(given, Variable):
        return given
    options = {"type": given} if isinstance(given, str) else given or {}
    if not isinstance(options, Mapping):
        raise BadJob("a variable is the name of its kind, or a mapping with its type and options.")
    type_name = options.get("type", "StringVar")
    kind = KINDS.get(type_name) if isinstance(type_name, str) else None
    if kind is None:
        raise BadPart(f"there is no kind of variable {type_name!r}. There are: {', '.join(KINDS)}.", "type")
    known = _options(kind)
    for name in options:
        if name != "type" and name not in known:
            raise BadPart(f"{kind.__name__} has no {name!r}. There are: {', '.join(known)}.", name)
    named: dict[str, Any] = {name: value for name, value in options.items() if name != "type"}
    if "choices" in named:
        named["choices"] = _choices(named["choices"])
    try:
        return kind(**named)
    except (TypeError, ValueError, AttributeError) as error:
        raise BadJob(f"the options of this {kind.__name__} do not fit: {error}.") from error


def _options(kind: type[Variable]) -> list[str]:
    """Return what the kind, and those that it is made of, take by name."""
    parameters = [
        parameter
        for cls in kind.__mro__
        if "__init__" in vars(cls) and cls is not object
        for parameter in list(inspect.signature(vars(cls)["__init__"]).parameters.values())[1:]
    ]
    lists = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return list(dict.fromkeys(each.name for each in parameters if each.kind not in lists))


def _choices(given: Any) -> Any:
    """Return pairs of values and labels: of a mapping, of a list of pairs, or of values alone."""
    if isinstance(given, Mapping):
        return list(given.items())
    if isinstance(given, list | tuple):
        return [each if isinstance(each, list | tuple) else (each, each) for each in given]
    raise BadPart("choices are a list of values, or a mapping of values to labels.", "choices")
