"""`ERRAND_LOG=json`: what a line has, and what it never has."""

import json
import logging
import sys

import pytest

from store.settings import Settings, SettingsError, load_settings
from worker.json_log import JsonFormatter, about, be_about


def record(message: str, *arguments: object, **values: object) -> logging.LogRecord:
    return logging.LogRecord(
        "errand.x", logging.WARNING, "x.py", 1, message, arguments, values.get("exc_info")
    )  # type: ignore[arg-type]


def test_a_record_is_one_object_on_one_line(settings: Settings):
    formatter = JsonFormatter(settings, "worker")
    with about(result_id="r-1", job="local/a/A"):
        line = formatter.format(record("first\nsecond \x1b[31m \u202e %s", "ü"))
    assert line.isascii()
    assert line.isprintable()
    said = json.loads(line)
    assert said["message"].startswith("first\nsecond")
    assert {name: said[name] for name in ("level", "service", "logger", "result_id", "job")} == {
        **{"level": "warning", "service": "worker", "logger": "errand.x"},
        **{"result_id": "r-1", "job": "local/a/A"},
    }
    assert "result_id" not in json.loads(formatter.format(record("later")))


def test_secrets_are_taken_out(settings: Settings):
    formatter = JsonFormatter(settings, "web")
    try:
        raise ValueError(f"no {settings.secret_key}")
    except ValueError:
        failed = record("it has %s", settings.secret_key, exc_info=sys.exc_info())
    be_about(user=settings.secret_key)
    line = formatter.format(failed)
    be_about()
    assert settings.secret_key not in line
    assert "ValueError" in json.loads(line)["exception"]


def test_other_words_are_refused(tmp_path):
    assert load_settings(tmp_path / "i", {"ERRAND_LOG": "JSON"}).log_json
    with pytest.raises(SettingsError, match="write text or json"):
        load_settings(tmp_path / "i", {"ERRAND_LOG": "xml"})
