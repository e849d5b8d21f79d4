"""Wait for conditions."""

import time
from collections.abc import Callable
from typing import TypeVar

from benchmarks.figures import WentWrong

T = TypeVar("T")


def until(condition: Callable[[], T | None], what: str, *, seconds: float = 60.0, pause: float = 0.01) -> T:
    """Return what `condition` answers as soon as that is true. Raises WentWrong when it never is."""
    deadline = time.monotonic() + seconds
    while True:
        if answer := condition():
            return answer
        if time.monotonic() > deadline:
            raise WentWrong(f"Not within {seconds:g} seconds: {what}.")
        time.sleep(pause)
