"""The helper: processes in which the author's code answers questions for a process that must never run it itself.

One nursery for each asking process, started by the first question and stopped when nobody has asked for a while.
Its children answer question after question, several threads at once. One whose code has changed, that said no, took
too long, used too much memory or is not as it was before is replaced.
"""

import atexit
import logging
import os
import selectors
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from sqlalchemy import NullPool, make_url

from store.platform import Platform
from store.settings import Settings
from store.text import clean_json, clean_text
from worker import frames
from worker.host import descendants, memory_of
from worker.line import LOST_LINE
from worker.snapshots import NoSnapshot
from worker.sources import sources_for_run

if TYPE_CHECKING:
    from worker.answers import Question
    from worker.children import Child

#: How long the author's code may take to answer.
SECONDS = 5.0

#: What a child may use, with all it starts.
MEMORY_LIMIT_MB = 512.0

#: How long a process may take until it can ask for the first time.
READY_SECONDS = 20.0

#: After so long without a question nothing is kept ready any more.
IDLE_SECONDS = 300.0

#: How many threads are answered at once.
MOST_AT_ONCE = 4

#: How long a child may take to say by itself that its time is up, and one that is ending to end.
GRACE_SECONDS = 0.5

#: How often the memory of a child is looked at.
CHECK_SECONDS = 0.1

#: Askers whose child died with the nursery ask again: somebody else's code has killed it.
MOST_TRIES = 3

READ_BYTES = 65_536

#: The longest tail of what a broken child wrote to stderr that is worth keeping.
MOST_OUTPUT = 4_000

logger = logging.getLogger(__name__)


class HelperFailed(Exception):
    """No answer can be had: a clause that says why; details, such as a traceback, are not for everybody."""

    def __init__(self, clause: str, details: str = "") -> None:
        super().__init__(clause)
        self.details = details


class _Ended(Exception):
    """The child cannot answer any more."""


def ask(
    settings: Settings,
    class_path: str,
    question: str,
    arguments: Mapping[str, Any],
    *,
    discreet: bool = False,
    seconds: float = SECONDS,
) -> Any:
    """Have the code of a job answer a question (see worker.answers), and return the answer as JSON.

    discreet: nothing of what is raised because of the arguments may be told.
    Waits for `seconds`, and before that for the helper to be ready (see `get_ready`). Raises HelperFailed.
    """
    try:
        # What is asked for and what came of it is for whoever looks after the portal, too.
        return _ask(settings, class_path, question, arguments, discreet=discreet, seconds=seconds)
    except HelperFailed as failure:
        logger.warning(
            "%s was asked for its %s: %s.\n%s", class_path, question, failure, failure.details.rstrip()
        )
        raise


def get_ready(settings: Settings) -> None:
    """Wait, at most for READY_SECONDS, until a question can be asked. Raises HelperFailed."""
    _helper_of(settings).get_ready()


def stop() -> None:
    """End the helper processes of this process."""
    with _lock:
        stopped = list(_helpers.values())
        _helpers.clear()
    for helper in stopped:
        helper.stop()


def _ask(
    settings: Settings,
    class_path: str,
    question: str,
    arguments: Mapping[str, Any],
    *,
    discreet: bool,
    seconds: float,
) -> Any:
    try:
        sources = sources_for_run(_platform_of(settings), settings, class_path)
    except NoSnapshot as error:
        raise HelperFailed(str(error).rstrip(".")) from error
    asked: Question = {
        "class_path": class_path,
        "question": question,
        "arguments": dict(arguments),
        "discreet": discreet,
        "seconds": seconds,
        "memory_limit": MEMORY_LIMIT_MB,
        "data_url": settings.data_database_url,
        "sources": [source.as_data() for source in sources],
    }
    return _helper_of(settings).ask(asked)


#: By what a nursery is started with.
_helpers: dict[tuple[str, tuple[str, ...]], "_Helper"] = {}
_platforms: dict[Settings, Platform] = {}
_lock = threading.Lock()


def _helper_of(settings: Settings) -> "_Helper":
    key = (make_url(settings.data_database_url).get_backend_name(), settings.plugins)
    with _lock:
        if not _helpers:
            _register()
        if key not in _helpers:
            _helpers[key] = _Helper(settings)
        return _helpers[key]


