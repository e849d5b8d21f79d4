"""Bodies: JSON, or for a run the flat form of multipart/form-data. What clients send beside what is known is let be."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flask import request
from werkzeug.exceptions import UnsupportedMediaType

from jobs.data import NOT_A_MAPPING
from jobs.files import Upload
from webapp.api.bodies import AskedRun, json_of, parts, values_for, whole_body
from webapp.api.errors import InvalidRequest
from webapp.extras.errors import Refused, invalid, of_inputs
from webapp.uploads import expect_files, upload_of

#: What the flat form says of a schedule begins so.
SCHEDULE = "_schedule_"

#: Names of what chooses a queue: since Nautobot 2.4 there are two.
QUEUES = ("task_queue", "job_queue")

_TRUE, _FALSE = ("true", "t", "yes", "y", "on", "1"), ("false", "f", "no", "n", "off", "0")


@dataclass(frozen=True)
class Body:
    """What a request for a run says, not yet judged."""

    data: Any = None
    commit: Any = None
    queues: tuple[Any, ...] = ()
    schedule: Any = None
    flat: bool = False
    files: Mapping[str, Upload] = field(default_factory=dict)


def receive() -> Body:
    """Read the body that asks for a run. None at all asks for nothing in particular."""
    if request.mimetype == "multipart/form-data":
        expect_files()
        return _from_parts()
    given = receive_json() or {}
    if not isinstance(given, dict):
        raise invalid(non_field_errors=["The body needs to be a JSON object."])
    queues = tuple(given[name] for name in QUEUES if given.get(name) is not None)
    return Body(given.get("data"), given.get("commit"), queues, given.get("schedule"))


def receive_json() -> Any:
    """Read a body as JSON; None where there is none. Raises Refused."""
    body = whole_body()
    if not body:
        return None
    if request.mimetype not in ("application/json", ""):
        raise UnsupportedMediaType("Send application/json or multipart/form-data.")
    return json_of(body)


def receive_many() -> list[dict[str, Any]]:
    """Read a body that is a list of objects, each with an id. Raises Refused."""
    given = receive_json()
    if not isinstance(given, list) or not given:
        raise invalid(non_field_errors=["Send a list of objects, each with an id."])
    if not all(isinstance(each, dict) and isinstance(each.get("id"), str) for each in given):
        raise invalid(id=["Each object needs an id."])
    return given


def values_of(body: Body, variables: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the inputs as JSON has them. What the variables allow is judged by `worker.submit`."""
    data = {} if body.data is None else body.data
    if not isinstance(data, dict):
        raise Refused(400, {"errors": [NOT_A_MAPPING]})
    if not body.flat:
        return data
    as_json = {each["name"] for each in variables if each["type"] == "JSONVar"}
    texts = {
        name: given if name in as_json else [unquoted(text) for text in given] for name, given in data.items()
    }
    try:
        return values_for(AskedRun(texts, flat=True, files=body.files), variables)
    except InvalidRequest as error:
        raise Refused(400, of_inputs(error.errors)) from None


def boolean(value: Any) -> bool:
    """Raises ValueError."""
    text = str(value).lower()
    if isinstance(value, bool | int | str) and text in (*_TRUE, *_FALSE):
        return text in _TRUE
    raise ValueError("Must be a valid boolean.")


def unquoted(text: str) -> str:
    """Return a text without the quotes around it, which documents of Nautobot have within the shell's."""
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text


def _from_parts() -> Body:
    texts, files = parts()
    if twice := {name for name, given in files.items() if len(given) > 1 or name in texts}:
        raise Refused(400, {"errors": {name: ["Give this once."] for name in sorted(twice)}})
    schedule = {
        name.removeprefix(SCHEDULE): unquoted(texts.pop(name)[-1])
        for name in list(texts)
        if name.startswith(SCHEDULE)
    }
    own = {name: unquoted(texts.pop(f"_{name}")[-1]) for name in ("commit", *QUEUES) if f"_{name}" in texts}
    queues = tuple(own[name] for name in QUEUES if own.get(name))
    uploads = {name: upload_of(given[0]) for name, given in files.items()}
    return Body(texts, own.get("commit"), queues, schedule or None, flat=True, files=uploads)
