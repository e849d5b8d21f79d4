"""The fixtures for tests of jobs, in a pytest of their own: as docs/testing.md shows them."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from store.settings import PROJECT_ROOT

#: A sentence that names a file, and the file's content.
EXAMPLE = re.compile(r"`([\w/]+\.py)`:\n\n```python\n(.*?)```", re.DOTALL)


Done = subprocess.CompletedProcess[str]


@pytest.fixture
def project(tmp_path):
    """The example of the documentation, in a folder of its own."""
    files = dict(EXAMPLE.findall((PROJECT_ROOT / "docs" / "testing.md").read_text("utf-8")))
    assert set(files) == {"jobs/consoles.py", "conftest.py", "tests/test_consoles.py"}
    for name, content in files.items():
        Path(tmp_path, name).parent.mkdir(exist_ok=True)
        Path(tmp_path, name).write_text(content, "utf-8")
    return tmp_path


def run_python(folder: Path, *arguments: str, typed: str = "", **variables: str) -> Done:
    own = {"PATH": os.environ["PATH"], "PYTHONPATH": str(PROJECT_ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        cwd=folder,
        env={**own, **variables},
        input=typed,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def run_pytest(folder: Path, *arguments: str, **variables: str) -> Done:
    # What the tests of this project use is nothing that authors have, and takes more than half of the time to load.
    variables["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    return run_python(
        folder, "-m", "pytest", "-W", "error", "-p", "no:cacheprovider", *arguments, **variables
    )


def test_the_example_of_the_documentation_passes(project):
    done = run_pytest(project)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 passed" in done.stdout
    assert done.stderr == ""


def test_a_test_that_fails_shows_the_log_of_its_runs(project):
    test = Path(project, "tests", "test_consoles.py")
    test.write_text(test.read_text().replace('run.status == "completed"', 'run.status == "failed"'))
    done = run_pytest(project, "-k", "without_a_console")
    assert done.returncode == 1
    assert "<CheckConsoles: completed. The job ran to its end.>" in done.stdout
    assert "run · warning: It has **no console**. (sw-1)" in done.stdout


def test_the_demo_needs_a_plugin(project):
    Path(project, "tests", "test_consoles.py").write_text("def test_demo(errand_demo):\n    pass\n")
    done = run_pytest(project)
    assert "No plugin with demo objects is loaded" in done.stdout


LATE = """
def test_models_that_a_job_file_brings(run_job):
    run = run_job("jobs/late.py::MakesAStatus")
    assert run.status == "completed", run
    assert run.objects(run.job_class.model).count() == 1
"""

LATE_JOB = """
from examples.inventory.models import Status
from jobs import Job, ObjectVar

class MakesAStatus(Job):
    model = Status
    status = ObjectVar(model=Status, required=False)

    def run(self, status):
        Status.objects.create(name="Active", slug="active")
"""

NAMED = """
def test_the_demo_of_a_named_plugin(run_job, errand_demo):
    job = "plugins/examples.inventory.jobs.provisioning/NewBranch"
    run = run_job(job, {"site_name": "Chur", "switch_model": {"model": "EX2300-48P"}})
    assert run.status == "completed", run
"""


def test_models_may_come_with_a_job_file(project):
    Path(project, "tests", "test_consoles.py").write_text(LATE)
    Path(project, "jobs", "late.py").write_text(LATE_JOB)
    done = run_pytest(project)
    assert "1 passed" in done.stdout, done.stdout


def test_plugins_may_be_named(project):
    Path(project, "tests", "test_consoles.py").write_text(NAMED)
    done = run_pytest(project, ERRAND_PLUGINS="examples.inventory")
    assert "1 passed" in done.stdout, done.stdout


DEBUGGED = """
from jobs import Job
from worker.testing import run_job

class Stops(Job):
    def run(self, data, commit):
        value = 41
        breakpoint()
        self.log_info("after")

print("logged:", run_job(Stops).logged("info", "after"))
"""


def test_a_debugger_stops_in_a_job(tmp_path):
    Path(tmp_path, "script.py").write_text(DEBUGGED)
    done = run_python(tmp_path, "script.py", typed="p value + 1\nc\n")
    assert "(Pdb) 42" in done.stdout
    assert "logged: [Entry(" in done.stdout
    assert done.stderr == "", "nothing is left open at the end, either"


NAUTOBOT_JOB = """
from nautobot.extras.jobs import IntegerVar, Job

class Counts(Job):
    most = IntegerVar()

    def run(self, data, commit):
        for number in range(data["most"]):
            self.log_info(message=f"number {number}")
"""
NAUTOBOT_TEST = """
from nautobot.extras.models import Job, JobLogEntry
from nautobot.utilities.testing import TransactionTestCase, run_job_for_testing

class CountsTest(TransactionTestCase):
    def test_it_counts(self):
        job = Job.objects.get_for_class_path("local/counting/Counts")
        result = run_job_for_testing(job, data={"most": 2}, commit=False)
        entries = JobLogEntry.objects.filter(job_result=result, log_level="info")
        self.assertEqual([entry.message for entry in entries][:2], ["number 0", "number 1"])
"""


def test_a_test_of_a_nautobot_job_runs_as_it_stands(tmp_path):
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "counting.py").write_text(NAUTOBOT_JOB)
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["worker.pytest_plugin"]\n')
    (tmp_path / "test_counts.py").write_text(NAUTOBOT_TEST)
    done = run_pytest(tmp_path, JOBS_ROOT=str(tmp_path / "jobs"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout
