"""One run in the hands of its worker: claimed, given to a child, watched from outside, ended once.

The child says what the job logs and how it ended; everything else is decided here: limits on a clock that nobody
can set, cancels, memory, processes that were left behind, and what is written when the child can say nothing more.
"""

import logging
import math
import os
import re
import selectors
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

from redis.exceptions import RedisError
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from jobs.planning import MOST_CHANGES
from store.data import Data
from store.files import FileStore, file_store
from store.models import Status
from store.platform import Platform, is_full
from store.settings import Settings
from store.text import clean_text
from worker import fan_out, frames, run_files
from worker.asked_runs import AskedRuns, Call
from worker.beginning import Beginning, CannotBegin
from worker.capture import Lines
from worker.children import Child, Children
from worker.entries import LONGEST_GROUPING, Entry, RunLog, Ticket, Writer
from worker.failpoints import reach
from worker.gathering import child_ended, settle
from worker.heard import entry_of, is_moment, is_safe_url, outcome_values
from worker.host import Process, memory_bytes, memory_of
from worker.job_values import KeptValues
from worker.json_log import about
from worker.keyring import Keyring
from worker.known_secrets import known_secrets
from worker.line import END_SIGNAL, LOST_LINE
from worker.made_files import MadeFiles
from worker.markers import bury
from worker.masking import Mask, forms_of
from worker.origins import MAP, REHEARSALS
from worker.outcomes import Gathered
from worker.ownership import Claim, Fenced, beat, began, claim, end_values
from worker.profiles import functions_of
from worker.progress import LONGEST_TEXT, report_of
from worker.pushes import release
from worker.redaction import load_rules
from worker.reporting import masked_report, write_report
from worker.steps import Step

T = TypeVar("T")

logger = logging.getLogger("errand.worker")

#: How often the beat is raised and a cancel is seen at the latest.
BEAT_SECONDS = 2.0

#: How often memory and processes are looked at, and in mid-run the limits.
LOOK_SECONDS = 0.25

#: After the hard limit, or a cancel, a run has this long to end by itself.
LIMIT_GRACE_SECONDS = 10.0
CANCEL_GRACE_SECONDS = 5.0

#: While a job waits for the database, limits and cancels are looked at this often.
FULL_SECONDS = 0.1

#: A child whose line is gone has this long to be gone itself.
LINE_SECONDS = 1.0

#: Between two tries of a database that does not answer.
RETRY_SECONDS = 0.5

#: All that a run may start.
MOST_PROCESSES = 512

#: A child is replaced after so many runs whatever happens.
MOST_RUNS = 1_000

#: What is read of a program's output at once.
OUTPUT_BYTES = 65_536

#: What the kernel keeps of an output that nobody has read yet, at most, and a bit more.
UNREAD_BYTES = 2 * 1024**2

#: A child that says it is ready must take the next run within this.
TAKE_SECONDS = 10.0

#: A child that has asked something takes the answer within this.
ANSWER_SECONDS = 2.0

_DIGEST = re.compile("[0-9a-f]{0,64}")

STOPPED = "The worker was stopped while the job was running."
LOST = "Another worker has taken this run for lost."


@dataclass(frozen=True, slots=True)
class Reason:
    """Why the worker ends a run, and how long the run may still take to end by itself."""

    status: Status
    cause: str
    grace_seconds: float
    #: The job has nothing to do with it: one that may run again does.
    lost: bool = False


