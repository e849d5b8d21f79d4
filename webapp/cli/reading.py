"""A log as a person reads it at a terminal, or a program through a pipe."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from store.text import entry_text
from webapp.cli.printing import STYLES, at_a_terminal, console, one_line

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

#: By the state in which a run ended.
EXIT_CODES = {"completed": 0, "failed": 1, "errored": 3, "canceled": 4, "denied": 4}

#: What a shell expects of a program that Ctrl-C has ended.
INTERRUPTED = 130


class Entry(NamedTuple):
    """An entry of the API, as rows of the database have it."""

    created_at: datetime
    level: str
    grouping: str
    message: str
    object_text: str | None


def entry_of(said: Mapping[str, Any]) -> Entry:
    moment = datetime.fromisoformat(said["created_at"]).astimezone(UTC)
    about = said["object"]["text"] if said["object"] else None
    return Entry(moment, said["level"], said["grouping"], said["message"], about)


class Reading:
    """Prints entries as they come and, at a terminal, in colours under the headings of their groupings, with a bar
    below that says how far the run is."""

    def __init__(self) -> None:
        self._console: Console | None = console() if at_a_terminal() else None
        self._grouping: str | None = None
        self._progress: Progress | None = None
        self._task: TaskID | None = None

    def entry(self, entry: Any) -> None:
        """Print one. entry: an Entry, or a row of the database that has the same."""
        # Further lines are indented, so that no message can pass for another entry.
        message = entry_text(entry.message).replace("\n", "\n    ")
        about = f" [{entry_text(entry.object_text)}]" if entry.object_text else ""
        grouping = one_line(entry.grouping)
        if self._console is None:
            click.echo(f"{entry.created_at:%H:%M:%S} {entry.level} {grouping} {message}{about}")
            return
        if grouping != self._grouping:
            self._grouping = grouping
            self._console.print(grouping, style="bold")
        line = f"{entry.created_at:%H:%M:%S} {entry.level:<8} {message}{about}"
        self._console.print(line, style=STYLES.get(entry.level))

    def progress(self, said: Mapping[str, Any] | None) -> None:
        """Show how far the run is, as its job tells; nothing where nobody would see it move."""
        if self._console is None or not said:
            return
        bar = self._bar()
        assert self._task is not None  # noqa: S101 - see _bar
        text = one_line(said["text"])
        bar.update(self._task, completed=said["done"], total=said["total"], description=text)

    def result(self, said: Mapping[str, Any], *, report: str = "") -> None:
        """Print how a run ended, of the API's words for it."""
        self.end(said["status"], said["cause"], _seconds(said), said["output"], report=report)

    def end(
        self, status: str, cause: str | None, seconds: float | None, output: str, *, report: str = ""
    ) -> None:
        """Print what a run wrote and reported besides, and how it ended."""
        self.close()
        for text in (output, report):
            if written := entry_text(text).strip("\n"):
                click.echo(written)
        lasted = f" in {seconds:.2f} seconds" if seconds is not None else ""
        line = f"{status}{lasted}: {entry_text(cause or '')}"
        if self._console is None:
            click.echo(line)
        else:
            self._console.print(line, style=STYLES.get(status))

    def close(self) -> None:
        """Take the bar away."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    def _bar(self) -> "Progress":
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

        if self._progress is None:
            columns = (
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                TaskProgressColumn(),
                TimeRemainingColumn(),
            )
            self._progress = Progress(*columns, console=self._console, transient=True)
            self._task = self._progress.add_task("", total=None)
            self._progress.start()
        return self._progress


def _seconds(said: Mapping[str, Any]) -> float | None:
    """Return how long a run took; None where it never began."""
    started, finished = said["started_at"], said["finished_at"]
    if not started or not finished:
        return None
    lasted = datetime.fromisoformat(finished) - datetime.fromisoformat(started)
    return max(0.0, lasted.total_seconds())
