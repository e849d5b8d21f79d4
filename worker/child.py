"""A process that runs jobs, one after the other, as the nursery forked it.

It holds what jobs need and the DATA database, nothing else: entries, questions and the end of each run go to its
worker as frames, in the order they are listed here.

    to the child    ["run", order]                          the facts of a run (see worker.frames.Order)
                    ["ask", question]                       see worker.answers.Question
    from the child  ["stale"]                               job code on disk has changed: another child must run it
                    ["code", digest]                        of the module that was loaded
                    ["e", level, grouping, message, more, object text, object url, time, is markdown]
                    ["step", grouping, began, ended]        a step of the job has ended; seconds since 1970
                    ["unlink", [url, ...]]                  what these objects were was rolled back
                    ["plan", lines]                         what it will change. Answered by ["plan", why it may not, or ""]
                    ["commit"]                              may changes be saved? Answered by ["commit", yes or no]
                    ["file", name, path, content type]      to be kept. Answered by ["file", {"id"} or {"refused"}]
                    ["output", name, path]                  a program's, to be kept. Answered as the last; by {"id", "cut"}
                    ["value", act, key, JSON text]          of the job's own: "get", "set", "delete" or "keys". Answered by
                                                            ["value", {"text"}, {}, {"found"}, {"keys"} or {"refused"}]
                    ["map", number, class path, queue, at once, stop after, [data, ...]]
                                                            runs to ask for; several frames may belong to one call
                    ["gather", method]                      to be called when they have ended
                    ["outcomes", after]                     what became of them. Answered by ["outcomes", {"outcomes"} or
                                                            {"refused"}]: the next after that number, [] after the last
                    ["profile", functions]                  where its time went (see jobs.profiling.hottest)
                    ["progress", done, total or null, text] how far the run is
                    ["report", data]                        what the run reports (see jobs.report.shape)
                    ["end", outcome, what sticks]           the process can take another run unless something sticks
                    ["answer", value, what sticks]          to a question
                    ["refused", why not, traceback]         to a question; the process is of no use any more
"""

import atexit
import contextvars
import errno
import faulthandler
import functools
import gc
import importlib
import itertools
import json
import os
import resource
import shutil
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NoReturn
from uuid import UUID

from sqlalchemy.orm import Session

from jobs.data import restore
from jobs.dialects.running import run
from jobs.errors import JobNotFound, RunEnded, SoftTimeLimitExceeded, described, text_of
from jobs.fan_out import (
    LONGEST_DATA,
    LONGEST_QUEUE,
    MOST_CHILDREN,
    MOST_IN_PART,
    Gather,
    Outcomes,
    class_path_of,
)
from jobs.files import InputFile
from jobs.job import BaseJob, JobResultView
from jobs.lifecycle import Outcome, trace
from jobs.loading import Source, install, is_stale, load_class, loaded_digest
from jobs.planning import BadPlan, plan_of, planned_outcome
from jobs.request import JobRequest, RequestUser
from store.changes import Author, record_changes
from store.data import Data, RunSession
from store.objects import LookupFailed, ObjectLookup, ObjectModel
from worker.answers import Question, answer, refusal
from worker.capture import Lines, captured, cut
from worker.failpoints import reach
from worker.frames import Order
from worker.host import die_with_parent
from worker.hygiene import Baseline
from worker.line import Interruptions, Line
from worker.markers import Changes, has_changed_anything
from worker.progress import Progress
from worker.rejudging import is_refused, misfits
from worker.values import Values

#: A program of a job's should not fill the disk by mistake. A job may raise it, up to what its system allows.
LARGEST_FILE_BYTES = 4 * 1024**3

#: Pages of objects that are named in one frame.
MOST_URLS = 1_000

#: Everything a URL needs to be opened is imported before children are forked.
_DRIVERS = {"postgresql": "psycopg", "sqlite": "sqlite3"}


class CannotBegin(Exception):
    """The run ends before its job's code is called, as a sentence; details are for the log."""

    def __init__(self, sentence: str, details: str = "") -> None:
        super().__init__(sentence)
        self.details = details


def prepare(database: str) -> None:
    """Do once, in the nursery, what every child would have to do for itself."""
    with suppress(ImportError):
        importlib.import_module(_DRIVERS.get(database, "sqlite3"))
        importlib.import_module(f"sqlalchemy.dialects.{database}")
    Data("sqlite://").dispose()


