"""How far a run is, by its job's own account: on its way from the job to the page."""

import math
import time
from typing import Any, TypedDict

from store.text import entry_text
from worker.line import Line

#: Between two reports to the worker: a job may count every packet.
PAUSE_SECONDS = 0.25

LONGEST_TEXT = 200

#: Far beyond what anybody counts to; JSON's readers disagree about such numbers.
MOST_COUNTED = 2**53


class Report(TypedDict):
    """As the run's row keeps it. `total` is None where the job does not know it."""

    done: float
    total: float | None
    text: str


class Progress:
    """The child's side: passes on what the job says, as often as anybody could see it."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._said_at = -math.inf
        self._unsaid: list[Any] | None = None

    def say(self, done: float, total: float | None, text: str) -> None:
        """Take a report. Raises TypeError or ValueError for what are no numbers that can be shown."""
        number, whole = finite(done), None if total is None else finite(total)
        self._unsaid = [number, whole, str(text)[:LONGEST_TEXT]]
        finished = whole is not None and number >= whole
        if finished or time.monotonic() - self._said_at >= PAUSE_SECONDS:
            self.flush()

    def flush(self) -> None:
        # Taken first: another thread of the job may be here, too.
        said, self._unsaid = self._unsaid, None
        if said is not None:
            self._line.send("progress", *said)
            self._said_at = time.monotonic()


def report_of(done: Any, total: Any, text: Any) -> Report | None:
    """The worker's side: return what a child said as it is kept; None for what no child of ours says."""
    if not _is_countable(done) or not (total is None or _is_countable(total)) or not isinstance(text, str):
        return None
    known = total if total is not None and total > 0 else None
    return {
        "done": max(0, done if known is None else min(done, known)),
        "total": known,
        "text": entry_text(text[:LONGEST_TEXT]),
    }


def finite(value: Any) -> float:
    """Return a number as JSON has it. Raises TypeError or ValueError for what is none."""
    # It may be of another library, such as a Decimal.
    number = int(value) if isinstance(value, int) else float(value)
    if not _is_countable(number):
        raise ValueError(f"Progress is a number below {MOST_COUNTED:,}.")
    return number


def _is_countable(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < MOST_COUNTED
