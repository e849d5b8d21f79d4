"""The example of a folder of Bots Scheduler: its jobs run, one of them against a small service."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from jobs.data_files import DataFile
from jobs.loading import Source
from store.settings import PROJECT_ROOT
from worker.discover import discover

FOLDER = PROJECT_ROOT / "examples" / "bots_scheduler"

STATES = {"web-1": {"state": "up", "since": "today"}, "web-2": {"state": "down", "since": "noon"}}


class _Service(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        host = self.path.rpartition("/")[2]
        self.send_response(500 if host == "odd" else 200 if host in STATES else 404)
        self.end_headers()
        self.wfile.write(json.dumps(STATES.get(host)).encode())

    def log_message(self, *_: Any) -> None:
        return None


@pytest.fixture
def service() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Service)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_its_jobs_are_found_and_what_is_missing_is_said():
    found = {each.module: each for each in discover([Source("local", (str(FOLDER),))])}
    assert {job["name"]: job["withdrawn"] for each in found.values() for job in each.jobs} == {
        "Hosts of a file that are down": False,
        "Hosts that are down": False,
        "Load over a limit": False,
        "Shell command": False,
        "Raw shell command": True,
    }
    ((name, message),) = ((name, error["message"]) for name, each in found.items() for error in each.errors)
    assert name == "leaks"
    assert message.endswith("Install it beside Errand (`pip install pybots`), then refresh.")


def test_a_robot_of_its_own_asks_a_service(run_here: Callable[..., Any], service: str, tmp_path: Path):
    outcome, pieces = run_here(FOLDER, "hosts/HostsCheck", service, ["web-1", "web-2", "gone"])
    assert outcome.status == "completed", outcome.cause
    heading, table, data = pieces
    assert (heading["level"], heading["content"]) == (2, "Hosts that are down")
    assert table["rows"] == [["web-2", "down", "noon"]]
    assert data["content"] == {"asked": 3, "down": 1}
    assert outcome.results == {"notify": True}
    (tmp_path / "hosts.lst").write_text("# ours\nweb-1\n\nweb-2\n")
    listed = run_here(
        FOLDER, "hosts/HostsOfFile", service, DataFile("hosts.lst", str(tmp_path / "hosts.lst"))
    )[1]
    assert [piece["content"] for piece in listed if piece["kind"] == "data"] == [{"asked": 2, "down": 1}]
    outcome, pieces = run_here(FOLDER, "hosts/HostsCheck", service, ["odd"])
    assert outcome.status == "errored"
    assert "answered 500 for odd" in outcome.cause
    assert pieces[0]["content"] == "Unexpected Error"


def test_a_program_runs_with_the_whole_list(run_here: Callable[..., Any]):
    outcome, pieces = run_here(FOLDER, "shell/ShellCommand", ["echo", "two", "words"])
    assert outcome.status == "completed", outcome.cause
    assert [piece["content"] for piece in pieces] == ["Output", "It ended with 0.", "two words\n"]
    assert run_here(FOLDER, "hosts/LoadCheck", "3.5", 4, True)[0].return_value == {"over": False}
    assert run_here(FOLDER, "hosts/LoadCheck", "4.5", 4, True)[0].status == "errored"
