"""The document of bennettbot for its users: each of its configurations runs as it is printed there."""

import ast
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from jobs.bennettbot.config import JOB_DEFAULTS, build_config
from store.models import Namespace
from tests.bennettbot.conftest import Folder, RunHere
from tests.seeds.conftest import SEEDS
from tests.worker.conftest import on_sqlite

SEED = SEEDS / "bennettbot.txt"

pytestmark = pytest.mark.skipif(not SEED.is_file(), reason="The documents are not at hand: set ERRAND_SEEDS.")

SCRIPT = "import sys; print('did', sys.argv[1:])\n"


def text() -> str:
    return SEED.read_text("utf-8")


def configurations() -> list[str]:
    """Return the examples; what one of them leaves out by dots has no commands."""
    starts = [found.start() for found in re.finditer(r"^raw_config = \{$", text(), re.MULTILINE)]
    return [_closed(text()[start:]).replace("\n...\n", '\n"slack": [],\n') for start in starts]


def _closed(rest: str) -> str:
    """Return what is up to the brace that closes the first one."""
    depth = 0
    for found in re.finditer(r"[{}]", rest):
        depth += 1 if found[0] == "{" else -1
        if depth == 0:
            return rest[: found.end()]
    raise AssertionError(rest)


class _Files(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"print('fetched')\n")

    def log_message(self, *_: Any) -> None:
        return None


@pytest.fixture
def address() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Files)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/fabfile.py"
    server.shutdown()
    thread.join()
    server.server_close()


def test_all_that_it_names_is_known():
    schema = text().split("in the following format:")[1].split("Note: the slack")[0]
    known = {"description", "restricted", "fabfile", "jobs", "slack", "run_args_template", *JOB_DEFAULTS}
    assert set(re.findall(r'^"(\w+)":?', schema, re.MULTILINE)) == (
        known - {"call_tech_support_on_error"} | {"command", "help", "action", "job_type", "delay_seconds"}
    )
    assert len(configurations()) == 4


@on_sqlite
def test_its_examples_run(folder: Folder):
    hello, hello_to, python, _ = configurations()
    assert folder.refresh(hello).errors == []
    assert folder.output("test_hello") == "Hello\n"
    (command,) = folder.portal.jobs["test_hello"].slack_commands
    assert (command["command"], command["delay_seconds"]) == ("test say hello", 1.0)
    folder.refresh(hello_to)
    assert folder.output("example_hello_to", name="Bob and $USER's `id`") == "Hello Bob and $USER's `id`\n"
    scripts = folder.path / "workspace" / "example"
    scripts.mkdir(parents=True)
    (scripts / "do_job.py").write_text(SCRIPT)
    folder.refresh(python)
    assert folder.output("example_do_python", some_arg="a b") == "did ['--some-arg', 'a b']\n"
    with folder.portal.platform.reading() as db:
        assert [row.name for row in db.query(Namespace).filter_by(source="local")] == ["example"]


def test_its_example_of_fabric_runs(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_here: RunHere
):
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    (bin_ / "fab").write_text('#!/bin/sh\necho "$1"; exec python fabfile.py\n')
    (bin_ / "fab").chmod(0o755)
    for name, path in (
        ("ABSOLUTE_BIN", bin_),
        ("WRITEABLE_DIR", tmp_path / "w"),
        ("LOGS_DIR", tmp_path / "l"),
    ):
        monkeypatch.setenv(name, str(path))
    example = configurations()[3].replace("https://location/of/fabfile.py", address)
    assert build_config(ast.literal_eval(example.removeprefix("raw_config = ")))["fabfiles"] == {
        "example": address
    }
    (tmp_path / "job_configs.py").write_text(example.replace("<command>", "deploy"))
    outcome, _ = run_here(tmp_path, "job_configs/example_do_fab")
    assert outcome.status == "completed", outcome.cause
    logs = Path(outcome.results["logs"])
    assert logs.parent == tmp_path / "l" / "example_do_fab"
    assert (logs / "stdout").read_text() == "deploy\nfetched\n"
    assert (tmp_path / "w" / "workspace" / "example" / "fabfile.py").is_file()
