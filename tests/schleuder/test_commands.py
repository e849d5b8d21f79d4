"""`./errand jobschleuder`: its commands, with the options that they have there."""

import hmac
import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import delete, select, update

from store.models import JobResult, RegistryJob, Schedule, Webhook
from store.settings import load_settings
from tests.schleuder import seed
from tests.schleuder.conftest import EXAMPLE
from tests.webapp.conftest import running
from tests.worker.conftest import Portal, on_sqlite
from webapp.cli import main
from worker.schleuder import entries
from worker.webhooks import secrets_of

Call = Callable[..., Result]

TWO = """
jobs:
  - id: greet
    job: hello_world
    schedule: "0 1 * * *"
    arguments: {hello: "[bold]you[/bold]"}
  - job: simple_config_backup
    schedule: every(5).minutes
    description: backups
    preprocessing: devices_of_site
    arguments: {sot: true, site: lab}
"""


@pytest.fixture
def call(plugins: Portal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    monkeypatch.setenv("ERRAND_TIME_ZONE", "Europe/Berlin")

    def called(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["jobschleuder", *arguments], catch_exceptions=False)

    return called


def imported(call: Call, tmp_path: Path, text: str = TWO) -> Result:
    file = tmp_path / "jobs.yaml"
    file.write_text(text)
    return call("registry", "--import", str(file))


def shown(outcome: Result) -> tuple[str, list[str], list[list[str]]]:
    """Return title, headings and rows of the table that was printed."""
    assert outcome.exit_code == 0, outcome.output
    title, *lines = outcome.stdout.splitlines()
    cells = [
        [cell.strip() for cell in line.strip("┃│").replace("┃", "│").split("│")]
        for line in lines
        if line[:1] in ("┃", "│")
    ]
    return title.strip(), cells[0], cells[1:]


def schedules(plugins: Portal) -> list[Schedule]:
    with plugins.platform.reading() as db:
        return list(db.scalars(select(Schedule).order_by(Schedule.name)))


@pytest.mark.in_turn
def test_a_registry_is_imported_and_shown(call: Call, plugins: Portal, tmp_path: Path):
    said = imported(call, tmp_path)
    assert said.exit_code == 0, said.output
    assert "Imported 2 jobs." in said.stderr
    title, columns, rows = shown(call("registry", "--show-jobs"))
    assert title == "All Jobs"
    assert columns == ["id", "job", "descr", "pre", "post", "args"]
    greet, backup = rows
    assert greet[1:] == ["hello_world", "hello_world", "", "", '{"hello": "[bold]you[/bold]"}']
    assert backup[1:] == [
        *("simple_config_backup", "backups", "devices_of_site", ""),
        '{"sot": true, "site": "lab"}',
    ]
    title, columns, rows = shown(call("registry", "-sr"))
    assert (title, columns) == ("Job registry", ["id", "job", "description", "schedule"])
    assert [row[1:] for row in rows] == [
        [greet[0], "hello_world", "0 1 * * *"],
        [backup[0], "backups", "every(5).minutes"],
    ]
    # What is imported next takes its place; what is wrong takes nobody's.
    wrong = imported(call, tmp_path, TWO + "  - job: c\n    schedule: nonsense\n  - schedule: '@daily'\n")
    assert wrong.exit_code == 1
    assert f"{tmp_path / 'jobs.yaml'}, line 13: The schedule 'nonsense' cannot be read" in wrong.stderr
    assert "line 14: The job has no job." in wrong.stderr
    assert "Nothing was imported." in wrong.stderr
    assert shown(call("registry", "-sj"))[2] == [greet, backup]
    assert "unlisted" in imported(call, tmp_path, "jobs: [{job: unlisted, schedule: '@daily'}]").stderr
    assert [row[1] for row in shown(call("registry", "-sj"))[2]] == ["unlisted"]
    assert call("registry", "-i", str(tmp_path / "none.yaml")).exit_code == 1
    with plugins.platform.session() as db:
        db.execute(delete(RegistryJob))
        assert entries(db) == [], "they go with their jobs"


@pytest.mark.in_turn
def test_each_entry_gets_a_schedule_that_fires_on_time(call: Call, plugins: Portal, tmp_path: Path):
    imported(call, tmp_path, TWO + "  - {job: nobody, schedule: '@daily'}\n")
    assert schedules(plugins) == []
    first = call("-u", "alice", "scheduler", "--init")
    assert first.exit_code == 1, "one has no plugin, and the others their schedules"
    assert "nobody (@daily): There is no plugin that registers nobody." in first.stderr
    assert "Scheduled 2 jobs." in first.stderr
    before = {made.id for made in schedules(plugins)}
    imported(call, tmp_path)
    assert schedules(plugins) == [], "they go with what they are of"
    assert call("-u", "alice", "scheduler", "--init").exit_code == 0
    greet, backup = schedules(plugins)
    assert before.isdisjoint({greet.id, backup.id})
    assert (greet.name, greet.zone, greet.cron, greet.dialect) == (
        *("greet", "Europe/Berlin"),
        *("0 1 * * *", "jobschleuder"),
    )
    assert (backup.name, backup.cron) == ("simple_config_backup", "*/5 * * * *")
    assert (greet.username, greet.missed, greet.overlap) == ("alice", "once", "allow")
    assert greet.data["arguments"] == {"hello": "[bold]you[/bold]"}
    title, columns, rows = shown(call("scheduler", "--show-all-scheduled-jobs"))
    assert title == "All scheduled Jobs"
    assert columns == ["job_id", "job", "descr", "pre", "args", "rid", "sched", "sid", "nextrun"]
    assert [row[-2] for row in rows] == [str(greet.id), str(backup.id)]
    assert datetime.fromisoformat(rows[0][-1]) == greet.next_slot_at
    assert datetime.fromisoformat(rows[0][-1]).hour == 1, "by the clocks of the zone"
    assert shown(call("scheduler", "-sj"))[0::2] == ("Current scheduled Jobs", [])
    past = datetime.now(UTC).replace(microsecond=0) - timedelta(days=3)
    with plugins.platform.session() as db:
        values = {"last_slot_at": past, "next_slot_at": past, "wakes_at": past, "start_at": past}
        db.execute(update(Schedule).where(Schedule.id == backup.id).values(**values))
        db.commit()
    assert [row[1] for row in shown(call("scheduler", "-sj"))[2]] == ["simple_config_backup"]
    assert "Asked for 1 runs." in call("scheduler", "--schedule", "--no-daemon").stderr
    assert "Asked for 0 runs." in call("scheduler", "-s", "-nd").stderr, (
        "three days of them are made up for once"
    )
    assert shown(call("scheduler", "-sj"))[2] == []
    with plugins.platform.reading() as db:
        [result] = db.scalars(select(JobResult))
    assert (result.origin, result.username) == ("schedule", "alice")
    assert plugins.execute(result).status == "pending", "it waits for the backups that it asked for"
    assert call("scheduler", "-nd").exit_code == 2


@on_sqlite
def test_a_job_runs_now_by_its_id(call: Call, plugins: Portal, tmp_path: Path):
    imported(call, tmp_path)
    number = shown(call("registry", "-sj"))[2][0][0]
    asked = call("-u", "alice", "scheduler", "--run-now", number)
    with plugins.platform.reading() as db:
        [result] = db.scalars(select(JobResult))
    assert asked.stdout.strip() == str(result.id)
    assert plugins.execute(result).status == "completed"
    assert ("success", "run", "Hello [bold]you[/bold]") in plugins.messages(result)
    unknown = call("scheduler", "-rn", "12345")
    assert (unknown.exit_code, "There is no job with the id 12345" in unknown.stderr) == (1, True)
    # In older ones it stands here.
    assert shown(call("scheduler", "--show-jobs"))[0] == "All Jobs"


@on_sqlite
def test_the_registry_of_the_document_is_imported_with_its_tables(call: Call, tmp_path: Path):
    said = imported(call, tmp_path, seed.registry())
    assert said.exit_code == 0, said.output
    for option, title in (("--show-jobs", "All Jobs"), ("--show-registry", "Job registry")):
        heading, columns, rows = shown(call("registry", option))
        assert (heading, columns, len(rows)) == (title, seed.table(title), 3)


@on_sqlite
def test_without_a_config_there_is_nothing_to_do(
    call: Call, plugins: Portal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    shutil.copy(EXAMPLE / "conf" / "jobschleuder.yaml", tmp_path / "mine.yaml")
    monkeypatch.setenv("JOBS_ROOT", str(tmp_path / "elsewhere" / "jobs"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    for command in ("registry", "scheduler", "worker", "listener"):
        refused = call(command)
        assert (refused.exit_code, "unable to read config" in refused.stderr) == (1, True), command
    personal = tmp_path / "home/.veritas/miniapps/jobschleuder"
    personal.mkdir(parents=True)
    (personal / "jobschleuder.yaml").write_text("plugins: 5\n")
    assert "plugins must be a mapping" in call("registry").stderr
    # One that is named is remembered, and the folder of its plugins is one of jobs.
    monkeypatch.delenv("JOBS_ROOT")
    named = call("--config", str(tmp_path / "mine.yaml"), "registry")
    assert (named.exit_code, "This config counts from now on" in named.stderr) == (0, True)
    remembered = load_settings()
    assert remembered.schleuder_config == tmp_path / "mine.yaml"
    assert remembered.jobs_roots[-1] == tmp_path
    assert call("registry", "-sj").exit_code == 0
    said = call(
        "--loghandler", "x", "--uuid", "y", "--debug-veritas", "--loglevel", "debug", "registry"
    ).stderr
    assert said.count("has no effect") == 3
    assert call("--loglevel", "loud", "registry").exit_code == 2


@on_sqlite
def test_a_webhook_runs_a_job_of_the_registry(
    call: Call, plugins: Portal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("ERRAND_URL", "https://errand.example.com")
    imported(call, tmp_path)
    number = shown(call("registry", "-sj"))[2][0][0]
    made = call("-u", "alice", "listener", "--add", "greeter", "--job", number)
    assert made.exit_code == 0, made.output
    with plugins.platform.reading() as db:
        [webhook] = db.scalars(select(Webhook))
        assert secrets_of(plugins.settings, webhook) == [made.stdout.split()[-1].encode()]
    address = f"/hooks/in/{webhook.id}"
    assert f"address: https://errand.example.com{address}\n" in made.stdout
    assert webhook.data["arguments"] == {"hello": "[bold]you[/bold]"}
    title, _, [row] = shown(call("listener"))
    assert (title, row[:2]) == ("Webhooks", ["greeter", "hello_world"])
    seconds, body = str(int(time.time())), b'{"anything": 1}'
    signature = hmac.digest(made.stdout.split()[-1].encode(), f"{seconds}.".encode() + body, "sha256").hex()
    signed = {"X-Errand-Timestamp": seconds, "X-Errand-Signature": f"sha256={signature}"}
    for app in running(plugins.settings):
        assert app.test_client().post(address, data=body).status_code == 401
        answer = app.test_client().post(address, data=body, headers=signed)
    with plugins.platform.reading() as db:
        [result] = db.scalars(select(JobResult))
    assert answer.json["result"] == str(result.id), answer.text
    assert plugins.messages(plugins.execute(result)) == [("success", "run", "Hello [bold]you[/bold]")]
    again = call("-u", "alice", "listener", "--add", "greeter", "--job", number)
    assert (again.exit_code, "There is a webhook called greeter already." in again.stderr) == (2, True)
    assert call("listener", "--add", "greeter").exit_code == 2
    assert call("-u", "carol", "listener", "--add", "other", "--job", "999").exit_code == 1
