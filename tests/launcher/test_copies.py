"""Programs of our own that are copies of the process that watches over them."""

import io
import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from store.settings import PROJECT_ROOT, Settings
from store.slack_settings import SlackSettings
from tests.waiting import until
from webapp.cli import up
from webapp.cli.copies import LOADED, POSSIBLE, done_by_a_copy, possible
from webapp.cli.supervisor import Program, Supervisor
from worker.host import start_time

pytestmark = pytest.mark.skipif(not POSSIBLE, reason="only on Linux is a program of ours a copy")

#: What the parent of copies does in these tests, in a process of its own: this one has threads.
PARENT = """
import fcntl, os, sys
from pathlib import Path
from webapp.cli.supervisor import Program, Supervisor
from webapp.cli.processes import end_on_signals

end_on_signals()
lock = open(Path(os.environ["ERRAND_INSTANCE"]) / "lock", "w")
fcntl.flock(lock, fcntl.LOCK_EX)
supervisor = Supervisor(sys.stdout, first_delay_seconds=0.01)
supervisor.start(Program("mine", ours={arguments!r}, environment={{**os.environ, "MARK": "copy"}}, restart=False))
try:
    # A signal may come as soon as this has been read.
    print("pid", supervisor.pid("mine"), flush=True)
    supervisor.run()
except KeyboardInterrupt:
    pass
finally:
    supervisor.stop()
print("exit", supervisor.children[0].exit_code, flush=True)
"""


class Parent:
    def __init__(self, instance: Path, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(PARENT.format(arguments=list(arguments)))],
            env={**os.environ, "ERRAND_INSTANCE": str(instance)},
            stdout=subprocess.PIPE,
            text=True,
            cwd=PROJECT_ROOT,
        )
        assert self.process.stdout is not None
        self.said = self.process.stdout
        self.copy = int(self.said.readline().split()[1])

    def rest(self) -> str:
        # Not by `communicate` alone: with the first line more may have been read, and wait in here.
        text = self.said.read()
        self.process.communicate(timeout=60)
        assert self.process.returncode == 0
        return text


@pytest.fixture
def instance(settings: Settings) -> Path:
    return settings.instance


def test_a_copy_does_what_its_command_does(instance: Path):
    parent = Parent(instance, "worker", "--burst")
    said = parent.rest()
    assert "mine      | Error: The Redis started by ./errand up cannot be used: " in said
    assert said.endswith("exit 1\n")


def test_a_wrong_argument_ends_a_copy_as_it_ends_the_command(instance: Path):
    said = Parent(instance, "worker", "--nonsense").rest()
    assert "No such option" in said
    assert said.endswith("exit 2\n")


@pytest.fixture
def scheduler(instance: Path) -> Iterator[Parent]:
    parent = Parent(instance, "scheduler")
    until(lambda: title(parent.copy).startswith("errand scheduler"), "it has its name")
    yield parent
    parent.process.kill()
    parent.process.communicate()


def title(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text()


def test_a_copy_ends_as_it_is_told(scheduler: Parent):
    until(lambda: takes_sigterm(scheduler.copy), "it listens to signals")
    scheduler.process.send_signal(signal.SIGTERM)
    assert scheduler.rest() == "exit 0\n"
    assert start_time(scheduler.copy) is None


def takes_sigterm(pid: int) -> bool:
    [line] = [
        line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("SigCgt")
    ]
    return bool(int(line.split()[1], 16) >> (signal.SIGTERM - 1) & 1)


def test_a_copy_ends_with_its_parent_however_that_ends(scheduler: Parent):
    scheduler.process.kill()
    until(lambda: start_time(scheduler.copy) is None, "the copy ended")


def test_a_copy_holds_nothing_that_is_its_parents(scheduler: Parent, instance: Path):
    files = [os.readlink(link) for link in Path(f"/proc/{scheduler.copy}/fd").iterdir() if link.is_symlink()]
    assert not [name for name in files if name.endswith("/lock")]
    assert os.getsid(scheduler.copy) == scheduler.copy


def test_a_process_with_threads_starts_its_programs_as_others_do():
    end = threading.Event()
    thread = threading.Thread(target=end.wait)
    thread.start()
    try:
        assert not possible()
        assert done_by_a_copy(os.getpid) == os.getpid()
    finally:
        end.set()
        thread.join()


def test_elsewhere_it_is_a_process_like_others(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("webapp.cli.copies.POSSIBLE", False)
    output = io.StringIO()
    supervisor = Supervisor(output)
    supervisor.start(Program("mine", ours=["worker", "--nonsense"], restart=False))
    try:
        supervisor.run()
    finally:
        supervisor.stop()
    assert "No such option" in output.getvalue()


def test_what_a_copy_does_for_us_leaves_nothing_with_us():
    code = """
        import sys
        from webapp.cli.copies import done_by_a_copy
        def work():
            import colorsys
            return "done"
        print(done_by_a_copy(work), "colorsys" in sys.modules)
    """
    assert python(code) == "done False\n"


def test_what_a_copy_raises_is_raised():
    code = """
        import click
        from webapp.cli.copies import done_by_a_copy
        from webapp.cli.up import CannotStart
        def work():
            raise CannotStart("as a sentence")
        try:
            done_by_a_copy(work)
        except CannotStart as error:
            print(error.message)
    """
    assert python(code) == "as a sentence\n"


def python(code: str) -> str:
    """Run it in a process without threads."""
    command = [sys.executable, "-c", textwrap.dedent(code)]
    return subprocess.run(command, cwd=PROJECT_ROOT, check=True, capture_output=True, text=True).stdout


def test_what_up_runs_is_loaded_before_it_is_copied(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    started: list[Program] = []

    class Recorder(Supervisor):
        def start(self, *programs: Program) -> None:
            started.extend(programs)

        def run(self) -> None:
            pass

    listens = replace(settings, slack=SlackSettings(bot_token="xoxb-1", app_token="xapp-1"))
    for name, instead in {
        "Supervisor": lambda: Recorder(io.StringIO()),
        "start_redis": lambda *_: None,
        "done_by_a_copy": lambda _: "",
        "announce": lambda *_, **__: None,
        "end_on_signals": lambda: None,
    }.items():
        monkeypatch.setattr(up, name, instead)
    up.run_all(listens, host="127.0.0.1", port=1, workers=1, demo=False)
    ours = {program.ours[0] for program in started if program.ours}
    assert {"slack", "scheduler", "web"} <= ours <= LOADED.keys()
