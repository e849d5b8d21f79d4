"""How often somebody may do something: counted in Redis, for all processes together; where it cannot be reached, by each
process for itself."""

import logging
import time
from dataclasses import dataclass

from limits import RateLimitItem, parse
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import FixedWindowRateLimiter
from redis.exceptions import RedisError

from store.settings import Settings
from worker.queues import pool

#: Longer than this a count is not worth waiting for.
ANSWER_SECONDS = 0.25

#: A Redis that did not answer is not asked again for so long: each time would hold a request up.
AWAY_SECONDS = 5.0

logger = logging.getLogger("errand.rates")


@dataclass(frozen=True, slots=True)
class Hit:
    """What became of one more time."""

    allowed: bool
    limit: int
    remaining: int
    #: Until the count begins anew.
    reset_seconds: int


class Rates:
    """Counts against one limit. rate: such as "600/minute"."""

    def __init__(self, settings: Settings, rate: str) -> None:
        self._item: RateLimitItem = parse(rate)
        storage = RedisStorage(
            "redis://", connection_pool=pool(settings, seconds=ANSWER_SECONDS), key_prefix="errand:rates"
        )
        self._shared = FixedWindowRateLimiter(storage)
        self._own = FixedWindowRateLimiter(MemoryStorage())
        self._away_until = 0.0

    def hit(self, key: str) -> Hit:
        if time.monotonic() >= self._away_until:
            try:
                return self._count(self._shared, key)
            except RedisError as error:
                self._away_until = time.monotonic() + AWAY_SECONDS
                logger.warning("Requests are counted by each process for itself: %s", type(error).__name__)
        return self._count(self._own, key)

    def _count(self, counter: FixedWindowRateLimiter, key: str) -> Hit:
        allowed = counter.hit(self._item, key)
        stats = counter.get_window_stats(self._item, key)
        reset = max(1, round(stats.reset_time - time.time()))
        return Hit(allowed, self._item.amount, max(0, stats.remaining), reset)
