"""The logs of our own processes as JSON: one object a line, for programs that collect them."""

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import make_url

from store.settings import Settings
from worker.known_secrets import known_secrets
from worker.masking import SHORTEST_SECRET, Mask
from worker.redaction import load_rules

#: What is being done while something is logged: "result_id", "job", "request_id", "user".
_about: ContextVar[dict[str, str]] = ContextVar("errand_log_about", default={})  # noqa: B039

#: A line is no longer: collectors cut or refuse others.
LONGEST = 16_000


@contextmanager
def about(**facts: str) -> Iterator[None]:
    """Have what is logged in this block say so."""
    token = _about.set({**_about.get(), **facts})
    try:
        yield
    finally:
        _about.reset(token)


def be_about(**facts: str) -> None:
    """Have what is logged from here on, in this context, be about this alone."""
    _about.set(facts)


def set_up(settings: Settings, service: str, *, level: int = logging.INFO) -> None:
    """Have this process log to stderr, in the form that the settings name. service: "web", "worker", "scheduler"."""
    if not settings.log_json:
        logging.basicConfig(level=level, format="%(message)s")
        return
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(settings, service))
    logging.basicConfig(level=level, handlers=[handler], force=True)


class JsonFormatter(logging.Formatter):
    """Makes one line of a record, without the portal's secrets and what rules take for credentials."""

    def __init__(self, settings: Settings, service: str) -> None:
        super().__init__()
        self._service = service
        self._mask = Mask(load_rules(settings.redaction_file), _secrets(settings))

    def format(self, record: logging.LogRecord) -> str:
        said: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "service": self._service,
            "logger": record.name,
            "process": record.process,
            "message": self._clean(record.getMessage()),
            **{name: self._clean(text) for name, text in _about.get().items()},
        }
        if record.exc_info:
            said["exception"] = self._clean(self.formatException(record.exc_info))
        # ASCII alone: neither control characters nor what changes the direction of a line reaches a terminal.
        return json.dumps(said)

    def _clean(self, text: str) -> str:
        if len(text) > LONGEST:
            text = text[:LONGEST] + " ..."
        return self._mask.message(text, cut=True)


def _secrets(settings: Settings) -> list[str]:
    urls = (settings.database_url, settings.data_database_url)
    passwords = [str(make_url(url).password or "") for url in urls]
    given = [settings.secret_key, settings.metrics_token, *passwords, *known_secrets(settings)]
    return [each for each in given if len(each) >= SHORTEST_SECRET]
