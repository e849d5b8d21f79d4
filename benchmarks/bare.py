"""RQ without Errand: what the same machine does with the same Redis. `python -m benchmarks.bare fork|simple QUEUE URL`."""

import logging
import sys
import time

from redis import Redis
from rq import Queue, SimpleWorker, Worker

CLASSES = {"fork": Worker, "simple": SimpleWorker}


def noop() -> None:
    pass


def began() -> float:
    return time.monotonic()


def main(kind: str, name: str, url: str, burst: bool) -> None:
    logging.basicConfig(level=logging.WARNING)
    connection = Redis.from_url(url)
    worker = CLASSES[kind]([Queue(name, connection=connection)], connection=connection)
    worker.work(burst=burst, logging_level="WARNING")


if __name__ == "__main__":
    _, kind, name, url, *options = sys.argv
    main(kind, name, url, burst="--burst" in options)
