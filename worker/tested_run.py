"""How a run in a test went, and the context that writes it down while the run goes on."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, TypeVar
from uuid import UUID

from sqlalchemy.orm import Session

from jobs.context import NoRun
from jobs.errors import JobFailed
from jobs.files import too_large
from jobs.job import BaseJob
from jobs.lifecycle import Outcome
from store import colours, html
from store.changes import Author, record_changes
from store.data import RunSession
from store.objects import ObjectModel, QuerySet
from store.settings import MEGABYTE
from store.text import strip_ansi
from worker.capture import Lines
from worker.made_files import MOST_FILES
from worker.markers import Changes
from worker.progress import LONGEST_TEXT, Report, finite, report_of
from worker.throwaway_data import ThrowawayData
from worker.values import Values

M = TypeVar("M", bound=ObjectModel)

#: As a portal has it that nobody has set up otherwise.
LARGEST_FILE_BYTES = 10 * MEGABYTE


@dataclass(slots=True)
class Entry:
    """One line that a run logged."""

    level: str
    grouping: str
    message: str
    object_text: str | None = None
    object_url: str | None = None
    #: False: text that is no markdown, such as what was printed.
    markdown: bool = True
    #: The message as it was said, with its colours.
    said: str = field(default="", repr=False)

    def __str__(self) -> str:
        about = f" ({self.object_text})" if self.object_text else ""
        return f"{self.grouping} · {self.level}: {self.message}{about}"

    @property
    def html(self) -> str:
        """The message as pages show it."""
        return html.entry_html(*colours.read(self.said or self.message), markdown=self.markdown)


class TestedRun:
    """How one run went. As text it is its whole log."""

    #: Not a class of tests, whatever its name.
    __test__: ClassVar[bool] = False

    def __init__(self, id: UUID, job_class: type[BaseJob], database: ThrowawayData, *, commit: bool) -> None:
        self.id = id
        self.job_class = job_class
        self.commit = commit
        self.entries: list[Entry] = []
        #: {name: content} of what the job made with `create_file`; of several with one name the last.
        self.files: dict[str, bytes] = {}
        #: All that the job said of how far it is: {"done", "total", "text"}.
        self.progress: list[Report] = []
        #: The runs that it has asked for, in their order; they were run here, one after the other.
        self.children: list[TestedRun] = []
        #: What broke the job.
        self.exception: BaseException | None = None
        self.outcome = Outcome("errored", "The run has not ended.", None, "", {})
        self._database = database
        self._beginning = database.beginnings

    def __repr__(self) -> str:
        return f"<{self.job_class.__name__}: {self.status}. {self.cause}>"

    def __str__(self) -> str:
        return "\n".join([repr(self), *map(str, self.entries)])

    @property
    def status(self) -> str:
        """completed, failed (the job said so) or errored (it broke)."""
        return self.outcome.status

    @property
    def cause(self) -> str:
        return self.outcome.cause

    @property
    def return_value(self) -> Any:
        return self.outcome.return_value

    @property
    def output(self) -> str:
        """What the job's methods returned, as text."""
        return self.outcome.output

    @property
    def results(self) -> dict[str, Any]:
        """What the job kept in `self.job_result.data`."""
        return self.outcome.results

    @property
    def messages(self) -> list[str]:
        return [entry.message for entry in self.entries]

    def logged(self, level: str | None = None, text: str = "", *, grouping: str | None = None) -> list[Entry]:
        """Return the entries of this level whose message, or object, has this text: `assert run.logged("warning", "old")`."""
        return [
            entry
            for entry in self.entries
            if level in (None, entry.level)
            and grouping in (None, entry.grouping)
            and (text in entry.message or text in (entry.object_text or ""))
        ]

    @property
    def kept(self) -> dict[str, str]:
        """What its job keeps from one run of a test to the next, as JSON."""
        return self._database.kept.setdefault(f"{self.job_class.file_path}::{self.job_class.__name__}", {})

    def objects(self, model: type[M]) -> QuerySet[M]:
        """Return the objects of a model as they are now, after the run."""
        if self._beginning != self._database.beginnings:
            raise RuntimeError("The objects of this run are gone: the database has begun anew since.")
        return QuerySet(model, ordering=model.options.ordering, session=self._database.session)


