"""Loggers that make entries of the run that goes on, also those that a job file makes before any run."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol, cast

from jobs.errors import SoftTimeLimitExceeded, text_of
from jobs.levels import LOGGING_LEVEL, level_for

PREFIX = "errand.jobs."


class EntryMaker(Protocol):
    """A job that runs."""

    def write_record(self, level: str, text: str, record: logging.LogRecord) -> None:
        """Make an entry of what was said."""


#: The job that runs in this process; there is never more than one.
_running: EntryMaker | None = None


@contextmanager
def making_entries(job: EntryMaker) -> Iterator[None]:
    """Within this block, what loggers say becomes entries of this job's run."""
    global _running
    before, _running = _running, job
    try:
        yield
    finally:
        _running = before


class TaskLogger(logging.Logger):
    """A logger with the levels of jobs. Unless it was told otherwise, it keeps what is info or more."""

    def success(self, msg: object, *args: object, **options: Any) -> None:
        self._say(LOGGING_LEVEL["success"], msg, args, options)

    def failure(self, msg: object, *args: object, **options: Any) -> None:
        self._say(LOGGING_LEVEL["failure"], msg, args, options)

    def _say(self, level: int, msg: object, args: tuple[object, ...], options: dict[str, Any]) -> None:
        if self.isEnabledFor(level):
            # Who called is two frames further up.
            stacklevel = options.pop("stacklevel", 1) + 2
            self._log(level, msg, args, **options, stacklevel=stacklevel)

    def getEffectiveLevel(self) -> int:
        # Not kept in `level`: what a run sets there is put back after it, and loggers made in a run are forgotten.
        return self.level or logging.INFO

    def callHandlers(self, record: logging.LogRecord) -> None:
        # Here, and not in a handler: those of loggers that are made in a run are taken away after it.
        if _running is not None:
            make_entry(_running, record)
        super().callHandlers(record)


def get_task_logger(name: str) -> TaskLogger:
    """Return the logger for a job file: `logger = get_task_logger(__name__)`."""
    before = logging.getLoggerClass()
    logging.setLoggerClass(TaskLogger)
    try:
        return cast(TaskLogger, logging.getLogger(PREFIX + name))
    finally:
        logging.setLoggerClass(before)


def make_entry(job: EntryMaker, record: logging.LogRecord) -> None:
    """Make an entry of the record, unless it has become one before, or is to be none."""
    if is_entry(record):
        return
    # The mark keeps others from making a second one.
    record.errand_entry = True
    job.write_record(level_for(record.levelno), text_of_record(record), record)


def is_entry(record: logging.LogRecord) -> bool:
    """Tell whether this record needs no entry: it has one, or its author wants none."""
    return bool(getattr(record, "errand_entry", False) or getattr(record, "skip_db_logging", False))


def text_of_record(record: logging.LogRecord) -> str:
    try:
        text = record.getMessage()
    except SoftTimeLimitExceeded:
        raise
    except Exception:  # Arguments that do not fit their text are no reason to lose it, or to break the job.
        text = text_of(record.msg)
    if record.exc_info:
        text += "\n\n```\n" + logging.Formatter().formatException(record.exc_info) + "\n```"
    return text
