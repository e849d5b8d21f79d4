"""The body that asks for a run: JSON, or flat multipart/form-data; and the one that brings a value."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flask import request
from werkzeug.datastructures import FileStorage
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge, UnsupportedMediaType
from werkzeug.formparser import FormDataParser

from jobs.data import NOT_A_MAPPING
from jobs.errors import InvalidValue
from jobs.files import Upload
from jobs.json_text import Unreadable, parse_json
from webapp.api.errors import InvalidRequest
from webapp.texts import value_of
from webapp.uploads import expect_files, upload_of
from worker.run_options import OPTIONS, RunOptions

LARGEST_BODY_BYTES = 1024 * 1024

MOST_PARTS = 1000

KEYS = ("data", "commit", "queue", *OPTIONS)


#: What `receive` reads, as the OpenAPI document says it. Which data a job takes, its variables say.
RUN_BODIES: dict[str, dict[str, Any]] = {
    "application/json": {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "data": {"type": "object"},
            "commit": {"type": ["boolean", "null"]},
            "queue": {"type": ["string", "null"]},
            **{name: {"type": ["boolean", "null"]} for name in OPTIONS},
        },
    },
    "multipart/form-data": {
        "type": "object",
        "properties": {
            **{f"_{name}": {"type": "string", "enum": ["true", "false"]} for name in ("commit", *OPTIONS)},
            "_queue": {"type": "string"},
        },
        "additionalProperties": {"type": "string"},
    },
}


@dataclass(frozen=True)
class AskedRun:
    """What the caller asked for. None: they left it to the job."""

    #: Of the flat form: the texts of each part, which mean nothing before the variables are known.
    data: Mapping[str, Any]
    flat: bool = False
    commit: bool | None = None
    queue: str | None = None
    options: RunOptions = field(default_factory=RunOptions)
    files: Mapping[str, Upload] = field(default_factory=dict)


def receive() -> AskedRun:
    """Read the body of this request, and judge its form alone.

    Done before anything is asked of the database: a caller who sends slowly must not keep SQLite's write turn.
    """
    if request.mimetype == "multipart/form-data":
        expect_files()
        return _from_parts()
    if request.mimetype == "application/json":
        return _from_json(whole_body())
    if not request.mimetype and not whole_body():
        return AskedRun(data={})
    raise UnsupportedMediaType("Send application/json or multipart/form-data.")


def receive_object() -> dict[str, Any]:
    """Read a body that is a JSON object; none at all is an empty one."""
    if request.mimetype == "application/json":
        return _object(whole_body())
    if not request.mimetype and not whole_body():
        return {}
    raise UnsupportedMediaType("Send application/json.")


def whole_body() -> bytes:
    """Read a body that is no file. Raises RequestEntityTooLarge."""
    # One more: a body that does not say its length is cut off here without a word, and may then still be JSON.
    request.max_content_length = LARGEST_BODY_BYTES + 1
    body = request.get_data(cache=False)
    if len(body) > LARGEST_BODY_BYTES:
        raise RequestEntityTooLarge
    return body


def values_for(asked: AskedRun, variables: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the values as JSON has them. What `variables` allow is judged by `worker.submit`."""
    if not asked.flat:
        return asked.data
    types = {variable["name"]: variable["type"] for variable in variables}
    refused = {name for name in asked.files if types.get(name, "FileVar") != "FileVar"}
    if refused:
        raise InvalidRequest({name: ["This does not take a file."] for name in sorted(refused)})
    texts = {name: _value(types.get(name), name, texts) for name, texts in asked.data.items()}
    return {**texts, **asked.files}


def _value(kind: str | None, name: str, texts: list[str]) -> Any:
    try:
        return value_of(kind, texts)
    except InvalidValue as error:
        raise InvalidRequest({name: [str(error)]}) from None


# --- JSON ------------------------------------------------------------------------------------------------------


def json_of(body: bytes) -> Any:
    """Read JSON. Raises BadRequest with a sentence."""
    try:
        return parse_json(body.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise BadRequest(f"The body is not UTF-8 (byte {error.start}).") from None
    except Unreadable as error:
        raise BadRequest(f"The body cannot be read as JSON: {error}") from None


def _object(body: bytes) -> dict[str, Any]:
    given = json_of(body)
    if not isinstance(given, dict):
        raise InvalidRequest(["The body needs to be a JSON object."])
    return given


def _from_json(body: bytes) -> AskedRun:
    given = _object(body)
    unknown = {
        name: [f"There is no such key; there are {', '.join(KEYS[:-1])} and {KEYS[-1]}."]
        for name in given
        if name not in KEYS
    }
    if unknown:
        raise InvalidRequest(unknown)
    if not isinstance(given.get("data", {}), dict):
        raise InvalidRequest([NOT_A_MAPPING])
    return AskedRun(
        data=given.get("data", {}),
        commit=_json_flag("commit", given),
        queue=_json_queue(given.get("queue")),
        options=RunOptions(**{name: _json_flag(name, given) or False for name in OPTIONS}),
    )


# Errors name all but the data as the flat form does: no variable begins with an underscore, so none is meant by it.
def _json_flag(name: str, given: Mapping[str, Any]) -> bool | None:
    value = given.get(name)
    if value is None or isinstance(value, bool):
        return value
    raise InvalidRequest({f"_{name}": ["Give true or false."]})


def _json_queue(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise InvalidRequest({"_queue": ["Give the name of a queue, or null."]})


# --- multipart/form-data ---------------------------------------------------------------------------------------


def _from_parts() -> AskedRun:
    texts, files = parts()
    commit = _text_flag("commit", texts)
    queue = _text_queue(texts.pop("_queue", []))
    options = RunOptions(**{name: _text_flag(name, texts) or False for name in OPTIONS})
    twice = {name for name, given in files.items() if len(given) > 1 or name in texts}
    if twice:
        raise InvalidRequest({name: ["Give this once."] for name in sorted(twice)})
    uploads = {name: upload_of(given[0]) for name, given in files.items()}
    return AskedRun(data=texts, flat=True, commit=commit, queue=queue, options=options, files=uploads)


def parts() -> tuple[dict[str, list[str]], dict[str, list[FileStorage]]]:
    """Return the texts and the files by name."""
    # Not request.form: it takes a body it cannot read for an empty one, and the job would run without its data.
    parser = FormDataParser(
        max_form_memory_size=LARGEST_BODY_BYTES,
        max_form_parts=MOST_PARTS,
        silent=False,
    )
    try:
        _, texts, files = parser.parse(
            request.stream, request.mimetype, request.content_length, request.mimetype_params
        )
    except ValueError as error:
        raise BadRequest(f"The body cannot be read as multipart/form-data: {error}.") from None
    # As the request would have them, which closes them when it has been answered.
    request.__dict__["files"] = files
    if not texts and not files and not request.content_length:
        raise BadRequest("The body is empty; even one without parts ends with a boundary.")
    if None in texts or None in files:
        raise BadRequest("A part of the body has no name.")
    return texts.to_dict(flat=False), files.to_dict(flat=False)


def _text_flag(name: str, texts: dict[str, list[str]]) -> bool | None:
    given = texts.pop(f"_{name}", [])
    if not given:
        return None
    if given in (["true"], ["false"]):
        return given == ["true"]
    raise InvalidRequest({f"_{name}": ["Give true or false, once."]})


def _text_queue(given: list[str]) -> str | None:
    if len(given) > 1:
        raise InvalidRequest({"_queue": ["Give this once."]})
    return given[0] or None if given else None
