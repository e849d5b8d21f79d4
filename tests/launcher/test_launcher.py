"""The shell launcher, against stand-ins for Python that install nothing."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

LAUNCHER = Path(__file__).resolve().parents[2] / "errand"
#: What the launcher may use besides Python.
TOOLS = ["sh", "cat", "chmod", "cksum", "dirname", "grep", "id", "mkdir", "readlink", "rm", "tail", "timeout"]

# Stands in for Python, and for the one in .venv. $STUB is a folder: files there change what it does.
PYTHON_STUB = """#!/bin/sh
version=$(cat "$STUB/version")
case "$*" in
    *'print("%d.%d"'*) echo "$version" ;;
    *'import ensurepip'*) [ ! -e "$STUB/without-venv" ] ;;
    *'import fcntl'*) exec "$REAL_PYTHON" "$@" ;;
    *'sys.exit(sys.version_info'*) ;;
    '-m venv '*)
        mkdir -p "$3/bin" && cat "$0" >"$3/bin/python" && chmod +x "$3/bin/python" && echo made >>"$STUB/log" ;;
    '-m pip --version') ;;
    '-m pip install '*)
        [ ! -e "$STUB/gate" ] || cat "$STUB/gate"
        if [ -e "$STUB/pip-fails" ]; then
            echo "WARNING: something about an index"
        echo "WARNING: Retrying after connection broken"
            echo "ERROR: Could not connect to the package index"
            exit 1
        fi
        for file; do :; done
        echo "installed $(cat "$file")" >>"$STUB/log" ;;
    '-P -m ruff check'*) [ ! -e "$STUB/ruff-fails" ] && echo argument=ruff ;;
    *) echo "cwd=$(pwd)"; echo "path=$PYTHONPATH"; for argument; do echo "argument=$argument"; done ;;
