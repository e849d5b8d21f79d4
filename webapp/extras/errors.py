"""Errors as clients of Nautobot know them: a "detail", or sentences by the name of what is wrong."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from flask import Response
from sqlalchemy.exc import OperationalError
from werkzeug.exceptions import HTTPException, TooManyRequests

from jobs.errors import InvalidData
from store.permissions import Forbidden, NotVisible
from webapp.api import errors as api_errors
from webapp.api.errors import InvalidRequest, never_keep
from webapp.extras.versions import as_json, say_version
from worker.approvals import AlreadyDecided
from worker.removal import NotEnded
from worker.room import Full

Errors = Mapping[str, Any] | Sequence[str]


class Refused(Exception):
    """A request that is answered with this status and this body."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(status, body)
        self.status, self.body = status, body


def invalid(**errors: Any) -> Refused:
    """Say what is wrong by name: sentences, or again by name."""
    return Refused(400, errors)


def not_found() -> Refused:
    return Refused(404, {"detail": "Not found."})


#: What is answered here (see webapp.api.errors.ANSWERED).
ANSWERED: tuple[type[Exception] | int, ...] = (*api_errors.ANSWERED, Refused, AlreadyDecided, NotEnded)

#: What our own inputs are called there, where they are no inputs of a job.
_NAMES = {"_queue": "task_queue", "_commit": "commit", "queues": "task_queues"}


def answer(error: Exception) -> Response:
    match error:
        case Refused():
            return _given(error.status, error.body)
        case InvalidData() | InvalidRequest():
            return _given(400, named(error.errors))
        case NotVisible():
            return _given(404, {"detail": "Not found."})
        case Full():
            return _http(TooManyRequests(str(error), retry_after=error.wait_seconds))
        case Forbidden():
            return _given(403, {"detail": str(error) or "You may not do this."})
        case AlreadyDecided() | NotEnded():
            return _given(409, {"detail": str(error)})
        case HTTPException() | OperationalError():
            return _http(error)
    return _given(500, {"detail": "Something went wrong here. It has been noted."})


def named(errors: Errors) -> dict[str, Any]:
    """Return errors with the names that clients know."""
    if not isinstance(errors, Mapping):
        return {"errors": list(errors)}
    return {_NAMES.get(name, name): sentences for name, sentences in errors.items()}


def of_inputs(errors: Errors) -> dict[str, Any]:
    """Return what is wrong with what a run was asked with: of the inputs of its job, in "errors"."""
    if not isinstance(errors, Mapping):
        return named(errors)
    own = {name: sentences for name, sentences in errors.items() if name in _NAMES}
    inputs = {name: sentences for name, sentences in errors.items() if name not in own}
    return {**named(own), **({"errors": inputs} if inputs else {})}


def _http(error: HTTPException | OperationalError) -> Response:
    known = api_errors.answer(error)
    if not isinstance(known, Response):
        return known.get_response()  # type: ignore[return-value]  # a redirect
    detail = (known.get_json(silent=True) or {}).get("detail") or HTTPStatus(known.status_code).phrase
    response = _given(known.status_code, {"detail": detail})
    for name in ("WWW-Authenticate", "Allow", "Retry-After"):
        if name in known.headers:
            response.headers[name] = known.headers[name]
    return response


def _given(status: int, body: Any) -> Response:
    return say_version(never_keep(as_json(body, status)))
