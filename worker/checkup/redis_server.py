"""Redis: reachable, not full, and what it does when it is."""

from collections.abc import Iterator

from redis.exceptions import RedisError

from jobs.files import in_units
from store.settings import Settings
from store.urls import without_password
from worker.checkup.finding import BAD, OK, WARN, Finding
from worker.queues import MAY_EVICT, connect, eviction_policy, queue_trouble

PART = "redis"


def redis_server(settings: Settings) -> Iterator[Finding]:
    if why := queue_trouble(settings, writing=True):
        advice = "Start it: see REDIS_URL. What is asked for meanwhile waits, and is not lost."
        if settings.embedded_redis:
            advice = "./errand up starts it."
        yield Finding(PART, BAD, f"{without_password(settings.redis_url)} cannot be used: {why}.", advice)
        return
    server = connect(settings)
    try:
        version = server.info("server").get("redis_version", "")
        memory = server.info("memory")
        kept = server.info("persistence")
    except RedisError as error:
        yield Finding(PART, WARN, f"It answers, but tells nothing of itself: {error}")
        return
    used = in_units(int(memory["used_memory"]))
    yield Finding(PART, OK, f"version {version}, {used} used: {without_password(settings.redis_url)}")
    if policy := eviction_policy(memory):
        yield Finding("redis memory", WARN, MAY_EVICT.format(policy=policy), "maxmemory-policy noeviction")
    else:
        yield Finding("redis memory", OK, "throws nothing away (noeviction)")
    if kept.get("aof_last_write_status") == "err" or kept.get("rdb_last_bgsave_status") == "err":
        yield Finding(
            "redis disk", WARN, "It could not write to its disk lately.", "See its log, and its disk."
        )
    elif kept.get("aof_enabled"):
        yield Finding("redis disk", OK, "writes what it holds to an append-only file")
    else:
        yield Finding("redis disk", OK, "keeps no append-only file; what it forgets is pushed again")
