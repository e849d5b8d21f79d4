"""The example of commands, and that of the demo: all of them run."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from store.settings import PROJECT_ROOT
from worker.testing import jobs_in, run_job


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    copy = shutil.copytree(PROJECT_ROOT / "examples" / "shell", tmp_path / "shell")
    with jobs_in(copy) as found:
        assert len(list(found)) == 6
        yield copy


@pytest.mark.parametrize(
    ("path", "data", "said"),
    [
        (
            "commands/search",
            {"text": "GET /", "log": "access.log", "options": ["--line-number"]},
            '1:192.0.2.7 - - "GET /" 200\n2:192.0.2.9 - - "GET /login" 200\n',
        ),
        ("commands/search", {"text": "--help", "log": "error.log"}, ""),
        ("commands/busiest", {"count": 1}, "Requests,Address\n2,192.0.2.7\n"),
        ("commands/export", {"site": "lej"}, '{"site": "lej", "file": "hosts-lej.csv", "hosts": 2}\n'),
        ("rotation/greet-web-1", {}, "Hello, web-1, from Errand\n"),
        ("rotation/OldLogs", {"days": 30}, ""),
    ],
)
def test_its_commands_run(folder: Path, path: str, data: dict[str, Any], said: str):
    run = run_job(f"local/{path}", data)
    assert (run.status, run.files["stdout"].decode()) == ("completed", said), str(run)
    if path.endswith("export"):
        assert run.files["hosts-lej.csv"].startswith(b"name,site\n")
        assert run.logged("info", "no token", grouping="stderr")


def test_the_demo_has_a_command():
    with jobs_in(PROJECT_ROOT / "jobs" / "local"):
        run = run_job("local/disks/disk-usage", {"path": "/", "options": ["-i"]})
    assert run.status == "completed", str(run)
    assert "Mounted on" in run.files["stdout"].decode()
