"""`up`: what it refuses, and one real start to end."""

import fcntl
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from store.settings import redis_socket
from worker.keyring import make_key

PROJECT_ROOT = Path(__file__).resolve().parents[2]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def command(instance: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-P", "-m", "webapp.cli", "up", "--instance", str(instance), *arguments]


def environment(instance: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(PROJECT_ROOT),
        "HOME": "/nowhere",
        "TMPDIR": str(instance.parent),
    }


def run_up(instance: Path, *arguments: str, **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(instance, *arguments),
        env=environment(instance),
        capture_output=True,
        text=True,
        timeout=60,
        **options,
    )


def test_busy_port_is_one_sentence(tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        done = run_up(tmp_path, "--port", str(port))
    assert done.returncode == 1
    assert done.stderr == (
        f"Error: Errand cannot listen on 127.0.0.1, port {port}: Address already in use. "
        "Choose another with --port or --host.\n"
    )
    assert not (tmp_path / "redis").exists()


def test_second_up_on_the_same_instance_names_the_first(tmp_path):
    with (tmp_path / "up.lock").open("w") as lock:
        lock.write("4711\n")
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = run_up(tmp_path, "--port", str(free_port()))
    assert done.returncode == 1
    assert f"already up on the instance {tmp_path} (process 4711)" in done.stderr


def test_unwritable_folder_is_one_sentence():
    # Root may write everywhere but below a file.
    with tempfile.NamedTemporaryFile() as file:
        done = run_up(Path(file.name) / "instance", "--port", str(free_port()))
    assert done.returncode == 2
    assert "The instance folder" in done.stderr
    assert "cannot be made" in done.stderr


def test_network_address_needs_a_word_about_encryption(tmp_path):
    done = run_up(tmp_path, "--host", "0.0.0.0", "--port", str(free_port()))
    assert done.returncode == 2
    assert "ERRAND_HTTPS" in done.stderr


def test_missing_jobs_folder_is_said(tmp_path):
    done = run_up(tmp_path, "--jobs", str(tmp_path / "missing"))
    assert done.returncode == 2
    assert "does not exist" in done.stderr


def processes_of(instance: Path) -> dict[int, str]:
    """Every process that carries the folder of the instance, or of its Redis, in its environment or command line."""
    marks = [os.fsencode(instance.parent), os.fsencode(redis_socket(instance).parent)]
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line = (folder / "cmdline").read_bytes() + b" " + (folder / "environ").read_bytes()
            state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if any(mark in line for mark in marks) and state not in "ZX" and int(folder.name) != os.getpid():
            found[int(folder.name)] = line.replace(b"\0", b" ").decode("utf-8", "replace")
    return found


def pids(instance: Path, part: str) -> set[int]:
    return {pid for pid, line in processes_of(instance).items() if part in line}


def wait_until(condition: Callable[[], object], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


class Running:
    """An `up` that has printed its link."""

    def __init__(self, instance: Path, *arguments: str, **variables: str) -> None:
        self.instance = instance
        self.port = free_port()
        self.errors = instance.parent / "stderr"
        with self.errors.open("w") as errors:
            self.process = subprocess.Popen(
                command(instance, "--port", str(self.port), *arguments),
                env={**environment(instance), **variables},
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,
            )
        self.link = self.process.stdout.readline().strip()
        assert self.link, self.errors.read_text()

    def get(self, path: str, cookie: str = "") -> tuple[int, str]:
        """Return the status and the cookie that was set."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("GET", path, headers={"Cookie": cookie})
        answer = connection.getresponse()
        connection.close()
        return answer.status, (answer.getheader("Set-Cookie") or "").partition(";")[0]

    def end(self, number: int) -> int:
        self.process.send_signal(number)
        return self.process.wait(timeout=60)

    def discard(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


@pytest.fixture
def instance():
    # Not in pytest's folders: a socket below them would have too long a path.
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "in stance"


linux = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@linux
def test_up_serves_signs_in_restarts_and_leaves_nothing_behind(instance):
    up = Running(instance)
    try:
        assert re.fullmatch(rf"http://127\.0\.0\.1:{up.port}/login/\S+", up.link)
        assert up.get("/healthz")[0] == 200

        path = up.link.removeprefix(f"http://127.0.0.1:{up.port}")
        status, cookie = up.get(path)
        assert status == 303
        assert up.get("/jobs/", cookie)[0] == 200
        assert up.get(path)[0] == 404, "the link works once"

        assert "already up" in run_up(instance, "--port", str(free_port())).stderr

        for part in ("errand worker ", "valkey-server", "errand scheduler"):
            old = pids(instance, part)
            assert old, part
            for pid in old:
                os.kill(pid, signal.SIGKILL)
            wait_until(lambda part=part, old=old: len(pids(instance, part) - old) >= len(old))

        assert up.end(signal.SIGINT) == 0, up.errors.read_text()
        assert processes_of(instance) == {}
        assert "Traceback" not in up.errors.read_text()
    finally:
        up.discard()


@linux
def test_nothing_outlives_a_killed_up_and_the_next_one_starts(instance):
    up = Running(instance, "--no-demo", "--workers", "1")
    try:
        up.end(signal.SIGKILL)
        wait_until(lambda: not processes_of(instance))
    finally:
        up.discard()
    again = Running(instance, "--no-demo", "--workers", "1", WORKER_KEY=make_key())
    try:
        assert again.get("/healthz")[0] == 200
        # The first one has made a key of its own; only who executes runs, and `up` itself, know any.
        assert (instance / "worker_key").stat().st_mode & 0o777 == 0o600
        knowing = [line for line in processes_of(instance).values() if "WORKER_KEY=" in line]
        assert any("errand worker" in line for line in knowing)
        assert [line for line in knowing if "errand worker" not in line and "webapp.cli up" not in line] == []
        assert again.end(signal.SIGTERM) == 0
        assert processes_of(instance) == {}
    finally:
        again.discard()
