"""Named places in which a process can be made to die, to show what becomes of the work it had in its hands.

ERRAND_FAILPOINT=worker.claimed kills the process that comes to this place, at once and without a word; with
"worker.claimed:3" it passes twice, and dies the third time. Several are separated by commas. docs/reliability.md
lists the places.
"""

import os
import signal

VARIABLE = "ERRAND_FAILPOINT"


def _read(text: str) -> dict[str, int]:
    """Return how often each named place is passed before it is deadly."""
    parts = [part.strip().partition(":") for part in text.split(",") if part.strip()]
    return {name: int(time) - 1 if time.isdigit() else 0 for name, _, time in parts}


_passes = _read(os.environ.get(VARIABLE, ""))


def reach(name: str) -> None:
    """Die here if this place is named."""
    if not _passes or name not in _passes:
        return
    if _passes[name] > 0:
        _passes[name] -= 1
        return
    os.kill(os.getpid(), signal.SIGKILL)
