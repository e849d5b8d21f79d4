"""The document of jobschleuder from end to end: its config, its registry and its plugin, as they are printed."""

import re
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from click.testing import CliRunner

from jobs.errors import InvalidData
from store.models import JobResult
from store.platform import Platform
from store.settings import Settings, load_settings
from tests.schleuder import seed
from tests.schleuder.conftest import Write
from tests.worker.conftest import Portal, on_sqlite
from tests.worker.test_fan_out import execute_children
from webapp.cli import main
from worker.children import Children

HELLO = """
from loguru import logger
from veritas.plugin import jobschleuder


@jobschleuder("hello_world")
def say(*args, **kwargs):
    logger.success("hello {hello}", **kwargs)
"""

#: The names that count are those of the registry; the functions have others.
BACKUP = """
import re

from veritas.plugin import jobschleuder


@jobschleuder("simple_config_backup")
def backup(*args, **kwargs):
    return kwargs["name"]


@jobschleuder("preprocessing_backup")
def expand_devices(*args, **kwargs):
    names = [
        name
        for name in kwargs["sot"].devices(kwargs["where"])
        if name not in kwargs["exclude"]["devices"]
        and not any(re.match(pattern, name) for pattern in kwargs["exclude"]["pattern"])
    ]
    return [{"cmd": "simple_config_backup", "args": {"name": name}} for name in names]


@jobschleuder("get_failed_backups")
def retry_failed_backups(*args, **kwargs):
    assert list(kwargs) == ["sot"]
    return []


@jobschleuder("sot:build")
def truth(**kwargs):
    class Truth:
        def devices(self, where):
            return ["lab1.local", "labx.local", "lab2.xx"] if where == "name=lab.local" else []

    return Truth()
"""


@pytest.fixture
def portal(
    live: Settings,
    live_platform: Platform,
    children: Children,
    write: Write,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Portal]:
    project = write(
        {
            "jobschleuder.yaml": seed.config(),
            "jobs.yaml": seed.registry(),
            "plugins/hello_world.py": HELLO,
            "plugins/simple_config_backup.py": BACKUP,
            "plugins/nornir_config_backup.py": seed.plugin(),
        }
    )
    monkeypatch.setenv("JOBS_ROOT", str(project))
    portal = Portal(load_settings(), live_platform, children)
    yield portal
    portal.close()


@on_sqlite
def test_all_of_it_runs_as_printed(portal: Portal, tmp_path: Path):
    def call(*arguments: str) -> str:
        outcome = CliRunner().invoke(
            main, ["jobschleuder", "-u", "alice", *arguments], catch_exceptions=False
        )
        assert outcome.exit_code == 0, outcome.output
        return outcome.stdout

    def run_now(number: str) -> JobResult:
        key = UUID(call("scheduler", "--run-now", number).strip())
        with portal.platform.reading() as db:
            return portal.execute(db.get_one(JobResult, key))

    jobs = call("registry", "--import", str(tmp_path / "written" / "jobs.yaml"), "--show-jobs")
    scheduled = call("scheduler", "--init", "--show-all-scheduled-jobs")
    assert [len(re.findall(cron, scheduled)) for cron in (r"│ \*/1 \* \* \* \* ", r"│ 0 1 \* \* \* ")] == [
        1,
        2,
    ]
    hello, backup, retry = map(run_now, re.findall(r"^│ (\d+) ", jobs, re.MULTILINE))
    assert portal.messages(hello) == [("success", "run", "hello world")]
    assert [child.return_value for child in execute_children(portal, backup)] == ["lab1.local"]
    assert portal.execute(backup).status == "completed"
    assert retry.status == "completed", retry.cause
    assert portal.messages(retry) == [("info", "get_failed_backups", "got an empty list of jobs")]
    lone = portal.run("nornir_config_backup", raw={"arguments": {"where": "here"}})
    assert lone.return_value["where"] == "here"
    assert lone.return_value["profile"] == "lab", "what its start returns is passed to it"


@on_sqlite
def test_arguments_are_an_object(portal: Portal):
    with pytest.raises(InvalidData, match="Enter a JSON object"):
        portal.submit("hello_world", raw={"arguments": "[1]"})
