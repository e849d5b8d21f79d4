"""What a job's code says by other ways than its own log becomes entries too: print, logging, warnings, dying threads."""

import io
import logging
import os
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

from jobs.levels import level_for

#: A line longer than this is cut.
LONGEST_LINE_BYTES = 256_000

#: Keep (level, text) as an entry that is no markdown.
Keep = Callable[[str, str], None]


class Lines:
    """Cuts bytes into lines, and the longest ones short."""

    def __init__(self, keep: Callable[[str], None]) -> None:
        self._keep = keep
        self._rest = b""
        self._dropped = 0

    def feed(self, data: bytes) -> None:
        *lines, rest = data.split(b"\n")
        for line in lines:
            self._add(line)
            self.end()
        self._add(rest)

    def end(self) -> None:
        """Give out what there is of a line."""
        line, dropped = self._rest, self._dropped
        self._rest, self._dropped = b"", 0
        # A progress bar draws itself again and again: the last picture counts.
        text = line.removesuffix(b"\r").rpartition(b"\r")[2].decode("utf-8", "replace")
        if dropped:
            text += f"… (cut: {dropped:,} more bytes)"
        if text.strip():
            self._keep(text)

    def _add(self, piece: bytes) -> None:
        room = LONGEST_LINE_BYTES - len(self._rest)
        self._dropped += max(0, len(piece) - room)
        self._rest += piece[:room]


class _Stream(io.RawIOBase):
    """Stands in for stdout or stderr of the job's own process; of others it is the pipe behind `descriptor`."""

    def __init__(self, descriptor: int, keep: Callable[[str], None]) -> None:
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
        if record.name.startswith("errand.jobs."):
            return
        try:
            text = record.getMessage()
        except Exception:  # A library's record may be broken; it must not break the job.
            text = str(record.msg)
        if record.exc_info:
            text += "\n" + logging.Formatter().formatException(record.exc_info)
        self._keep(level_for(record.levelno), f"{record.name}: {text}")


@contextmanager
def captured(keep: Keep) -> Iterator[None]:
    """Within this block, all that the process says is kept."""
    streams = [_Stream(descriptor, lambda text: keep("info", text)) for descriptor in (1, 2)]
    before = sys.stdout, sys.stderr, threading.excepthook
    root = logging.getLogger()
    handler = _Handler(keep)

    def show_warning(
        message: Any, category: type[Warning], filename: str, lineno: int, *_: Any, **__: Any
    ) -> None:
        keep("warning", f"{category.__name__}: {message} ({filename}, line {lineno})")

    def thread_died(args: Any) -> None:
        lines = traceback.format_exception(args.exc_type, args.exc_value, args.exc_traceback)
        keep("error", f"The thread {args.thread and args.thread.name} broke:\n{''.join(lines).rstrip()}")

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
            root.removeHandler(handler)
            sys.stdout, sys.stderr, threading.excepthook = before


def _text(stream: _Stream) -> io.TextIOWrapper:
    return io.TextIOWrapper(
        cast(Any, stream),
        encoding="utf-8",
        errors="backslashreplace",
        line_buffering=True,
        write_through=True,
    )
