"""What clients send: bodies, ids, ranges of time. What they send beside what is known is let be."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from flask import current_app, request
from werkzeug.exceptions import UnsupportedMediaType

from jobs.json_text import Unreadable, parse_json
from store.models import now
from store.settings import Settings
from store.text import clean_json
from store.timing.dialects import BOTS_NAMES
from webapp.api.bodies import json_of, whole_body
from webapp.ndscheduler.errors import Refused

#: Of lists by time, where nobody says since when.
LATELY = timedelta(days=1)

#: The longest list by time.
MOST_ROWS = 1_000


@dataclass(frozen=True, slots=True)
class AskedJob:
    """What a body says of a job. None: nothing."""

    name: str | None
    class_string: str | None
    pub_args: list[Any] | None
    #: The fields of its times that are given.
    fields: Mapping[str, str]


def settings() -> Settings:
    found: Settings = current_app.extensions["errand"].settings
    return found


def asked_job() -> AskedJob:
    """Read the body of this request. Raises Refused."""
    given = _object()
    return AskedJob(
        _text(given, "name"),
        _text(given, "job_class_string"),
        _arguments(given.get("pub_args")),
        {name: _field(given[name]) for name in BOTS_NAMES if given.get(name) not in (None, "")},
    )


def id_of(text: str) -> UUID | None:
    """Return what an id of 32 hexadecimal digits stands for."""
    if len(text) != 32 or text != text.lower():
        return None
    try:
        return UUID(text)
    except ValueError:
        return None


def time_range() -> tuple[datetime, datetime]:
    """Return since when and until when is asked. Raises Refused."""
    moment = now()
    return _moment("time_range_start", moment - LATELY), _moment("time_range_end", moment)


def _object() -> dict[str, Any]:
    body = whole_body()
    if request.mimetype not in ("application/json", ""):
        raise UnsupportedMediaType("Send application/json.")
    given = json_of(body) if body else {}
    if not isinstance(given, dict):
        raise Refused("The body needs to be a JSON object.")
    cleaned: dict[str, Any] = clean_json(given)
    return cleaned


def _text(given: Mapping[str, Any], name: str) -> str | None:
    value = given.get(name)
    if value is not None and not isinstance(value, str):
        raise Refused(f"{name} needs to be text.")
    if value and "$" in value:
        raise Refused(f"{name} may not have a $ in it.")
    return value.strip() or None if value else None


def _arguments(given: Any) -> list[Any] | None:
    if isinstance(given, str):
        # As it stands in the form of the original: JSON, in a text.
        try:
            given = clean_json(parse_json(given)) if given.strip() else []
        except Unreadable as error:
            raise Refused(f"pub_args cannot be read as JSON: {error}") from None
    if given is None or isinstance(given, list):
        return given
    raise Refused("pub_args needs to be a list.")


def _field(given: Any) -> str:
    if isinstance(given, bool) or not isinstance(given, str | int):
        raise Refused("minute, hour, day, month and day_of_week need to be texts.")
    # What separates fields where they are kept.
    if any(sign in str(given) for sign in ";="):
        raise Refused(f"{given!r} does not fit into a field.")
    return str(given)


def _moment(name: str, default: datetime) -> datetime:
    given = request.args.get(name, "").strip()
    if not given:
        return default
    try:
        # A plus that was not encoded comes as a space.
        value = datetime.fromisoformat(given.replace(" ", "+") if given.count(":") > 2 else given)
        return value.astimezone(UTC) if value.tzinfo is not None else value.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise Refused(f"{name} needs to be a time such as 2030-01-31T09:30:00+00:00.") from None
