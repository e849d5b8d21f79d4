"""What this version says of a database that was not upgraded, or by a later version: and that it writes nothing there."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import inspect, text

from store import migrate
from store.platform import make_engine
from store.schema import NOT_UPGRADED, TOO_NEW, is_behind
from store.settings import PROJECT_ROOT, Settings, environment, load_settings
from tests.hatchery import Program
from tests.worker.conftest import on_sqlite
from webapp.app import create_app
from webapp.cli import main
from webapp.database import db

#: Each begins for long, and so before anybody looks.
LASTING = {
    "web": ("web", "--port", "1"),
    "one worker": ("worker",),
    "workers": ("worker", "--count", "2"),
    "a worker to the end": ("worker", "--burst"),
    "scheduler": ("scheduler",),
    "slack": ("slack",),
}

SHORT = (
    ("db", "current"),
    ("jobs", "list"),
    ("results", "list"),
    ("workers", "list"),
    ("run", "local/greenhouse/WaterPlants"),
    ("runjob", "local/greenhouse/WaterPlants"),
    ("search", "status"),
)


@pytest.fixture
def old(live: Settings) -> Settings:
    """An instance as the version before the last migration left it."""
    migrate.downgrade_platform(live.database_url, "-1")
    return live


def errand(*command: str) -> Result:
    """Call a command that ends by itself."""
    return CliRunner().invoke(main, command, catch_exceptions=False)


def ended(*command: str) -> tuple[int, str, str]:
    """Start a command that goes on, unless something keeps it from that."""
    given = {**os.environ, "SLACK_BOT_TOKEN": "xoxb-1", "SLACK_APP_TOKEN": "xapp-1"}
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with Program("webapp.cli", *command, env=given, cwd=PROJECT_ROOT, **pipes) as process:
        try:
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
    return process.returncode, out, err


def ready(settings: Settings) -> tuple[int, str]:
    app = create_app(settings)
    answer = app.test_client().get("/readyz")
    with app.app_context():
        db.engine.dispose()
    return answer.status_code, answer.text


def content(settings: Settings) -> dict[str, list[Any]]:
    """Return all rows of both databases."""
    rows: dict[str, list[Any]] = {}
    for name, url in (("platform", settings.database_url), ("data", settings.data_database_url)):
        engine = make_engine(url)
        with engine.connect() as connection:
            for table in inspect(connection).get_table_names():
                # As the driver reads them: to find out what each column is would take most of the time.
                found = connection.exec_driver_sql(f'SELECT * FROM "{table}"')
                rows[f"{name} {table}"] = [tuple(row) for row in found]
        engine.dispose()
    return rows


@pytest.mark.in_turn
@pytest.mark.parametrize("command", LASTING.values(), ids=LASTING)
def test_what_goes_on_for_long_does_not_begin(old: Settings, command: tuple[str, ...]):
    before = content(old)
    assert ended(*command) == (1, "", f"Error: {NOT_UPGRADED}\n")
    assert content(old) == before


@pytest.mark.in_turn
@pytest.mark.parametrize("command", SHORT, ids=" ".join)
def test_no_command_works_on_it(old: Settings, command: tuple[str, ...]):
    before = content(old)
    outcome = errand(*command)
    assert (outcome.exit_code, outcome.output) == (
        2 if command[0].startswith("run") else 1,
        f"Error: {NOT_UPGRADED}\n",
    )
    assert content(old) == before


def test_neither_does_a_worker_that_rqs_own_command_begins(old: Settings):
    before = content(old)
    rq = [sys.executable, "-m", "rq.cli", "worker", "--url", old.redis_url, "--burst"]
    outcome = subprocess.run(
        [*rq, "--worker-class", "worker.rq_worker.Worker", "default"],
        env={**os.environ, **environment(old)},
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (outcome.returncode, outcome.stderr.endswith(f"{NOT_UPGRADED}\n")) == (1, True)
    assert "Traceback" not in outcome.stderr
    assert content(old) == before


def test_a_portal_whose_database_was_put_back_says_so_where_it_is_watched(old: Settings):
    assert ready(old) == (503, "not ready: run ./errand db upgrade\n")


def test_an_upgrade_is_all_it_takes(old: Settings):
    assert errand("db", "upgrade").exit_code == 0
    assert ready(old) == (200, "ready\n")
    assert errand("jobs", "list").exit_code == 0


@on_sqlite
def test_it_is_backed_up_before_it_is_upgraded(old: Settings, tmp_path: Path):
    assert errand("backup", str(tmp_path / "old.backup")).exit_code == 0
    elsewhere = load_settings(tmp_path / "elsewhere", {})
    assert elsewhere.database_url != old.database_url
    before = "--instance", str(elsewhere.instance)
    assert errand("restore", str(tmp_path / "old.backup"), *before).exit_code == 0
    assert (is_behind(old.database_url), is_behind(elsewhere.database_url)) == (True, False)


@pytest.fixture
def later(live: Settings) -> Settings:
    """An instance that a later version has upgraded."""
    engine = make_engine(live.database_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    return live


@pytest.mark.parametrize("command", [("db", "upgrade"), ("db", "current"), ("jobs", "list")], ids=" ".join)
def test_commands_leave_what_a_later_version_has_upgraded(later: Settings, command: tuple[str, ...]):
    outcome = errand(*command)
    assert (outcome.exit_code, outcome.output) == (1, f"Error: {TOO_NEW}\n")


def test_web_server_and_workers_go_on_beside_a_later_version(later: Settings):
    assert ready(later) == (200, "ready\n")
    assert ended("worker", "--burst")[0] == 0


def test_nothing_is_made_where_there_is_no_database(fresh: Settings):
    assert errand("db", "current", "--instance", str(fresh.instance)).exit_code == 1
    assert not (fresh.instance / "errand.db").exists()