def _platform_of(settings: Settings) -> Platform:
    # Opened for the rare source whose files are not here; nothing stays open.
    return _platforms.setdefault(settings, Platform(settings.database_url, poolclass=NullPool))


_registered = False


def _register() -> None:
    global _registered
    if not _registered:
        _registered = True
        atexit.register(stop)
        os.register_at_fork(after_in_child=_forget)


def _forget() -> None:
    """In a process forked from one that has helpers: they are not ours, and the locks may be held for ever."""
    global _lock
    _lock = threading.Lock()
    for helper in _helpers.values():
        helper.forget()
    _helpers.clear()


class _Helper:
    """One nursery and its children."""

    def __init__(self, settings: Settings) -> None:
        # Imported by those who ask, and only then: it brings along all that running a job needs.
        from worker.children import Children

        self._children = Children(settings, f"helper-{uuid4().hex}", tied=False)
        #: For whatever is done with `_children` and `_idle`.
        self._lock = threading.Lock()
        self._turns = threading.BoundedSemaphore(MOST_AT_ONCE)
        self._idle: list[Child] = []
        self._asking = 0
        self._asked_at = time.monotonic()
        self._watched = False
        self._stopped = threading.Event()

    def get_ready(self) -> None:
        self._put_back(self._take())

    def ask(self, question: "Question") -> Any:
        deadline = time.monotonic() + question["seconds"]
        if not self._turns.acquire(timeout=max(0.0, question["seconds"])):
            raise HelperFailed("too many others were waiting for their answers")
        try:
            return self._ask(question, deadline)
        finally:
            self._turns.release()

    def stop(self) -> None:
        self._stopped.set()
        with self._lock:
            self._stop()

    def forget(self) -> None:
        self._children.forget()

    def _ask(self, question: "Question", deadline: float) -> Any:
        tries = 0
        while True:
            waiting_since = time.monotonic()
            child = self._take()
            # That a helper must first be started is not the fault of the job's code.
            deadline += time.monotonic() - waiting_since
            question["seconds"] = deadline - time.monotonic()
            if question["seconds"] <= 0:
                self._put_back(child)
                raise HelperFailed("no time was left to ask the job's code")
            try:
                reply = self._exchange(child, question, deadline + GRACE_SECONDS)
            except _Ended as end:
                failure = self._failure_of(child, str(end))
                tries += 1
                if child.orphaned and tries < MOST_TRIES:
                    continue
                raise failure from None
            except BaseException:
                self._drop(child)
                raise
            match reply:
                case ["stale"]:
                    self._drop(child)
                case ["answer", value, [*sticks]]:
                    if sticks:
                        self._drop(child)
                    else:
                        self._put_back(child)
                    return clean_json(value)
                case ["refused", str(clause), str(details), *_]:
                    self._drop(child)
                    raise HelperFailed(clean_text(clause), clean_text(details))
                case _:
                    self._drop(child)
                    raise HelperFailed("the job's code gave an answer that cannot be read")

    def _exchange(self, child: "Child", question: "Question", deadline: float) -> frames.Frame:
        """Send the question and wait for the answer, while what the child writes is read. Raises HelperFailed, _Ended."""
        tail = b""
        checked_at = time.monotonic()
        with selectors.DefaultSelector() as selector:
            for readable in (child.line, child.out, child.err):
                selector.register(readable, selectors.EVENT_READ)
            self._send(child, question, deadline)
            while (left := deadline - time.monotonic()) > 0:
                for key, _ in selector.select(min(left, CHECK_SECONDS)):
                    if key.fileobj is child.line:
                        if said := _read(child, tail):
                            return said[0]
                        continue
                    data = _read_output(key.fd)
                    if data == b"":
                        selector.unregister(key.fileobj)
                    elif data and key.fd == child.err:
                        tail = (tail + data)[-MOST_OUTPUT:]
                if time.monotonic() - checked_at > CHECK_SECONDS:
                    _check_memory(child)
                    checked_at = time.monotonic()
        raise HelperFailed(
            f"the job's code took longer than {question['seconds']:.2g} seconds and was stopped", _text(tail)
        )

    def _send(self, child: "Child", question: "Question", deadline: float) -> None:
        try:
            child.line.settimeout(max(0.01, deadline - time.monotonic()))
            child.line.sendall(frames.encode("ask", question))
            child.line.setblocking(False)
        except OSError:
            raise _Ended from None

    # The children

    def _take(self) -> "Child":
        from worker.children import NoChild

        with self._locked():
            if self._stopped.is_set():
                raise HelperFailed("this process is about to end")
            try:
                child = self._idle_or_fresh()
            except NoChild as error:
                raise HelperFailed("the process that asks the job's code could not be started") from error
            self._asking += 1
            return child

    def _idle_or_fresh(self) -> "Child":
        self._children.notice()
        while self._idle:
            child = self._idle.pop()
            if not child.ended:
                return child
            child.close()
        self._watch()
        return self._children.take(READY_SECONDS)

    def _put_back(self, child: "Child") -> None:
        with self._locked():
            self._let_asker_go()
            if self._stopped.is_set() or child.ended:
                child.close()
            else:
                self._idle.append(child)

    def _drop(self, child: "Child") -> None:
        """Kill a child, and what came of it."""
        with self._locked():
            self._let_asker_go()
            self._children.kill(child)
            child.close()

    def _let_asker_go(self) -> None:
        self._asking -= 1
        self._asked_at = time.monotonic()

    def _failure_of(self, child: "Child", output: str) -> HelperFailed:
        """Say how a child ended, and see to it that it has."""
        deadline = time.monotonic() + GRACE_SECONDS
        while not child.ended and time.monotonic() < deadline:
            with self._locked():
                self._children.notice()
            # The nursery tells of it in the next moment.
            self._stopped.wait(0.01)
        by_itself = child.ended
        self._drop(child)
        return HelperFailed(f"the job's code {_how_it_ended(child.status or 0, by_itself)}", output)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        if not self._lock.acquire(timeout=READY_SECONDS):
            raise HelperFailed("too many others were waiting for their answers")
        try:
            yield
        finally:
            self._lock.release()

    def _stop(self) -> None:
        self._children.stop()
        while self._idle:
            self._idle.pop().close()

    # The end of what nobody asks

    def _watch(self) -> None:
        """Have a thread see to it that nothing is kept for nobody."""
        if not self._watched:
            self._watched = True
            threading.Thread(target=self._stop_when_idle, name="errand-helper", daemon=True).start()

    def _stop_when_idle(self) -> None:
        while not self._stopped.wait(self._seconds_until_idle()):
            with self._lock:
                if self._asking == 0 and self._seconds_until_idle() <= 0:
                    self._stop()
                    self._watched = False
                    return

    def _seconds_until_idle(self) -> float:
        if self._asking:
            return IDLE_SECONDS
        return max(0.0, self._asked_at + IDLE_SECONDS - time.monotonic())


