"""What all commands share: their help in the docs, completion, colours; and RQ's own commands beside them."""

import os
import pty
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from store.settings import PROJECT_ROOT
from tests.cli.conftest import Portal
from tests.waiting import until
from tests.worker.conftest import on_sqlite
from webapp.cli import HIDDEN, main
from webapp.cli.help_docs import PAGE, page
from webapp.cli.reading import Entry, Reading


def test_the_docs_say_what_help_says():
    text = PAGE.read_text("utf-8")
    assert page(main, text) == text, "call ./errand help-docs"
    for command in ("## ./errand doctor\n", "### ./errand results rerun\n"):
        assert command in text
    assert not any(f"## ./errand {name}\n" in text for name in HIDDEN)


def test_the_version_is_that_of_the_project():
    said = CliRunner().invoke(main, ["--version"]).output
    assert said.strip() == tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text())["project"]["version"]


# --- Completion -----------------------------------------------------------------------------------------------


def completed(*words: str, **variables: str) -> list[str]:
    """Return what bash is offered for the last of these words."""
    typed = {"COMP_WORDS": " ".join(["errand", *words]), "COMP_CWORD": str(len(words))}
    runner = CliRunner(env={**typed, "_ERRAND_COMPLETE": "bash_complete", **variables})
    outcome = runner.invoke(main, prog_name="errand", complete_var="_ERRAND_COMPLETE")
    return [line.partition(",")[2] for line in outcome.stdout.split()]


@on_sqlite
def test_commands_jobs_and_results_are_completed_from_the_instance_here(portal: Portal):
    assert completed("res") == ["results", "restore"]
    assert completed("run", "local/endings/P") == ["local/endings/Passes"]
    assert "--status" in completed("results", "list", "--st")
    portal("run", "Passes", "--no-wait")
    key = str(portal.result().id)
    assert completed("logs", key[:2]) == [key]
    assert completed("results", "show", "zz") == []
    assert completed("approvals", "approve", "") == []
    assert completed("logs", "", ERRAND_INSTANCE="/nowhere") == []
    assert completed("logs", "", ERRAND_URL="http://127.0.0.1:1", ERRAND_TOKEN="errand_x") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_a_script(shell: str):
    script = CliRunner().invoke(main, ["completion", shell]).stdout
    assert f"_ERRAND_COMPLETE={shell}_complete" in script
    if shell == "bash":
        subprocess.run(["bash", "-n"], input=script, text=True, check=True)


# --- At a terminal --------------------------------------------------------------------------------------------


def at_a_terminal(*arguments: str, **variables: str) -> str:
    """Return what a command writes to a terminal, with its colours."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "120", **variables}
    with subprocess.Popen(
        [sys.executable, "-m", "webapp.cli", *arguments], stdout=theirs, stderr=theirs, env=environment
    ):
        os.close(theirs)
        written = bytearray()

        def ended() -> bool:
            try:
                written.extend(os.read(ours, 65_536))
            except OSError:
                return True
            return False

        until(ended, "the command has closed its terminal", seconds=60)
        os.close(ours)
    return written.decode().replace("\r\n", "\n")


@on_sqlite
def test_a_terminal_gets_a_table_in_colours_unless_somebody_minds(portal: Portal):
    portal("run", "Passes", "--no-wait")
    portal("results", "cancel", str(portal.result().id))
    table = at_a_terminal("results", "list")
    assert table.splitlines()[0].startswith("\x1b[1mId")
    assert "\x1b[2mcanceled" in table
    assert str(portal.result().id) in table
    plain = at_a_terminal("results", "list", NO_COLOR="1")
    assert "canceled" in plain
    assert "\x1b[" not in plain


def test_a_log_at_a_terminal_has_headings_colours_and_a_bar(monkeypatch: pytest.MonkeyPatch, capsys):
    from datetime import UTC, datetime

    for name, value in {"FORCE_COLOR": "1", "TERM": "xterm-256color", "COLUMNS": "80"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("webapp.cli.reading.at_a_terminal", lambda: True)
    reading, noon = Reading(), datetime(2026, 1, 31, 12, tzinfo=UTC)
    reading.entry(Entry(noon, "failure", "sites", "No [bold]water\x1b[2J", "Bern"))
    reading.entry(Entry(noon, "info", "sites", "On", None))
    reading.progress({"done": 3, "total": 4, "text": "3 of 4 [sites]"})
    reading.end("failed", "No water.", 1.0, "")
    shown = capsys.readouterr().out
    assert shown.startswith("\x1b[1msites\x1b[0m\n\x1b[31m12:00:00 failure  No [bold]water [Bern]\x1b[0m\n")
    assert shown.count("sites\x1b[0m") == 1, "a heading stands once above all that is below it"
    assert "3 of 4 [sites]" in shown
    assert " 75%" in shown
    assert shown.rstrip().endswith("\x1b[31mfailed in 1.00 seconds: No water.\x1b[0m")


# --- Beside -----------------------------------------------------------------------------------------------------


@on_sqlite
def test_rqs_own_command_shows_what_waits(portal: Portal):
    portal("run", "Passes", "--no-wait")
    rq = Path(sys.executable).with_name("rq")
    shown = subprocess.run(
        [rq, "info", "--url", portal.settings.redis_url, "--only-queues", "--raw"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "queue default 1, 0 executing" in shown.stdout
