"""How often pages may ask for news: less often while their polls keep a web process busy."""

import time
from collections.abc import Callable

#: Milliseconds between polls that pages may be given. Few, so that "nothing new" stays an empty answer.
STEPS = (300, 500, 750, 1000, 1500, 2000, 3000)

#: The part of a core that one web process may be busy while it is polled; the rest is for people who click, and
#: for the workers beside it.
MOST_BUSY = 0.1
#: Below this, polls come faster again. Between the two lies more than one step, or they would swing.
LITTLE_BUSY = 0.05

#: An interval becomes so many times as long at once, at most.
MOST_AT_ONCE = 4.0

#: Fewer polls a second are not what keeps a process busy.
FEW_POLLS = 10

#: It looks at itself this often, and sooner when many polls come at once.
LOOK_SECONDS = 0.5
SOON_SECONDS = 0.1
MANY_POLLS = 25


class Pace:
    """The shortest interval that this process can serve to all who poll it, found by trying."""

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, busy: Callable[[], float] = time.process_time
    ) -> None:
        self._clock = clock
        self._busy = busy
        self._least = float(STEPS[0])
        self._settled_at = 0.0
        self._begin()

    def interval(self, wanted: int) -> int:
        """Return the interval that was wanted, or a longer one."""
        least = max(wanted, self._least)
        return next((step for step in STEPS if step >= least), STEPS[-1])

    def note_poll(self) -> None:
        # Threads may lose one another's counts: few of many.
        self._polls += 1
        moment = self._clock()
        passed = moment - self._since
        if passed >= (SOON_SECONDS if self._polls >= MANY_POLLS else LOOK_SECONDS):
            if moment >= self._settled_at:
                self._adapt(moment, (self._busy() - self._busy_since) / passed, self._polls / passed)
            self._begin()

    def _adapt(self, moment: float, share: float, polls_a_second: float) -> None:
        if share > MOST_BUSY and polls_a_second > FEW_POLLS:
            self._least = min(STEPS[-1], self._least * min(MOST_AT_ONCE, share / MOST_BUSY))
            # Pages learn of it with their next poll, and only then it shows.
            self._settled_at = moment + self._least / 1000
        elif share < LITTLE_BUSY or polls_a_second < FEW_POLLS / 2:
            self._least = max(STEPS[0], self._least * 0.9)

    def _begin(self) -> None:
        self._polls = 0
        self._since = self._clock()
        self._busy_since = self._busy()
