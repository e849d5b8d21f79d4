"""From a stored row to its end, in one process."""

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import delete

from store.models import JobRecord, JobResult, User
from tests.waiting import until
from tests.worker.conftest import Portal, StartWorker

pytestmark = pytest.mark.in_turn


def test_a_run_that_passes_is_completed_with_its_return_value(portal: Portal):
    result = portal.run("Passes")
    assert (result.status, result.return_value, result.output) == (
        "completed",
        {"answer": 42},
        "\n{'answer': 42}",
    )
    assert result.cause
    assert result.attempt == 1
    assert result.started_at <= result.finished_at
    assert len(result.code_digest) == 64


def test_stations_are_visited_in_the_order_they_are_written(portal: Portal):
    result = portal.run("Stations", raw={"text": "x"})
    assert portal.messages(result) == [
        ("default", "run", "plain"),
        ("debug", "run", "debug"),
        ("info", "run", "info with `code`"),
        ("success", "run", "success"),
        ("warning", "run", "by logger"),
        ("info", "test_zebra", "zebra"),
        ("warning", "another group", "apple"),
        ("success", "post_run", "failed=False kept=[1, 2]"),
    ]
    assert result.output == "\nfirst\nsecond\nthird"
    assert result.return_value == "first\nsecond"
    assert result.results == {"kept": [1, 2]}


def test_entries_are_numbered_counted_and_grouped(portal: Portal):
    result = portal.run("Stations")
    assert [entry.seq for entry in portal.entries(result)] == list(range(1, 9))
    assert result.last_seq == 8
    assert result.families == {"debug": 2, "info": 2, "success": 2, "warning": 2, "failure": 0}
    groups = portal.groups(result)
    assert [(group.name, group.first_seq) for group in groups] == [
        ("run", 1),
        ("test_zebra", 6),
        ("another group", 7),
        ("post_run", 8),
    ]
    assert sum(sum(group.counts.values()) for group in groups) == 8


def test_entries_are_rendered_and_carry_their_object(portal: Portal):
    entries = portal.entries(portal.run("Stations"))
    assert entries[2].html == "<p>info with <code>code</code></p>"
    assert (entries[3].object_text, entries[3].object_url) == ("an object", None)


def test_many_entries_arrive_without_gaps(portal: Portal):
    result = portal.run("Chatty", raw={"lines": 1234})
    assert [entry.message for entry in portal.entries(result)] == [f"line {n}" for n in range(1, 1235)]
    assert result.count_info == 1234
    assert [group.count_info for group in portal.groups(result)] == [1234]


def test_a_logged_failure_ends_as_failed_and_the_job_goes_on(portal: Portal):
    result = portal.run("LogsAFailure")
    assert result.status == "failed"
    assert portal.messages(result)[-1] == ("info", "run", "It goes on.")


def test_a_job_may_say_that_it_failed(portal: Portal):
    result = portal.run("SaysItFailed")
    assert (result.status, result.cause) == ("failed", "The host did not answer.")


def test_an_exception_ends_as_errored_with_a_traceback_and_post_run_still_runs(portal: Portal):
    result = portal.run("Raises")
    assert result.status == "errored"
    assert "ValueError" in result.cause
    levels = [(level, grouping) for level, grouping, _ in portal.messages(result)]
    assert levels == [("failure", "run"), ("info", "run"), ("info", "post_run")]
    entries = portal.entries(result)
    assert "Traceback" in entries[0].message
    assert "endings.py" in entries[0].message
    assert "<b>" not in entries[0].html
    assert entries[1].message == "Database changes have been reverted due to error."


def test_an_abort_is_no_error(portal: Portal):
    assert portal.run("Aborts").status == "completed"


def test_exit_ends_as_errored(portal: Portal):
    result = portal.run("Exits")
    assert (result.status, "exit(3)" in result.cause) == ("errored", True)


def test_the_time_limit_ends_a_job_that_swallows_exceptions(portal: Portal):
    result = portal.run("TooSlow")
    assert (result.status, "0.3 seconds" in result.cause) == ("errored", True)
    assert portal.messages(result) == []


def test_a_return_value_that_is_no_json_is_noted_and_not_lost_the_run(portal: Portal):
    result = portal.run("ReturnsNoJson")
    assert (result.status, result.return_value) == ("completed", None)
    assert "type set" in portal.messages(result)[-1][2]


def test_a_second_delivery_finds_nothing(portal: Portal):
    result = portal.run("Passes")
    again = portal.execute(result)
    assert (again.attempt, again.finished_at) == (1, result.finished_at)
    assert len(portal.entries(result)) == 1


