"""The command line itself: help without imports, settings, what each command refuses."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT_ROOT = Path(__file__).resolve().parents[2]


def run_cli(*arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(PROJECT_ROOT), **extra}
    return subprocess.run(
        [sys.executable, "-P", "-m", "webapp.cli", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_help_imports_nothing_heavy():
    code = """
import sys
from webapp.cli import main
main(["--help"], standalone_mode=False)
heavy = {"flask", "rq", "redis", "sqlalchemy", "gunicorn"} & set(sys.modules)
assert not heavy, heavy
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "scheduler" in done.stdout


@pytest.mark.parametrize("command", ["up", "web", "worker", "scheduler"])
def test_every_command_takes_the_instance(command):
    done = run_cli(command, "--help")
    assert done.returncode == 0
    assert "--instance DIR" in done.stdout


def test_wrong_setting_is_one_sentence_and_exit_code_2(tmp_path):
    done = run_cli("web", "--instance", str(tmp_path), ERRAND_HTTPS="maybe")
    assert done.returncode == 2
    assert done.stderr == "Error: ERRAND_HTTPS is 'maybe'; write 1 or 0.\n"
    assert done.stdout == ""


def test_web_refuses_the_network_until_told_how_it_is_reached(tmp_path):
    done = run_cli("web", "--instance", str(tmp_path), "--host", "0.0.0.0")
    assert done.returncode == 2
    assert "set ERRAND_HTTPS=1 behind a proxy that speaks TLS" in done.stderr


def test_worker_needs_a_queue(tmp_path):
    done = run_cli("worker", "--instance", str(tmp_path), "--queues", " , ")
    assert done.returncode == 2
    assert "Name at least one queue" in done.stderr


def test_unknown_command_is_said():
    done = run_cli("no-such-command")
    assert done.returncode == 2
    assert "No such command 'no-such-command'" in done.stderr


@pytest.fixture
def upgraded(tmp_path: Path, migrated_sqlite: Path) -> Path:
    """An instance whose database a worker may begin with."""
    shutil.copy(migrated_sqlite / "errand.db", tmp_path)
    return tmp_path


def test_burst_worker_without_redis_is_one_sentence(upgraded):
    done = run_cli("worker", "--instance", str(upgraded), "--burst", REDIS_URL="redis://127.0.0.1:1/0")
    assert done.returncode == 1
    assert done.stderr == (
        "Error: The Redis named in REDIS_URL, redis://127.0.0.1:1/0, cannot be used: "
        "Error 111 connecting to 127.0.0.1:1. Connection refused.\n"
    )


def test_worker_waits_for_redis(upgraded):
    command = [sys.executable, "-P", "-m", "webapp.cli", "worker", "--instance", str(upgraded)]
    environment = {"PYTHONPATH": str(PROJECT_ROOT), "REDIS_URL": "redis://127.0.0.1:1/0"}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        said = process.stderr.readline()
        assert said.startswith(
            "The Redis named in REDIS_URL, redis://127.0.0.1:1/0, cannot be used: Error 111"
        )
        assert said.endswith("Waiting for it.\n")
        assert process.poll() is None
        process.terminate()
