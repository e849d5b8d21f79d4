"""All numbers of /metrics, as a portal without anything in it says them."""

import tempfile
from collections.abc import Iterator, Sequence

from prometheus_client.metrics_core import Metric

from store.settings import load_settings
from webapp.cli.reference.tables import table

HEAD = ("name", "kind", "by", "what it is")


def text() -> str:
    rows = ((f"`{name}`", kind, _list(labels), said) for name, kind, labels, said in _numbers())
    return "## Numbers\n\n" + table(HEAD, rows)


def _list(labels: Sequence[str]) -> str:
    return ", ".join(f"`{label}`" for label in labels)


def _numbers() -> Iterator[tuple[str, str, tuple[str, ...], str]]:
    from webapp.metrics import REQUEST_HELP, REQUEST_LABELS, REQUEST_SECONDS

    for metric in _read():
        # A counter is called so where it is read; and only here anybody asks a family for its labels.
        name = f"{metric.name}_total" if metric.type == "counter" else metric.name
        yield name, metric.type, tuple(getattr(metric, "_labelnames", ())), metric.documentation
    yield REQUEST_SECONDS, "summary", REQUEST_LABELS, REQUEST_HELP


def _read() -> list[Metric]:
    """Read the numbers off an instance that is made for that, and those of a Redis that it has not."""
    from store.migrate import upgrade_platform
    from store.platform import Platform
    from worker.metrics import collect, redis_numbers
    from worker.queue_facts import RedisFacts

    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings(folder, {})
        upgrade_platform(settings.database_url)
        platform = Platform(settings.database_url)
        try:
            return [*collect(settings, platform), *redis_numbers(RedisFacts(reachable=True))]
        finally:
            platform.dispose()
