"""The way to Redis. It carries the ids of results and wake-ups, nothing else."""

import functools
import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any, cast
from uuid import UUID

from redis import ConnectionPool, Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from rq import Queue
from rq.command import send_command
from rq.job import Job
from rq.serializers import JSONSerializer

from store.settings import Settings, SettingsError
from store.urls import without_password

logger = logging.getLogger("errand.queues")

DEFAULT_QUEUE = "default"

#: The only function a payload may name. Nobody imports it from there: the id alone counts.
EXECUTE = "worker.executor.execute"

#: What a worker may be told besides RQ's own commands.
LOOK = "look"

#: Seconds: a request must not hang on a Redis that is gone or does not answer.
CONNECT_SECONDS = 1.0
ANSWER_SECONDS = 1.0

MAY_EVICT = (
    "When it is full, Redis throws away what waits there (maxmemory-policy {policy}). No run is lost, for the database "
    "knows them all, and what is missing is pushed again within seconds; but it starts later than it could. "
    "Set maxmemory-policy noeviction."
)

#: Seconds that RQ keeps its own record of what ended; ours stays in the database.
KEEP_SECONDS = 60

#: Written only to see whether there is room.
ROOM_KEY = "errand:room"

#: A wake-up each is enough for this many idle workers; older ones woke nobody.
MOST_WAKES = 64
KEEP_WAKES_SECONDS = 3600


def connect(settings: Settings) -> Redis:
    """Return this process's connection for short commands."""
    return Redis(connection_pool=pool(settings))


def pool(settings: Settings, *, seconds: float = ANSWER_SECONDS) -> ConnectionPool:
    """Return this process's connections for short commands. seconds: how long each waits for an answer."""
    return _pool(settings.redis_url, seconds)


def connect_blocking(settings: Settings) -> Redis:
    """Return a connection for a worker, which waits on it for its next run."""
    return Redis.from_url(settings.redis_url, socket_connect_timeout=CONNECT_SECONDS)


#: Runs of one queue wait in three lists, and the first of them that holds any is served first.
PRIORITIES = {"high": ":high", "normal": "", "low": ":low"}


def list_name(queue: str, priority: str) -> str:
    """Return the name of the RQ queue in which the runs of `queue` with this priority wait."""
    return queue + PRIORITIES[priority]


def pop_lists(queue: str) -> list[str]:
    """Return the names of the RQ queues that a worker of `queue` serves, the most urgent first."""
    return [list_name(queue, priority) for priority in PRIORITIES]


def wake_key(queue: str) -> str:
    """Return the list on which idle workers of `queue` wait; what it holds means nothing but "look"."""
    return f"errand:wake:{queue}"


def tell_to_look(settings: Settings, worker: str) -> None:
    """Have a worker look at once whether its run was canceled; it does within seconds anyway."""
    try:
        send_command(connect(settings), worker, LOOK)
    except RedisError:
        return


def push(
    settings: Settings, result_id: UUID, *, queue: str, priority: str, description: str, front: bool = False
) -> bool:
    """Put the result's id on its queue and wake a worker; False when Redis cannot be reached or has no room.

    front: before all that wait there with the same priority.
    """
    pipeline = connect(settings).pipeline()
    try:
        _enqueue(
            settings,
            pipeline,
            result_id,
            queue=queue,
            priority=priority,
            description=description,
            front=front,
        )
        _wake(pipeline, queue)
        pipeline.execute()
    except RedisError as error:
        logger.warning("Redis did not take run %s, which waits: %s", result_id, error)
        return False
    return True


def _enqueue(
    settings: Settings,
    pipeline: Any,
    result_id: UUID,
    *,
    queue: str,
    priority: str,
    description: str,
    front: bool = False,
) -> None:
    _queue(settings, queue, priority).enqueue(
        EXECUTE,
        str(result_id),
        job_id=str(result_id),
        # RQ's own limit is far off: the worker watches the run's limits.
        job_timeout=-1,
        result_ttl=KEEP_SECONDS,
        failure_ttl=KEEP_SECONDS,
        description=description,
        at_front=front,
        pipeline=pipeline,
    )