def main(line: int, out: int, err: int, *, parent_pid: int) -> NoReturn:
    """Live as a child: after the fork, until the worker lets go of the line."""
    status = 1
    try:
        die_with_parent(parent_pid)
        os.setsid()
        _handle_signals()
        for descriptor, standard in ((out, 1), (err, 2)):
            os.dup2(descriptor, standard)
            os.close(descriptor)
        _limit()
        # Where a library crashes is worth knowing: it goes to stderr, and so into the log.
        faulthandler.enable(file=2)
        _Child(line).serve()
        status = 0
    except SystemExit:
        pass
    except BaseException:
        traceback.print_exc()
    finally:
        # What a job registered to be done at the end of its process.
        with suppress(BaseException):
            atexit._run_exitfuncs()
        os._exit(status)


def _handle_signals() -> None:
    # Handlers, and not SIG_IGN: programs that a job starts get the usual behaviour back.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)


def _limit() -> None:
    for number, most in ((resource.RLIMIT_CORE, 0), (resource.RLIMIT_FSIZE, LARGEST_FILE_BYTES)):
        _, hard = resource.getrlimit(number)
        soft = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(number, (soft, hard))


class _Child:
    def __init__(self, descriptor: int) -> None:
        self._interruptions = Interruptions()
        self._line = Line(descriptor, self._interruptions)
        self._sources: list[dict[str, Any]] | None = None
        self._data: tuple[str, Data] | None = None
        self._baseline = Baseline()

    def serve(self) -> None:
        while (frame := self._line.receive()) is not None:
            if frame[0] == "run":
                self._take(frame[1])
            elif frame[0] == "ask":
                self._answer(frame[1])

    def _take(self, order: Order) -> None:
        if self._sources not in (None, order["sources"]) or is_stale():
            self._line.send("stale")
            return
        outcome = self._perform(order)
        self._line.send("end", outcome, self._baseline.restore())

    def _perform(self, order: Order) -> dict[str, Any]:
        """Run the job. The one place that catches everything: the author's code may raise what it likes."""
        changes = Changes(UUID(order["result_id"]), order["attempt"])
        context = _Context(self._line, changes, order)
        self._baseline.limit_memory(order["memory_limit"])
        try:
            with captured(context.keep), self._interruptions.armed(order["soft_time_limit"]):
                outcome = contextvars.copy_context().run(self._run, order, context)
        except BaseException as error:
            self._leave_if_forked()
            outcome = _ended_by(error, context, changes)
        self._leave_if_forked()
        context.end()
        return {
            "status": outcome.status,
            "cause": outcome.cause,
            "return_value": outcome.return_value,
            "output": outcome.output,
            "results": outcome.results,
            "changes": str(changes),
        }

    def _answer(self, question: Question) -> None:
        """Ask the job's code instead of running it. Nobody keeps what it says meanwhile."""
        if self._sources not in (None, question["sources"]) or is_stale():
            self._line.send("stale")
            return
        self._baseline.limit_memory(question["memory_limit"])
        try:
            with captured(lambda *_: None), self._interruptions.armed(question["seconds"]):
                reply = ["answer", contextvars.copy_context().run(self._ask_job, question)]
        except BaseException as error:
            self._leave_if_forked()
            # The memory that is missing now may be missing for saying so, too.
            self._baseline.restore()
            reply = ["refused", *refusal(error, question)]
        self._leave_if_forked()
        self._line.send(*reply, self._baseline.restore())

    def _ask_job(self, question: Question) -> Any:
        self._install(question["sources"])
        with self._open_data(question["data_url"]).session() as session:
            return answer(question, ObjectLookup(session))

    def _leave_if_forked(self) -> None:
        """A process that the job forked came back here: the run is not its to end."""
        if os.getpid() != self._line.pid:
            os._exit(0)

    def _run(self, order: Order, context: "_Context") -> Outcome:
        with self._objects(order, context) as (session, objects):
            context.use(session, Author(UUID(order["result_id"]), order["attempt"], order["username"]))
            job = self._make_job(order, context)
            if job._warns_of_limits:
                _warn_of_limits(order, context)
            if order["reused"]:
                _judge_again(job, order, objects)
            data = _restore(job, order, objects)
            if order["gather"]:
                return self._gather(job, data, order, context)
            planned = _restore(job, order, objects) if order["plan"] else {}
            # Only now: what modules did when they were imported stays, as they do.
            self._baseline.note_loggers()
            with lent_files(planned), lent_files(data):
                if order["plan"]:
                    # By an object of its own: the run finds nothing that its plan has left behind.
                    lines = self._plan(self._dressed(type(job), order, context), planned, order, context)
                    if order["plan"] == "make":
                        return planned_outcome(lines)
                    context.job = job
                stored = _stored(job, order["data"])
                return run(job, data, commit=order["commit"], serialised=stored, profile=order["profile"])

    def _gather(self, job: BaseJob, data: dict[str, Any], order: Order, context: "_Context") -> Outcome:
        """Have the job told what became of the runs that it had asked for."""
        asked = order["gather"] or {}
        gather = Gather(asked["method"], Outcomes(asked["count"], context.outcomes))
        self._baseline.note_loggers()
        with lent_files(data):
            stored = _stored(job, order["data"])
            return run(job, data, commit=order["commit"], serialised=stored, gather=gather)

    def _plan(self, job: BaseJob, data: dict[str, Any], order: Order, context: "_Context") -> list[str]:
        """Have the job say what it will change. Raises CannotBegin where it cannot, or may not change just that."""
        try:
            lines = plan_of(job, data)
        except SoftTimeLimitExceeded:
            raise
        except Exception as error:
            told = str(error) if isinstance(error, BadPlan) else f"plan() raised {described(error)}"
            details = "" if isinstance(error, BadPlan) else trace(error)
            raise CannotBegin(f"{told}{context.advice(error)}", details) from error
        finally:
            context.rollback()
        if problem := self._line.ask("plan", lines):
            raise CannotBegin(problem)
        return lines

    @contextmanager
    def _objects(self, order: Order, context: "_Context") -> Iterator[tuple[RunSession, ObjectLookup]]:
        """Open the DATA database for this run; what it does not commit is rolled back."""
        data = self._open_data(order["data_url"])
        with data.run_session(wait_seconds=order["time_limit"], on_wait=context.say_waiting) as session:
            yield session, ObjectLookup(session)

    def _open_data(self, url: str) -> Data:
        if self._data is None or self._data[0] != url:
            self._data = (url, Data(url))
        return self._data[1]

    def _install(self, sources: list[dict[str, Any]]) -> None:
        if self._sources is None:
            install([Source.from_data(source) for source in sources])
            self._sources = sources

    def _make_job(self, order: Order, context: "_Context") -> BaseJob:
        sources = [Source.from_data(source) for source in order["sources"]]
        self._install(order["sources"])
        try:
            cls, module = load_class(sources, order["class_path"])
            # A run says which code it ran, whatever the record knew at the last refresh.
            self._line.send("code", loaded_digest(module))
            if order["approved_code"] not in ("", loaded_digest(module)):
                raise CannotBegin("The job's code is not the one that was approved. Ask for the run again.")
            return self._dressed(cls, order, context)
        except JobNotFound as error:
            raise CannotBegin(str(error)) from error
        except (SoftTimeLimitExceeded, CannotBegin):
            raise
        except Exception as error:
            sentence = f"{order['class_path']} cannot be loaded: {described(error)}{context.advice(error)}"
            details = "".join(traceback.format_exception(error))
            raise CannotBegin(sentence, f"\n\n```\n{details.rstrip()}\n```") from error

    def _dressed(self, cls: type[BaseJob], order: Order, context: "_Context") -> BaseJob:
        """Return a job with all that belongs to its run."""
        job = cls._of_run(order["job_id"], UUID(order["result_id"]).hex)
        # An admin may have said otherwise than the class.
        job.read_only = order["read_only"]
        job._context = context
        kept = dict(order["gather"]["results"]) if order["gather"] else None
        job.job_result = JobResultView(id=order["result_id"], user=order["username"], data=kept)
        if order["username"]:
            job.user = RequestUser(order["username"])
        if order["request"] is not None:
            job.request = JobRequest(order["request"], username=order["username"], id=order["result_id"])
        context.job = job
        return job


