"""What the tests of jobs in the manner of Bots Scheduler share."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jobs.dialects.running import run
from jobs.job import BaseJob
from jobs.lifecycle import Outcome
from jobs.loading import Source, install, load_class, uninstall
from jobs.shims.finder import NAMES, SERVED
from tests.worker.conftest import children, portal

__all__ = ["children", "portal"]

Told = tuple[Outcome, list[dict[str, Any]]]


@pytest.fixture
def run_here() -> Iterator[Callable[..., Told]]:
    """Run jobs of a folder in this process: give the folder, "module/Class" and arguments; get outcome and pieces."""
    finders = list(sys.meta_path)

    def run_one(folder: Path, path: str, *args: Any) -> Told:
        source = Source("local", (str(folder),))
        uninstall()
        install([source])
        cls, _ = load_class([source], f"local/{path}")
        job: BaseJob = cls._of_run("0" * 32, "1" * 32)
        data = dict(zip(cls._get_vars(), args, strict=False))
        outcome = run(job, data, commit=True)
        return outcome, job._report.as_data()["pieces"]

    yield run_one
    uninstall()
    sys.meta_path[:] = finders
    for name, module in list(sys.modules.items()):
        served = str(getattr(module, "__file__", None) or "").startswith(str(SERVED))
        if name.partition(".")[0] in NAMES and (served or not getattr(module, "__file__", None)):
            del sys.modules[name]