def _wake(pipeline: Any, queue: str, count: int = 1) -> None:
    """Wake so many idle workers: they wait on this list alone, and then look through those of all priorities."""
    wake = wake_key(queue)
    pipeline.rpush(wake, *["1"] * count)
    pipeline.ltrim(wake, -MOST_WAKES, -1)
    pipeline.expire(wake, KEEP_WAKES_SECONDS)


def push_all(settings: Settings, runs: Sequence[tuple[UUID, str, str]], *, description: str) -> bool:
    """Put many ids on their queues as `push` does, (id, queue, priority) each, with one way to Redis and back."""
    pipeline = connect(settings).pipeline()
    try:
        for result_id, queue, priority in runs:
            _enqueue(settings, pipeline, result_id, queue=queue, priority=priority, description=description)
        for queue in {queue for _, queue, _ in runs}:
            _wake(pipeline, queue, min(len(runs), MOST_WAKES))
        pipeline.execute()
    except RedisError as error:
        logger.warning("Redis did not take %s runs, which wait: %s", len(runs), error)
        return False
    return True


def withdraw(settings: Settings, result_id: UUID, *, queue: str, priority: str) -> bool:
    """Take the id off its queue again; False when Redis cannot be reached. A claim would find nothing anyway."""
    try:
        _queue(settings, queue, priority).remove(str(result_id))
        connect(settings).delete(Job.key_for(str(result_id)))
    except RedisError:
        return False
    return True


def waiting_ids(settings: Settings, queue: str) -> set[UUID]:
    """Return the ids that wait on `queue`, with whatever priority. RedisError when it cannot be asked."""
    return {result_id for priority in PRIORITIES for result_id in listed_ids(settings, queue, priority)}


def listed_ids(settings: Settings, queue: str, priority: str, most: int = 0) -> list[UUID]:
    """Return the ids on one list, the next one first; `most` of them, or all. RedisError when it cannot be asked."""
    ids = []
    waiting = connect(settings).lrange(_queue(settings, queue, priority).key, 0, most - 1)
    for job_id in cast(list[bytes], waiting):
        try:
            ids.append(UUID(job_id.decode("ascii")))
        except ValueError:
            continue  # Not ours: the worker refuses it.
    return ids


def queue_reachable(settings: Settings) -> bool:
    return queue_trouble(settings) is None


def queue_trouble(settings: Settings, *, writing: bool = False) -> str | None:
    """Say why Redis cannot be used now; None: it can. SettingsError for a URL that never will work.

    writing: ask also whether it takes anything: it may be full.
    """
    try:
        connection = connect(settings)
        connection.ping()
        if writing:
            connection.set(ROOM_KEY, "?", ex=1)
    except RedisError as error:
        return str(error).strip().rstrip(".") or type(error).__name__
    except (TypeError, ValueError) as error:
        # Only its options are read so late; of the rest the settings have made sure.
        shown = without_password(settings.redis_url)
        raise SettingsError(f"REDIS_URL, {shown}, has an option that cannot work: {error}") from error
    return None


def eviction_policy(memory: Mapping[str, Any]) -> str | None:
    """Return by which policy Redis throws things away when it is full; None: it refuses more instead.

    memory: what it answers to INFO memory; not every server lets itself be asked by CONFIG.
    """
    policy = memory.get("maxmemory_policy", "noeviction")
    return None if policy == "noeviction" else str(policy)


def eviction_warning(settings: Settings) -> str | None:
    """Return what to tell whoever starts a worker on a Redis that may throw things away. Raises RedisError."""
    policy = eviction_policy(connect(settings).info("memory"))
    return MAY_EVICT.format(policy=policy) if policy else None


def own_payload(job_id: str) -> bytes:
    """Return the payload of a push for `job_id`."""
    return json.dumps([EXECUTE, None, [job_id], {}]).encode()


def _queue(settings: Settings, name: str, priority: str) -> Queue:
    return Queue(list_name(name, priority), connection=connect(settings), serializer=JSONSerializer)


@functools.cache
def _pool(url: str, seconds: float) -> ConnectionPool:
    return ConnectionPool.from_url(
        url,
        socket_connect_timeout=min(seconds, CONNECT_SECONDS),
        socket_timeout=seconds,
        # Redis' own retries would make three timeouts of one.
        retry=Retry(NoBackoff(), 0),
    )