def _warn_of_limits(order: Order, context: "_Context") -> None:
    """Say that a run has no time to clean up."""
    hard, soft = order["time_limit"], order["soft_time_limit"]
    if hard <= soft:
        context.log(
            "warning",
            f"The hard time limit of {hard:g} seconds is less than or equal to the soft time limit of {soft:g} seconds. "
            f"This run is ended after {hard:g} seconds, and cannot clean up before that.",
            grouping="initialization",
        )


def _stored(job: BaseJob, data: dict[str, Any]) -> dict[str, Any]:
    """Return the inputs as they were stored; the job may have got others since."""
    return {name: data.get(name, variable.empty) for name, variable in type(job)._get_vars().items()}


def _judge_again(job: BaseJob, order: Order, objects: ObjectLookup) -> None:
    """Refuse sealed inputs of an earlier run that do not fit today; no web server could look."""
    try:
        wrong = misfits(job, order["data"], objects)
        refused = not wrong and is_refused(job, _restore(job, order, objects))
    except (CannotBegin, SoftTimeLimitExceeded):
        raise
    except Exception as error:
        # What it says may be the inputs.
        raise CannotBegin(
            f"The sealed inputs of the earlier run could not be judged: {type(error).__name__}. Give them anew."
        ) from error
    if wrong:
        names = ", ".join(f"`{name}`" for name in wrong)
        raise CannotBegin(f"Sealed inputs of an earlier run do not fit any more: {names}. Give them anew.")
    if refused:
        raise CannotBegin(
            "The job does not take the sealed inputs of the earlier run any more. Give them anew."
        )


