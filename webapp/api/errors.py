"""Every answer of the API that is not a success: JSON with a sentence."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus

from flask import Response, jsonify
from sqlalchemy.exc import OperationalError
from werkzeug.exceptions import HTTPException, InternalServerError

from jobs.errors import InvalidData
from store.permissions import Forbidden, NotVisible
from webapp.database import RETRY_AFTER_SECONDS, trouble
from webapp.uploads import too_much
from worker.cancel import AlreadyFinished


class InvalidRequest(Exception):
    """A request that is well-formed but asks for something that cannot be meant."""

    def __init__(self, errors: Mapping[str, Sequence[str]] | Sequence[str]) -> None:
        super().__init__(errors)
        self.errors = errors


#: What the blueprint answers itself. Flask prefers a handler for a status to one for a class,
#: whoever registered it: naming each status keeps the HTML handlers of the pages out.
ANSWERED: tuple[type[Exception] | int, ...] = (
    *(status.value for status in HTTPStatus if status.value in (400, 401, 403, 404, 405, 409, 413, 415, 422)),
    429,
    500,
    503,
    HTTPException,
    InvalidRequest,
    InvalidData,
    NotVisible,
    Forbidden,
    AlreadyFinished,
    OperationalError,
)


def answer(error: Exception) -> Response | HTTPException:
    """Turn any error into JSON. What is not known here is our own fault and tells nothing of itself."""
    if isinstance(error, InvalidData | InvalidRequest):
        return _json({"errors": error.errors}, 422)
    if isinstance(error, NotVisible):
        return _json({"error": "There is nothing here."}, 404)
    if isinstance(error, Forbidden):
        return _json({"error": str(error)}, 403)
    if isinstance(error, AlreadyFinished):
        return _json({"error": str(error) or "This run has already ended."}, 409)
    if isinstance(error, OperationalError):
        return _unavailable(error)
    if isinstance(error, HTTPException):
        return _http(error)
    return _http(InternalServerError())


def never_keep(response: Response) -> Response:
    """Keep what one person may see out of every cache on the way."""
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _http(error: HTTPException) -> Response | HTTPException:
    if error.code is None or error.code < 400:
        return error  # a redirect
    given = error.get_response()
    response = _json({"error": _sentence(error)}, error.code)
    for name in ("WWW-Authenticate", "Allow", "Retry-After"):
        if name in given.headers:
            response.headers[name] = given.headers[name]
    return response


def _sentence(error: HTTPException) -> str:
    if error.code == 500:
        return "Something went wrong here. It has been noted."
    if error.code == 413:
        return too_much()
    if error.code == 404 and error.description == type(error).description:
        return "There is nothing here."
    return error.description or error.name


def _unavailable(error: OperationalError) -> Response:
    status, sentence = trouble(error)
    response = _json({"error": sentence}, status)
    if status == 503:
        response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response


def _json(body: object, status: int) -> Response:
    response = jsonify(body)
    response.status_code = status
    return never_keep(response)
