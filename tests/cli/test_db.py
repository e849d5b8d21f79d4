import json
import os
import subprocess
import sys

import pytest
from sqlalchemy import inspect

from store.platform import Platform
from store.settings import PROJECT_ROOT, Settings


def run(settings: Settings, *arguments: str, **more: object) -> subprocess.CompletedProcess[str]:
    """Run a command as the launcher does: in a process of its own."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(PROJECT_ROOT),
        "ERRAND_INSTANCE": str(settings.instance),
    }
    return subprocess.run(
        [sys.executable, "-P", "-m", "webapp.cli", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
        env=environment,
        check=False,
        **more,
    )


def test_upgrade_makes_both_databases_ready_and_may_be_repeated(fresh, tmp_path):
    for _ in range(2):
        outcome = run(fresh, "db", "upgrade", cwd=tmp_path)
        assert (outcome.returncode, outcome.stderr) == (0, "")
        assert outcome.stdout == "The databases are up to date.\n"
    platform = Platform(fresh.database_url)
    assert inspect(platform.engine).has_table("job_results")
    platform.dispose()


def test_a_new_instance_goes_from_nothing_to_a_token_by_commands_alone(fresh, tmp_path):
    assert run(fresh, "db", "upgrade", cwd=tmp_path).returncode == 0
    assert run(fresh, "user", "create", "alice").stdout.startswith("/login/")
    assert run(fresh, "token", "create", "--user", "alice").stdout.startswith("errand_")
    assert json.loads(run(fresh, "jobs", "list", "--json").stdout) == []


def test_current_tells_whether_an_upgrade_is_due(errand, fresh):
    outcome = errand("db", "current", on=fresh)
    assert (outcome.exit_code, "run ./errand db upgrade" in outcome.stderr) == (1, True)
    assert errand("db", "current").exit_code == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("user", "create", "alice"),
        ("user", "list"),
        ("user", "disable", "alice"),
        ("token", "create", "--user", "alice"),
        ("jobs", "list"),
        ("jobs", "refresh"),
        ("jobs", "enable", "--all"),
    ],
)
def test_every_command_says_when_the_database_was_never_upgraded(errand, fresh, arguments):
    outcome = errand(*arguments, on=fresh)
    assert outcome.exit_code == 1
    assert "run ./errand db upgrade" in outcome.stderr
    assert "Traceback" not in outcome.output


def test_a_database_that_cannot_be_reached_is_a_sentence_without_the_password(errand, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://someone:geheim@127.0.0.1:9/errand")
    monkeypatch.setenv("DATA_DATABASE_URL", "sqlite://")
    outcome = errand("user", "list")
    assert outcome.exit_code == 1
    assert "The database cannot be used" in outcome.stderr
    assert "geheim" not in outcome.output
