"""One worker process in the foreground."""

import logging
from collections.abc import Sequence

from redis.exceptions import RedisError
from rq import Queue
from rq.serializers import JSONSerializer

from store.settings import Settings
from worker.host import process_name
from worker.queues import DEFAULT_QUEUE, connect_blocking
from worker.rq_worker import STOP_GRACE_SECONDS, QueuedRun, Worker


def main(
    settings: Settings,
    queues: Sequence[str] = (DEFAULT_QUEUE,),
    burst: bool = False,
    stop_grace_seconds: float = STOP_GRACE_SECONDS,
) -> None:
    """Work until told to stop; with `burst` until the queues are empty.

    stop_grace_seconds: how long a run may go on after SIGTERM before it is ended.
    Exits with a sentence when Redis goes away before it has begun; later it waits for it.
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        _work(settings, queues, burst, stop_grace_seconds)
    except RedisError as error:
        raise SystemExit(f"Redis is gone again: {error}") from None


def _work(settings: Settings, queues: Sequence[str], burst: bool, stop_grace_seconds: float) -> None:
    connection = connect_blocking(settings)
    watched = [
        Queue(name, connection=connection, serializer=JSONSerializer, job_class=QueuedRun) for name in queues
    ]
    worker = Worker(watched, name=process_name(), connection=connection, settings=settings)
    worker.stop_grace_seconds = stop_grace_seconds
    worker.work(burst=burst, logging_level="WARNING")
