"""How many readers have a log open, so that many can be asked to come less often."""

import time
from collections.abc import Callable

#: Milliseconds between polls that pages may be given. Few, so that "nothing new" stays an empty answer.
STEPS = (300, 500, 750, 1000, 1500, 2000, 3000, 5000)

#: What one web process spends on polls at most; the rest of it is for people who click.
POLLS_A_SECOND = 60

BUCKET_SECONDS = 2.0


class Crowd:
    """Counts the readers of this process by their polls.

    Who asks every 3 s is seen a tenth as often as who asks every 300 ms: each poll counts as the time it stands for.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since = clock()
        self._before = self._now = 0.0

    @property
    def readers(self) -> float:
        self._turn()
        return max(self._before, self._now)

    def note(self, every: int) -> None:
        """Take note of a poll by a page that asks every so many milliseconds."""
        self._turn()
        # Threads may lose one another's counts: it is an estimate.
        self._now += min(every, STEPS[-1]) / 1000 / BUCKET_SECONDS

    def slowed(self, interval: int) -> int:
        """Return the interval, or a longer one when too many readers ask."""
        least = max(interval, 1000 * self.readers / POLLS_A_SECOND)
        return next((step for step in STEPS if step >= least), STEPS[-1])

    def _turn(self) -> None:
        passed = self._clock() - self._since
        if passed >= BUCKET_SECONDS:
            self._before = self._now if passed < 2 * BUCKET_SECONDS else 0.0
            self._now = 0.0
            self._since += passed
