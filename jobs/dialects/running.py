"""Runs a job as its dialect has it."""

from collections.abc import Mapping
from typing import Any

from jobs.dialects import Dialect, dialect_of
from jobs.dialects.classic import ClassicLife
from jobs.dialects.nautobot_2 import Nautobot2Life
from jobs.job import BaseJob
from jobs.lifecycle import Life, Outcome
from jobs.task_logger import making_entries

LIVES: dict[Dialect, type[Life]] = {"classic": ClassicLife, "2": Nautobot2Life}


def run(
    job: BaseJob, data: Mapping[str, Any], *, commit: bool, serialised: Mapping[str, Any] | None = None
) -> Outcome:
    """Run `job` to its end. Whatever its methods raise becomes part of the outcome.

    serialised: the inputs as they were stored; by default the same as `data`.
    """
    life = LIVES[dialect_of(type(job))]
    with making_entries(job):
        return life(job, data, data if serialised is None else serialised, commit=commit).finish()
