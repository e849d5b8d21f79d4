"""Plans: what a run of a job will change, by the job's own account, before it does."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jobs.dialects import is_ours
from jobs.dialects.classic import arguments
from jobs.job import BaseJob
from jobs.lifecycle import MOST_BYTES, Outcome
from jobs.task_logger import making_entries

#: Nobody reads more, and a plan that is cut is none.
MOST_CHANGES = 10_000


class BadPlan(Exception):
    """What `plan` returned is no plan, as a sentence."""


def has_plan(cls: type[BaseJob]) -> bool:
    """Tell whether a class says beforehand what it will change.

    Only one of our own: in job files of Nautobot a method of that name is a helper, and takes what it likes.
    """
    return is_ours(cls) and callable(getattr(cls, "plan", None))


def plan_of(job: BaseJob, data: Mapping[str, Any]) -> list[str]:
    """Ask a job what it will change: a line for each change. Raises what its `plan` raises, or BadPlan."""
    job.active_test = "plan"
    method = job.plan  # type: ignore[attr-defined]
    with making_entries(job):
        # Whoever asks: it is the plan of the run that saves its changes.
        return lines_of(method(**arguments(method, data, commit=True)))


def planned_outcome(lines: Sequence[str]) -> Outcome:
    """Say how a run ended that was to make a plan and nothing else."""
    count = "one change" if len(lines) == 1 else f"{len(lines):,} changes"
    return Outcome("completed", f"It would make {count}. Nothing was changed.", None, "", {})


def lines_of(value: Any) -> list[str]:
    """Return a plan as lines: of a text its lines, of a mapping `name: what`, of anything else a line for each member.

    Raises BadPlan.
    """
    lines = [line for line in _lines(value) if line]
    if len(lines) > MOST_CHANGES or sum(map(len, lines)) > MOST_BYTES:
        raise BadPlan(f"The plan is too long: at most {MOST_CHANGES:,} changes in {MOST_BYTES:,} characters.")
    return lines


def _lines(value: Any) -> Iterable[str]:
    if value is None:
        return ()
    if isinstance(value, str):
        return (line.rstrip() for line in value.splitlines())
    if isinstance(value, Mapping):
        return (f"{key}: {_line(member)}" for key, member in value.items())
    if isinstance(value, Iterable) and not isinstance(value, bytes):
        return map(_line, value)
    raise BadPlan(f"plan() returned a value of type {type(value).__name__}: return a list of changes.")


def _line(value: Any) -> str:
    if not isinstance(value, Mapping | list | tuple):
        return " ".join(str(value).split())
    try:
        # The same change is the same line, however its mapping was made.
        return json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
    except (TypeError, ValueError) as error:
        raise BadPlan(f"plan() returned a change that does not fit into JSON: {error}.") from error


@dataclass(frozen=True, slots=True)
class Difference:
    """What one plan has that another has not. The order of changes counts for nothing, how often each comes does."""

    gone: list[str]
    new: list[str]

    @property
    def changes(self) -> int:
        """How many changes are others: one that was replaced by another counts once."""
        return max(len(self.gone), len(self.new))


def compare(before: Sequence[str], after: Sequence[str]) -> Difference:
    return Difference(_without(before, after), _without(after, before))


def _without(lines: Sequence[str], others: Sequence[str]) -> list[str]:
    left, found = Counter(others), []
    for line in lines:
        if left[line]:
            left[line] -= 1
        else:
            found.append(line)
    return found
