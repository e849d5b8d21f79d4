"""Jobs that die, take others along, leave things behind or meddle: the run ends truthfully, the worker lives on."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from store.settings import load_settings
from tests.waiting import until
from tests.worker.conftest import Portal, StartWorker
from worker import frames, heard, supervisor
from worker.host import marked_processes, start_time, this_process
from worker.ownership import claim
from worker.reconciler import Reconciler

pytestmark = pytest.mark.parametrize("live", ["sqlite"], indirect=True)


def pid_in(folder: Path) -> int:
    [marker] = until(lambda: list(folder.glob("pid-*")), "the job has left something")
    return int(marker.name.removeprefix("pid-"))


# --- Ends ---


@pytest.mark.parametrize(
    ("how", "cause"),
    [
        ("exits 0", "The job's process exited with status 0 without a result."),
        ("segfault", "The job's process was killed by signal 11, Segmentation fault."),
        ("abort", "The job's process was killed by signal 6, Aborted."),
        ("kill", "The job's process was killed by signal 9, Killed (out of memory, or by hand?)."),
        ("group", "The job's process was killed by signal 9, Killed (out of memory, or by hand?)."),
        (
            "parent",
            "The process that the worker's jobs come from (their parent) was killed, and the job's with it: "
            "a job must end only processes that it has started.",
        ),
    ],
)
def test_a_job_that_dies_is_errored_with_its_log_and_the_next_one_runs(portal: Portal, how: str, cause: str):
    result = portal.run("Dies", raw={"how": how})
    assert (result.status, result.cause) == ("errored", f"{cause} None of its changes were saved.")
    messages = [message for _, _, message in portal.messages(result)]
    assert messages[0] == "about to die"
    # Where in the code it happened.
    assert any("poison.py" in message for message in messages) is (how in ("segfault", "abort"))
    assert portal.run("Passes").status == "completed"


def test_a_job_that_kills_its_worker_is_ended_by_another(
    portal: Portal, start_worker: StartWorker, tmp_path: Path
):
    result = portal.submit("Leaves", raw={"folder": str(tmp_path), "what": "daemon", "ends": "kills worker"})
    worker = start_worker()
    daemon = pid_in(tmp_path)
    assert worker.wait(30) == -signal.SIGKILL
    assert start_time(daemon), "a daemon outlives the worker it came from"
    assert Reconciler(portal.settings, portal.platform).run_once().ended == [result.id]
    ended = portal.result(result)
    assert (ended.status, f"The worker {ended.worker} died while it ran this job." in ended.cause) == (
        "errored",
        True,
    )
    until(lambda: start_time(daemon) is None, "the daemon was killed before the end was written")
    assert marked_processes("ERRAND_WORKER", ended.worker) == []
    # Nobody runs it again: it says nowhere that it may.
    assert Reconciler(portal.settings, portal.platform).run_once().ended == []


def test_an_exception_whose_text_breaks_is_still_named(portal: Portal):
    result = portal.run("RaisesWithoutText")
    assert (result.status, result.cause) == (
        "errored",
        "The job raised Evil: (Evil without a text: ZeroDivisionError)",
    )
    assert "poison.py" in portal.messages(result)[0][2]


def test_a_job_that_breaks_when_it_is_made_is_errored_with_a_traceback(portal: Portal):
    result = portal.run("BreaksWhenMade")
    assert (result.status, "ValueError: not today" in result.cause) == ("errored", True)
    [(level, grouping, message)] = portal.messages(result)
    assert (level, grouping, "poison.py" in message) == ("failure", "initialization", True)


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("set", "type set does not fit into JSON"),
        ("huge", "more than 1,000,000 bytes"),
        ("deep", "nested more than 100 levels deep"),
        ("very deep", "type list does not fit into JSON"),
        ("circle", "type list does not fit into JSON"),
        ("undecided", "type Undecided does not fit into JSON"),
    ],
)
def test_a_return_value_that_cannot_be_kept_is_noted_and_the_run_completes(
    portal: Portal, what: str, said: str
):
    result = portal.run("Returns", raw={"what": what})
    assert (result.status, result.return_value) == ("completed", None)
    assert said in portal.messages(result)[-1][2]
    assert len(result.output) < 1_100_000


def test_a_return_value_is_cleaned(portal: Portal):
    assert portal.run("Returns", raw={"what": "surrogate"}).return_value == {"\ufffd": "\ufffd\ufffd"}


def test_a_file_broken_since_is_shown_with_its_traceback(
    portal: Portal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    folder = tmp_path / "edited"
    folder.mkdir()
    (folder / "edited.py").write_text(
        "from jobs import Job\nclass Edited(Job):\n    def run(self):\n        pass\n"
    )
    monkeypatch.setenv("JOBS_ROOT", str(folder))
    another = Portal.__new__(Portal)
    another.__dict__.update(portal.__dict__, settings=load_settings(), _supervisor=None)
    from tests.conftest import load_fixture_jobs

    with portal.platform.session() as db:
        another.jobs = load_fixture_jobs(db, another.settings)
    try:
        assert another.run("Edited").status == "completed"
        results = [another.submit("Edited"), another.submit("Edited")]
        (folder / "edited.py").write_text("def broken(:\n")
        broken = another.execute(results[0])
        (folder / "edited.py").write_text("from jobs import Job\n")
        gone = another.execute(results[1])
    finally:
        another.close()
    assert (broken.status, "SyntaxError" in broken.cause) == ("errored", True)
    [(level, _, message)] = another.messages(broken)
    assert (level, "Traceback" in message, "def broken(:" in message) == ("failure", True, True)
    assert (gone.status, "has no job Edited any more" in gone.cause) == ("errored", True)


# --- What is left running ---


@pytest.mark.parametrize("ends", ["well", "hangs"])
def test_nothing_that_a_job_leaves_running_outlives_its_run(
    portal: Portal, start_worker: StartWorker, tmp_path: Path, ends: str
):
    kinds = ["process", "daemon", "ignorant", "writer"]
    results = {}
    for kind in kinds:
        (tmp_path / kind).mkdir()
        results[kind] = portal.submit(
            "Leaves", raw={"folder": str(tmp_path / kind), "what": kind, "ends": ends}
        )
    last = portal.submit("Passes")
    worker = start_worker()
    for kind in kinds:
        pid = pid_in(tmp_path / kind)
        if ends == "hangs":
            until(lambda kind=kind: portal.entries(results[kind]), "the job began")
            portal.cancel(results[kind])
        until(lambda kind=kind: portal.result(results[kind]).finished, "the run ended")
        assert start_time(pid) is None, kind
    until(lambda: portal.result(last).finished, "the next run ended")
    expected = {"well": "completed", "hangs": "canceled"}[ends]
    assert {kind: portal.status(result) for kind, result in results.items()} == dict.fromkeys(kinds, expected)
    if ends == "well":
        for kind in kinds:
            assert any("left running" in line[2] for line in portal.messages(results[kind])), kind
    name = portal.result(last).worker
    worker.terminate()
    assert worker.wait(30) == 0
    assert marked_processes("ERRAND_WORKER", name) == []


def test_a_thread_left_running_is_gone_with_its_process(portal: Portal):
    first = portal.run("LeavesAThread")
    assert first.status == "completed"
    until(lambda: start_time(first.return_value) is None, "its process has ended")
    after = portal.run("Passes")
    assert portal.messages(after) == [("success", "run", "All is well.")]


# --- Files and the line ---


def test_a_job_that_closes_the_line_is_told_so(portal: Portal):
    for what in ("others", "line and sleeps", "all and returns"):
        result = portal.run("Closes", raw={"what": what})
        assert (result.status, "closed the line to its worker" in result.cause) == ("errored", True), what
    assert portal.run("Passes").status == "completed"


def test_a_job_that_closes_its_output_goes_on(portal: Portal):
    result = portal.run("Closes", raw={"what": "output"})
    assert (result.status, [line[2] for line in portal.messages(result)]) == (
        "completed",
        ["as ever", "as ever"],
    )
    after = portal.run("Prints", raw={"how": "past_python"})
    assert "by a program" in [line[2] for line in portal.messages(after)]


@pytest.mark.parametrize(
    "frame",
    [
        "garbage",
        "[]",
        "{}",
        "[[]]",
        '["unheard of"]',
        '["stale"]',
        '["code", 1]',
        '["code", "\ud83d"]',
        '["e"]',
        '["e", "info", "run", "x", "many", null, null, 0.0, true]',
        '["end"]',
        '["end", [], {}]',
        "[" * 5_000,
        '["e"],["e"]',
    ],
)
def test_a_job_that_writes_to_the_line_is_errored(portal: Portal, frame: str):
    result = portal.run("Writes", raw={"frames": frame.encode("utf-8", "replace").decode()})
    assert (result.status, "wrote to the line to its worker" in result.cause) == ("errored", True)
    assert portal.messages(result)[0] == ("info", "run", "began")
    assert result.attempt == 1
    assert portal.run("Passes").status == "completed"


def test_a_job_that_writes_to_every_file_it_finds_is_errored(portal: Portal):
    result = portal.run("Writes", raw={"frames": "everywhere", "everywhere": True})
    assert (result.status, "wrote to the line" in result.cause) == ("errored", True)
    assert portal.run("Passes").status == "completed"


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
KINDS = st.sampled_from(["e", "code", "unlink", "commit", "stale", "end", "step", "value", "x"])
ENTRIES = st.tuples(
    st.just("e"),
    st.sampled_from(["info", "failure"]) | ANYTHING,
    st.text() | ANYTHING,
    st.text() | ANYTHING,
    st.integers() | ANYTHING,
    st.none() | st.text() | ANYTHING,
    st.none() | st.text() | ANYTHING,
    st.floats() | ANYTHING,
    st.booleans() | ANYTHING,
).map(list)
ENDS = st.tuples(
    st.just("end"),
    st.fixed_dictionaries(
        {},
        optional=dict.fromkeys(("status", "cause", "return_value", "output", "results", "changes"), ANYTHING),
    ),
    st.lists(ANYTHING, max_size=3),
).map(list)
STEPS = st.tuples(st.just("step"), st.text(), st.floats() | ANYTHING, st.floats() | ANYTHING).map(list)
VALUES = st.tuples(st.just("value"), st.sampled_from(["get", "set", "keys"]), st.text(), st.text()).map(list)
FRAMES = (
    ENTRIES
    | ENDS
    | STEPS
    | VALUES
    | st.builds(lambda kind, rest: [kind, *rest], KINDS, st.lists(ANYTHING, max_size=9))
)


class _Child:
    """As much of a child as `_hear` wants to know."""

    def __init__(self) -> None:
        self.runs = 1
        self.line = self

    def sendall(self, data: bytes) -> None:
        json.loads(data)

    def settimeout(self, seconds: float) -> None:
        """It takes everything at once."""

    setblocking = settimeout


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(frame=FRAMES)
def test_no_frame_breaks_the_watch(portal: Portal, frame: list[Any]):
    if not hasattr(portal, "fuzzed"):
        portal.fuzzed = claim(
            portal.platform, portal.submit("Passes").id, worker="w-1", process=this_process()
        )
    watch = supervisor._Watch(portal.supervisor(), portal.fuzzed)
    try:
        watch._hear(_Child(), json.loads(json.dumps(frame)))
    except frames.BrokenLine:
        return
    for entry in watch._log._waiting:
        row = watch._log._row(1, entry)
        assert len(row.message) <= 64_100
        row.message.encode(), row.grouping.encode(), (row.object_text or "").encode()
    if watch._outcome is not None:
        values = heard.outcome_values(watch._outcome, watch._mask)
        assert values["status"] in ("completed", "failed", "errored")
        assert isinstance(values["results"], dict)


def test_ends_that_no_database_takes_are_written_all_the_same(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
):
    """What the fuzz above lets through reaches the database: the worst of it, once."""
    ended = {"status": [], "cause": "\ud800\x00", "return_value": "\ud800", "output": ["\x00"], "results": 1}
    hear = supervisor._Watch._hear

    def twisted(watch: Any, child: Any, frame: list[Any]) -> None:
        hear(watch, child, ["end", ended, []] if frame[0] == "end" else frame)

    monkeypatch.setattr(supervisor._Watch, "_hear", twisted)
    result = portal.run("Passes")
    assert (result.status, result.cause, result.return_value) == ("errored", "\ufffd\ufffd", "\ufffd")
