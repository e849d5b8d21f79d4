"""The supervisor, with real processes."""

import io
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from webapp.cli.supervisor import Program, Supervisor

PROJECT_ROOT = Path(__file__).resolve().parents[2]


def python(code: str, *arguments: str) -> list[str]:
    return [sys.executable, "-u", "-c", textwrap.dedent(code), *arguments]


SLEEPER = python("import time; print('up', flush=True); time.sleep(600)")


@pytest.fixture
def output() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def supervisor(output):
    supervisor = Supervisor(output, first_delay_seconds=0.01, longest_delay_seconds=0.05, grace_seconds=5)
    yield supervisor
    supervisor.stop()


def watch(supervisor: Supervisor, until: Callable[[], object], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < end, supervisor.output.getvalue()
        supervisor.run_once(0.05)


def wait(until: Callable[[], object], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < end
        time.sleep(0.01)


def alive(pid: int) -> bool:
    """Tell whether a process runs; one that is dead and only not yet buried does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        if Path("/proc").is_dir():
            return False
        return subprocess.run(["ps", "-p", str(pid)], capture_output=True).returncode == 0
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def test_every_line_gets_the_name_of_its_program(supervisor, output):
    supervisor.start(
        Program("web", python("print('one\\ntwo'); import time; time.sleep(600)")),
        Program("worker-1", python("import sys, time; sys.stderr.write('err\\n'); time.sleep(600)")),
    )
    watch(supervisor, lambda: output.getvalue().count("\n") == 3)
    assert sorted(output.getvalue().splitlines()) == ["web       | one", "web       | two", "worker-1  | err"]


def test_last_words_without_a_line_end_are_shown(supervisor, output):
    supervisor.start(Program("web", python("print('goodbye', end='')"), restart=False))
    supervisor.run()
    assert "goodbye\n" in output.getvalue()


def test_a_child_that_dies_is_started_again(supervisor, output):
    supervisor.start(Program("web", SLEEPER))
    watch(supervisor, lambda: "up" in output.getvalue())
    first = supervisor.pid("web")
    os.kill(first, signal.SIGKILL)
    watch(supervisor, lambda: output.getvalue().count("up\n") == 2)
    assert supervisor.pid("web") != first
    assert "ended (killed by SIGKILL); starting it again in 0.01 s" in output.getvalue()


def test_who_keeps_dying_waits_longer_each_time_up_to_a_limit(supervisor, output):
    supervisor.start(Program("web", python("raise SystemExit(3)")))
    watch(supervisor, lambda: output.getvalue().count("ended") == 5)
    waits = [line.rpartition(" in ")[2] for line in output.getvalue().splitlines() if "exit code 3" in line]
    assert waits[:5] == ["0.01 s", "0.02 s", "0.04 s", "0.05 s", "0.05 s"]


def test_who_was_healthy_waits_briefly_again(output):
    supervisor = Supervisor(output, first_delay_seconds=0.01, healthy_seconds=0)
    supervisor.start(Program("web", python("pass")))
    try:
        watch(supervisor, lambda: output.getvalue().count("in 0.01 s") == 3)
    finally:
        supervisor.stop()


def test_what_a_dead_child_left_behind_is_ended_too(supervisor, output):
    code = """
        import os, subprocess, sys, time
        # A process group of its own, as RQ gives the process that runs a job.
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], process_group=0)
        print("child", child.pid)
        time.sleep(600)
    """
    supervisor.start(Program("worker-1", python(code)))
    watch(supervisor, lambda: "child" in output.getvalue())
    orphan = int(output.getvalue().split()[-1])
    assert alive(orphan)
    os.kill(supervisor.pid("worker-1"), signal.SIGKILL)
    watch(supervisor, lambda: "ended" in output.getvalue())
    wait(lambda: not alive(orphan))


def test_stop_ends_the_last_stage_first(output):
    # On a busy machine it takes a while until each has come to say its words.
    supervisor = Supervisor(output, grace_seconds=60)
    code = """
        import signal, sys, time
        def end(*_):
            print("ended properly")
            sys.exit()
        signal.signal(signal.SIGTERM, end)
        print("up")
        time.sleep(600)
    """
    supervisor.start(Program("redis", python(code)))
    supervisor.start(Program("worker-1", python(code)), Program("worker-2", python(code)))
    supervisor.start(Program("web", python(code)))
    watch(supervisor, lambda: output.getvalue().count("up\n") == 4)
    supervisor.stop()
    order = [line.split()[0] for line in output.getvalue().splitlines() if "properly" in line]
    assert (order[0], order[-1]) == ("web", "redis")
    assert set(order[1:3]) == {"worker-1", "worker-2"}
    assert not any(supervisor.running(name) for name in order)


def test_who_does_not_end_when_asked_is_killed(output):
    supervisor = Supervisor(output, grace_seconds=0.1)
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up'); time.sleep(600)"
    supervisor.start(Program("worker-1", python(code)))
    watch(supervisor, lambda: "up" in output.getvalue())
    pid = supervisor.pid("worker-1")
    supervisor.stop()
    assert not alive(pid)
    assert "did not end within 0.1 s and is killed" in output.getvalue()


def test_a_program_that_may_end_is_not_started_again(supervisor, output):
    supervisor.start(Program("worker-1", python("print('done')"), restart=False))
    supervisor.run()
    assert output.getvalue() == "worker-1  | done\n"


def test_a_program_that_is_not_there_is_said(supervisor, output):
    supervisor.start(Program("web", ["/no/such/program"]))
    watch(supervisor, lambda: "starting it again" in output.getvalue())
    assert "/no/such/program" in output.getvalue()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends the children of a killed process")
def test_children_die_when_the_supervisor_is_killed():
    code = """
        import sys
        from webapp.cli.supervisor import Program, Supervisor
        supervisor = Supervisor(sys.stdout)
        supervisor.start(Program("child", [sys.executable, "-u", "-c", "import time; print('up'); time.sleep(600)"]))
        print("pid", supervisor.pid("child"), flush=True)
        supervisor.run()
    """
    process = subprocess.Popen(python(code), stdout=subprocess.PIPE, text=True, cwd=PROJECT_ROOT)
    with process:
        child = int(process.stdout.readline().split()[1])
        assert process.stdout.readline() == "child     | up\n"
        assert alive(child)
        process.kill()
        wait(lambda: not alive(child))
