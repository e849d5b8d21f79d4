"""What a job's code says by other ways than its own log becomes entries too: print, logging, warnings, dying threads."""

import ctypes
import functools
import io
import logging
import os
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, cast

from jobs.errors import SoftTimeLimitExceeded, text_of
from jobs.levels import level_for
from jobs.task_logger import is_entry
from store.colours import PLAIN, sequence, style_after
from store.text import has_sequences, strip_ansi

#: What an entry may hold; the rest is counted.
MOST_MESSAGE_CHARACTERS = 64_000

#: That many characters may take so many bytes; what a line has beyond is counted only.
LONGEST_LINE_BYTES = 4 * MOST_MESSAGE_CHARACTERS

#: A text with colours may be longer by what sets them; one with more of that loses them.
MOST_COLOURED_CHARACTERS = 2 * MOST_MESSAGE_CHARACTERS

#: Keep (level, text, how much was cut off) as an entry that is no markdown.
Keep = Callable[[str, str, int], None]

#: Who keeps what is said now: a library (loguru, say) may hold on to the stderr of an earlier run.
_keepers: list[Keep] = []


def cut(text: str) -> tuple[str, int]:
    """Return what an entry holds of a text, and how many characters that leaves out: what sets colours is none."""
    if not has_sequences(text):
        if len(text) <= MOST_MESSAGE_CHARACTERS:
            return text, 0
        return text[:MOST_MESSAGE_CHARACTERS], len(text) - MOST_MESSAGE_CHARACTERS
    shown = strip_ansi(text)
    more = max(0, len(shown) - MOST_MESSAGE_CHARACTERS)
    if more or len(text) > MOST_COLOURED_CHARACTERS:
        return shown[:MOST_MESSAGE_CHARACTERS], more
    return text, 0


class Lines:
    """Cuts bytes into lines, and the longest ones short: `keep` gets each, and how much was cut off.

    A line begins in the colours in which the one before it ended, as at a terminal.
    """

    def __init__(self, keep: Callable[[str, int], None]) -> None:
        self._keep = keep
        self._rest = bytearray()
        self._dropped = 0
        self._style = PLAIN

    def feed(self, data: bytes) -> None:
        *lines, rest = data.split(b"\n")
        for line in lines:
            self._add(line)
            self._end_line()
        self._add(rest)

    def end(self) -> None:
        """Give out what there is of a line: the stream has ended, and another begins without colours."""
        self._end_line()
        self._style = PLAIN

    def _end_line(self) -> None:
        line, dropped = bytes(self._rest), self._dropped
        self._rest.clear()
        self._dropped = 0
        text = line.rstrip(b"\r").decode("utf-8", "replace")
        if self._style:
            text = sequence(self._style) + text
        self._go_on(text)
        if dropped:
            self._style = PLAIN  # What was dropped may have ended it.
        text, more = cut(text)
        if strip_ansi(text).strip():
            self._keep(text, dropped + more)

    def _go_on(self, text: str) -> None:
        """Go on in the colours in which this text ends."""
        if has_sequences(text):
            self._style = style_after(self._style, text)

    def _add(self, piece: bytes) -> None:
        # A progress bar draws itself again and again: the last picture counts.
        drawn = piece.rstrip(b"\r")
        begin = drawn.rfind(b"\r") + 1
        if drawn and (begin or self._rest.endswith(b"\r")):
            self._go_on((self._rest + piece[:begin]).decode("utf-8", "replace"))
            self._rest.clear()
            self._dropped = 0
        room = max(0, LONGEST_LINE_BYTES - len(self._rest))
        self._dropped += max(0, len(piece) - begin - room)
        self._rest += piece[begin : begin + room]


class _Stream(io.RawIOBase):
    """Stands in for stdout or stderr of the job's own process; of others it is the pipe behind `descriptor`."""

    def __init__(self, descriptor: int, keep: Callable[[str, int], None]) -> None:
        self._descriptor = descriptor
        self._pid = os.getpid()
        self._lines = Lines(keep)
        self._lock = threading.RLock()

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def write(self, data: Any) -> int:
        taken = bytes(data)
        if os.getpid() != self._pid:
            return os.write(self._descriptor, taken)
        with self._lock:
            self._lines.feed(taken)
        return len(taken)

    def end(self) -> None:
        with self._lock:
            self._lines.end()


class _Handler(logging.Handler):
    """Makes entries of what libraries and job files log; a job's own logger has a handler of its own."""

    makes_entries = True

    def __init__(self, keep: Keep) -> None:
        super().__init__()
        self._keep = keep

    def emit(self, record: logging.LogRecord) -> None:
        if is_entry(record):
            return
        try:
            text = record.getMessage()
        except SoftTimeLimitExceeded:
            raise
        except Exception:  # A library's record may be broken; it must not break the job.
            text = text_of(record.msg)
        if record.exc_info:
            text += "\n" + logging.Formatter().formatException(record.exc_info)
        self._keep(level_for(record.levelno), f"{record.name}: {text}", 0)


@contextmanager
def captured(keep: Keep) -> Iterator[None]:
    """Within this block, all that the process says is kept."""
    streams = [_Stream(descriptor, _keep_line) for descriptor in (1, 2)]
    before = sys.stdin, sys.stdout, sys.stderr, threading.excepthook
    root = logging.getLogger()
    handler = _Handler(keep)

    def show_warning(
        message: Any, category: type[Warning], filename: str, lineno: int, *_: Any, **__: Any
    ) -> None:
        keep("warning", f"{category.__name__}: {text_of(message)} ({filename}, line {lineno})", 0)

    def thread_died(args: Any) -> None:
        if args.exc_type is SystemExit:
            return  # A thread's way to end.
        lines = traceback.format_exception(args.exc_type, args.exc_value, args.exc_traceback)
        keep("error", f"The thread {args.thread and args.thread.name} broke:\n{''.join(lines).rstrip()}", 0)

    _keepers.append(keep)
    sys.stdout, sys.stderr = map(_text, streams)
    threading.excepthook = thread_died
    root.addHandler(handler)
    # Job files log by their own module's name; that much of them is wanted whatever the level of the rest.
    logging.getLogger("errand_jobs").setLevel(logging.DEBUG)
    with warnings.catch_warnings():
        warnings.showwarning = show_warning
        try:
            yield
        finally:
            for stream in streams:
                stream.end()
            _keepers.remove(keep)
            root.removeHandler(handler)
            sys.stdin, sys.stdout, sys.stderr, threading.excepthook = before
            _flush_others()


def _keep_line(text: str, more: int) -> None:
    if _keepers:
        _keepers[-1]("info", text, more)


def _flush_others() -> None:
    """Have what was written past `sys.stdout` arrive before the end: by C, or to Python's own first streams."""
    for stream in (sys.__stdout__, sys.__stderr__):
        # The job may have closed it, or what is behind it.
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()  # type: ignore[union-attr]
    _libc().fflush(None)


@functools.cache
def _libc() -> Any:
    return ctypes.CDLL(None)


def _text(stream: _Stream) -> io.TextIOWrapper:
    return io.TextIOWrapper(
        cast(Any, stream),
        encoding="utf-8",
        errors="backslashreplace",
        line_buffering=True,
        write_through=True,
    )
