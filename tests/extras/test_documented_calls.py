"""The calls that the two documents of Nautobot print, as they are printed but for the host, the token and the ids."""

import re
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from store.settings import Settings, load_settings
from tests.seeds.conftest import DOCUMENTS, seed
from tests.worker.conftest import on_sqlite

from .conftest import Portal

pytestmark = on_sqlite

JOBS = """\
from nautobot.extras.jobs import *


class MyJobWithNoVars(Job):
    class Meta:
        commit_default = False
        has_sensitive_variables = False


class MyJobWithVars(Job):
    foo = StringVar()
    bar = IntegerVar()

    class Meta:
        has_sensitive_variables = False


class LaterJobWithVars(Job):
    string_variable = StringVar()
    integer_variable = IntegerVar()

    class Meta:
        has_sensitive_variables = False


class MyJobWithFiles(Job):
    myfile = FileVar()
    interval = StringVar()

    class Meta:
        has_sensitive_variables = False
"""

#: A call, with the lines that it goes on in.
CALL = re.compile(r"^curl (?:.*\\\n)*(?:[^`\n].*\n)?", re.MULTILINE)

Send = Callable[[str], tuple[int, str]]


@pytest.fixture
def live(live: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    folder = tmp_path / "jobs"
    folder.mkdir()
    (folder / "example.py").write_text(JOBS)
    monkeypatch.setenv("JOBS_ROOT", str(folder))
    return load_settings()


@pytest.fixture(params=["curl", "requests"])
def send(request: pytest.FixtureRequest, tmp_path: Path) -> Send:
    """Send a call by curl itself, or as what it says; return status and text of the answer."""
    if request.param == "requests":
        return by_requests
    if shutil.which("curl") is None:
        pytest.skip("NO CURL, documented calls are sent as what they say: install Debian's package curl.")
    (tmp_path / ".curlrc").write_text('silent\nshow-error\nwrite-out = "\\n%{http_code}"\n')

    def by_curl(command: str) -> tuple[int, str]:
        environ = {"PATH": "/usr/bin:/bin:/usr/local/bin", "CURL_HOME": str(tmp_path)}
        said = subprocess.run(
            ["sh", "-c", command], env=environ, capture_output=True, text=True, check=True, timeout=60
        )
        text, _, status = said.stdout.rpartition("\n")
        return int(status), text

    return by_curl


def by_requests(command: str) -> tuple[int, str]:
    words = iter(shlex.split(command.replace("\\\n", " "))[1:])
    headers, parts, url, method, data = {}, [], "", "GET", None
    for word in words:
        match word:
            case "-X":
                method = next(words)
            case "-H":
                name, _, value = next(words).partition(": ")
                headers[name] = value
            case "--data":
                data = next(words)
            case "-F":
                name, _, value = next(words).partition("=")
                path = Path(value[1:].strip('"'))
                parts.append((name, path.open("rb") if value[0] == "@" else (None, value)))
            case _:
                url = word
    if parts:
        # Whoever sends it makes the boundary.
        del headers["Content-Type"]
    answer = requests.request(method, url, headers=headers, data=data, files=parts or None, timeout=30)
    for _, part in parts:
        if not isinstance(part, tuple):
            part.close()
    return answer.status_code, answer.text


def calls(document: str) -> list[str]:
    return [found[0] for found in CALL.finditer(seed(DOCUMENTS[document]))]


def filled(command: str, portal: Portal, job: str, file: Path) -> str:
    for old, new in (
        ("http://nautobot/", f"{portal.url}/"),
        ("$TOKEN", portal.token()),
        ("$JOB_ID", str(portal.jobs[job].id) if job else ""),
        ("/path/to/my/file.txt", str(file)),
    ):
        command = command.replace(old, new)
    return command


def test_those_of_1_1_run_jobs(portal: Portal, send: Send, tmp_path: Path):
    portal.listen()
    plain, with_inputs = calls("1_1")
    status, text = send(filled(plain, portal, "", tmp_path))
    assert status == 200, text
    assert text.startswith('{\n    "')
    status, text = send(filled(with_inputs, portal, "", tmp_path))
    assert status == 200, text
    assert sorted((run.class_path, run.data, run.commit) for run in portal.results()) == [
        ("local/example/MyJobWithNoVars", {}, False),
        ("local/example/MyJobWithVars", {"foo": "somevalue", "bar": 123}, True),
    ]


def test_those_of_1_5_run_jobs(portal: Portal, send: Send, tmp_path: Path):
    portal.listen()
    file = tmp_path / "file.txt"
    file.write_text("content")
    jobs = ("MyJobWithNoVars", "LaterJobWithVars", "MyJobWithFiles")
    for command, job in zip(calls("1_5"), jobs, strict=True):
        status, text = send(filled(command, portal, job, file))
        assert status == 201, text
        assert text.startswith('{\n    "')
    told = {run.name: (run.data, run.commit) for run in portal.results()}
    said_of_file = told["MyJobWithFiles"][0].pop("myfile")
    assert (said_of_file["name"], said_of_file["size"]) == ("file.txt", 7)
    assert told == {
        "MyJobWithNoVars": ({}, False),
        "LaterJobWithVars": ({"string_variable": "somevalue", "integer_variable": 123}, True),
        "MyJobWithFiles": ({"interval": "3"}, True),
    }