def _restore(job: BaseJob, order: Order, objects: ObjectLookup) -> dict[str, Any]:
    descriptions = [variable.describe() for variable in type(job)._get_vars().values()]
    try:
        return restore(descriptions, order["data"], objects)
    except LookupFailed as error:
        if order["sealed"]:
            raise CannotBegin(
                "An object among the sealed inputs of this run is not there any more."
            ) from error
        raise CannotBegin(f"An object this run was given is not there any more: {error}") from error


@contextmanager
def lent_files(data: dict[str, Any]) -> Iterator[None]:
    """Take the files among the inputs out of their folder, where nobody else needs them, and close them at the end."""
    files = [value for value in data.values() if isinstance(value, InputFile)]
    for file in files:
        with suppress(OSError):
            os.unlink(file.raw.name)  # type: ignore[attr-defined]
    try:
        yield
    finally:
        for file in files:
            # The job may have taken it apart.
            with suppress(ValueError):
                file.close()


def _ended_by(error: BaseException, context: "_Context", changes: Changes) -> Outcome:
    """Say how a run ended whose job did not come to its end."""
    match error:
        case CannotBegin():
            context.log("failure", f"{error}{error.details}", grouping="initialization")
            cause = str(error)
        case RunEnded() | KeyboardInterrupt():
            # The worker knows why, and says so.
            cause = str(changes)
        case SystemExit():
            cause = f"The job called exit({text_of(error.code, repr)}). {changes}"
        case SoftTimeLimitExceeded():
            cause = f"Before the job began, {error}."
        case _:
            details = "".join(traceback.format_exception(error))
            context.log("failure", f"{described(error)}\n\n```\n{details.rstrip()}\n```", grouping="main")
            cause = f"The run broke: {described(error)}{context.advice(error)}. {changes}"
    # Its frames hold on to the job and all that belongs to it.
    error.__traceback__ = None
    gc.collect()
    return Outcome("errored", cause, return_value=None, output="", results={})


