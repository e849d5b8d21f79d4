"""Counting what somebody does, in Redis and, where that is gone, in the process itself."""

from worker.rates import Rates


def test_processes_count_together_and_without_redis_each_for_itself(portal, redis_gone):
    settings = portal.settings
    one, other = Rates(settings, "3/minute"), Rates(settings, "3/minute")
    assert [one.hit("a").remaining, other.hit("a").remaining, one.hit("b").remaining] == [2, 1, 2]
    assert one.hit("a").allowed
    assert not other.hit("a").allowed
    redis_gone.stop()
    alone = Rates(settings, "3/minute")
    assert [alone.hit("a").allowed for _ in range(4)] == [True, True, True, False]
    assert alone.hit("a").reset_seconds <= 60
