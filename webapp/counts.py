"""How many rows a list has, for programs that are told it with each part of the list."""

import time
from collections.abc import Callable
from typing import Any

from sqlalchemy import Select
from sqlalchemy.orm import Session

#: What took longer is told again for a while: whoever reads a million rows in parts would have them counted each time.
SLOW_SECONDS = 0.1
KEPT_SECONDS = 10.0
MOST_KEPT = 100


class Counts:
    """Of one process: what was counted lately, and took long."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: dict[tuple[str, str], tuple[float, int]] = {}

    def of(self, session: Session, query: Select[Any]) -> int:
        """Return the one number that `query` gives, which may be some seconds old; 0 for none."""
        compiled = query.compile(session.get_bind())
        # With its values: they say who asks, and for what.
        key = (str(compiled), repr(compiled.params))
        began = self._clock()
        known = self._kept.get(key)
        if known is not None and began - known[0] < KEPT_SECONDS:
            return known[1]
        count = int(session.scalar(query) or 0)
        ended = self._clock()
        if ended - began > SLOW_SECONDS:
            if len(self._kept) >= MOST_KEPT:
                self._kept.clear()
            self._kept[key] = (ended, count)
        else:
            self._kept.pop(key, None)
        return count
