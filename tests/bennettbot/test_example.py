"""The example of a folder of bennettbot: its commands are found, and run."""

import json
from dataclasses import replace

import pytest
from sqlalchemy import select

from jobs.slack_commands import ACTIONS, build_regex_from_command
from store.models import JobRecord, Namespace
from store.permissions import Forbidden
from store.settings import PROJECT_ROOT
from tests.bennettbot.conftest import Folder
from tests.worker.conftest import on_sqlite
from worker.refresh import refresh

FOLDER = PROJECT_ROOT / "examples" / "bennettbot"


@on_sqlite
def test_its_commands_are_found_and_run(folder: Folder):
    portal = folder.portal
    portal.settings = replace(portal.settings, jobs_roots=(FOLDER,))
    with portal.platform.session() as db:
        assert refresh(db, portal.settings, enable_new=True).errors == []
        found = db.scalars(select(JobRecord).where(JobRecord.dialect == "bennettbot", JobRecord.installed))
        portal.jobs = {job.class_name: job for job in found}
        namespaces = db.scalars(select(Namespace).where(Namespace.source == "local"))
        assert {row.name: (row.restricted, row.default_channel) for row in namespaces} == {
            "hello": (False, "#tech"),
            "disks": (True, "#operations"),
        }
    assert {name: job.restricted for name, job in portal.jobs.items()} == {
        **dict.fromkeys(("hello_world", "hello_name"), False),
        **dict.fromkeys(("disks_usage", "disks_table", "disks_check", "disks_sweep"), True),
    }
    commands = [command for job in portal.jobs.values() for command in job.slack_commands]
    assert {command["action"] for command in commands} == set(ACTIONS)
    found_in = [each["command"] for each in commands if _matches(each["command"], "hello to you all")]
    assert found_in == ["hello to [name]"]
    assert folder.output("hello_name", name="you; exit 1") == "Hello you; exit 1\n"
    with pytest.raises(Forbidden):
        portal.submit("disks_check", raw={"percent": "1"})
    (block,) = json.loads(folder.output("disks_usage", user="root", path="/"))
    assert block["text"]["text"].startswith("*/* is ")
    assert folder.output("disks_table", user="root", path="/").splitlines()[0].startswith("Filesystem ")
    assert folder.output("disks_check", user="root", percent="100") == ""


def _matches(command: str, text: str) -> bool:
    return build_regex_from_command(command).match(text) is not None
