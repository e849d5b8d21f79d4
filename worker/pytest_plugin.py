"""Fixtures for tests of jobs: put `pytest_plugins = ["worker.pytest_plugin"]` into the topmost conftest.py."""

import functools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from store.data import RunSession
from worker import nautobot_testing, testing
from worker.job_files import FolderJobs, jobs_in
from worker.testing import TestedRun


def pytest_configure() -> None:
    # Before any test is imported: those of Nautobot jobs import their helpers at once.
    nautobot_testing.serve()


@pytest.fixture
def errand_data(request: pytest.FixtureRequest) -> Iterator[RunSession]:
    """An empty database for the runs of this test, and the session to make objects in."""
    with testing.errand_data(load_demo="errand_demo" in request.fixturenames) as session:
        yield session


@pytest.fixture
def errand_demo(errand_data: RunSession) -> RunSession:
    """The same, with the demo objects of the plugins."""
    return errand_data


@pytest.fixture
def run_job(request: pytest.FixtureRequest, errand_data: RunSession) -> Callable[..., TestedRun]:
    """Run a job on the test's objects (see worker.testing.run_job). A test that fails shows what its runs logged."""

    @functools.wraps(testing.run_job)
    def run(*arguments: object, **options: object) -> TestedRun:
        tested = testing.run_job(*arguments, **options)  # type: ignore[arg-type]
        request.node.add_report_section("call", "run of a job", str(tested))
        return tested

    return run


@pytest.fixture
def errand_jobs(request: pytest.FixtureRequest) -> Iterator[Callable[..., FolderJobs]]:
    """Load the job files of folders, relative to the test's own: `jobs = errand_jobs("../jobs")`, then `jobs.Hello`."""
    with ExitStack() as blocks:
        yield lambda *folders: blocks.enter_context(jobs_in(*(_beside(request.path, one) for one in folders)))


def _beside(test_file: Path, folder: str | Path) -> Path:
    return (test_file.parent / folder).resolve()
