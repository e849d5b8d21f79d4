"""The one protocol through which a running job reaches the rooms above."""

from collections.abc import MutableMapping
from typing import Any, Protocol


class Lines(Protocol):
    """Makes entries of what a program says: one a line, as it is, without markdown."""

    def feed(self, data: bytes) -> None:
        """Take the next piece."""

    def end(self) -> None:
        """Take what came of the last line as a whole one."""


class RunContext(Protocol):
    """What a run lends its job. `worker` implements it; tests may bring one of their own."""

    @property
    def values(self) -> MutableMapping[str, Any]:
        """What the job keeps between its runs. Raises ValueError, with a sentence, for what is not kept."""

    def log(
        self,
        level: str,
        message: str,
        *,
        grouping: str,
        object_text: str | None = None,
        object_url: str | None = None,
        markdown: bool = True,
    ) -> None:
        """Keep an entry of the log. markdown: False for text that is no markdown, such as a program's output."""

    def progress(self, done: float, total: float | None, text: str) -> None:
        """Say how far the run is."""

    def step(self, grouping: str, began_at: float, ended_at: float) -> None:
        """Note how long a step took, whose entries have this grouping: seconds since 1970."""

    def create_file(self, name: str, content: bytes, content_type: str) -> str:
        """Keep a file with the result and return its address. Raises ValueError, with a sentence, if it is not kept."""

    @property
    def folder(self) -> str | None:
        """A folder that goes with the run, whatever becomes of its process; None: there is none."""

    def lines(self, grouping: str) -> Lines:
        """Return what makes entries of a program's output."""

    def keep_output(self, name: str, path: str) -> int:
        """Keep a file of a program's output with the result, without the run's secrets; return how many bytes did not fit.

        Raises ValueError, with a sentence, if it is not kept.
        """

    def keep_report(self, data: dict[str, Any]) -> None:
        """Keep what the run reports (see jobs.report.shape), instead of what it has reported before."""

    def hot_functions(self, functions: list[list[Any]]) -> None:
        """Keep where a profiled run spent its time (see jobs.profiling.hottest)."""

    def map(self, job: Any, data: list[dict[str, Any]], *, queue: str, at_once: int, stop_after: int) -> None:
        """Ask for a run of that job for each of `data`, once this part of the run has ended well.

        job: see jobs.fan_out.class_path_of. Raises ValueError or TypeError, with a sentence, where that cannot be.
        """

    def gather(self, method: str) -> None:
        """Have that method called with what became of them, or nothing for "". Raises ValueError likewise."""

    def advice(self, error: BaseException) -> str:
        """Return what the run knows about an exception beyond its own text, to be added to that; often ""."""

    def commit(self) -> None:
        """Save what the job changed since the last commit or rollback."""

    def rollback(self) -> None:
        """Undo what the job changed since the last commit or rollback."""


class _NoLines:
    def feed(self, data: bytes) -> None:
        return None

    def end(self) -> None:
        return None


class NoRun:
    """Stands in while a job is used outside of a run: it keeps nothing."""

    def __init__(self) -> None:
        self.values: MutableMapping[str, Any] = {}

    def log(self, *_: Any, **__: Any) -> None:
        return None

    def progress(self, *_: Any) -> None:
        return None

    def step(self, *_: Any) -> None:
        return None

    def create_file(self, *_: Any) -> str:
        return ""

    @property
    def folder(self) -> str | None:
        return None

    def lines(self, *_: Any) -> Lines:
        return _NoLines()

    def keep_output(self, *_: Any) -> int:
        return 0

    def keep_report(self, *_: Any) -> None:
        return None

    def hot_functions(self, *_: Any) -> None:
        return None

    def map(self, *_: Any, **__: Any) -> None:
        return None

    def gather(self, *_: Any) -> None:
        return None

    def advice(self, error: BaseException) -> str:
        return ""

    def commit(self) -> None:
        return None

    def rollback(self) -> None:
        return None
