"""Runs of commands: their arguments, their folders, and what is kept of them."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from jobs.errors import InvalidData
from tests.bennettbot.conftest import Folder, RunHere
from tests.worker.conftest import on_sqlite

#: Each stays one argument, whatever the shell makes of such a text.
HOSTILE = (
    "; touch broken #",
    "$(touch broken) `touch broken` $HOME",
    "' && touch broken '",
    "a\n touch broken\nb",
    "{value} {{x}} } {",
    "-rf --help *",
    "ünïcode ✓ 😀 \u202e \\n \\",
    "'" * 100_000,
)


def config(**jobs: str) -> str:
    named = {name: {"run_args_template": template} for name, template in jobs.items()}
    return f"raw_config = {json.dumps({'ns': {'jobs': named, 'slack': []}}, indent=1)}\n"


@on_sqlite
def test_whatever_is_given_stays_one_argument(folder: Folder):
    folder.refresh(config(say="printf '%s|' {value} {{}} {value}; ls"))
    for value in HOSTILE:
        assert folder.output("ns_say", value=value) == f"{value.strip()}|{{}}|{value.strip()}|"
    for value, sentence in (("a\0b", "Null characters"), ("x" * 131_072, "131,071")):
        with pytest.raises(InvalidData) as refused:
            folder.portal.submit("ns_say", raw={"value": value})
        assert isinstance(refused.value.errors, dict)
        assert sentence in str(refused.value.errors["value"])
    with pytest.raises(InvalidData):
        folder.portal.submit("ns_say", raw={})


@on_sqlite
def test_it_runs_in_the_folder_of_its_namespace(folder: Folder):
    portal = folder.portal
    text = config(
        where="pwd; echo $WRITEABLE_DIR; command -v python", fails="echo out; echo err >&2; no-such-command"
    )
    folder.refresh(text)
    writeable = portal.supervisor().settings.instance
    where, said, _ = folder.output("ns_where").splitlines()
    assert where == f"{said}/workspace/ns"
    assert said.endswith("/writeable")
    assert writeable.is_dir()
    own = folder.path / "workspace" / "ns"
    (own.parent / "utils").mkdir(parents=True)
    (own.parent / "utils" / "words.py").write_text("WORD = 'found'\n")
    own.mkdir()
    (own / "job.py").write_text("from workspace.utils.words import WORD; print(WORD)\n")
    folder.refresh(text.replace("pwd; ", "pwd; python job.py; "))
    assert folder.output("ns_where").splitlines()[:2] == [str(own), "found"]
    failed = portal.run("ns_fails")
    assert (failed.status, failed.return_value) == ("failed", {"exit_code": 127})
    assert failed.cause == "The command ended with exit code 127: a program was not found."
    assert (folder.kept(failed.id, "stdout"), folder.kept(failed.id, "stderr")[:4]) == ("out\n", "err\n")


def test_its_folders_are_those_that_the_environment_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_here: RunHere
):
    jobs, elsewhere = tmp_path / "app" / "bennettbot", tmp_path / "elsewhere"
    for path in (jobs, tmp_path / "app" / "workspace" / "ns", elsewhere / "ns", tmp_path / "bin"):
        path.mkdir(parents=True)
    (jobs / "job_configs.py").write_text(config(where='pwd; echo "$PYTHONPATH"; echo "$PATH"'))
    given = {"LOGS_DIR": tmp_path / "logs", "HOST_LOGS_DIR": "/host", "ABSOLUTE_BIN": tmp_path / "bin"}
    for name, value in {**given, "WRITEABLE_DIR": tmp_path / "w"}.items():
        monkeypatch.setenv(name, str(value))

    def said() -> list[str]:
        outcome, _ = run_here(jobs, "job_configs/ns_where")
        assert outcome.status == "completed", outcome.cause
        shown = Path(outcome.results["logs"])
        assert shown.parent == Path("/host/ns_where")
        logs = tmp_path / "logs" / "ns_where" / shown.name
        assert (logs / "stderr").read_text() == ""
        return (logs / "stdout").read_text().splitlines()

    folder, root, path = said()
    assert (folder, root) == (str(tmp_path / "app/workspace/ns"), str(tmp_path / "app"))
    assert path.split(os.pathsep)[0] == str(tmp_path / "bin")
    monkeypatch.setenv("WORKSPACE_DIR", str(elsewhere))
    assert said()[:2] == [str(elsewhere / "ns"), str(tmp_path)]
    assert len(list((tmp_path / "logs" / "ns_where").iterdir())) == 2


@on_sqlite
def test_a_whole_repository_is_a_source(folder: Folder):
    package = folder.path / "bennettbot"
    for path in (package, folder.path / "workspace" / "ns", folder.path / "tests"):
        path.mkdir(parents=True)
    for name in ("bennettbot/__init__.py", "tests/__init__.py", "workspace/ns/job.py"):
        (folder.path / name).touch()
    (package / "bot.py").write_text("raise SystemExit('nothing of the bot itself is loaded')\n")
    report = folder.refresh(f"from . import bot\n{config(where='pwd')}", "bennettbot/job_configs.py")
    assert report.errors == []
    assert [path for path in report.new if path.startswith("local/")] == ["local/bennettbot/ns_where"]
    assert folder.output("ns_where").strip() == str(folder.path / "workspace" / "ns")
    # A worker that has none of the files gets all of them.
    folder.portal.settings = replace(folder.portal.settings, jobs_from_database=True)
    where = folder.output("ns_where").strip()
    assert where.startswith(f"{folder.portal.settings.instance}/snapshots/")
    assert where.endswith("/0/workspace/ns")
    folder.portal.settings = replace(folder.portal.settings, jobs_from_database=False)
    # An edit counts at once.
    (package / "job_configs.py").write_text(config(where="echo edited"))
    assert folder.output("ns_where") == "edited\n"


def test_a_fabfile_that_does_not_come_is_told_and_the_last_one_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_here: RunHere
):
    monkeypatch.setenv("WRITEABLE_WORKSPACE_DIR", str(tmp_path / "w"))
    monkeypatch.setenv("LOGS_DIR", str(tmp_path / "logs"))
    (tmp_path / "w" / "ns").mkdir(parents=True)
    (tmp_path / "w" / "ns" / "fabfile.py").write_text("print('the last one')\n")
    (tmp_path / "job_configs.py").write_text(
        'raw_config = {"ns": {"fabfile": "http://127.0.0.1:1/f.py", "slack": [], "jobs": {'
        '"go": {"run_args_template": "python fabfile.py"}}}}\n'
    )
    outcome, _ = run_here(tmp_path, "job_configs/ns_go")
    assert outcome.status == "completed", outcome.cause
    assert outcome.results["fabfile_problem"].startswith("Could not refresh http://127.0.0.1:1/f.py: ")
    assert (Path(outcome.results["logs"]) / "stdout").read_text() == "the last one\n"
    assert [path.name for path in (tmp_path / "w" / "ns").iterdir()] == ["fabfile.py"]
    # A log folder that cannot be made is no reason not to run; a folder to run in is.
    monkeypatch.setenv("LOGS_DIR", "/dev/null/logs")
    outcome, _ = run_here(tmp_path, "job_configs/ns_go")
    assert (outcome.status, "logs" in outcome.results) == ("completed", False)
    monkeypatch.setenv("WRITEABLE_WORKSPACE_DIR", "/dev/null/w")
    outcome, _ = run_here(tmp_path, "job_configs/ns_go")
    assert outcome.status == "failed"
    assert outcome.cause == "The folder /dev/null/w/ns cannot be made: Not a directory."
