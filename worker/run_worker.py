"""One worker process in the foreground."""

import logging
import time
from collections.abc import Sequence
from typing import Any

from redis.exceptions import RedisError
from rq import Queue
from rq.serializers import JSONSerializer

from store.settings import Settings
from worker.host import process_name
from worker.json_log import set_up
from worker.queues import DEFAULT_QUEUE, connect_blocking
from worker.rq_worker import RETRY_SECONDS, STOP_GRACE_SECONDS, QueuedRun, Worker

logger = logging.getLogger("errand.worker")


def main(
    settings: Settings,
    queues: Sequence[str] = (DEFAULT_QUEUE,),
    burst: bool = False,
    stop_grace_seconds: float = STOP_GRACE_SECONDS,
    name: str = "",
    labels: Sequence[str] = (),
    most_runs: int | None = None,
    idle_seconds: int | None = None,
) -> None:
    """Work until told to stop; with `burst` until the queues are empty.

    name: what its name begins with; the host's name by default. labels: what it says of itself, for people.
    most_runs, idle_seconds: it ends after so many runs, and when it had none for so long.
    stop_grace_seconds: how long a run may go on after SIGTERM before it is ended.
    It waits for a Redis that goes away; with `burst`, exits with a sentence when that was before it had begun.
    """
    set_up(settings, "worker")
    try:
        ends = {"burst": burst, "max_jobs": most_runs, "max_idle_time": idle_seconds}
        _work(settings, queues, stop_grace_seconds, process_name(name), labels, ends)
    except RedisError as error:
        raise SystemExit(f"Redis is gone again: {error}") from None


def _work(
    settings: Settings,
    queues: Sequence[str],
    stop_grace_seconds: float,
    name: str,
    labels: Sequence[str],
    ends: dict[str, Any],
) -> None:
    """ends: when it ends by itself, as RQ calls that."""
    worker = _begin(settings, queues, name, patient=not ends["burst"])
    worker.stop_grace_seconds = stop_grace_seconds
    worker.labels = labels
    worker.work(**ends, logging_level="WARNING")


def _begin(settings: Settings, queues: Sequence[str], name: str, *, patient: bool) -> Worker:
    """Make the worker, for which RQ asks Redis."""
    while True:
        try:
            connection = connect_blocking(settings)
            watched = [
                Queue(queue, connection=connection, serializer=JSONSerializer, job_class=QueuedRun)
                for queue in queues
            ]
            return Worker(watched, name=name, connection=connection, settings=settings)
        except RedisError as error:
            if not patient:
                raise
            logger.warning("Worker %s: Redis is gone again: %s. Waiting for it.", name, error)
            time.sleep(RETRY_SECONDS)
