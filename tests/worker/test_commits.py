"""Which commit a run's code is of."""

import subprocess
from dataclasses import replace
from pathlib import Path

from store.models import JobRecord
from tests.worker.conftest import Portal
from worker.refresh import refresh

FIRST = """
from jobs import Job, StringVar

class Greet(Job):
    who = StringVar(default="first")

    def run(self, who):
        return who
"""


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
    done = subprocess.run(
        ["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def test_a_result_names_the_commit_whose_code_it_ran(portal: Portal, tmp_path: Path):
    file = tmp_path / "cloned" / "greet.py"
    file.parent.mkdir()
    file.write_text(FIRST)
    git(file.parent, "init", "-q")
    git(file.parent, "add", ".")
    git(file.parent, "commit", "-qm", "First")
    commit = git(file.parent, "rev-parse", "HEAD")
    portal.settings = replace(portal.settings, jobs_roots=(file.parent,))
    with portal.platform.session() as db:
        refresh(db, portal.settings, enable_new=True)
        portal.jobs = {record.class_name: record for record in db.query(JobRecord)}
    assert portal.jobs["Greet"].code_commit == commit
    first = portal.run("Greet")
    assert (first.return_value, first.code_commit) == ("first", commit)
    # Edited, and not committed: the run has it, and no commit has.
    file.write_text(FIRST.replace('"first"', '"second"'))
    second = portal.run("Greet", raw={"who": "x"})
    assert second.code_commit is None
    assert second.code_digest != first.code_digest
    with portal.platform.session() as db:
        refresh(db, portal.settings)
        assert db.get_one(JobRecord, portal.jobs["Greet"].id).code_commit == ""
