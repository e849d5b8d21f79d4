"""The way of a job that is a command: what it says goes into the log, and how it ends is how the run ends."""

import errno
import os
import shlex
import shutil
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen
from tempfile import TemporaryDirectory
from typing import Any

from jobs.errors import JobFailed
from jobs.files import InputFile, in_units
from jobs.lifecycle import Life, Verdict
from jobs.shell.base import ShellJob
from jobs.shell.output import Output
from jobs.shell.process import hear_out, start
from jobs.shell.reporting import pieces_of
from jobs.shell.values import MOST_BYTES, texts_of
from jobs.shell.written import written_files

#: What shells say of a program that is not there, and of one that cannot be run.
NOT_FOUND, NOT_RUNNABLE = 127, 126

LONGEST_SHOWN = 2_000


class ShellLife(Life):
    """It has no changes of its own to save, and no commit flag."""

    job: ShellJob

    def live(self) -> None:
        self.job.active_test = "run"
        try:
            place = self.job._context.folder
            with TemporaryDirectory(prefix="errand-", dir=place, ignore_cleanup_errors=True) as scratch:
                self.job._scratch = Path(scratch)
                self._run()
        except Exception as error:
            self.note(error)
        finally:
            self.roll_back()

    def _run(self) -> None:
        job = self.job
        data = {name: self._on_disk(name, value) for name, value in self.data.items()}
        job.texts = texts_of(job._get_vars(), data)
        job.prepare()
        folder = self._folder()
        argv = job.argv(data)
        environment = {**os.environ, **job.environment()}
        self._say(argv)
        began_at = time.time()
        with self._outputs() as (stdout, stderr):
            process = self._started(self._short_enough(argv), folder, environment)
            code = hear_out(process, stdout.take, stderr.take)
        self._keep_written(folder, began_at)
        self._report(stdout.path)
        self._end(code)

    # Before

    def _on_disk(self, name: str, value: Any) -> Any:
        """Return a file among the inputs as the path of a copy: what a run is lent has none."""
        if not isinstance(value, InputFile):
            return value
        path = self.job._scratch / "input" / name / value.name
        path.parent.mkdir(parents=True)
        with path.open("wb") as copy:
            shutil.copyfileobj(value, copy)
        return str(path)

    def _folder(self) -> Path:
        folder = self.job.folder()
        if folder is None:
            folder = self.job._scratch / "work"
            folder.mkdir()
        if not folder.is_dir():
            raise JobFailed(f"The folder {folder} is not there: the command was not started.")
        return folder

    def _short_enough(self, argv: list[str]) -> list[str]:
        """Put into a file what `sh` is to run where it is too long for an argument."""
        if not _is_line(argv) or len(os.fsencode(argv[2])) <= MOST_BYTES:
            return argv
        script = self.job._scratch / "command.sh"
        script.write_text(argv[2])
        return ["sh", str(script)]

    def _say(self, argv: list[str]) -> None:
        shown = argv[2] if _is_line(argv) else shlex.join(argv)
        if len(shown) > LONGEST_SHOWN:
            shown = f"{shown[:LONGEST_SHOWN]}… ({len(shown) - LONGEST_SHOWN:,} more characters)"
        self.job._context.log("debug", f"$ {shown}", grouping="run", markdown=False)

    def _started(self, argv: list[str], folder: Path, environment: Mapping[str, str]) -> Popen[bytes]:
        """Start the command. Raises JobFailed where that cannot be."""
        if not argv:
            raise JobFailed("The command was not started: nothing is left of it, as its values are empty.")
        try:
            return start(argv, folder, environment)
        except FileNotFoundError as error:
            self._note_code(NOT_FOUND)
            is_script = "/" in argv[0] and (folder / argv[0]).exists()
            what = f"the interpreter of {argv[0]}" if is_script else argv[0]
            sentence = f"The command ended with exit code {NOT_FOUND}: {what} was not found."
            raise JobFailed(sentence) from error
        except OSError as error:
            if error.errno == errno.E2BIG:
                raise JobFailed(
                    "The command was not started: its arguments are too long for this system."
                ) from error
            self._note_code(NOT_RUNNABLE)
            raise JobFailed(
                f"The command ended with exit code {NOT_RUNNABLE}: {argv[0]} cannot be run ({error.strerror})."
            ) from error

    # While it runs

    @contextmanager
    def _outputs(self) -> Iterator[tuple[Output, Output]]:
        """Hear what the command says, and keep it however the run ends."""
        folder, context = self.job.log_folder(), self.job._context
        folder.mkdir(parents=True, exist_ok=True)
        stdout, stderr = (Output(folder / name, context.lines(name)) for name in ("stdout", "stderr"))
        try:
            yield stdout, stderr
        finally:
            for output in (stdout, stderr):
                output.end()
                self._keep_output(output)

    def _keep_output(self, output: Output) -> None:
        name = output.path.name
        try:
            cut = output.dropped + self.job._context.keep_output(name, str(output.path))
        except ValueError as error:
            self.job.log_warning(message=f"{name} was not kept as a file: {error}")
            return
        if cut:
            self.job.log_warning(message=f"The file {name} was cut: {in_units(cut)} more did not fit.")

    # After

    def _keep_written(self, folder: Path, began_at: float) -> None:
        for path in written_files(folder, self.job.files, began_at):
            name = str(path.relative_to(folder))
            try:
                self.job.create_file(name.replace("/", "_"), path.read_bytes())
            except (OSError, ValueError) as error:
                self.job.log_warning(message=f"{name} was not kept: {error}")

    def _report(self, stdout: Path) -> None:
        try:
            self.job._report.append(*pieces_of(stdout, self.job.report_format))
        except ValueError as error:
            self.job.log_warning(message=str(error))

    def _end(self, code: int) -> None:
        if code < 0:
            # As shells count them.
            self._note_code(128 - code)
            raise JobFailed(f"The command was ended by the signal {_name_of(-code)}.")
        self._note_code(code)
        if code not in self.job.expects:
            what = ": a program was not found" if code == NOT_FOUND else ""
            raise JobFailed(f"The command ended with exit code {code}{what}.")

    def _note_code(self, code: int) -> None:
        self.return_value = {"exit_code": code}

    def _verdict(self) -> tuple[Verdict, str]:
        verdict, cause = super()._verdict()
        if verdict == "completed":
            cause = f"The command ended with exit code {self.return_value['exit_code']}."
        return verdict, cause


def _is_line(argv: list[str]) -> bool:
    """Tell whether this is a line for a shell, and nothing else."""
    return argv[:2] == ["sh", "-c"] and len(argv) == 3


def _name_of(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)
