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


@pytest.fixture
def project(tmp_path):
    """The example of the documentation, in a folder of its own."""
    files = dict(EXAMPLE.findall((PROJECT_ROOT / "docs" / "testing.md").read_text("utf-8")))
    assert set(files) == {"jobs/consoles.py", "conftest.py", "tests/test_consoles.py"}
    for name, content in files.items():
        Path(tmp_path, name).parent.mkdir(exist_ok=True)
        Path(tmp_path, name).write_text(content, "utf-8")
    return tmp_path


def run_pytest(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-W", "error", "-p", "no:cacheprovider", *arguments],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(PROJECT_ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
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
