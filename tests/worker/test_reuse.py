"""One process takes run after run, until something of the last one sticks to it."""

from pathlib import Path
from typing import Any

import pytest

from store.settings import load_settings
from tests.conftest import load_fixture_jobs
from tests.worker.conftest import Portal
from worker import supervisor

pytestmark = pytest.mark.parametrize("live", ["sqlite"], indirect=True)


def changes(portal: Portal, what: str, folder: Path | str = "/") -> int:
    """Have a run change its process; return the pid of that."""
    result = portal.run("Changes", raw={"what": what, "folder": str(folder)})
    assert result.status == "completed", result.cause
    return int(result.return_value)


def look(portal: Portal) -> tuple[int, dict[str, Any]]:
    result = portal.run("LooksAround")
    assert result.status == "completed", result.cause
    found = dict(result.return_value)
    assert [text for _, _, text in portal.messages(result)] == ["heard", "heard by the logger"]
    return found.pop("pid"), found


def test_a_process_takes_the_next_run_when_nothing_sticks(portal: Portal):
    assert len({changes(portal, "nothing") for _ in range(3)}) == 1


def test_the_next_run_finds_its_process_as_the_first_did(portal: Portal, tmp_path: Path):
    before = look(portal)
    assert changes(portal, "all_that_can_be_put_back", tmp_path) == before[0]
    assert look(portal) == before


@pytest.mark.parametrize(
    "what", ["priority", "hard_limit", "thread", "hidden_thread", "files", "memory", "stdout"]
)
def test_a_process_to_which_something_sticks_is_replaced(portal: Portal, what: str):
    pid = changes(portal, what)
    after, _ = look(portal)
    assert after != pid


@pytest.mark.parametrize("what", ["process", "zombie"])
def test_what_was_started_is_gone_before_the_next_run(portal: Portal, what: str):
    changes(portal, what)
    pid, _ = look(portal)
    children = Path(f"/proc/{pid}/task/{pid}/children")
    assert not children.exists() or children.read_text().split() == []


def test_a_process_whose_run_broke_is_replaced(portal: Portal):
    broken = portal.run("Breaks")
    pid = int(portal.messages(broken)[0][2])
    assert look(portal)[0] != pid


def test_a_job_may_ask_for_a_process_of_its_own(portal: Portal):
    used = changes(portal, "nothing")
    pids = [portal.run("Fresh").return_value for _ in range(2)]
    assert len({used, *pids, changes(portal, "nothing")}) == 4


def test_a_process_is_replaced_after_so_many_runs(portal: Portal, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(supervisor, "MOST_RUNS", 2)
    portal.run("Breaks")  # The next one begins afresh.
    pids = [changes(portal, "nothing") for _ in range(4)]
    assert (pids[0] == pids[1], pids[1] == pids[2], pids[2] == pids[3]) == (True, False, True)


def test_a_process_that_knows_old_code_is_replaced(
    portal: Portal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("JOBS_ROOT", str(tmp_path))
    code = "import os\nfrom jobs import Job\nclass Edited(Job):\n    def run(self):\n        return [os.getpid(), {}]\n"
    file = tmp_path / "edited.py"
    file.write_text(code.format(1))
    edited = Portal.__new__(Portal)
    edited.__dict__.update(portal.__dict__, settings=load_settings(), _supervisor=None)
    with portal.platform.session() as db:
        edited.jobs = load_fixture_jobs(db, edited.settings)
    found = []
    for version in (1, 1, 22, 22):
        file.write_text(code.format(version))
        found.append(edited.run("Edited").return_value)
    edited.close()
    pids, versions = zip(*found, strict=True)
    assert versions == (1, 1, 22, 22)
    assert (pids[0] == pids[1], pids[1] == pids[2], pids[2] == pids[3]) == (True, False, True)


def test_an_edit_within_a_package_beside_the_job_counts_at_the_next_run(
    portal: Portal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("JOBS_ROOT", str(tmp_path))
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "__init__.py").write_text("")
    within = tmp_path / "parts" / "words.py"
    within.write_text("WORD = 1\n")
    (tmp_path / "edited.py").write_text(
        "from jobs import Job\nfrom parts.words import WORD\n"
        "class Edited(Job):\n    def run(self, data, commit):\n        return WORD\n"
    )
    edited = Portal.__new__(Portal)
    edited.__dict__.update(portal.__dict__, settings=load_settings(), _supervisor=None)
    with portal.platform.session() as db:
        edited.jobs = load_fixture_jobs(db, edited.settings)
    found = []
    for version in (1, 22):
        within.write_text(f"WORD = {version}\n")
        found.append(edited.run("Edited").return_value)
    edited.close()
    assert found == [1, 22]


def test_runs_share_no_random_numbers(portal: Portal):
    portal.run("Changes", raw={"what": "seed"})
    rolls = [portal.run("Rolls").return_value for _ in range(2)]
    portal.run("Breaks")
    rolls += [portal.run("Rolls").return_value]
    assert len({number for _, number in rolls}) == 3
    assert rolls[0][0] == rolls[1][0] != rolls[2][0]


def test_what_a_module_keeps_stays_within_one_process(portal: Portal):
    portal.run("Breaks")
    changes(portal, "module")
    pid, kept = portal.run("SeesItsModule").return_value
    portal.run("Breaks")
    other, fresh = portal.run("SeesItsModule").return_value
    assert (kept - fresh, pid != other) == (1, True)
