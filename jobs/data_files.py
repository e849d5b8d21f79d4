"""Inputs that name a data file: a text file that the portal keeps, for many runs to read."""

import os
from collections.abc import Mapping
from typing import IO, Any

from jobs.errors import InvalidValue
from jobs.values import shortened, text_of
from jobs.variables import Objects, Variable

#: What their names end with.
ENDINGS = (".dat", ".lst", ".raw", ".txt")

LONGEST_NAME = 100

#: What no name may hold: it is to be one part of a path, on every system.
_NOT_IN_NAMES = frozenset('/\\:*?"<>|')


class DataFile(os.PathLike[str]):
    """A data file as a job gets it: a copy of its run's own. Whatever takes a path takes it."""

    def __init__(self, name: str, path: str = "") -> None:
        self.name = name
        self._path = path

    @property
    def path(self) -> str:
        """Where it lies during the run. Before that, as in `validate`, there is only its name: raises FileNotFoundError."""
        if not self._path:
            raise FileNotFoundError(f"{self.name} can be read by runs only.")
        return self._path

    def open(self, mode: str = "r", *, encoding: str | None = None) -> IO[Any]:
        return open(self.path, mode, encoding=encoding or (None if "b" in mode else "utf-8-sig"))

    def read_text(self) -> str:
        with self.open() as file:
            return str(file.read())

    def entries(self) -> list[str]:
        """Return its lines that are neither blank nor comments, without the space around them."""
        lines = (line.strip() for line in self.read_text().splitlines())
        return [line for line in lines if line and not line.startswith("#")]

    def __fspath__(self) -> str:
        return self.path

    def __str__(self) -> str:
        return self._path or self.name

    def __repr__(self) -> str:
        return f"<DataFile {self.name}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DataFile) and (self.name, self._path) == (other.name, other._path)

    def __hash__(self) -> int:
        return hash(self.name)


class DataFileVar(Variable):
    """The name of a data file. The job gets a `DataFile`: `path`, `name`, `open()`, `read_text()`, `entries()`."""

    empty = ""

    def parse(self, raw: Any) -> str:
        name = text_of(raw).strip()
        if problem_of_name(name):
            raise InvalidValue(f"Choose a data file. {shortened(name)} cannot be the name of one.")
        return name

    def restore(self, value: Any, objects: Objects) -> DataFile | None:
        # Where a run begins, its worker has put a copy at this path (see worker.data_files).
        if isinstance(value, Mapping):
            return DataFile(str(value["name"]), str(value["path"]))
        return DataFile(value) if isinstance(value, str) and value else None


def problem_of_name(name: str) -> str:
    """Return why a data file cannot be called so, as a sentence; "" where it can."""
    if not name or len(name) > LONGEST_NAME:
        return f"The name of a data file has 1 to {LONGEST_NAME} characters."
    if not name.isprintable() or _NOT_IN_NAMES.intersection(name):
        return 'The name of a data file is printable, and has none of the characters / \\ : * ? " < > |.'
    if name.startswith(".") or name != name.strip():
        return "The name of a data file begins with no dot, and has no space around it."
    if not name.lower().endswith(ENDINGS) or name.lower() in ENDINGS:
        return f"The name of a data file ends with {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}."
    return ""


def data_file_names(descriptions: Any) -> list[str]:
    """Return the names of the variables that name data files."""
    return [description["name"] for description in descriptions if description["type"] == "DataFileVar"]
