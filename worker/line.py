"""The child's end of the line to its worker, and when the code behind it may be interrupted."""

import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from jobs.errors import RunEnded, SoftTimeLimitExceeded
from worker.frames import READ_BYTES, Frame, Frames, encode

#: What a child exits with whose line is gone: its worker is, or the job closed what was not its own.
LOST_LINE = 75

#: The worker sends this to have the run end now. Not SIGTERM: whoever stops a service sends that to every process.
END_SIGNAL = signal.SIGUSR2


class WrongProcess(RuntimeError):
    """Somebody else than the run's own process tried to log."""


class Interruptions:
    """Limits and cancels reach a job as exceptions; never in the middle of a line to the worker."""

    def __init__(self) -> None:
        self._main_thread = threading.get_ident()
        self._armed = False
        self._held = 0
        self._waiting: BaseException | None = None
        self._soft_seconds = 0.0
        signal.signal(signal.SIGALRM, self._soft_limit)
        signal.signal(END_SIGNAL, self._end)

    @contextmanager
    def armed(self, soft_seconds: float) -> Iterator[None]:
        """Let the block be interrupted; after `soft_seconds` by SoftTimeLimitExceeded."""
        self._soft_seconds = soft_seconds
        self._waiting = None
        # Again in every run: the last one may have put handlers of its own in their place.
        signal.signal(signal.SIGALRM, self._soft_limit)
        signal.signal(END_SIGNAL, self._end)
        self._armed = True
        try:
            signal.setitimer(signal.ITIMER_REAL, soft_seconds)
            yield
        finally:
            # One statement, and first: from here on nothing is raised any more.
            self._armed = False
            signal.setitimer(signal.ITIMER_REAL, 0)

    def hold(self) -> bool:
        """Let interruptions wait until `release`; to be called in pairs. Tells whether there was need to."""
        if threading.get_ident() != self._main_thread:
            return False
        self._held += 1
        return True

    def release(self) -> None:
        self._held -= 1
        if self._held == 0 and self._waiting is not None:
            error, self._waiting = self._waiting, None
            if self._armed:
                raise error

    def _soft_limit(self, *_: object) -> None:
        self._interrupt(
            SoftTimeLimitExceeded(
                f"the soft time limit of {self._soft_seconds:g} seconds was reached; "
                "raise `soft_time_limit` if the job needs longer"
            )
        )

    def _end(self, *_: object) -> None:
        self._interrupt(RunEnded("The worker ends this run."))

    def _interrupt(self, error: BaseException) -> None:
        if not self._armed:
            return
        if self._held:
            self._waiting = error
            return
        raise error


class Line:
    """Sends and receives frames. Threads of a job may send too."""

    def __init__(self, descriptor: int, interruptions: Interruptions) -> None:
        self.pid = os.getpid()
        self._socket = socket.socket(fileno=descriptor)
        self._interruptions = interruptions
        self._frames = Frames()
        self._arrived: list[Frame] = []
        self._lock = threading.Lock()
        self._asking = threading.Lock()

    def send(self, *frame: Any) -> None:
        """Send a frame whole. Raises WrongProcess in a process that the job forked."""
        if os.getpid() != self.pid:
            raise WrongProcess(
                "A process that the job started cannot log: let it tell the job's own process."
            )
        data = encode(*frame)
        held = self._interruptions.hold()
        try:
            with self._lock:
                self._socket.sendall(data)
        except OSError:
            os._exit(LOST_LINE)
        finally:
            if held:
                self._interruptions.release()

    def receive(self) -> Frame | None:
        """Wait for the next frame; None when the worker wants this process to go."""
        held = self._interruptions.hold()
        try:
            while not self._arrived:
                data = self._socket.recv(READ_BYTES)
                if not data:
                    return None
                self._arrived = self._frames.feed(data)
            return self._arrived.pop(0)
        except OSError:
            os._exit(LOST_LINE)
        finally:
            if held:
                self._interruptions.release()

    def ask(self, *question: Any) -> Any:
        """Send a question and wait for its answer."""
        # Nothing may come between the two: the next question would get this one's answer.
        held = self._interruptions.hold()
        try:
            with self._asking:
                self.send(*question)
                answer = self.receive()
        finally:
            if held:
                self._interruptions.release()
        if answer is None:
            os._exit(LOST_LINE)
        return answer[1]
