"""`./errand runjob`, as Nautobot's command of this name."""

import os
import pstats
import re
import signal
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from jobs.profiling import path_of
from store.models import JobRecord, User
from tests.cli.conftest import ended, interrupt, interrupt_again, until_said
from tests.waiting import until
from tests.webapp.conftest import running, signed_in
from tests.worker.conftest import on_sqlite
from webapp.cli import main
from worker.queues import listed_ids

pytestmark = pytest.mark.in_turn


def without_times(text):
    text = re.sub(r"(?m)^\[\d\d:\d\d:\d\d\]", "[T]", text)
    return re.sub(r"\d+\.\d\d seconds", "S seconds", text)


STATIONS = """\
[T] Running local/stations/Stations...
\tanother group: 0 success, 1 info, 1 warning, 0 failure
\t\twarning: apple
\t\tinfo: Database changes have been reverted automatically.
\tpost_run: 1 success, 0 info, 0 warning, 0 failure
\t\tsuccess: failed=False kept=[1, 2]
\trun: 1 success, 1 info, 1 warning, 0 failure
\t\tdefault: plain
\t\tdebug: debug
\t\tinfo: info with `code`
\t\tsuccess: an object: success
\t\twarning: by logger
\ttest_zebra: 0 success, 1 info, 0 warning, 0 failure
\t\tinfo: zebra
first
second
third
[T] local/stations/Stations: SUCCESS
[T] local/stations/Stations: Duration 0 minutes, S seconds
[T] Finished
"""

#: With a commit nothing is reverted.
SAVED = STATIONS.replace("another group: 0 success, 1 info", "another group: 0 success, 0 info").replace(
    "\t\tinfo: Database changes have been reverted automatically.\n", ""
)


def test_a_local_run_needs_no_worker_and_no_redis_and_is_reported(portal, monkeypatch):
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    outcome = portal("runjob", "Stations", "--local")
    assert (outcome.exit_code, outcome.stderr) == (0, "")
    assert without_times(outcome.stdout) == STATIONS
    result = portal.result()
    assert (result.status, result.user_id, result.username, result.commit) == ("completed", None, "", False)


@on_sqlite
def test_a_local_run_is_profiled(portal):
    outcome = portal("runjob", "Passes", "--local", "--profile")
    path = Path(path_of(str(portal.result().id)))
    try:
        assert outcome.exit_code == 0
        assert f"\t\tinfo: Wrote profiling information to {path}.\n" in outcome.stdout
        assert pstats.Stats(str(path)).total_calls > 0
    finally:
        path.unlink()


@on_sqlite
def test_the_lock_of_a_singleton_is_ignored_when_told_so(portal):
    assert portal("runjob", "Single", "--local", "-u", "alice", "--ignore-singleton-lock").exit_code == 0
    assert portal.result().ignore_singleton_lock


@on_sqlite
def test_a_plugins_job_may_be_spelled_as_old_documents_do(portal):
    outcome = portal("runjob", "plugin/examples.inventory.jobs.reports/DeviceConnectionsReport", "--local")
    assert outcome.exit_code == 0
    assert portal.result().class_path == "plugins/examples.inventory.jobs.reports/DeviceConnectionsReport"


@on_sqlite
def test_a_local_run_executes_what_it_asks_for_itself(portal, monkeypatch):
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    outcome = portal("runjob", "Squares", "--local", "-d", '{"count": 2}')
    assert outcome.exit_code == 0, outcome.output
    assert "\t\tinfo: 2 have ended.\n" in outcome.stdout
    assert "SUCCESS" in outcome.stdout


@on_sqlite
def test_a_local_run_is_not_put_on_the_queue(portal):
    portal("runjob", "Passes", "--local")
    result = portal.result()
    assert listed_ids(portal.settings, result.queue, result.priority) == []
    assert result.pushed_at is not None, "and no reconciler puts it there"


def test_a_queued_run_is_waited_for(portal, start_worker):
    start_worker()
    outcome = portal("runjob", "Stations", "-u", "alice", "--commit", "-d", '{"text": "x"}')
    assert outcome.exit_code == 0
    assert without_times(outcome.stdout) == SAVED
    result = portal.result()
    assert (result.username, result.commit, result.data["text"]) == ("alice", True, "x")


@on_sqlite
def test_without_commit_it_is_a_dry_run_whatever_the_job_says(portal):
    portal.change(JobRecord, commit_default=True)
    portal("runjob", "Passes", "--local", "-u", "alice")
    assert portal.result().commit is False