def test_a_job_disabled_while_its_run_waited_is_not_run(portal: Portal):
    result = portal.submit("Passes")
    with portal.platform.session() as db:
        db.get_one(JobRecord, portal.jobs["Passes"].id).enabled = False
        db.commit()
    assert portal.execute(result).status == "errored"
    assert portal.messages(result) == [("failure", "initialization", "Job Passes is not enabled to be run!")]


def test_a_user_deactivated_while_the_run_waited_runs_nothing(portal: Portal):
    result = portal.submit("Passes")
    with portal.platform.session() as db:
        db.get_one(User, portal.cast["alice"].id).active = False
        db.commit()
    result = portal.execute(result)
    assert (result.status, "alice may not" in result.cause) == ("errored", True)


@pytest.mark.parametrize("commit", [True, False])
def test_the_end_says_whether_changes_were_saved(portal: Portal, commit: bool):
    result = portal.run("Passes", commit=commit)
    reverted = ("info", "run", "Database changes have been reverted automatically.")
    assert (reverted in portal.messages(result)) is not commit


def test_sensitive_inputs_are_sealed_until_the_run_ends(portal: Portal):
    result = portal.submit("Sensitive", raw={"password": "open sesame"})
    assert (result.data, result.sensitive) == ({}, True)
    assert b"sesame" not in result.sealed_data
    ended = portal.execute(result)
    assert (ended.status, ended.sealed_data, ended.data) == ("completed", None, {})
    assert portal.messages(result) == [("success", "run", "11 characters")]


def test_a_worker_with_another_key_says_so(portal: Portal):
    result = portal.submit("Sensitive", raw={"password": "open sesame"})
    portal.settings = replace(portal.settings, secret_key="another key altogether")
    ended = portal.execute(result)
    assert (ended.status, "SECRET_KEY" in ended.cause, ended.sealed_data) == ("errored", True, None)


def test_a_canceled_run_keeps_no_sensitive_inputs(portal: Portal):
    result = portal.submit("Sensitive", raw={"password": "open sesame"})
    portal.cancel(result)
    assert portal.result(result).sealed_data is None


def test_a_job_that_swallows_its_limit_is_still_errored(portal: Portal):
    result = portal.run("SwallowsEverything")
    assert (result.status, "time limit of 0.3" in result.cause) == ("errored", True)


def test_what_no_database_takes_never_loses_the_end(portal: Portal, start_worker: StartWorker):
    expected = {
        "nul": "completed",
        "surrogate": "completed",
        "nan": "completed",
        "raise": "errored",
        "cause": "failed",
    }
    results = {kind: portal.submit("ReturnsWhatNoDatabaseTakes", raw={"kind": kind}) for kind in expected}
    assert start_worker("--burst").wait(60) == 0
    assert {kind: portal.status(result) for kind, result in results.items()} == expected
    kept = portal.result(results["nul"])
    assert (kept.return_value, kept.output) == ("a\ufffdb", "\na\ufffdb")
    assert portal.entries(results["nul"])[0].object_url is None


def test_a_process_that_the_job_forked_neither_ends_the_run_nor_logs(
    portal: Portal, start_worker: StartWorker
):
    results = [portal.submit("ForksAndExits"), portal.submit("ForksAndLogs")]
    assert start_worker("--burst").wait(60) == 0
    assert [portal.status(result) for result in results] == ["completed", "completed"]
    assert [line[2] for result in results for line in portal.messages(result)] == ["still here", "status 42"]


def test_a_deleted_result_takes_its_entries_along(portal: Portal):
    result = portal.run("Stations")
    with portal.platform.session() as db:
        db.execute(delete(JobResult).where(JobResult.id == result.id))
        db.commit()
    assert (portal.entries(result), portal.groups(result)) == ([], [])


def test_a_job_gone_while_its_run_waited_ends_before_its_code(portal: Portal):
    result = portal.submit("Passes")
    with portal.platform.session() as db:
        db.get_one(JobRecord, portal.jobs["Passes"].id).installed = False
        db.commit()
    assert portal.execute(result).status == "errored"
    assert "Unable to locate job" in portal.messages(result)[0][2]


def test_a_run_whose_job_is_removed_meanwhile_ends_as_it_would_and_is_kept(
    portal: Portal, tmp_path: Path, start_worker: StartWorker
):
    result = portal.submit("WaitsForFile", raw={"folder": str(tmp_path)})
    worker = start_worker("--burst")
    until(lambda: portal.status(result) == "running" and portal.entries(result), "the job waits")
    with portal.platform.session() as db:
        db.execute(delete(JobRecord).where(JobRecord.id == result.job_id))
        db.commit()
    (tmp_path / "go").touch()
    assert worker.wait(60) == 0
    ended = portal.result(result)
    assert (ended.status, ended.job_id, ended.name) == ("completed", None, "WaitsForFile")