class _Kept:
    """What a job keeps from one run to the next, for the runs of one test; answers as a worker does."""

    def __init__(self, tested: TestedRun) -> None:
        self._texts = tested.kept

    def ask(self, _what: str, act: str, key: str = "", text: str = "") -> dict[str, Any]:
        match act:
            case "get":
                return {"text": self._texts.get(key)}
            case "set":
                self._texts[key] = text
                return {}
            case "delete":
                return {"found": self._texts.pop(key, None) is not None}
            case _:
                return {"keys": list(self._texts)}


class TestContext(NoRun):
    """What a run in a test lends its job: it keeps everything with the run."""

    __test__: ClassVar[bool] = False

    def __init__(self, tested: TestedRun, session: RunSession, changes: Changes, author: Author) -> None:
        self._run = tested
        self._session = session
        self._changes = changes
        #: The pages of objects that were made since the last commit.
        self._made: set[str] = set()
        self.values = Values(_Kept(tested), keeps=tested.commit or bool(tested.job_class.read_only))
        self.job: BaseJob | None = None
        #: What it has asked for: a job and what it is to be run with, each; and by which method it is told.
        self.asked: list[tuple[Any, dict[str, Any]]] = []
        self.method = ""
        session.on_flush += [self._note_made, lambda flushed: record_changes(flushed, author)]

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
        self._run.entries.append(
            Entry(level, grouping, strip_ansi(message), object_text, object_url, markdown, said=message)
        )

    def keep(self, level: str, text: str, more: int) -> None:
        """Keep what the process said by another way than the job's own log."""
        grouping = str(self.job.active_test or "main")[:100] if self.job else "initialization"
        self.log(level, text, grouping=grouping, markdown=False)

    def progress(self, done: float, total: float | None, text: str) -> None:
        whole = None if total is None else finite(total)
        report = report_of(finite(done), whole, str(text)[:LONGEST_TEXT])
        if report is not None:
            self._run.progress.append(report)

    def create_file(self, name: str, content: bytes, content_type: str) -> str:
        if len(content) > LARGEST_FILE_BYTES:
            raise ValueError(too_large(LARGEST_FILE_BYTES))
        if len(self._run.files) >= MOST_FILES:
            raise ValueError(f"A run may keep at most {MOST_FILES} files.")
        self._run.files[name] = content
        return f"/results/{self._run.id}/files/{len(self._run.files)}"

    def map(self, job: Any, data: list[dict[str, Any]], **_: Any) -> None:
        self.asked += [(job, each) for each in data]

    def gather(self, method: str) -> None:
        self.method = method

    def lines(self, grouping: str) -> Lines:
        return Lines(lambda text, more: self.log("info", text, grouping=grouping, markdown=False))

    def keep_output(self, name: str, path: str) -> int:
        content = Path(path).read_bytes()
        self.create_file(name, content[:LARGEST_FILE_BYTES], "text/plain")
        return max(0, len(content) - LARGEST_FILE_BYTES)

    def advice(self, error: BaseException) -> str:
        if self._run.exception is None and not isinstance(error, JobFailed):
            self._run.exception = error
        return ""

    def commit(self) -> None:
        self._changes.commit(self._session)
        self._made.clear()

    def rollback(self) -> None:
        self._changes.rollback(self._session)
        for entry in self._run.entries:
            if entry.object_url in self._made:
                # What it was about is not there any more.
                entry.object_url = None
        self._made.clear()

    def _note_made(self, session: Session) -> None:
        self._made.update(obj.get_absolute_url() for obj in session.new if isinstance(obj, ObjectModel))
