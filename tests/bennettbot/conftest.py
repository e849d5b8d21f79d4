"""What the tests of jobs of bennettbot share."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jobs.dialects.running import run
from jobs.job import BaseJob
from jobs.lifecycle import Outcome
from jobs.loading import Source, install, load_class, uninstall
from store.files import file_store
from store.models import JobRecord, RunFile
from tests.worker.conftest import Portal, children, portal
from worker.refresh import RefreshReport, refresh

__all__ = ["children", "portal"]

RunHere = Callable[..., tuple[Outcome, BaseJob]]


class Folder:
    """A folder of job files, and what a portal makes of it."""

    def __init__(self, portal: Portal, path: Path) -> None:
        self.portal, self.path = portal, path
        portal.settings = replace(portal.settings, jobs_roots=(path,))

    def refresh(self, text: str, name: str = "job_configs.py") -> RefreshReport:
        (self.path / name).write_text(text)
        with self.portal.platform.session() as db:
            report = refresh(db, self.portal.settings, enable_new=True)
            self.portal.jobs = {job.class_name: job for job in db.query(JobRecord).filter_by(installed=True)}
        return report

    def output(self, job: str, user: str = "alice", **values: str) -> str:
        """Run a job, see that it completes, and return what it wrote to stdout."""
        result = self.portal.run(job, user=user, raw=values)
        assert result.status == "completed", result.cause
        return self.kept(result.id, "stdout")

    def kept(self, result_id: Any, name: str) -> str:
        with self.portal.platform.reading() as db:
            key = db.query(RunFile).filter_by(result_id=result_id, name=name).one().key
        with file_store(self.portal.settings, self.portal.platform.engine).open(key) as file:
            return file.read().decode()


@pytest.fixture
def folder(portal: Portal, tmp_path: Path) -> Folder:
    path = tmp_path / "jobs"
    path.mkdir()
    return Folder(portal, path)


@pytest.fixture
def run_here() -> Iterator[RunHere]:
    """Run a job of a folder in this process, whose environment a test may change: give folder, "module/job" and values."""

    def run_one(folder: Path, path: str, **values: str) -> tuple[Outcome, BaseJob]:
        source = Source("local", (str(folder),))
        uninstall()
        install([source])
        cls, _ = load_class([source], f"local/{path}")
        job = cls._of_run("0" * 32, "1" * 32)
        return run(job, values, commit=True), job

    yield run_one
    uninstall()
