"""What profiled runs leave: a table of their hottest functions, and files in the machine's folder for such."""

import math
import os
import re
import stat
import tempfile
import time
from contextlib import suppress
from typing import Any

from jobs.profiling import LONGEST_FUNCTION, MOST_FUNCTIONS
from store.text import clean_text
from worker.masking import Mask

#: So long a profile lies where job files of Nautobot look for it. With the result it stays.
KEPT_SECONDS = 24 * 3600

MOST_CALLS = 2**53

#: As jobs.profiling names them, also one that was half written.
_NAME = re.compile(r"\.?nautobot-jobresult-[0-9a-f-]{36}\.pstats(\.\w+)?")


def functions_of(rows: list[Any], mask: Mask) -> list[dict[str, Any]] | None:
    """Return the table that a child sent, as a result keeps it; None for what no child of ours sends."""
    if len(rows) > MOST_FUNCTIONS or not all(map(_is_function, rows)):
        return None
    return [
        {
            "function": mask.text(clean_text(name[:LONGEST_FUNCTION])),
            "calls": calls,
            "own_seconds": own,
            "cumulative_seconds": cumulative,
        }
        for name, calls, own, cumulative in rows
    ]


def _is_function(row: Any) -> bool:
    match row:
        case [str(), int(calls), float(own), float(cumulative)]:
            return 0 <= calls <= MOST_CALLS and math.isfinite(own) and math.isfinite(cumulative)
    return False


def remove_old_profiles() -> None:
    """Remove what runs on this machine wrote there longer ago than KEPT_SECONDS, as this very system user."""
    with suppress(OSError), os.scandir(tempfile.gettempdir()) as entries:
        for entry in entries:
            if _NAME.fullmatch(entry.name) and _is_old_and_ours(entry):
                with suppress(OSError):
                    os.unlink(entry.path)


def _is_old_and_ours(entry: "os.DirEntry[str]") -> bool:
    with suppress(OSError):
        facts = entry.stat(follow_symlinks=False)
        old = time.time() - facts.st_mtime > KEPT_SECONDS
        return old and stat.S_ISREG(facts.st_mode) and facts.st_uid == os.getuid()
    return False