class Supervisor:
    """Executes runs, one at a time. `told_to_stop_at` says when its worker was told to stop."""

    def __init__(
        self,
        settings: Settings,
        platform: Platform,
        children: Children,
        *,
        worker: str,
        process: Process,
        stop_grace_seconds: float = math.inf,
    ) -> None:
        self.settings = settings
        self.platform = platform
        self.children = children
        self.worker = worker
        self.process = process
        self.rules = load_rules(settings.redaction_file)
        self.known_forms = forms_of(known_secrets(settings))
        self.keyring = Keyring(settings)
        self.writer = Writer(platform)
        self.data = Data(settings.data_database_url)
        self._files: FileStore | None = None
        # Not the writer: a store may be far away, and the beat and the log must not wait for it.
        self.filer = Writer(platform, name="filer")
        self.stop_grace_seconds = stop_grace_seconds
        self.told_to_stop_at: float | None = None
        #: Called about every BEAT_SECONDS while a run goes on.
        self.on_beat: Callable[[], None] = lambda: None
        self._child: Child | None = None
        self._watch: _Watch | None = None
        self._wake_reading, self._wake_writing = os.pipe()
        os.set_blocking(self._wake_reading, False)
        os.set_blocking(self._wake_writing, False)

    def execute(self, result_id: UUID) -> str | None:
        """Execute the run if it is still to be done; return the state it ended in, None when it was not ours."""
        child = self._ready_child()
        claimed = self.patiently(
            lambda: claim(self.platform, result_id, worker=self.worker, process=self.process)
        )
        if claimed is None:
            return None  # Delivered twice, or canceled while it waited.
        reach("worker.claimed")
        self._watch = _Watch(self, claimed)
        try:
            with about(result_id=str(result_id), job=claimed.run.class_path):
                return self._watch.through(child)
        finally:
            self._watch = None

    def ask_to_end(self, reason: Reason) -> None:
        """Have the run that goes on end. Any thread may call this."""
        if self._watch is not None:
            self._watch.asked = reason
        self.look()

    def look(self) -> None:
        """Have the run that goes on look at once whether it was canceled. Any thread may call this."""
        try:
            os.write(self._wake_writing, b"x")
        except BlockingIOError:
            pass

    def patiently(self, work: Callable[[], T]) -> T:
        """Do what needs the database as soon as it answers, unless the worker is told to stop meanwhile."""
        while True:
            try:
                return work()
            except OperationalError as error:
                if self.told_to_stop_at is not None:
                    raise
                logger.warning("The database does not answer: %s", error.orig)
                self.on_beat()
                time.sleep(RETRY_SECONDS)

    def drain_wakes(self) -> bool:
        try:
            return bool(os.read(self._wake_reading, 4096))
        except BlockingIOError:
            return False

    @property
    def wake(self) -> int:
        return self._wake_reading

    def idle(self) -> None:
        """What is to be done between runs."""
        self.children.notice()
        self.children.kill_late()

    def close(self) -> None:
        """Let go of all but the nursery, which whoever made it has to stop."""
        if self._child is not None:
            self.children.let_go(self._child)
            self._child = None
        self.writer.close()
        self.filer.close()
        self.data.dispose()
        for end in (self._wake_reading, self._wake_writing):
            os.close(end)

    @property
    def files(self) -> FileStore:
        if self._files is None:
            self._files = file_store(self.settings, self.platform.engine)
        return self._files

    def memory_bytes(self) -> int:
        return memory_of([os.getpid(), *self.children.memory_pids()])

    def _ready_child(self) -> Child:
        """Have a child before the run is claimed: nothing stands between the claim and its start then."""
        self.children.notice()
        if self._child is not None and self._child.ended:
            self._child.close()
            self._child = None
        if self._child is None:
            self._child = self.children.take()
        return self._child

    def fresh_child(self) -> Child:
        """Replace the child."""
        if self._child is not None:
            self.children.let_go(self._child)
            self._child = None
        self._child = self.children.take()
        return self._child

    def forget_child(self) -> None:
        self._child = None


