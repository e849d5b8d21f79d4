"""The body that asks for a run: JSON, or flat multipart/form-data."""

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import request
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge, UnsupportedMediaType
from werkzeug.formparser import FormDataParser

from jobs.data import NOT_A_MAPPING
from webapp.api.errors import InvalidRequest

LARGEST_BODY_BYTES = 1024 * 1024

MOST_PARTS = 1000

#: Far more than any form has, far less than what exhausts a stack.
DEEPEST_NESTING = 64


@dataclass(frozen=True)
class AskedRun:
    """What the caller asked for. None: they left it to the job."""

    #: Of the flat form: the texts of each part, which mean nothing before the variables are known.
    data: Mapping[str, Any]
    flat: bool = False
    commit: bool | None = None
    queue: str | None = None


class Unreadable(ValueError):
    """Text that is not the JSON we take, as a sentence."""


def receive() -> AskedRun:
    """Read the body of this request, and judge its form alone.

    Done before anything is asked of the database: a caller who sends slowly must not keep SQLite's write turn.
    """
    # One more: a body that does not say its length is cut off here without a word, and may then still be JSON.
    request.max_content_length = LARGEST_BODY_BYTES + 1
    if request.mimetype == "application/json":
        return _from_json(_whole_body())
    if request.mimetype == "multipart/form-data":
        return _from_parts()
    if not request.mimetype and not _whole_body():
        return AskedRun(data={})
    raise UnsupportedMediaType("Send application/json or multipart/form-data.")


def _whole_body() -> bytes:
    body = request.get_data(cache=False)
    if len(body) > LARGEST_BODY_BYTES:
        raise RequestEntityTooLarge
    return body


def values_for(asked: AskedRun, variables: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the values as JSON has them. What `variables` allow is judged by `worker.submit`."""
    if not asked.flat:
        return asked.data
    types = {variable["name"]: variable["type"] for variable in variables}
    return {name: _value(types.get(name), name, texts) for name, texts in asked.data.items()}


# --- JSON ------------------------------------------------------------------------------------------------------


def _from_json(body: bytes) -> AskedRun:
    try:
        given = parse_json(body.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise BadRequest(f"The body is not UTF-8 (byte {error.start}).") from None
    except Unreadable as error:
        raise BadRequest(f"The body cannot be read as JSON: {error}") from None
    if not isinstance(given, dict):
        raise InvalidRequest(["The body needs to be a JSON object."])
    unknown = {
        name: ["There is no such key; there are data, commit and queue."]
        for name in given
        if name not in ("data", "commit", "queue")
    }
    if unknown:
        raise InvalidRequest(unknown)
    if not isinstance(given.get("data", {}), dict):
        raise InvalidRequest([NOT_A_MAPPING])
    return AskedRun(
        data=given.get("data", {}),
        commit=_json_commit(given.get("commit")),
        queue=_json_queue(given.get("queue")),
    )


def parse_json(text: str) -> Any:
    """Parse JSON as its standard has it: no NaN, no name twice, nothing that would exhaust memory or stack."""
    try:
        value = json.loads(
            text, object_pairs_hook=_unique_names, parse_constant=_refuse_constant, parse_float=_finite
        )
    except Unreadable:
        raise
    except RecursionError:
        raise Unreadable(f"it is nested more than {DEEPEST_NESTING} deep.") from None
    except json.JSONDecodeError as error:
        raise Unreadable(f"{error.msg} (line {error.lineno}, column {error.colno}).") from None
    except ValueError:
        # Python converts no integer of more than 4300 digits.
        raise Unreadable("it holds a number that is too long.") from None
    _check_depth(value)
    return value


def _unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise Unreadable(f"the name {name!r} appears twice in one object.")
        found[name] = value
    return found


def _refuse_constant(name: str) -> Any:
    raise Unreadable(f"{name} is not a JSON value.")


def _finite(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise Unreadable(f"the number {text[:40]} is too large.")
    return value


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(DEEPEST_NESTING):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return
    raise Unreadable(f"it is nested more than {DEEPEST_NESTING} deep.")


def _inside(value: Any) -> Sequence[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else ()


# Errors name these two as the flat form does: no variable begins with an underscore, so none is meant by it.
def _json_commit(value: Any) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    raise InvalidRequest({"_commit": ["Give true or false."]})


def _json_queue(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise InvalidRequest({"_queue": ["Give the name of a queue, or null."]})


# --- multipart/form-data ---------------------------------------------------------------------------------------


def _from_parts() -> AskedRun:
    texts, files = _parts()
    commit = _text_commit(texts.pop("_commit", []))
    queue = _text_queue(texts.pop("_queue", []))
    if files:
        raise InvalidRequest({name: ["This does not take a file."] for name in files})
    return AskedRun(data=texts, flat=True, commit=commit, queue=queue)


def _parts() -> tuple[dict[str, list[str]], list[str]]:
    """Return the texts by name, and the names of the files."""
    # Not request.form: it takes a body it cannot read for an empty one, and the job would run without its data.
    parser = FormDataParser(
        stream_factory=_discard,
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
    if not texts and not files and not request.content_length:
        raise BadRequest("The body is empty; even one without parts ends with a boundary.")
    return texts.to_dict(flat=False), list(files)


def _discard(*_about: object, **_more: object) -> io.BytesIO:
    """Give a file's bytes a place until they are refused: no variable takes files yet."""
    return io.BytesIO()


def _text_commit(given: list[str]) -> bool | None:
    if not given:
        return None
    if given in (["true"], ["false"]):
        return given == ["true"]
    raise InvalidRequest({"_commit": ["Give true or false, once."]})


def _text_queue(given: list[str]) -> str | None:
    if len(given) > 1:
        raise InvalidRequest({"_queue": ["Give this once."]})
    return given[0] or None if given else None


def _value(kind: str | None, name: str, texts: list[str]) -> Any:
    """Return what the texts of one variable say. Only objects have values that text alone cannot name."""
    if kind in ("MultiChoiceVar", "MultiObjectVar"):
        return _several(texts, of_objects=kind == "MultiObjectVar")
    if len(texts) > 1 and kind is not None:
        raise InvalidRequest({name: ["Give this once."]})
    return _lookup(texts[0]) if kind == "ObjectVar" else texts[0]


def _several(texts: list[str], *, of_objects: bool) -> list[Any]:
    """Read repeated parts, or one part that holds them all as a JSON list."""
    if len(texts) == 1 and isinstance(given := _json_or_text(texts[0], "["), list):
        return given
    return [_lookup(text) for text in texts] if of_objects else texts


def _lookup(text: str) -> Any:
    return _json_or_text(text, "{")


def _json_or_text(text: str, opening: str) -> Any:
    if not text.lstrip().startswith(opening):
        return text
    try:
        return parse_json(text)
    except Unreadable:
        return text