esac
"""


class Clone:
    """A copy of the launcher in a folder of its own, with a PATH that holds nothing else."""

    def __init__(self, folder: Path) -> None:
        self.project = folder / "a b" / "errand clone"
        self.tools = folder / "tools"
        self.stub = folder / "stub"
        for made in (self.project, self.tools, self.stub):
            made.mkdir(parents=True)
        shutil.copy(LAUNCHER, self.project)
        self.lock("first")
        (self.project / "requirements-dev.lock").write_text("dev\n")
        for tool in TOOLS:
            found = shutil.which(tool)
            if found:
                (self.tools / tool).symlink_to(found)
        self.add_python("python3", "3.12")

    @property
    def launcher(self) -> Path:
        return self.project / "errand"

    def lock(self, text: str) -> None:
        (self.project / "requirements.lock").write_text(text + "\n")

    def add_python(self, name: str, version: str) -> Path:
        path = self.tools / name
        path.write_text(PYTHON_STUB)
        path.chmod(0o755)
        (self.stub / "version").write_text(version)
        return path

    def provides(self, *programs: str) -> None:
        """Have these programs on PATH, as far as anybody looks."""
        for name in programs:
            (self.tools / name).symlink_to(str(shutil.which("true")))

    def tool(self, name: str, script: str) -> None:
        path = self.tools / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def environment(self, **extra: str) -> dict[str, str]:
        return {
            "PATH": str(self.tools),
            "STUB": str(self.stub),
            "REAL_PYTHON": sys.executable,
            "HOME": str(self.stub),
            **extra,
        }

    def run(self, *arguments: str, program: Path | None = None, cwd: Path | None = None, **extra: str):
        return subprocess.run(
            [str(program or self.launcher), *arguments],
            cwd=cwd or self.stub,
            env=self.environment(**extra),
            capture_output=True,
            text=True,
            timeout=60,
        )

    def log(self) -> list[str]:
        path = self.stub / "log"
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path)


def test_first_use_makes_the_environment_and_runs_the_command(clone):
    done = clone.run("jobs", "list", "--name", "two words")
    assert done.returncode == 0
    assert done.stderr == "errand: Setting up (first use, about a minute)...\n"
    assert done.stdout.splitlines() == [
        f"cwd={clone.stub}",
        f"path={clone.project}",
        *[f"argument={a}" for a in ["-P", "-m", "webapp.cli", "jobs", "list", "--name", "two words"]],
    ]
    assert clone.log() == ["made", "installed first"]


def test_second_use_installs_nothing_and_says_nothing(clone):
    clone.run("up")
    done = clone.run("up")
    assert (done.returncode, done.stderr) == (0, "")
    assert clone.log() == ["made", "installed first"]


def test_changed_requirements_are_installed_into_the_same_environment(clone):
    clone.run("up")
    clone.lock("second")
    assert clone.run("up").returncode == 0
    assert clone.log() == ["made", "installed first", "installed second"]


def test_another_python_version_is_noticed(clone):
    clone.run("up")
    (clone.stub / "version").write_text("3.13")
    assert clone.run("up").returncode == 0
    assert clone.log() == ["made", "installed first", "installed first"]


def test_works_through_symbolic_links(clone, tmp_path):
    first = tmp_path / "first link"
    first.symlink_to(clone.launcher)
    second = tmp_path / "stub" / "second"
    second.symlink_to(Path("..") / "first link")
    done = clone.run("up", program=second, cwd=tmp_path)
    assert f"path={clone.project}" in done.stdout
    assert f"cwd={tmp_path}" in done.stdout


def test_works_when_given_to_sh_by_name_or_found_on_path(clone):
    by_name = subprocess.run(
        ["sh", "errand", "up"], cwd=clone.project, env=clone.environment(), capture_output=True, text=True
    )
    assert f"path={clone.project}" in by_name.stdout
    path = f"{clone.tools}:{clone.project}"
    on_path = subprocess.run(
        ["sh", "-c", "errand up"], env=clone.environment(PATH=path), capture_output=True, text=True
    )
    assert f"path={clone.project}" in on_path.stdout


def test_what_the_user_set_for_python_does_not_disturb(clone):
    done = clone.run("up", PYTHONHOME="/nowhere", PYTHONPATH="/nowhere")
    assert f"path={clone.project}" in done.stdout.splitlines()


def test_old_python_is_named(clone):
    clone.add_python("python3", "3.9")
    done = clone.run("up")
    assert done.returncode == 1
    assert f"needs Python 3.11 or newer, but {clone.tools}/python3 is Python 3.9" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (clone.project / ".venv").exists()


def test_no_python_is_said(clone):
    (clone.tools / "python3").unlink()
    done = clone.run("up")
    assert done.returncode == 1
    assert "there is none on PATH" in done.stderr


def test_a_shim_without_a_python_behind_it_is_passed_over(clone):
    shim = clone.tools / "python3.14"
    shim.write_text("#!/bin/sh\necho 'python3.14: command not found' >&2\nexit 127\n")
    shim.chmod(0o755)
    assert clone.run("up").returncode == 0


def test_the_python_of_the_environment_variable_is_taken(clone, tmp_path):
    elsewhere = tmp_path / "my python"
    (clone.tools / "python3").rename(elsewhere)
    assert clone.run("up", ERRAND_PYTHON=str(elsewhere)).returncode == 0


def test_a_wrong_environment_variable_is_said(clone):
    done = clone.run("up", ERRAND_PYTHON="/no/such/python")
    assert done.returncode == 1
    assert "ERRAND_PYTHON is /no/such/python, but no Python answers there" in done.stderr


def test_missing_venv_module_is_said_with_the_remedy(clone):
    (clone.stub / "without-venv").touch()
    done = clone.run("up")
    assert done.returncode == 1
    assert "Python 3.12" in done.stderr
    assert "comes without the venv module. On Debian and Ubuntu: apt-get install python3-venv" in done.stderr


def test_failing_pip_is_shown_and_the_next_use_starts_over(clone):
    (clone.stub / "pip-fails").touch()
    done = clone.run("up")
    assert done.returncode == 1
    assert "ERROR: Could not connect to the package index" in done.stderr
    assert "could not be installed" in done.stderr
    assert "Retrying after connection broken" in done.stderr
    assert "something about an index" not in done.stderr
    (clone.stub / "pip-fails").unlink()
    assert clone.run("up").returncode == 0
    assert clone.log() == ["made", "made", "installed first"]


def test_half_made_environment_is_made_anew(clone):
    venv = clone.project / ".venv"
    venv.mkdir()
    (venv / "unfinished").touch()
    (venv / "left over").touch()
    assert clone.run("up").returncode == 0
    assert not (venv / "left over").exists()
    assert not (venv / "unfinished").exists()


def test_environment_without_its_python_is_made_anew(clone):
    clone.run("up")
    (clone.project / ".venv" / "bin" / "python").unlink()
    assert clone.run("up").returncode == 0
    assert clone.log() == ["made", "installed first"] * 2


def test_two_at_once_install_once(clone):
    gate = clone.stub / "gate"
    os.mkfifo(gate)
    started = [
        subprocess.Popen(
            [str(clone.launcher), "up"],
            env=clone.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    with gate.open("w"):  # Opens when pip of the first one reads it.
        lines = [process.stderr.readline() for process in started]
        assert sorted(lines) == [
            "errand: Setting up (first use, about a minute)...\n",
            "errand: another errand is setting up; waiting for it...\n",
        ]
    outputs = [process.communicate(timeout=60) for process in started]
    assert [process.returncode for process in started] == [0, 0]
    assert all("argument=up" in output for output, _ in outputs)
    assert clone.log() == ["made", "installed first"]


def test_killed_setup_leaves_no_lock(clone):
    gate = clone.stub / "gate"
    os.mkfifo(gate)
    process = subprocess.Popen(
        [str(clone.launcher), "up"], env=clone.environment(), stderr=subprocess.PIPE, start_new_session=True
    )
    with gate.open("w"):
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=60)
    gate.unlink()
    assert clone.run("up").returncode == 0
    assert clone.log() == ["made", "made", "installed first"]


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other users can reach, unlike those of pytest."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def run_as_somebody(clone: Clone) -> "subprocess.CompletedProcess[str]":
    """Run the launcher as one who may not write to its folder."""
    clone.project.chmod(0o555)
    # Root may write everywhere.
    somebody = {"user": 65534, "group": 65534, "extra_groups": []} if os.getuid() == 0 else {}
    done = subprocess.run(
        [str(clone.launcher), "up"],
        cwd=clone.project.parent,
        env=clone.environment(),
        capture_output=True,
        text=True,
        **somebody,
    )
    clone.project.chmod(0o755)
    return done


def test_unwritable_folder_is_said(open_folder):
    clone = Clone(open_folder)
    done = run_as_somebody(clone)
    assert done.returncode == 1
    assert f"The folder {clone.project} is not writable" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_python_that_only_its_owner_may_run_is_said(open_folder):
    """As where root has installed with a Python below /root."""
    clone = Clone(open_folder)
    home = open_folder / "home"
    home.mkdir(mode=0o700)
    python = clone.project / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.symlink_to(home / "python3")
    done = run_as_somebody(clone)
    assert done.returncode == 1
    assert f"was made with {home / 'python3'}, which you may not run" in done.stderr
    assert done.stderr.count("\n") == 1


def test_test_with_arguments_runs_only_pytest(clone):
    clone.provides("chromium", "faketime")
    done = clone.run("test", "tests/store", "-k", "one two")
    assert done.returncode == 0
    assert clone.log() == ["made", "installed first", "installed dev"]
    assert done.stdout.splitlines() == [
        f"cwd={clone.project}",
        f"path={clone.project}",
        *[f"argument={a}" for a in ["-P", "-m", "pytest", "tests/store", "-k", "one two"]],
    ]


def test_test_runs_every_check_and_pytest_last(clone):
    clone.provides("chromium", "faketime")
    done = clone.run("test")
    assert done.returncode == 0
    assert modules_run(done.stdout) == ["ruff", "ruff", "pytest"]


def test_test_fails_when_a_check_fails_and_runs_pytest_all_the_same(clone):
    clone.provides("chromium", "faketime")
    (clone.stub / "ruff-fails").touch()
    done = clone.run("test")
    assert done.returncode == 1
    assert "ruff check --quiet found something to mend" in done.stderr
    assert modules_run(done.stdout) == ["ruff", "pytest"]


def modules_run(output: str) -> list[str]:
    words = [line.removeprefix("argument=") for line in output.splitlines()]
    return [word for word in words if word in ("ruff", "pytest")]


def test_test_says_loudly_what_there_is_not(clone):
    (clone.tools / "id").unlink()
    (clone.tools / "id").symlink_to(shutil.which("false"))  # Not root: nothing may be installed.
    done = clone.run("test")
    assert "No Chromium on PATH: the browser tests will be SKIPPED" in done.stderr
    assert "No faketime on PATH: the tests of clocks that are set will be SKIPPED" in done.stderr
    assert done.returncode == 0


@pytest.mark.skipif(not Path("/etc/debian_version").exists(), reason="NO DEBIAN, of which this is.")
@pytest.mark.parametrize("there", ["chromium-headless-shell", "chromium", "none"])
def test_test_installs_what_there_is_not(clone, there):
    (clone.tools / "id").unlink()
    clone.tool("id", "echo 0")
    clone.provides("faketime")
    # Of the packages only one is there, and it brings a program of its name.
    clone.tool(
        "apt-get",
        f'echo "$*" >>"$STUB/apt"; for last; do :; done; '
        f'[ "$last" != {there} ] && [ "$1" = install ] && exit 1; '
        f'[ "$1" != install ] || {shutil.which("ln")} -s {shutil.which("true")} "{clone.tools}/$last"',
    )
    done = clone.run("test")
    asked = [line.split()[-1] for line in (clone.stub / "apt").read_text().splitlines() if "install" in line]
    assert asked == ["chromium-headless-shell", "chromium"][: 1 if there == "chromium-headless-shell" else 2]
    assert ("No Chromium on PATH" in done.stderr) == (there == "none")
    assert done.returncode == 0
