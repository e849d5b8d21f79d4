"""What only a job's code can answer is asked of a process that may hang or crash, and harms nobody then."""

import dataclasses
import os
import signal
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from store.settings import Settings
from tests.waiting import until
from worker import helper
from worker.helper import HelperFailed, ask
from worker.host import marked_processes, start_time

Write = Callable[[str], None]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine a helper may take long to start; that alone must fail no test here."""
    monkeypatch.setattr(helper, "READY_SECONDS", 60.0)


@pytest.fixture
def asking(settings: Settings, tmp_path: Path) -> Settings:
    folder = tmp_path / "jobs"
    folder.mkdir()
    return dataclasses.replace(settings, jobs_roots=(folder,))


@pytest.fixture
def write(asking: Settings) -> Write:
    """Write the function `listed` of the only job file there is."""

    def write(body: str) -> None:
        code = textwrap.indent(textwrap.dedent(body).strip(), "    ")
        (asking.jobs_roots[0] / "job.py").write_text(
            "import os, signal, subprocess, sys, time\n"
            "from jobs import ChoiceVar, Job, StringVar\n"
            f"def listed():\n{code}\n"
            "class Listed(Job):\n    choice = ChoiceVar(choices=listed)\n    text = StringVar(default=listed)\n"
        )

    return write


@pytest.fixture
def choices(asking: Settings) -> Callable[..., Any]:
    def choices(**options: Any) -> Any:
        return ask(asking, "local/job/Listed", "choices", {"variable": "choice"}, **options)

    return choices


@pytest.fixture
def alone() -> Iterator[None]:
    """Begin and end without helpers."""
    helper.stop()
    yield
    helper.stop()


def failure(choices: Callable[..., Any], **options: Any) -> HelperFailed:
    with pytest.raises(HelperFailed) as failed:
        choices(**options)
    return failed.value


def helper_names() -> set[str]:
    return {each._children._worker for each in helper._helpers.values()}


def living() -> list[int]:
    return [pid for name in helper_names() for pid in marked_processes("ERRAND_WORKER", name)]


def test_a_function_is_asked_for_its_choices(write: Write, choices: Callable[..., Any]):
    write("return [('a', 'A'), ('More', (('b', 2),))]")
    assert choices() == [["a", "A"], ["More", [["b", "2"]]]]


def test_one_child_answers_many_questions(write: Write, choices: Callable[..., Any]):
    write("return [(os.getpid(), '')]")
    assert len({choices()[0][0] for _ in range(10)}) == 1


def test_an_edited_file_is_asked_afresh(write: Write, choices: Callable[..., Any]):
    write("return [('before', '')]")
    assert choices() == [["before", ""]]
    write("return [('after', '')]")
    assert choices() == [["after", ""]]


def test_what_code_raises_is_told_with_its_traceback_apart(write: Write, choices: Callable[..., Any]):
    write("raise ValueError('nobody knows')")
    failed = failure(choices)
    assert str(failed) == "the job's code raised ValueError: nobody knows"
    assert "in listed" in failed.details


@pytest.mark.parametrize(
    ("body", "clause"),
    [
        ("os._exit(3)", "ended its process with exit status 3"),
        ("sys.exit(3)", "called exit(3)"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "killed by signal 11"),
        ("os.closerange(3, 100)", "closed files that were not its own"),
        ("os.kill(os.getppid(), signal.SIGKILL)\ntime.sleep(60)", "killed by signal 9"),
        ("return 'text'", "did not return a list of (value, label) pairs"),
        ("return [('a', 'A')] * 20_000", "returned more than 10,000 choices"),
        ("b = bytearray(2 * 1024**3)", "needs more than 512 MB of memory"),
    ],
)
def test_hostile_code_harms_nobody(write: Write, choices: Callable[..., Any], body: str, clause: str):
    write(body)
    assert clause in str(failure(choices))
    write("return [('fine', '')]")
    assert choices() == [["fine", ""]]


def test_memory_that_grows_slowly_is_noticed_too(
    write: Write, choices: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(helper, "MEMORY_LIMIT_MB", 60.0)
    write(
        """
        b = bytearray(os.urandom(1024**2) * 100)
        while True:
            time.sleep(0.01)
        """
    )
    # Noticed from within or from outside, whichever comes first.
    assert "more than 60 MB" in str(failure(choices, seconds=20))


@pytest.mark.parametrize(
    "body",
    [
        "while True:\n    time.sleep(0.01)",
        "signal.signal(signal.SIGALRM, signal.SIG_IGN)\nwhile True:\n    time.sleep(0.01)",
        "while True:\n    os.write(1, b'x' * 10_000)",
        "while True:\n    try:\n        time.sleep(60)\n    except Exception:\n        pass",
    ],
)
def test_code_that_hangs_is_stopped(write: Write, choices: Callable[..., Any], body: str):
    write(body)
    helper_is_up(choices)
    began = time.monotonic()
    assert "took longer than" in str(failure(choices, seconds=0.5))
    assert time.monotonic() - began < 5
    write("return []")
    assert choices() == []


def helper_is_up(choices: Callable[..., Any]) -> None:
    """Have a helper started, with whatever answer."""
    with pytest.raises(HelperFailed):
        choices(seconds=0.01)


def test_where_code_hung_is_told(write: Write, choices: Callable[..., Any]):
    write("while True:\n    time.sleep(0.01)")
    assert "in listed" in failure(choices, seconds=0.3).details


@pytest.mark.parametrize("module", ["raise OSError('no disk')", "import sys; sys.exit(1)", "def ("])
def test_a_file_that_cannot_be_loaded_says_so(asking: Settings, choices: Callable[..., Any], module: str):
    (asking.jobs_roots[0] / "job.py").write_text(module)
    assert "the job's file cannot be loaded" in str(failure(choices))


def test_a_file_that_is_gone_says_so(choices: Callable[..., Any]):
    assert "Unable to locate job local/job/Listed" in str(failure(choices))


def test_what_code_prints_reaches_nobody(
    write: Write, choices: Callable[..., Any], capfd: pytest.CaptureFixture[str]
):
    write(
        """
        print('loud ' * 100_000)
        os.write(1, b'loud ' * 100_000)
        subprocess.run(['echo', 'loud'])
        return []
        """
    )
    assert choices() == []
    assert "loud" not in "".join(capfd.readouterr())


def test_what_code_leaves_running_is_ended_with_its_process(
    write: Write, choices: Callable[..., Any], tmp_path: Path
):
    write(
        """
        child = subprocess.Popen(['sleep', '600'])
        return [(str(child.pid), str(os.getpid()))]
        """
    )
    [[stray, first]] = choices()
    until(lambda: start_time(int(stray)) is None, "the stray ended")
    assert start_time(int(first)) is None


def test_threads_that_ask_at_once_each_get_their_answer(
    asking: Settings, write: Write, choices: Callable[..., Any]
):
    for number in range(12):
        (asking.jobs_roots[0] / f"number_{number}.py").write_text(
            "from jobs import ChoiceVar, Job\n"
            f"class Listed(Job):\n    choice = ChoiceVar(choices=lambda: [('{number}', '')])\n"
        )

    def one(number: int) -> Any:
        path = f"local/number_{number}/Listed"
        return [ask(asking, path, "choices", {"variable": "choice"}, seconds=30.0)[0][0] for _ in range(5)]

    with ThreadPoolExecutor(12) as threads:
        assert list(threads.map(one, range(12))) == [[str(number)] * 5 for number in range(12)]


def test_code_that_hangs_keeps_nobody_else_waiting(
    asking: Settings, write: Write, choices: Callable[..., Any]
):
    write("open('" + str(asking.jobs_roots[0] / "hangs") + "', 'w').close()\ntime.sleep(600)")
    (asking.jobs_roots[0] / "other.py").write_text(
        "from jobs import ChoiceVar, Job\n"
        "class Listed(Job):\n    choice = ChoiceVar(choices=lambda: [('other', '')])\n"
    )
    with ThreadPoolExecutor(1) as threads:
        hanging = threads.submit(failure, choices, seconds=10.0)
        until((asking.jobs_roots[0] / "hangs").exists, "the code hangs")
        assert ask(asking, "local/other/Listed", "choices", {"variable": "choice"}) == [["other", ""]]
        assert not hanging.done()
        helper.stop()
        assert str(hanging.result())


@pytest.mark.usefixtures("alone")
def test_who_is_asked_when_another_s_code_kills_the_nursery_is_asked_again(
    asking: Settings, write: Write, choices: Callable[..., Any], tmp_path: Path
):
    write(
        f"""
        with open('{tmp_path}/asked', 'a') as file:
            file.write('x')
        while not os.path.exists('{tmp_path}/go'):
            time.sleep(0.01)
        return [('answered', '')]
        """
    )
    asked = tmp_path / "asked"
    with ThreadPoolExecutor(1) as threads:
        answer = threads.submit(choices, seconds=30.0)
        until(asked.exists, "it was asked")
        [nursery] = [pid for each in helper._helpers.values() for pid in each._children._nursery_pid()]
        os.kill(nursery, signal.SIGKILL)
        until(lambda: asked.read_text() == "xx", "it was asked again")
        (tmp_path / "go").touch()
        assert answer.result() == [["answered", ""]]


@pytest.mark.usefixtures("alone")
def test_the_helper_outlives_the_thread_that_started_it(write: Write, choices: Callable[..., Any]):
    write("return [(os.getppid(), '')]")
    answers = []
    thread = threading.Thread(target=lambda: answers.append(choices()))
    thread.start()
    thread.join()
    assert [choices()] == answers


@pytest.mark.usefixtures("alone")
def test_a_helper_that_nobody_asks_ends(
    write: Write, choices: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(helper, "IDLE_SECONDS", 0.2)
    write("return []")
    assert choices() == []
    until(lambda: not living(), "the helper ended")
    assert choices() == []


@pytest.mark.usefixtures("alone")
def test_nothing_is_started_before_the_first_question_and_nothing_stays(
    write: Write, choices: Callable[..., Any]
):
    assert helper_names() == set()
    write("return []")
    choices()
    names = helper_names()
    assert living()
    helper.stop()
    until(
        lambda: [pid for name in names for pid in marked_processes("ERRAND_WORKER", name)] == [],
        "the helper and what it started ended",
    )


PROGRAM = """
import os, sys, json
from pathlib import Path
from store.settings import load_settings
from worker.helper import ask, _helpers
settings = load_settings(Path(sys.argv[1]))
def nursery():
    return ask(settings, "local/job/Listed", "choices", {"variable": "choice"}, seconds=30.0)[0][0]
