"""`/metrics`: numbers for Prometheus, for those who may see to the workers, and for whoever has the token of the settings."""

import hmac
import socket
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from os import getpid
from typing import Any

from flask import Blueprint, Flask, Response, current_app, g, request
from prometheus_client import CollectorRegistry, Summary
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from werkzeug.exceptions import Unauthorized

from store.models import WorkerProcess
from store.platform import Platform
from store.settings import Settings
from webapp.api import tokens
from webapp.auth import below_api, counts_as_use, current_user, for_programs, require
from webapp.database import db
from worker.metrics import collect

blueprint = Blueprint("metrics", __name__)

#: Who asks more often gets the same numbers.
KEPT_SECONDS = 5.0

#: What each process counts by itself; all else it reads.
REQUEST_SECONDS = "errand_request_seconds"
REQUEST_HELP = (
    "A sum and a count of what requests took in this process, by what they were for: `poll`, `page`, `api`."
)
REQUEST_LABELS = ("process", "kind")


@dataclass
class _Numbers:
    """What this process knows: what it last read, and what its own requests took."""

    read: list[Metric] = field(default_factory=list)
    read_at: float = float("-inf")
    lock: threading.Lock = field(default_factory=threading.Lock)
    own: CollectorRegistry = field(default_factory=CollectorRegistry)

    def __post_init__(self) -> None:
        self.took = Summary(
            REQUEST_SECONDS,
            REQUEST_HELP,
            REQUEST_LABELS,
            registry=self.own,
        )


class _Kept(Collector):
    """Numbers that were read already."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics


def init_app(app: Flask) -> None:
    app.extensions["errand_metrics"] = _Numbers()
    app.before_request(_begin)
    app.teardown_request(_end)


@blueprint.get("/metrics")
@for_programs
def show() -> Response:
    settings: Settings = current_app.extensions["errand"].settings
    if not _has_the_token(settings):
        if current_user() is None:
            try:
                tokens.identify()
            except Unauthorized as refusal:
                # For a program, which looks at the status and this header.
                return Response(
                    f"{refusal.description}\n",
                    refusal.code,
                    {"WWW-Authenticate": 'Bearer realm="Errand"'},
                    mimetype="text/plain",
                )
        require("change", WorkerProcess)
    registry = CollectorRegistry()
    registry.register(_Kept(_read(settings)))
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    # Its own numbers last: they are of this process alone.
    whole = _joined(encode, registry, _numbers().own)
    answer = Response(whole, content_type=content_type)
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _joined(encode: Any, *registries: CollectorRegistry) -> bytes:
    metrics = [metric for registry in registries for metric in registry.collect()]
    registry = CollectorRegistry()
    registry.register(_Kept(metrics))
    encoded: bytes = encode(registry)
    return encoded


def _has_the_token(settings: Settings) -> bool:
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    return (
        bool(settings.metrics_token)
        and scheme.lower() in tokens.SCHEMES
        and hmac.compare_digest(given.strip().encode(), settings.metrics_token.encode())
    )


def _read(settings: Settings) -> list[Metric]:
    """Read the numbers, unless that was done a moment ago. One reads, and others wait for it."""
    numbers = _numbers()
    with numbers.lock:
        if time.monotonic() - numbers.read_at > KEPT_SECONDS:
            numbers.read = collect(settings, Platform.of(db.engine))
            numbers.read_at = time.monotonic()
        return numbers.read


def _begin() -> None:
    g.began_at = time.perf_counter()


def _end(_error: BaseException | None) -> None:
    began_at = g.pop("began_at", None)
    if began_at is not None:
        kind = "api" if below_api() else "page" if counts_as_use() else "poll"
        process = f"{socket.gethostname()}:{getpid()}"
        _numbers().took.labels(process, kind).observe(time.perf_counter() - began_at)


def _numbers() -> _Numbers:
    found: _Numbers = current_app.extensions["errand_metrics"]
    return found