def _read(child: "Child", tail: bytes) -> list[frames.Frame]:
    try:
        said = frames.read(child.line, child.frames)
    except frames.BrokenLine as error:
        raise HelperFailed("the job's code gave an answer that cannot be read") from error
    if said is None:
        raise _Ended(_text(tail))
    return said


def _read_output(descriptor: int) -> bytes | None:
    """Return what was written; b"" when nobody can write any more, None when there is nothing."""
    with suppress(BlockingIOError):
        return os.read(descriptor, READ_BYTES)
    return None


def _check_memory(child: "Child") -> None:
    if memory_of([child.pid, *descendants([child.pid])]) > MEMORY_LIMIT_MB * 1024**2:
        raise HelperFailed(f"the job's code used more than {MEMORY_LIMIT_MB:g} MB of memory and was stopped")


def _how_it_ended(status: int, by_itself: bool) -> str:
    if not by_itself or (os.WIFEXITED(status) and os.WEXITSTATUS(status) == LOST_LINE):
        return "closed files that were not its own"
    if os.WIFSIGNALED(status):
        return f"was killed by signal {os.WTERMSIG(status)}"
    return f"ended its process with exit status {os.WEXITSTATUS(status)}"


def _text(tail: bytes) -> str:
    return clean_text(tail.decode("utf-8", "replace"))