before = nursery()
reading, writing = os.pipe()
pid = os.fork()
if pid == 0:
    os.write(writing, nursery().encode())
    os._exit(0)
os.waitpid(pid, 0)
inside = os.read(reading, 100).decode()
loaded = [name for name in sys.modules if name.startswith("errand_jobs")]
print(json.dumps([before, inside, nursery(), loaded]), flush=True)
os.kill(os.getpid(), 9) if sys.argv[2] == "die" else None
"""


@pytest.fixture
def program(asking: Settings, write: Write, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[Any]]:
    """Have a process of its own ask, fork, and ask in both."""
    import json
    import subprocess

    write("return [(os.getppid(), '')]")
    monkeypatch.setenv("JOBS_ROOT", str(asking.jobs_roots[0]))

    def run(end: str) -> list[Any]:
        done = subprocess.run(
            [sys.executable, "-W", "ignore::DeprecationWarning", "-c", PROGRAM, str(asking.instance), end],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.stderr == ""
        answer: list[Any] = json.loads(done.stdout)
        return answer

    return run


@pytest.mark.parametrize("end", ["exit", "die"])
def test_processes_share_no_helper_and_none_outlives_them(program: Callable[[str], list[Any]], end: str):
    before, inside, after, loaded = program(end)
    assert before == after != inside
    assert loaded == []
    until(lambda: [start_time(int(pid)) for pid in (before, inside)] == [None, None], "the helpers ended")
