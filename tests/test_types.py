"""Types, as all that checks them does: here it takes its turn beside the tests, and leaves no core idle."""

import subprocess
import sys

import pytest

from store.settings import PROJECT_ROOT


@pytest.mark.timeout(600)
def test_types_fit():
    checked = subprocess.run(
        [sys.executable, "-m", "mypy"], cwd=PROJECT_ROOT, capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
