"""The file that a registry is imported from: its jobs, or all that is wrong with it, each with its line."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from jobs.json_text import Unreadable, check_depth
from jobs.schleuder.every import cron_of

#: What the tables take.
LONGEST_NAME = 50
LONGEST_TEXT = 100

KEYS = ("id", "job", "schedule", "arguments", "preprocessing", "postprocessing", "description")

#: Returns why a cron expression cannot be read, as a sentence; "" for one that can.
CheckCron = Callable[[str], str]


class BadRegistry(Exception):
    """A file that cannot be imported: [(line, reason)]."""

    def __init__(self, problems: Sequence[tuple[int, str]]) -> None:
        self.problems = sorted(problems)
        super().__init__("\n".join(f"line {line}: {reason}" for line, reason in self.problems))


@dataclass(frozen=True, slots=True)
class Entry:
    """One job of a registry, with what it says of itself."""

    line: int
    #: What people call it. It identifies nothing.
    label: str
    job: str
    #: As it is written, and as the cron expression that stands for it.
    schedule: str
    cron: str
    description: str
    preprocessing: str
    postprocessing: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Registry:
    entries: tuple[Entry, ...]
    #: What means nothing here: [(line, sentence)].
    unheeded: tuple[tuple[int, str], ...] = ()


def read_registry(text: str, check_cron: CheckCron) -> Registry:
    """Read the text of a file. Raises BadRegistry with all that is wrong."""
    node, said = _parsed(text)
    jobs = _value_of(node, "jobs")
    if not isinstance(said, dict) or not isinstance(jobs, yaml.SequenceNode):
        raise BadRegistry([(_line(jobs or node), "The file must have the key `jobs` with a list of jobs.")])
    read = [_Reading(item, value, check_cron) for item, value in zip(jobs.value, said["jobs"], strict=True)]
    if problems := [problem for each in read for problem in each.problems]:
        raise BadRegistry(problems)
    return Registry(
        tuple(each.entry() for each in read), tuple(known for each in read for known in each.unheeded())
    )


def _parsed(text: str) -> tuple[yaml.Node, Any]:
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            raise BadRegistry([(1, "The file is empty.")])
        return node, loader.construct_document(node)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark is not None else 1
        raise BadRegistry(
            [(line, f"This is no YAML: {getattr(error, 'problem', None) or error}.")]
        ) from error
    except (ValueError, RecursionError) as error:
        raise BadRegistry([(1, f"This cannot be read: {error}.")]) from error
    finally:
        loader.dispose()


class _Reading:
    """One job of the list, as it is read; what is wrong with it is collected."""

    def __init__(self, node: yaml.Node, said: Any, check_cron: CheckCron) -> None:
        self._node, self._said = node, said
        self.problems: list[tuple[int, str]] = []
        if not isinstance(said, dict):
            self._refuse("", "A job must be a mapping with the keys job and schedule.")
            return
        self._job = self._text("job", LONGEST_NAME, needed=True)
        self._schedule = self._text("schedule", LONGEST_TEXT, needed=True)
        self._description = self._text("description", LONGEST_TEXT) or self._job
        self._preprocessing = self._text("preprocessing", LONGEST_NAME)
        self._postprocessing = self._text("postprocessing", LONGEST_NAME)
        self._arguments = self._mapping("arguments")
        self._cron = self._checked_cron(check_cron)

    def entry(self) -> Entry:
        return Entry(
            _line(self._node),
            str(self._said.get("id") or ""),
            self._job,
            self._schedule,
            self._cron,
            self._description,
            self._preprocessing,
            self._postprocessing,
            self._arguments,
        )

    def unheeded(self) -> Iterator[tuple[int, str]]:
        for name in self._said:
            if name not in KEYS:
                yield _line(_value_of(self._node, name) or self._node), f"`{name}` means nothing here."

    def _text(self, name: str, longest: int, *, needed: bool = False) -> str:
        value = self._said.get(name)
        if value is None or value == "":
            if needed:
                self._refuse(name, f"The job has no {name}.")
            return ""
        if not isinstance(value, str):
            self._refuse(name, f"{name} must be a text; put it in quotes.")
            return ""
        if len(value) > longest:
            self._refuse(name, f"{name} has more than {longest} characters.")
        return value.strip()

    def _mapping(self, name: str) -> dict[str, Any]:
        value = self._said.get(name)
        if value is None:
            return {}
        if not isinstance(value, dict):
            self._refuse(name, f"{name} must be a mapping of names to values.")
            return {}
        try:
            said: dict[str, Any] = json.loads(json.dumps(value, allow_nan=False))
            check_depth(said)
        except (TypeError, ValueError, RecursionError, Unreadable) as error:
            reason = "a date needs quotes" if isinstance(error, TypeError) else str(error)
            self._refuse(name, f"{name} must be what JSON knows: {reason}.")
            return {}
        return said

    def _checked_cron(self, check_cron: CheckCron) -> str:
        if not self._schedule:
            return ""
        try:
            cron = cron_of(self._schedule)
        except ValueError as error:
            self._refuse("schedule", str(error))
            return ""
        if problem := check_cron(cron):
            self._refuse("schedule", f"The schedule {self._schedule!r} cannot be read: {problem}")
        return cron

    def _refuse(self, name: str, reason: str) -> None:
        self.problems.append((_line(_value_of(self._node, name) or self._node), reason))


def _value_of(node: Any, name: Any) -> Any:
    """Return the node of a value of a mapping; None where there is none."""
    if not isinstance(node, yaml.MappingNode):
        return None
    return next((value for key, value in node.value if key.value == name), None)


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