@on_sqlite
@pytest.mark.parametrize(
    ("job", "state", "cause"),
    [
        ("LogsAFailure", "FAILED", "Something is wrong."),
        ("SaysItFailed", "FAILED", "The host did not answer."),
        ("Raises", "ERRORED", "ValueError"),
        ("KillsItself", "ERRORED", "killed by signal 9"),
    ],
)
def test_what_did_not_succeed_says_so_and_the_exit_code_does_on_demand(portal, job, state, cause):
    path = portal.jobs[job]
    outcome = portal("runjob", job, "--local")
    assert outcome.exit_code == 0
    assert f"{path}: {state}\n" in outcome.stdout
    assert cause in outcome.stderr
    assert portal("runjob", job, "--local", "--exit-code").exit_code == 1


@on_sqlite
def test_a_success_exits_with_0_with_exit_code_too(portal):
    assert portal("runjob", "Passes", "--local", "--exit-code").exit_code == 0


@on_sqlite
@pytest.mark.parametrize(
    ("job", "arguments", "sentence"),
    [
        ("Passes", ["--commit"], "--username is mandatory when --commit is used"),
        ("Passes", ["-u", "alicia"], "No such user: 'alicia'. Did you mean alice?"),
        ("Passes", ["-d", "{"], "Invalid JSON data:"),
        ("Passes", ["-d", "[]"], "Invalid JSON data:"),
        ("Passes", ["-d", '{"x": 1}'], "x: Job data contained an unknown property"),
        ("Sensitive", [], "password: This field is required."),
        (
            "Passes",
            ["--ignore-singleton-lock"],
            "--ignore-singleton-lock: This job is no singleton: there is no lock to ignore.",
        ),
        ("local/endings/Pases", [], "Did you mean local/endings/Passes"),
        ("Pases", [], "Give the class path of a job"),
    ],
)
def test_what_cannot_be_asked_for_exits_with_2_and_stores_nothing(portal, job, arguments, sentence):
    outcome = portal("runjob", job, *arguments)
    assert outcome.exit_code == 2
    assert sentence in outcome.stderr
    assert outcome.stdout == ""
    assert portal.results() == []


@on_sqlite
def test_a_job_that_is_not_enabled_is_refused_to_everybody(portal):
    portal.change(JobRecord, enabled=False)
    for user in ([], ["-u", "alice"], ["-u", "root"]):
        outcome = portal("runjob", "Passes", "--local", *user)
        assert (outcome.exit_code, portal.results()) == (2, [])
        assert "Passes is not enabled to be run." in outcome.stderr


@on_sqlite
def test_a_disabled_user_is_nobody_to_run_as(portal):
    portal.change(User, active=False)
    outcome = portal("runjob", "Passes", "--local", "-u", "alice")
    assert (outcome.exit_code, portal.results()) == (2, [])
    assert "alice is disabled" in outcome.stderr


@on_sqlite
def test_what_a_job_wrote_moves_no_cursor_and_sets_no_title(portal):
    outcome = portal("runjob", "Shouts", "--local")
    assert re.search(r"\x1b|\x9b|\x07", outcome.stdout) is None
    assert "\t\twarning: first\n\t\t\tsecond\n" in outcome.stdout
    assert "red\n[" in outcome.stdout


@on_sqlite
def test_a_local_run_is_tried_again_as_its_job_says(portal):
    portal.change(JobRecord, max_retries=1, retry_delay=0.1)
    outcome = portal("runjob", "Raises", "--local")
    assert "ERRORED" in outcome.stdout
    assert "Attempt 1 of 2 errored" in outcome.stderr
    assert portal.result().attempt == 2


@on_sqlite
def test_while_no_worker_listens_it_says_so_and_ctrl_c_cancels(portal):
    process = portal.start("runjob", "Passes")
    portal.until("pending")
    assert process.stderr.readline() == "No worker listens on the queue default: the run waits for one.\n"
    interrupt(process)
    code, out, err = ended(process)
    assert code == 0
    assert err.startswith("Asked the run to cancel. Ctrl-C again leaves.\n")
    assert "CANCELED" in out
    result = portal.result()
    assert (result.status, result.cause) == (
        "canceled",
        "Canceled on the command line before it started.",
    )


@on_sqlite
def test_while_its_queue_is_paused_it_says_so(portal):
    CliRunner().invoke(main, ["queues", "pause", "default"], catch_exceptions=False)
    process = portal.start("runjob", "Passes")
    assert process.stderr.readline().startswith("The queue default is paused")
    interrupt(process)
    assert ended(process)[0] == 0


