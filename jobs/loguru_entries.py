"""What jobs say by loguru: entries with its levels, in place of lines on stderr."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from jobs.levels import level_for

#: loguru's own number for the handler that it begins with.
_FIRST = 0


class Hearer(Protocol):
    """A job that runs."""

    def write_loguru(self, level: str, text: str, extra: Any) -> None:
        """Make an entry. extra: what was bound as `extra`; None: nothing."""


#: The job that runs in this process; there is never more than one.
_running: Hearer | None = None
_taken = False


@contextmanager
def hearing_loguru(job: Hearer) -> Iterator[None]:
    """Within this block, what loguru would write to stderr becomes entries. Sinks that authors add are theirs."""
    global _running
    _take()
    before, _running = _running, job
    try:
        yield
    finally:
        _running = before


def _take() -> None:
    """Take the place of loguru's first handler, where the job's code has imported loguru, and left that as it was."""
    global _taken
    loguru = sys.modules.get("loguru")
    if _taken or loguru is None:
        return
    try:
        loguru.logger.remove(_FIRST)
    except ValueError:
        return  # Its author has set it up otherwise.
    loguru.logger.add(_sink, format="{message}", level="DEBUG", diagnose=False, catch=False)
    _taken = True


def _sink(message: Any) -> None:
    text, record = str(message).rstrip("\n"), message.record
    if _running is None:
        print(text, file=sys.stderr)
        return
    _running.write_loguru(level_for(record["level"].no), text, record["extra"].get("extra"))
