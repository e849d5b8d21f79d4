"""The time limit of a run, as its own process keeps it. The worker keeps another one, from outside."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

#: A job that swallows its time limit is told again after this long.
AGAIN_SECONDS = 5.0


class TimeLimitExceeded(BaseException):
    """Raised inside a job at its limit. No Exception, so that a job's own `except Exception` lets it through."""


class TimeLimit:
    """Ends a job from within, by an exception at its limit; whoever swallows it gets another one soon."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.exceeded = False

    @property
    def cause(self) -> str:
        return f"The run was ended at its time limit of {self.seconds:g} seconds."

    @contextmanager
    def of(self, seconds: float) -> Iterator[None]:
        self.seconds = seconds
        before = signal.signal(signal.SIGALRM, self._expire)
        signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN_SECONDS)
        try:
            yield
        finally:
            self._disarm()
            signal.signal(signal.SIGALRM, before)

    def _expire(self, _signal: int, _frame: object) -> None:
        self.exceeded = True
        raise TimeLimitExceeded

    def _disarm(self) -> None:
        while True:
            try:
                signal.setitimer(signal.ITIMER_REAL, 0)
                return
            except TimeLimitExceeded:
                continue  # It came in this very moment: the timer must be stopped all the same.