@on_sqlite
def test_while_redis_is_away_it_says_so(portal):
    gone = {**os.environ, "REDIS_URL": "redis://127.0.0.1:1/0"}
    process = portal.start("runjob", "Passes", env=gone)
    said = [process.stderr.readline(), process.stderr.readline()]
    assert said[1] == "Redis cannot be reached: the run starts when it is back.\n"
    interrupt(process)
    assert ended(process)[0] == 0


@on_sqlite
def test_a_local_run_waits_as_the_rules_of_its_job_say(portal, tmp_path):
    portal.change(JobRecord, concurrency_limit=1)
    folders = [tmp_path / "first", tmp_path / "second"]
    processes = []
    for folder in folders:
        folder.mkdir()
        processes.append(portal.start("runjob", "WaitsForFile", "--local", "-d", f'{{"folder": "{folder}"}}'))
        if folder is folders[0]:
            until(lambda: list(folders[0].glob("pid-*")), "the first has begun")
    assert processes[1].stderr.readline() == "The run waits until the rules of its job let it start.\n"
    assert not list(folders[1].glob("pid-*"))
    for folder in folders:
        (folder / "go").touch()
    assert ["SUCCESS" in ended(process)[1] for process in processes] == [True, True]


@on_sqlite
def test_ctrl_c_cancels_what_a_worker_runs(portal, start_worker, tmp_path):
    start_worker()
    process = portal.start("runjob", "WaitsForFile", "-d", f'{{"folder": "{tmp_path}"}}', "--exit-code")
    until(lambda: list(tmp_path.glob("pid-*")), "the job has begun")
    interrupt(process)
    assert ended(process)[0] == 1
    result = portal.result()
    assert (result.status, result.canceled_by) == ("canceled", None)
    assert result.cause.startswith("Canceled on the command line.")


@on_sqlite
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_cancels_a_local_run_and_leaves_nothing_running(portal, tmp_path, number):
    process = portal.start("runjob", "WaitsForFile", "--local", "-d", f'{{"folder": "{tmp_path}"}}')
    (mark,) = until(lambda: list(tmp_path.glob("pid-*")), "the job has begun")
    process.send_signal(number)
    code, out, err = ended(process)
    assert (code, "CANCELED" in out) == (0, True)
    assert "Asked the run to end." in err
    assert portal.result().cause.startswith("Canceled on the command line.")
    pid = mark.name.removeprefix("pid-")
    until(lambda: not _lives(pid), "its process is gone")


@on_sqlite
def test_a_second_ctrl_c_leaves_the_run_to_its_worker(portal, start_worker, tmp_path):
    start_worker()
    process = portal.start("runjob", "Stubborn", "-d", f'{{"folder": "{tmp_path}"}}')
    until(lambda: (tmp_path / "began").exists(), "the job has begun")

    interrupt(process)
    until_said(process, "Asked the run to cancel. Ctrl-C again leaves.")
    interrupt_again(process)
    code, _, err = ended(process)
    assert code == 130
    assert str(portal.result().id) in err
    (tmp_path / "go").touch()


def _lives(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@on_sqlite
def test_the_pages_say_where_a_run_without_a_name_comes_from(portal):
    portal("runjob", "Passes", "--local")
    for app in running(portal.settings):
        with portal.platform.session() as db:
            root = signed_in(app, db, db.scalars(select(User).where(User.superuser)).one())
        for page in (f"/results/{portal.result().id}", "/results/", f"/jobs/{portal.jobs['Passes']}/"):
            assert "Command line" in root.get(page).text, page


def test_it_reports_each_entry_once_however_many_there_are(portal):
    outcome = portal("runjob", "Chatty", "--local", "-u", "alice", "--commit", "-d", '{"lines": 1100}')
    lines = [line for line in outcome.stdout.splitlines() if line.startswith("\t\t")]
    assert lines == [f"\t\tinfo: line {number}" for number in range(1, 1101)]


def test_a_job_of_the_second_dialect_needs_a_name_and_no_commit(portal):
    outcome = portal("runjob", "DryRuns", "--local")
    assert outcome.exit_code == 2
    assert "--username is mandatory: this job always saves what it changes." in outcome.stderr
    for arguments in ([], ["--commit"]):
        assert portal("runjob", "DryRuns", "--local", "--username", "alice", *arguments).exit_code == 0
    assert [result.commit for result in portal.results()] == [True, True]