class _Watch:
    """Watches over one claimed run."""

    def __init__(self, supervisor: Supervisor, claimed: Claim) -> None:
        self._supervisor = supervisor
        self._claim = claimed
        self._mask = Mask(supervisor.rules, forms=supervisor.known_forms)
        self._log = RunLog(supervisor.writer, claimed, self._mask)
        self._outcome: dict[str, Any] | None = None
        self._sticks: list[str] = []
        #: What it has reported.
        self._report: dict[str, Any] | None = None
        self._stale = False
        #: The job's module has been loaded.
        self._loaded = False
        self._reason: Reason | None = None
        self._asked_to_end_at = 0.0
        self._killed = False
        self._grouping = "main"
        #: What programs write, by the file descriptor it comes from.
        self._outputs: dict[int, Lines] = {}
        self._beat: Ticket | None = None
        self._began_at = self._beat_at = time.monotonic()
        # Most runs have ended before there is anything to look at.
        self._look_at = self._began_at + LOOK_SECONDS
        self._peak_bytes = 0
        self._line_gone_at = 0.0
        self._fresh = bool(claimed.run.job_fresh_process)
        self._folder = run_files.folder_of(supervisor.settings, claimed)
        self._beginning = Beginning(
            supervisor, claimed, mask=self._mask, log=self._log, folder=self._folder, wait=self._wait_beating
        )
        self._made_files = MadeFiles(supervisor, claimed, self._folder, self._mask)
        self._values = KeptValues(supervisor, claimed)
        #: What it asks for of other jobs; and, in its second part, what became of that.
        self._asked_runs = AskedRuns(claimed, self._mask)
        self._gathered = Gathered(supervisor, claimed)
        #: The state in which the run is after this attempt.
        self._ended_as: str = Status.RUNNING
        #: Why others want the run to end.
        self.asked: Reason | None = None

    def through(self, child: Child) -> str:
        """See the run through to its end, and return the state it ended in."""
        try:
            order = self._supervisor.patiently(self._beginning.order)
        except CannotBegin as error:
            self._log.add(Entry("failure", "initialization", str(error), created_at=time.time()))
            return self._finish({"status": Status.ERRORED, "cause": str(error)})
        if self._claim.run.ignore_singleton_lock:
            self._supervisor.patiently(self._beginning.say_ignored_lock)
        if self._fresh and child.runs:
            child = self._supervisor.fresh_child()
        try:
            self._supervisor.patiently(lambda: began(self._supervisor.platform, self._claim))
            reach("worker.began")
            child = self._give(child, order)
            reach("worker.ended")
            return self._finish(self._end(child))
        except Fenced:
            self._supervisor.children.kill(child)
            child.close()
            self._supervisor.forget_child()
            logger.warning("Run %s is not ours any more.", self._claim.result_id)
            return "lost"
        except BaseException:
            # The worker is being ended by force, or broke: the run must not go on without it.
            self._supervisor.children.kill(child)
            self._supervisor.forget_child()
            self._reason = self._reason or Reason(Status.ERRORED, STOPPED, 0, lost=True)
            self._finish(self._end_without_outcome(child))
            raise

    # While it runs

    def _give(self, child: Child, order: frames.Order) -> Child:
        """Give the run to a child, and watch it until it says the end, or has ended itself. Returns that child."""
        while True:
            child.runs += 1
            self._stale = False
            self._began_at = time.monotonic()
            try:
                child.line.settimeout(TAKE_SECONDS)
                child.line.sendall(frames.encode("run", order))
                reach("worker.gave")
            except OSError:
                # It has ended, and the watch sees that; or it takes nothing, and the run has not begun.
                if not child.ended:
                    self._supervisor.children.kill(child)
            child.line.setblocking(False)
            self._watch_over(child)
            if not self._stale:
                return child
            # It has not begun: another child knows nothing of the old code.
            child = self._supervisor.fresh_child()

    def _watch_over(self, child: Child) -> None:
        control = self._supervisor.children.control
        self._outputs = {descriptor: Lines(self._keep_output) for descriptor in (child.out, child.err)}
        with selectors.DefaultSelector() as selector:
            for source in (child.line, child.out, child.err, control, self._supervisor.wake):
                selector.register(source, selectors.EVENT_READ)
            while self._outcome is None and not self._stale and not child.ended:
                # Back-pressure: what is not read keeps the job waiting.
                if self._log.has_room(wait_seconds=FULL_SECONDS):
                    for key, _ in selector.select(self._patience()):
                        self._take(key.fd, child, control.fileno(), selector)
                else:
                    self._supervisor.children.notice()
                self._look(child)
        # What was written before the end lies in the line still.
        if child.ended:
            self._read_line(child)

    def _take(
        self,
        descriptor: int,
        child: Child,
        control: int,
        selector: selectors.BaseSelector,
    ) -> None:
        if descriptor == control:
            self._supervisor.children.notice()
        elif descriptor == self._supervisor.wake:
            self._supervisor.drain_wakes()
            if not any(
                asked.answer is not None for asked in (self._made_files, self._values, self._gathered)
            ):
                self._beat_at = 0.0
        elif descriptor in self._outputs:
            if not self._read_output(descriptor, self._outputs[descriptor]):
                selector.unregister(descriptor)
        elif not self._read_line(child):
            # It has ended, most likely, and its nursery is about to say how.
            selector.unregister(child.line)
            self._line_gone_at = time.monotonic()

    def _patience(self) -> float:
        """Return for how many seconds there is nothing to do unless something arrives."""
        now = time.monotonic()
        due = [self._look_at, self._beat_at + BEAT_SECONDS]
        if self._log.flush_at is not None:
            due.append(self._log.flush_at)
        return max(0.0, min(due) - now)

    def _look(self, child: Child) -> None:
        now = time.monotonic()
        if self._log.flush_at is not None and now >= self._log.flush_at:
            self._log.flush()
        if now - self._beat_at >= BEAT_SECONDS:
            self._raise_beat(now)
        self._see_beat(child)
        if self._made_files.answer is not None:
            self._answer(child, "file", self._made_files.take_answer())
        if self._values.answer is not None:
            self._answer(child, "value", self._values.take_answer())
        if self._gathered.answer is not None:
            self._answer(child, "outcomes", self._gathered.take_answer())
        if self._line_gone_at and now - self._line_gone_at > LINE_SECONDS:
            # It lives, but it can say nothing any more.
            cause = "The job closed the line to its worker: it must close only what it has opened itself."
            self._end_run(child, Reason(Status.ERRORED, cause, 0))
        if self.asked is not None:
            self._end_run(child, self.asked)
        if now >= self._look_at:
            self._look_at = now + LOOK_SECONDS
            self._check_limits(child, now)
        if self._asked_to_end_at and not self._killed:
            assert self._reason is not None  # noqa: S101
            if now - self._asked_to_end_at >= self._reason.grace_seconds:
                self._kill(child)

    def _raise_beat(self, now: float) -> None:
        self._beat_at = now
        if self._beat is None:
            self._beat = self._supervisor.writer.ask(self._write_beat)
        self._supervisor.on_beat()

    def _write_beat(self) -> Any:
        with self._supervisor.platform.single.begin() as connection:
            return beat(connection, self._claim.result_id, worker=self._supervisor.worker)

    def _see_beat(self, child: Child) -> None:
        if self._beat is None or not self._beat.done:
            return
        ticket, self._beat = self._beat, None
        if isinstance(ticket.error, OperationalError):
            return  # The database is restarting: the next beat may be written.
        if ticket.error or ticket.value is None or ticket.value.attempt != self._claim.attempt:
            raise Fenced(LOST)
        if ticket.value.stop_cause:
            self._end_run(child, Reason(Status.CANCELED, ticket.value.stop_cause, CANCEL_GRACE_SECONDS))

    def _check_limits(self, child: Child, now: float) -> None:
        if isinstance(self._log.error, Fenced):
            raise self._log.error
        if self._log.error is not None:
            cause = f"Its log could not be written: {_why_unwritten(self._log.error)}."
            self._end_run(child, Reason(Status.ERRORED, cause, 0))
        limit = self._claim.run.time_limit
        if now - self._began_at >= limit:
            cause = f"The run was ended at its time limit of {limit:g} seconds: raise `time_limit` if it needs longer."
            self._end_run(child, Reason(Status.ERRORED, cause, LIMIT_GRACE_SECONDS))
        if self._supervisor.told_to_stop_at is not None:
            waited = now - self._supervisor.told_to_stop_at
            if waited >= self._supervisor.stop_grace_seconds:
                self._end_run(child, Reason(Status.ERRORED, STOPPED, 0, lost=True))
        self._check_resources(child)
        self._supervisor.children.kill_late()

    def _check_resources(self, child: Child) -> None:
        offspring = self._supervisor.children.offspring(child)
        if len(offspring) > MOST_PROCESSES:
            cause = (
                f"The job had more than {MOST_PROCESSES} processes at once, and all of them were killed: "
                "let it wait for those it starts."
            )
            self._end_run(child, Reason(Status.ERRORED, cause, 0))
            return
        limit = self._claim.run.memory_limit * 1024**2
        used = memory_bytes([child.pid, *offspring])
        self._peak_bytes = max(self._peak_bytes, used)
        if limit and used > limit:
            cause = (
                f"The job used {used // 1024**2:,} MB of memory, and its limit is {limit / 1024**2:,.0f} MB: "
                "raise `memory_limit` if it needs more."
            )
            self._end_run(child, Reason(Status.ERRORED, cause, 0))

    def _end_run(self, child: Child, reason: Reason) -> None:
        """Ask the run to end, or kill it where there is no grace. The first reason counts."""
        if self._reason is not None:
            return
        self._reason = reason
        self._asked_to_end_at = time.monotonic()
        if reason.grace_seconds <= 0:
            self._kill(child)
            return
        for pid in self._supervisor.children.offspring(child):
            _signal(pid, signal.SIGTERM)
        _signal(child.pid, END_SIGNAL)

    def _kill(self, child: Child) -> None:
        self._killed = True
        self._supervisor.children.strike(child)

    # What it says

    def _read_line(self, child: Child) -> bool:
        """Take the frames that have arrived; False when the line has ended."""
        while True:
            try:
                arrived = frames.read(child.line, child.frames)
                if arrived is None:
                    return False
                for frame in arrived:
                    self._hear(child, frame)
                # What came behind the good ones: nothing else may come that would have us look again.
                child.frames.check()
            except frames.BrokenLine as error:
                cause = f"The job wrote to the line to its worker ({error}): it must write only to files of its own."
                self._end_run(child, Reason(Status.ERRORED, cause, 0))
                return True
            if not arrived or not child.ended:
                return True

    def _hear(self, child: Child, frame: frames.Frame) -> None:
        """Take one frame. A job's code may have written it: raises BrokenLine for what no child of ours says."""
        match frame:
            case ["e", *facts]:
                entry = entry_of(facts)
                self._grouping = entry.grouping
                self._log.add(entry)
            case ["code", str(digest)] if _DIGEST.fullmatch(digest):
                self._loaded = True
                # As of the last refresh: what has been edited since is of no commit that anybody knows of.
                known = digest == self._claim.run.job_code_digest
                commit = self._beginning.commit or (self._claim.run.job_code_commit if known else None)
                self._log.note(code_digest=digest, code_commit=commit)
            case ["step", str(grouping), began_at, ended_at] if is_moment(began_at) and is_moment(ended_at):
                self._log.time_step(Step(grouping[:LONGEST_GROUPING], began_at, ended_at))
            case ["unlink", list(urls)]:
                self._log.unlink([url for url in urls if is_safe_url(url)])
            case ["plan", list(lines)]:
                self._answer(child, "plan", self._hear_plan(lines))
            case ["commit"]:
                self._answer(child, "commit", self._may_commit())
            case ["file", str(name), str(path), str(content_type)]:
                self._made_files.keep(name, Path(path), content_type)
            case ["output", str(name), str(path)]:
                self._made_files.keep_output(name, Path(path))
            case ["value", str(act), str(key), str(text)]:
                self._values.ask(act, key, text)
            case ["map", int(number), str(path), str(queue), int(at_once), int(stop_after), list(data)]:
                self._asked_runs.hear(number, Call(path, queue, at_once, stop_after), data)
            case ["gather", str(method)]:
                self._asked_runs.hear_gather(method)
            case ["outcomes", int(after)]:
                self._gathered.ask(after)
            case ["progress", done, total, text] if (report := report_of(done, total, text)) is not None:
                text = self._mask.message(report["text"], cut=len(text) >= LONGEST_TEXT)
                self._log.note(progress={**report, "text": text})
            case ["profile", list(rows)] if (functions := functions_of(rows, self._mask)) is not None:
                self._log.note(hot_functions=functions)
            case ["report", dict(report)]:
                self._report = masked_report(report, self._mask)
            # A fresh child knows no old code; and what has begun must not begin again.
            case ["stale"] if child.runs > 1 and not self._loaded:
                self._stale = True
            case ["end", dict(outcome), list(sticks)]:
                self._outcome = outcome
                self._sticks = [str(what) for what in sticks]
            case _:
                raise frames.BrokenLine("no such frame")

    def _hear_plan(self, said: list[Any]) -> str:
        """Keep the plan that a job has made; return why its run may not begin with that, "" where it may."""
        lines = [self._mask.message(clean_text(str(line))) for line in said[:MOST_CHANGES]]
        self._log.note(plan=lines)
        approved = self._beginning.approved_plan
        return approved.refusal(lines) if approved else ""

    def _may_commit(self) -> bool:
        """Ask whether the run is still ours: one that was given up meanwhile must not save anything any more."""
        ticket = self._supervisor.writer.ask(self._write_beat)
        ticket.wait()
        if isinstance(ticket.error, OperationalError):
            # Nobody can have taken it: they would need the same database. The marker decides, whoever comes first.
            return True
        return ticket.value is not None and ticket.value.attempt == self._claim.attempt

    def _answer(self, child: Child, *frame: Any) -> None:
        try:
            # It waits for the answer, which may be longer than what a line holds.
            child.line.settimeout(ANSWER_SECONDS)
            child.line.sendall(frames.encode(*frame))
        except OSError:
            pass  # It has ended: the watch sees that.
        finally:
            child.line.setblocking(False)

    def _read_output(self, descriptor: int, lines: Lines) -> bool:
        """Take what a program wrote; False when nobody can write any more, or nothing is there."""
        try:
            data = os.read(descriptor, OUTPUT_BYTES)
        except BlockingIOError:
            return False
        if self._log.over:
            # Looking at every line of what is not kept would keep the worker busy for minutes.
            self._log.drop(data.count(b"\n"))
        else:
            lines.feed(data)
        return bool(data)

    def _read_rest(self) -> None:
        """Take what programs wrote before they ended: it lies in the pipes still, and the next run has the same."""
        for descriptor, lines in self._outputs.items():
            # No more than that: a process that could not be killed may write for ever.
            for _ in range(UNREAD_BYTES // OUTPUT_BYTES):
                if not self._read_output(descriptor, lines):
                    break
            lines.end()

    def _keep_output(self, text: str, more: int) -> None:
        self._log.add(Entry("info", self._grouping, text, more, created_at=time.time(), markdown=False))

    # The end

    def _end(self, child: Child) -> dict[str, Any]:
        """Return the values that end the run. Nothing of it lives any more, or can save anything, when this returns."""
        outcome = self._outcome
        badly = outcome is None or self._reason is not None or outcome.get("status") == Status.ERRORED
        strays = self._supervisor.children.kill_strays(child)
        # Only now: what is left running goes on writing until it is killed.
        self._read_rest()
        if badly or self._sticks or self._fresh or child.runs >= MOST_RUNS:
            if outcome is None:
                self._supervisor.children.kill(child)
                child.close()
            else:
                self._supervisor.children.let_go(child)
            self._supervisor.forget_child()
        if outcome is None:
            return self._end_without_outcome(child)
        if strays:
            text = "A process" if strays == 1 else f"{strays:,} processes"
            text = f"Killed at the end of the run: {text} that the job had left running."
            self._log.add(Entry("info", self._grouping, text, created_at=time.time()), ours=True)
        values = outcome_values(outcome, self._mask)
        if self._reason is not None:
            changes = self._mask.message(clean_text(str(outcome.get("changes") or "")))
            values |= {"status": self._reason.status, "cause": f"{self._reason.cause} {changes}".rstrip()}
        return values

    def _end_without_outcome(self, child: Child) -> dict[str, Any]:
        """End a run whose child can say nothing more."""
        reason = self._reason or Reason(Status.ERRORED, self._said_of_exit(child), 0)
        # Before the end is written: from here on nothing of this run can be saved any more.
        changes = bury(self._supervisor.data, self._claim.result_id, self._claim.attempt)
        forced = " It did not end by itself, and was killed." if self._killed and reason.grace_seconds else ""
        return {"status": reason.status, "cause": f"{reason.cause}{forced} {changes}"}

    def _said_of_exit(self, child: Child) -> str:
        status = child.status or 0
        if child.orphaned:
            return (
                "The process that the worker's jobs come from (their parent) was killed, and the job's with it: "
                "a job must end only processes that it has started."
            )
        if os.WIFSIGNALED(status):
            number = os.WTERMSIG(status)
            how = f"was killed by signal {number}, {signal.strsignal(number)}"
            if number == signal.SIGKILL:
                how += self._memory_hint()
        elif os.WEXITSTATUS(status) == LOST_LINE:
            how = "ended because the job closed the line to its worker: it must close only what it has opened itself"
        else:
            how = f"exited with status {os.WEXITSTATUS(status)} without a result"
        return f"The job's process {how}."

    def _memory_hint(self) -> str:
        limit = self._claim.run.memory_limit * 1024**2
        if not limit or self._peak_bytes < limit / 2:
            return " (out of memory, or by hand?)"
        return (
            f"; memory was at {self._peak_bytes / limit:.0%} of its {limit / 1024**2:,.0f} MB limit: "
            "raise `memory_limit`"
        )

    def _finish(self, values: dict[str, Any]) -> str:
        """Write the end of the attempt together with the last entries, and return the state the run is in then.

        Raises Fenced when it is not ours any more.
        """
        status, cause = Status(values.pop("status")), str(values.pop("cause"))
        values = self._with_first_part(values)
        waits = self._waits_for_others(status)
        ending = self._asking(values) if waits else self._ending(status, cause)
        ticket = self._log.finish(ending, more=waits or self._report is not None, **values)
        self._wait(ticket)
        if ticket.error is None:
            return self._released()
        if isinstance(ticket.error, Fenced | OperationalError):
            raise ticket.error
        # Something in it cannot be stored. The end itself can, and it must not be lost with the rest.
        logger.error("The end of %s cannot be stored whole.", self._claim.result_id, exc_info=ticket.error)
        cause = f"{cause} Not all of it could be stored: {type(ticket.error).__name__}."
        if waits:
            # And with it what it asks for: nobody would be told of that.
            status = Status.ERRORED
        self._report = None
        again = RunLog(self._supervisor.writer, self._claim, self._mask)
        ticket = again.finish(self._ending(status, cause))
        self._wait(ticket)
        if ticket.error is not None:
            raise ticket.error
        return self._released()

    def _ending(self, status: Status, cause: str) -> Callable[[Connection], dict[str, Any]]:
        """Return what ends the attempt within the transaction that writes it: for good, or for another one."""

        def end(connection: Connection) -> dict[str, Any]:
            lost = self._reason is not None and self._reason.lost
            values = end_values(connection, self._claim, status, cause, lost=lost)
            self._ended_as = values["status"]
            self._write_report(connection)
            return values

        return end

    def _waits_for_others(self, status: Status) -> bool:
        """Tell whether the run goes on when what it has asked for has ended, and have that ready to be written."""
        asked = self._asked_runs
        if not asked.any or self._reason is not None:
            return False
        why_not = ""
        if status != Status.COMPLETED:
            why_not = "this one did not complete"
        elif self._claim.run.origin in REHEARSALS:
            why_not = "this one only shows what a run would do"
        if why_not:
            text = f"Not asked for, as {why_not}: {asked.count:,} {'run' if asked.count == 1 else 'runs'}."
            self._log.add(Entry("info", self._grouping, text, created_at=time.time()), ours=True)
            return False
        supervisor = self._supervisor
        supervisor.patiently(lambda: asked.prepare(supervisor.platform, supervisor.settings.secret_key))
        return True

    def _asking(self, values: dict[str, Any]) -> Callable[[Connection], dict[str, Any]]:
        """Return what writes that the run waits for others, within the transaction of the end of its first part."""

        def wait(connection: Connection) -> dict[str, Any]:
            written = self._asked_runs.store(connection, {**values, "report": self._report})
            self._ended_as = written["status"]
            self._write_report(connection)
            return written

        return wait

    def _with_first_part(self, values: dict[str, Any]) -> dict[str, Any]:
        """Return the values of the second part, which goes on where the first one ended."""
        first = self._beginning.first
        if not first:
            return values
        if report := first.get("report"):
            own = self._report or {"pieces": []}
            joined = {**report, **own, "pieces": [*report["pieces"], *own["pieces"]]}
            self._report = masked_report(
                joined | {name: own.get(name) or report.get(name) for name in ("title", "filename")},
                self._mask,
            )
        kept = first.get("return_value")
        return {
            **values,
            "output": f"{first.get('output') or ''}{values.get('output') or ''}",
            "return_value": values.get("return_value") if values.get("return_value") is not None else kept,
            # The second part had them, and says what they are by now.
            "results": values["results"] if "results" in values else first.get("results") or {},
        }

    def _write_report(self, connection: Connection) -> None:
        try:
            write_report(connection, self._claim.result_id, self._report)
        except OperationalError as error:
            if is_full(error):
                # The end fits in where megabytes do not: it is written next, without them.
                self._report = None
            raise

    def _released(self) -> str:
        """Let those start that waited for this end, or the run itself again."""
        if self._claim.concurrency_key is not None or self._ended_as == Status.PENDING:
            supervisor = self._supervisor
            release(supervisor.platform, supervisor.settings, self._claim.result_id)
        if self._ended_as == Status.PENDING and self._asked_runs.any:
            self._make_children()
        elif self._claim.run.origin == MAP:
            child_ended(self._supervisor.platform, self._supervisor.settings, self._claim.result_id)
        self._remove_files()
        return self._ended_as

    def _make_children(self) -> None:
        """Make what the run has asked for. What is missed here the next pass of a reconciler makes."""
        supervisor = self._supervisor
        platform, settings, key = supervisor.platform, supervisor.settings, self._claim.result_id
        try:
            fan_out.make(platform, settings, key, stop=self._is_to_leave)
            settle(platform, settings, key)
        except (OperationalError, RedisError) as error:
            logger.warning("What run %s asks for is made later: %s", key, error)

    def _is_to_leave(self) -> bool:
        self._supervisor.on_beat()
        return self._supervisor.told_to_stop_at is not None

    def _remove_files(self) -> None:
        """Remove what passed through, and what the run was given unless it runs again."""
        supervisor, claimed = self._supervisor, self._claim
        if self._folder.exists():
            shutil.rmtree(self._folder, ignore_errors=True)
        if claimed.run.uploads and self._ended_as != Status.PENDING:
            supervisor.filer.ask(
                lambda: run_files.take_back(supervisor.platform.engine, supervisor.files, claimed.result_id)
            )

    def _wait_beating(self, ticket: Ticket) -> None:
        """Wait for what may take its time; nobody may take the run for lost meanwhile."""
        while not ticket.wait(BEAT_SECONDS):
            self._supervisor.on_beat()
            self._write_beat()

    def _wait(self, ticket: Ticket) -> None:
        """Wait for a write. A database that restarts may take its time; the worker is still there meanwhile."""
        while not ticket.wait(BEAT_SECONDS):
            self._supervisor.on_beat()


def _why_unwritten(error: Exception) -> str:
    if not isinstance(error, OperationalError):
        return type(error).__name__
    return "the database has no room left" if is_full(error) else "the database did not answer"


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        pass
