"""Commands as workers run them: their limits, their secrets, their files, and what they leave behind."""

import io
import threading
from dataclasses import replace

import pytest
from sqlalchemy import update

from jobs.errors import InvalidData
from jobs.files import Upload
from store.files import file_store
from store.models import JobRecord, JobResult, RunFile, RunReport
from tests.waiting import until
from tests.worker.conftest import Portal
from worker.host import start_time

pytestmark = pytest.mark.parametrize("live", ["sqlite"], indirect=True)

HOSTILE = """; rm -rf / $(touch x) `id` | & > < * ? ~ ! # \\ " ' {text} {{}} %s ü 🙂 \x1b
--help"""


def files(portal: Portal, result: JobResult) -> dict[str, bytes]:
    with portal.platform.reading() as db:
        rows = db.query(RunFile).filter_by(result_id=result.id, variable=None).all()
        store = file_store(portal.settings, portal.platform.engine)
        return {row.name: store.open(row.key).read() for row in rows}


def test_what_a_command_says_is_in_the_log_and_in_two_files(portal: Portal):
    result = portal.run("says", raw={"text": "a; b\n$(c)", "code": 0})
    assert (result.status, result.cause) == ("completed", "The command ended with exit code 0.")
    assert result.return_value == {"exit_code": 0}
    entries = [(entry.level, entry.grouping, entry.message) for entry in portal.entries(result)]
    assert [text for level, group, text in entries if (level, group) == ("info", "stdout")] == [
        "a; b",
        "$(c)",
    ]
    assert ("info", "stderr", "oh") in entries
    assert files(portal, result) == {
        "stdout": b"a; b\n$(c)\n\n",
        "stderr": b"oh\n",
        "kept.txt": b"a; b\n$(c)",
    }


@pytest.mark.parametrize("text", [HOSTILE, "x" * 100_000, "ü" * 65_535], ids=["signs", "100 KB", "128 KiB"])
def test_a_value_stays_one_argument_whatever_it_holds(portal: Portal, text: str):
    result = portal.run("says", raw={"text": text})
    assert result.status == "completed", result.cause
    assert files(portal, result)["kept.txt"].decode() == text


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a\0b", "Null characters are not allowed."),
        ("ü" * 65_536, "This text is too long for a command: it has more than 131,071 bytes."),
    ],
)
def test_what_no_argument_can_be_is_refused_before_a_run(portal: Portal, text: str, sentence: str):
    with pytest.raises(InvalidData) as refusal:
        portal.submit("says", raw={"text": text, "token": text})
    assert refusal.value.errors == {"text": [sentence], "token": [sentence]}


def test_an_exit_code_that_is_not_expected_fails_the_run(portal: Portal):
    result = portal.run("says", raw={"text": "x", "code": 3})
    assert (result.status, result.cause) == ("failed", "The command ended with exit code 3.")
    assert result.return_value == {"exit_code": 3}
    assert set(files(portal, result)) == {"stdout", "stderr", "kept.txt"}


def test_secrets_are_in_no_entry_and_in_no_file_of_its_output(portal: Portal):
    result = portal.run("says", raw={"text": "x", "token": "hunter2-hunter2"})
    assert result.status == "completed"
    assert all("hunter2" not in entry.message for entry in portal.entries(result))
    stdout = files(portal, result)["stdout"]
    assert (stdout.startswith(b"x\n"), b"hunter2" in stdout, len(stdout) > 4) == (True, False, True)
    with portal.platform.reading() as db:
        [report] = db.query(RunReport).filter_by(result_id=result.id).all()
    assert [piece["kind"] for piece in report.data["pieces"]] == ["code"]
    assert "hunter2" not in str(report.data)


def test_an_output_that_is_too_long_is_cut_and_said_to_be(portal: Portal):
    portal.settings = replace(portal.settings, created_file_bytes=1_000)
    result = portal.run("says", raw={"text": "x" * 3_000})
    assert len(files(portal, result)["stdout"]) == 1_000
    warnings = [entry.message for entry in portal.entries(result) if entry.level == "warning"]
    assert warnings[0] == "The file stdout was cut: 2 KB more did not fit."
    assert "kept.txt was not kept: The file is larger than 1000 bytes" in warnings[1]


def test_a_file_among_the_inputs_is_given_by_its_path(portal: Portal):
    upload = Upload("-rf; x.csv", io.BytesIO(b"12345"), "text/csv")
    result = portal.run("counts", raw={"file": upload})
    [line] = [entry.message for entry in portal.entries(result) if entry.grouping == "stdout"]
    assert (line.startswith("5 /"), line.endswith("/input/file/-rf; x.csv")) == (True, True)


def test_a_soft_limit_ends_the_command_with_all_that_it_started(portal: Portal):
    with portal.platform.session() as db:
        db.execute(update(JobRecord).where(JobRecord.class_name == "lingers").values(soft_time_limit=0.3))
        db.commit()
    result = portal.run("lingers")
    assert result.status == "errored"
    assert "the soft time limit of 0.3 seconds was reached" in result.cause
    pid, cleaned = files(portal, result)["stdout"].decode().split()
    assert (start_time(int(pid)), cleaned) == (None, "cleaning")


def test_a_cancel_ends_the_command_and_keeps_what_it_has_said(portal: Portal):
    result = portal.submit("lingers")

    def cancel() -> None:
        until(lambda: [entry for entry in portal.entries(result) if entry.grouping == "stdout"], "it began")
        portal.cancel(result)
        portal.supervisor().look()

    canceling = threading.Thread(target=cancel)
    canceling.start()
    ended = portal.execute(result)
    canceling.join()
    assert (ended.status, ended.cause) == (
        "canceled",
        "Canceled by alice. None of its changes were saved.",
    )
    pid, cleaned = files(portal, result)["stdout"].decode().split()
    assert (start_time(int(pid)), cleaned) == (None, "cleaning")
