"""Runs a job as its dialect has it."""

from collections.abc import Mapping
from typing import Any

from jobs.dialects import BENNETTBOT, BOTS, OTHERS, SCHLEUDER, SHELL, Dialect, brought, dialect_of
from jobs.dialects.bots import BotsLife
from jobs.dialects.classic import ClassicLife
from jobs.dialects.nautobot_2 import Nautobot2Life
from jobs.dialects.schleuder import SchleuderLife
from jobs.dialects.shell import ShellLife
from jobs.fan_out import Gather
from jobs.job import BaseJob
from jobs.lifecycle import Life, Outcome, leave_out_of_traces
from jobs.loguru_entries import hearing_loguru
from jobs.profiling import Profiling
from jobs.task_logger import making_entries

LIVES: dict[Dialect, type[Life]] = {
    "classic": ClassicLife,
    "2": Nautobot2Life,
    BOTS: BotsLife,
    SHELL: ShellLife,
    BENNETTBOT: ShellLife,
    SCHLEUDER: SchleuderLife,
}

#: Names of dialects, or of bases, that are ours.
_OURS = ("classic", "2", *OTHERS, "errand", "nautobot")

#: What the job's record takes.
LONGEST_NAME = 10


class DialectError(Exception):
    """A dialect that cannot be registered, as a sentence for its author."""


def register_dialect(life: type[Life]) -> None:
    """Make a dialect known by its `dialect`, which the base class of its jobs has, too. Raises DialectError.

    Doing it again changes nothing.
    """
    name = life.dialect
    if not name.isidentifier() or len(name) > LONGEST_NAME:
        raise DialectError(
            f"{life.__name__} must say what its dialect is called: `dialect = ` letters, digits and underscores, "
            f"{LONGEST_NAME} at most."
        )
    if name in _OURS or LIVES.get(name, life) is not life:
        raise DialectError(f"two dialects are called {name}.")
    LIVES[name] = life
    brought.add(name)
    leave_out_of_traces(life.__module__)


def run(
    job: BaseJob,
    data: Mapping[str, Any],
    *,
    commit: bool,
    serialised: Mapping[str, Any] | None = None,
    profile: bool = False,
    gather: Gather | None = None,
) -> Outcome:
    """Run `job` to its end. Whatever its methods raise becomes part of the outcome.

    serialised: the inputs as they were stored; by default the same as `data`.
    profile: keep with the run where its `run` spends its time.
    gather: what is called instead of all that, where the run had asked for others and they have ended.
    """
    with making_entries(job), hearing_loguru(job):
        life = LIVES[dialect_of(type(job))](
            job, data, data if serialised is None else serialised, commit=commit
        )
        if profile:
            life.profiling = Profiling(job)
        return life.finish(gather)
