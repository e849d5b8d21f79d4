"""What the tests of jobs in the manner of jobschleuder share."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jobs.context import NoRun
from jobs.dialects.running import run
from jobs.discovery import discover
from jobs.fan_out import Gather
from jobs.job import BaseJob
from jobs.lifecycle import Outcome
from jobs.loading import Source, install, load_class, uninstall
from jobs.shims.finder import SERVED
from store.platform import Platform
from store.settings import PROJECT_ROOT, Settings, load_settings
from tests.worker.conftest import Portal, children, web
from worker.children import Children

__all__ = ["children", "web"]

EXAMPLE = PROJECT_ROOT / "examples" / "jobschleuder"

Write = Callable[[dict[str, str]], Path]


@pytest.fixture
def plugins(
    live: Settings,
    live_platform: Platform,
    children: Children,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Portal]:
    """An instance whose jobs are those of the example."""
    monkeypatch.setenv("JOBS_ROOT", str(EXAMPLE))
    portal = Portal(load_settings(), live_platform, children)
    yield portal
    portal.close()


class Heard(NoRun):
    """What a run has said and asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.entries: list[tuple[str, str, str]] = []
        self.asked: list[tuple[str, list[Any]]] = []
        self.gathers: str | None = None

    def log(self, level: str, message: str, *, grouping: str, **_: Any) -> None:
        self.entries.append((level, grouping, message))

    def map(self, class_path: str, data: list[dict[str, Any]], **_: Any) -> None:
        self.asked.append((class_path, [each["arguments"] for each in data]))

    def gather(self, method: str) -> None:
        self.gathers = method


class Here:
    """Plugins of a project, loaded in this process."""

    def __init__(self, project: Path, config: str = "") -> None:
        self.source = Source("local", (str(project),), plugins_config=config)
        uninstall()
        install([self.source])

    def run(self, path: str, *, gather: Gather | None = None, **data: Any) -> tuple[Outcome, Heard]:
        """Run `module/name`."""
        cls, _ = load_class([self.source], f"local/{path}")
        job: BaseJob = cls()
        job._context = heard = Heard()
        inputs = {"arguments": {}, "preprocessing": "", "postprocessing": "", **data}
        return run(job, inputs, commit=True, gather=gather), heard

    def found(self) -> tuple[list[str], list[str]]:
        """Return the jobs that discovery finds, as module/name, and what it finds wrong."""
        frames: list[dict[str, Any]] = []
        discover([self.source], [], None, frames.append)
        ends = [frame for frame in frames if "end" in frame]
        jobs = [f"{frame['end'][1]}/{job['class_name']}" for frame in ends for job in frame["jobs"]]
        errors = [error["message"] for frame in ends for error in frame["errors"]]
        return jobs, [*errors, *(frame["clash"]["message"] for frame in frames if "clash" in frame)]


@pytest.fixture
def here() -> Iterator[Callable[..., Here]]:
    finders = list(sys.meta_path)
    yield Here
    uninstall()
    sys.meta_path[:] = finders
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == "veritas" and str(module.__spec__.origin or SERVED).startswith(
            str(SERVED)
        ):
            del sys.modules[name]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a project: {path: text}; return its folder."""

    def written(files: dict[str, str]) -> Path:
        for name, text in files.items():
            path = tmp_path / "written" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path / "written"

    return written
