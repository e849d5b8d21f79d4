"""Runs that a run asks for of other jobs, its children, and what became of them."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, time
from typing import Any

from jobs.functions import job_of
from jobs.job import BaseJob

#: What one run may ask for, and how much data for all of them as JSON.
MOST_CHILDREN = 100_000
MOST_BYTES = 64 * 1024**2

#: As JSON, for one of them.
LONGEST_DATA = 1_000_000

#: What is said at once to the worker.
MOST_IN_PART = 500

LONGEST_METHOD = 200
LONGEST_CLASS_PATH = 400
LONGEST_QUEUE = 100


@dataclass(frozen=True, slots=True)
class ChildOutcome:
    """What became of one of the runs that were asked for."""

    #: 1 for the first that was asked for.
    number: int
    #: What it was run with; without secrets, which nobody may read.
    data: dict[str, Any]
    status: str
    #: Why it ended so, as a sentence.
    cause: str
    return_value: Any
    output: str
    result_id: str

    @property
    def ok(self) -> bool:
        return self.status == "completed"


class Outcomes:
    """The outcomes in the order of their numbers. They can be gone through again, and are never all in memory."""

    def __init__(self, count: int, following: Callable[[int], list[dict[str, Any]]]) -> None:
        """following: returns the next outcomes after a number, as many as it likes, and none after the last."""
        self._count = count
        self._following = following

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[ChildOutcome]:
        after = 0
        while page := self._following(after):
            for facts in page:
                yield ChildOutcome(**facts)
            after = page[-1]["number"]


@dataclass(frozen=True, slots=True)
class Gather:
    """The second part of a run: what is to be called, and with what."""

    method: str
    outcomes: Outcomes


def class_path_of(job: Any) -> str:
    """Return the class path of a job, given as such, as its class, or as the function that it was made of.

    Raises ValueError for what is no job of a job file.
    """
    job = job_of(job)
    if isinstance(job, str):
        if job.count("/") < 2 or len(job) > LONGEST_CLASS_PATH:
            raise ValueError(f"{job!r} is no class path: write source/module/Class.")
        return job
    if not isinstance(job, type) or not issubclass(job, BaseJob):
        name = job.__name__ if isinstance(job, type) else type(job).__name__
        raise TypeError(f"A job is its class, or its class path as text, not {name}.")
    # Not what it inherits: its base may be a job, too.
    own = vars(job).get("class_path")
    if isinstance(own, str):
        return own
    if found := _place_of(job.__module__):
        return f"{found}/{job.__name__}"
    raise ValueError(f"{job.__name__} stands in no job file: give its class path as text.")


def _place_of(module: str) -> str:
    """Return source and module of a job file that was imported by another one; "" for other modules."""
    from jobs.loading import PACKAGE, installed

    package, _, rest = module.partition(".")
    source, _, name = rest.partition(".")
    if package == PACKAGE and name:
        return f"{source}/{name.partition('.')[0]}"
    return next((f"{each.name}/{module}" for each in installed if module in each.modules), "")


def as_json(data: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the data of children as JSON has it, objects by their keys. Raises ValueError, or TypeError for what is no data."""
    said: list[dict[str, Any]] = []
    total = 0
    for number, given in enumerate(data, 1):
        if not isinstance(given, Mapping):
            raise TypeError(
                f"Data {number} is a {type(given).__name__}: each run needs a mapping of its inputs."
            )
        try:
            text = json.dumps(dict(given), allow_nan=False, default=_plain)
        except (TypeError, ValueError) as error:
            raise ValueError(f"Data {number} does not fit into JSON: {error}.") from error
        total += len(text)
        if len(text) > LONGEST_DATA or total > MOST_BYTES:
            raise ValueError(f"Data {number} is too much: it has {len(text):,} bytes as JSON.")
        if number > MOST_CHILDREN:
            raise ValueError(f"A run may ask for {MOST_CHILDREN:,} runs at most.")
        said.append(json.loads(text))
    return said


def _plain(value: Any) -> Any:
    if hasattr(value, "pk"):
        return value.pk
    if isinstance(value, date | time):
        return value.isoformat()
    if hasattr(value, "__iter__") and not isinstance(value, bytes | bytearray):
        return list(value)
    if type(value).__module__.partition(".")[0] in ("decimal", "ipaddress", "netaddr", "uuid"):
        return str(value)
    raise TypeError(f"a value of type {type(value).__name__}")


def at_least_zero(name: str, number: Any) -> int:
    if isinstance(number, bool) or not isinstance(number, int) or number < 0:
        raise ValueError(f"{name} is a whole number, 0 for no limit.")
    return number


def name_of(job: BaseJob, method: Any) -> str:
    """Return the name of what is to be called, given as such or itself. Raises ValueError where there is no such method."""
    name = str(method if isinstance(method, str) else getattr(method, "__name__", method))
    if name and method_of(job, name) is None:
        raise ValueError(f"There is no method {name} to gather with.")
    return name[:LONGEST_METHOD]


def method_of(job: BaseJob, name: str) -> Callable[[Outcomes], Any] | None:
    """Return a method of a job or, for a job that is a function, a function beside it that takes the job first."""
    method = getattr(job, name, None)
    if callable(method):
        return method  # type: ignore[no-any-return]
    beside = getattr(sys.modules.get(type(job).__module__), name, None)
    if not callable(beside):
        return None
    return lambda outcomes: beside(job, outcomes)
