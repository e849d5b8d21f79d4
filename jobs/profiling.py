"""Where a run spends its time: cProfile around its job's `run`, and what is kept of what it saw."""

import cProfile
import heapq
import marshal
import os
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jobs.job import BaseJob

#: How many functions are told, those that took longest by themselves.
MOST_FUNCTIONS = 20

LONGEST_FUNCTION = 200

GROUPING = "run"

#: What is called to end it, and so is in every profile.
_OURS = ("<built-in method sys.getprofile>", "<method 'disable' of '_lsprof.Profiler' objects>")

#: (file, line, name): (calls that were no recursion, calls, own seconds, seconds with what it called, callers).
Stats = Mapping[tuple[str, int, str], tuple[int, int, float, float, Any]]


class Profiling:
    """Profiles the block of a job, and keeps with the run what it saw. The block ends as it would without."""

    def __init__(self, job: "BaseJob") -> None:
        self._job = job
        self._profile = cProfile.Profile()
        self._process = os.getpid()
        #: It came to the block.
        self.began = False
        #: It saw something of it, and: it sees what happens now.
        self._saw = self._sees = False

    def __enter__(self) -> None:
        self.began = True
        # Before Python 3.12, ours would take the place of another one without a word; since then it is refused.
        if sys.getprofile() is None:
            try:
                self._begin()
                return
            except ValueError:
                self._saw = self._sees = False
                del cProfile.Profile.enable
        self._log("warning", "Not profiled: another profiler is at work in this process.")

    def __exit__(self, *_: object) -> None:
        if self._saw:
            self._end()
            # A process that the job forked may come here, too: the profile is not its to keep.
            if os.getpid() == self._process:
                self._keep()

    def say_unused(self) -> None:
        """Say that there was no block to profile."""
        self._log("warning", "Not profiled: `run` was not called.")

    def _begin(self) -> None:
        profile, enable = self._profile, cProfile.Profile.enable

        def give_way(other: cProfile.Profile, *arguments: Any, **named: Any) -> None:
            self._end()
            enable(other, *arguments, **named)

        # Two at once are refused since Python 3.12, and a job that profiles itself would break.
        cProfile.Profile.enable = give_way  # type: ignore[assignment,method-assign]
        self._saw = self._sees = True
        enable(profile)

    def _end(self) -> None:
        if not self._sees:
            return
        self._sees = False
        theirs: Any = sys.getprofile()
        self._profile.disable()
        # What it inherits is there again.
        del cProfile.Profile.enable
        if theirs is not None and theirs is not self._profile:
            # The job's own: before Python 3.12, that has just been taken out instead of ours. One written in C is no
            # function that can be set, and has to begin again by itself.
            sys.setprofile(theirs) if callable(theirs) else theirs.enable()

    def _keep(self) -> None:
        try:
            self._profile.snapshot_stats()
            stats = self._profile.stats
            content = marshal.dumps(stats)
        except MemoryError:
            self._log("warning", "The profile was not kept: there was no memory left for it.")
            return
        self._write(content)
        try:
            name = file_name(self._job.job_result.id)
            self._job._context.create_file(name, content, "application/octet-stream")
        except (ValueError, OSError) as error:
            self._log("warning", f"The profile is not among the files of the result: {error}")
        self._job._context.hot_functions(hottest(stats))

    def _write(self, content: bytes) -> None:
        try:
            path = path_of(self._job.job_result.id)
            write_privately(path, content)
        except OSError as error:
            self._log("warning", f"The profile was not written to the temporary files: {error.strerror}.")
        else:
            self._log("info", f"Wrote profiling information to {path}.")

    def _log(self, level: str, message: str) -> None:
        self._job._context.log(level, message, grouping=GROUPING, markdown=False)


def file_name(result_id: str) -> str:
    """Return what the profile of a run is called: Nautobot's own name for it, by which job files open it."""
    return f"nautobot-jobresult-{result_id}.pstats"


def path_of(result_id: str) -> str:
    """Return where it lies on the machine of its worker, for those job files."""
    return os.path.join(tempfile.gettempdir(), file_name(result_id))


def write_privately(path: str, content: bytes) -> None:
    """Write a file that only its owner may read. Whatever lies at `path` is replaced: a link is not followed."""
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=f".{os.path.basename(path)}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(temporary, path)
    finally:
        # Not there any more, unless something went wrong: also a time limit, which must not be lost.
        with suppress(FileNotFoundError):
            os.unlink(temporary)


def hottest(stats: Stats) -> list[list[Any]]:
    """Return the functions that took longest by themselves: [function, calls, own seconds, cumulative seconds]."""
    theirs = [item for item in stats.items() if item[0][0] != __file__ and item[0][2] not in _OURS]
    functions = heapq.nlargest(MOST_FUNCTIONS, theirs, key=lambda item: item[1][2])
    return [[_shown(key), calls, own, total] for key, (_, calls, own, total, _) in functions]


def _shown(function: tuple[str, int, str]) -> str:
    path, line, name = function
    # What is written in C has no line.
    place = f" ({os.path.basename(path)}:{line})" if line else ""
    return f"{name[: LONGEST_FUNCTION - len(place)]}{place}"
