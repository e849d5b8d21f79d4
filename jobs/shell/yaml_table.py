"""Tables of commands as YAML, in which each part knows its line."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from jobs.errors import BadJob
from jobs.shell.table import Path as Place
from jobs.shell.table import jobs_of

#: What a file has at its top.
KEYS = ("name", "commands")

#: Parts of a command, and an option of its variables, whose values are texts as they are written: `5` and `no` are
#: arguments, and no numbers or truths.
TEXTS, TEXT_OPTION = ("command", "environment", "files"), "choices"

#: No table is that large; aliases within aliases may become so.
MOST_PARTS = 100_000


def read_table(path: str, text: bytes, module: str) -> dict[str, Any]:
    """Return what a module of the table would hold: its `jobs`, and its `name` if it has one. Raises BadJob, with the line."""
    name = Path(path).name
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f", line {mark.line + 1}" if mark else ""
        raise BadJob(f"{name}{line}: this is no YAML: {error.problem or error.context}.") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise BadJob(f"{name}: this is no YAML: {error}.") from error
    document = _Document(name, root)
    top = document.value
    if not isinstance(top, Mapping):
        raise BadJob(f"{name}, line 1: a table of commands is a mapping, with `commands`.")
    for key in top:
        if key not in KEYS:
            raise BadJob(
                f"{document.where((key,))}: a table of commands has {' and '.join(KEYS)}, and no {key!r}."
            )
    jobs = jobs_of(top.get("commands"), lambda place: document.where(("commands", *place)), module)
    return {"name": top.get("name"), "jobs": jobs}


class _Document:
    """A YAML document as plain values, and the line of each."""

    def __init__(self, name: str, root: yaml.Node | None) -> None:
        self._name = name
        self._lines: dict[Place, int] = {}
        self._loader = yaml.SafeLoader("")
        try:
            self.value = self._read(root, (), 1) if root is not None else None
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            raise BadJob(f"{name}, line {line}: {error.problem}.") from error
        except RecursionError as error:
            raise BadJob(f"{name}: this table is nested too deep.") from error

    def where(self, place: Place) -> str:
        """Say where a part is; of one that is not there, where it belongs."""
        while place not in self._lines and place:
            place = place[:-1]
        return f"{self._name}, line {self._lines.get(place, 1)}"

    def _read(self, node: yaml.Node, place: Place, line: int, *, as_text: bool = False) -> Any:
        self._lines[place] = line
        if len(self._lines) > MOST_PARTS:
            raise BadJob(f"{self._name}: this table has more than {MOST_PARTS:,} parts.")
        match node:
            case yaml.MappingNode():
                return self._mapping(node, place, as_text=as_text)
            case yaml.SequenceNode():
                return [
                    self._read(each, (*place, number), each.start_mark.line + 1, as_text=as_text)
                    for number, each in enumerate(node.value)
                ]
            case yaml.ScalarNode() if as_text and not node.tag.endswith(":null"):
                return node.value
        return self._loader.construct_object(node)

    def _mapping(self, node: yaml.MappingNode, place: Place, *, as_text: bool) -> dict[str, Any]:
        self._refuse_twice(node)
        # What `<<` brings comes first: what is written beside it counts more.
        self._loader.flatten_mapping(node)
        return {
            key.value: self._read(
                value,
                (*place, key.value),
                key.start_mark.line + 1,
                as_text=as_text or _is_text((*place, key.value)),
            )
            for key, value in node.value
        }

    def _refuse_twice(self, node: yaml.MappingNode) -> None:
        """See that each key is a text, and there once."""
        keys: set[str] = set()
        for key, _ in node.value:
            where = f"{self._name}, line {key.start_mark.line + 1}"
            if not isinstance(key, yaml.ScalarNode):
                raise BadJob(f"{where}: a name is a text.")
            if key.value in keys:
                raise BadJob(f"{where}: {key.value} is there twice.")
            keys.add(key.value)


def _is_text(place: Place) -> bool:
    match place:
        case ("commands", _, part):
            return part in TEXTS
        case ("commands", _, "variables", _, option):
            return bool(option == TEXT_OPTION)
    return False