def _parts(data: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Cut what is to be asked for into parts that fit into a frame."""
    part: list[dict[str, Any]] = []
    size = 0
    for each in data:
        part.append(each)
        size += len(json.dumps(each))
        if len(part) >= MOST_IN_PART or size > LONGEST_DATA:
            yield part
            part, size = [], 0
    if part:
        yield part


class _Context:
    """What the run lends its job (see jobs.context.RunContext)."""

    def __init__(self, line: Line, changes: Changes, order: Order) -> None:
        self._line = line
        self._result_id = order["result_id"]
        self._commit = order["commit"]
        self._memory_limit = order["memory_limit"]
        self._folder = order["folder"]
        self._progress = Progress(line)
        self._numbers = itertools.count(1)
        #: Of calls of `map`.
        self._maps = itertools.count(1)
        self._asked_count = 0
        self._is_second_part = order["gather"] is not None
        self._changes = changes
        self._session: RunSession | None = None
        #: The pages of objects that were made since the last commit.
        self._made: set[str] = set()
        self.job: BaseJob | None = None

    @functools.cached_property
    def values(self) -> Values:
        # Of a job that only reads there are no dry runs: what it has seen is worth keeping.
        return Values(self._line, keeps=self._commit or bool(self.job and self.job.read_only))

    def use(self, session: RunSession, author: Author) -> None:
        self._session = session
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
        more: int = 0,
    ) -> None:
        message, cut_off = cut(message)
        self._line.send(
            "e", level, grouping, message, more + cut_off, object_text, object_url, time.time(), markdown
        )

    def progress(self, done: float, total: float | None, text: str) -> None:
        self._progress.say(done, total, text)

    def keep_report(self, data: dict[str, Any]) -> None:
        self._line.send("report", data)

    def map(self, job: Any, data: list[dict[str, Any]], *, queue: str, at_once: int, stop_after: int) -> None:
        class_path = class_path_of(job)
        self._check_part()
        self._asked_count += len(data)
        if self._asked_count > MOST_CHILDREN:
            raise ValueError(f"A run may ask for {MOST_CHILDREN:,} runs at most.")
        number = next(self._maps)
        for part in _parts(data):
            self._line.send("map", number, class_path, queue[:LONGEST_QUEUE], at_once, stop_after, part)

    def gather(self, method: str) -> None:
        self._check_part()
        self._line.send("gather", method)

    def _check_part(self) -> None:
        if self._is_second_part:
            raise ValueError("The runs have ended: no more of them can be asked for by this one.")

    def outcomes(self, after: int) -> list[dict[str, Any]]:
        answer = self._line.ask("outcomes", after)
        if "refused" in answer:
            raise OSError(answer["refused"])
        found: list[dict[str, Any]] = answer["outcomes"]
        return found

    def hot_functions(self, functions: list[list[Any]]) -> None:
        self._line.send("profile", functions)

    def step(self, grouping: str, began_at: float, ended_at: float) -> None:
        self._line.send("step", grouping, began_at, ended_at)

    def create_file(self, name: str, content: bytes, content_type: str) -> str:
        path = self._place()
        with open(path, "xb") as file:
            file.write(content)
        answer = self._line.ask("file", name, path, content_type)
        if "refused" in answer:
            raise ValueError(answer["refused"])
        return f"/results/{self._result_id}/files/{answer['id']}"

    def lines(self, grouping: str) -> Lines:
        def keep(text: str, more: int) -> None:
            self.log("info", text, grouping=grouping, markdown=False, more=more)

        return Lines(keep)

    def keep_output(self, name: str, path: str) -> int:
        passing = self._place()
        shutil.copyfile(path, passing)
        answer = self._line.ask("output", name, passing)
        if "refused" in answer:
            raise ValueError(answer["refused"])
        return int(answer["cut"])

    @property
    def folder(self) -> str:
        os.makedirs(self._folder, mode=0o700, exist_ok=True)
        return self._folder

    def _place(self) -> str:
        """Return a path at which a file passes through."""
        return os.path.join(self.folder, f"made-{next(self._numbers)}")

    def end(self) -> None:
        """Say what was not said yet."""
        self._progress.flush()

    def advice(self, error: BaseException) -> str:
        match error:
            case MemoryError():
                return (
                    f": there was no memory left under its limit of {self._memory_limit:,.0f} MB; "
                    "raise `memory_limit` if it needs more"
                )
            case OSError(errno=errno.EFBIG):
                return f": a run may write files of up to {LARGEST_FILE_BYTES // 1024**3} GB each"
        return ""

    def keep(self, level: str, text: str, more: int) -> None:
        """Keep what the process said by another way than the job's own log."""
        grouping = str(self.job.active_test or "main")[:100] if self.job else "initialization"
        self.log(level, text, grouping=grouping, markdown=False, more=more)

    def say_waiting(self) -> None:
        self.log(
            "info",
            "Waiting for another run that is changing objects: on SQLite they take turns.",
            grouping="run",
        )

    def commit(self) -> None:
        session = self._open_session()
        self._save(session)
        while session.after_commit:
            self._act(session.after_commit.pop(0), session)

    def _save(self, session: RunSession) -> None:
        # A run that was given up meanwhile must not save anything any more.
        if has_changed_anything(session) and not self._line.ask("commit"):
            raise RunEnded("The run belongs to another worker by now.")
        reach("child.before-commit")
        self._changes.commit(session)
        reach("child.after-commit")
        self._made.clear()

    def _act(self, act: Callable[[], Any], session: RunSession) -> None:
        """Do what the job wanted done once its changes are saved, and save what comes of it."""
        try:
            act()
            self._save(session)
        except Exception as error:
            # Not raised: the run would say that its changes were reverted, and they are saved.
            self._undo(session)
            if self.job is not None:
                told = f"The changes are saved, but what was to be done then failed: `{described(error)}`"
                BaseJob.log_failure(self.job, message=told)

    def rollback(self) -> None:
        session = self._open_session()
        session.after_commit.clear()
        self._undo(session)

    def _undo(self, session: RunSession) -> None:
        self._changes.rollback(session)
        if self._made:
            made = sorted(self._made)
            for start in range(0, len(made), MOST_URLS):
                self._line.send("unlink", made[start : start + MOST_URLS])
        self._made.clear()

    def _open_session(self) -> RunSession:
        if self._session is None:
            raise RuntimeError("No database is open.")
        return self._session

    def _note_made(self, session: Session) -> None:
        self._made.update(obj.get_absolute_url() for obj in session.new if isinstance(obj, ObjectModel))
