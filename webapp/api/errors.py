"""Every answer of the API that is not a success: problem details (RFC 9457) with a sentence."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, NotRequired

from flask import Response, jsonify
from sqlalchemy.exc import OperationalError
from typing_extensions import TypedDict
from werkzeug.exceptions import HTTPException, InternalServerError, TooManyRequests

from jobs.errors import InvalidData
from store.permissions import Forbidden, NotVisible
from webapp.database import RETRY_AFTER_SECONDS, trouble
from webapp.uploads import too_much
from worker.approvals import AlreadyDecided
from worker.cancel import AlreadyFinished
from worker.overrides import ChangedMeanwhile
from worker.removal import NotEnded
from worker.room import Full
from worker.submit import KeyReused

PROBLEM = "application/problem+json"


class ProblemShape(TypedDict):
    """What is wrong with a request."""

    type: str
    title: str
    status: int
    #: A sentence.
    detail: str
    #: What is wrong with what was given, by its name.
    errors: NotRequired[dict[str, list[str]]]


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
    AlreadyDecided,
    AlreadyFinished,
    ChangedMeanwhile,
    NotEnded,
    OperationalError,
)


def answer(error: Exception) -> Response | HTTPException:
    """Turn any error into JSON. What is not known here is our own fault and tells nothing of itself."""
    if isinstance(error, ChangedMeanwhile):
        return problem(409, str(error))
    if isinstance(error, InvalidData | InvalidRequest):
        return _refused(error.errors, 409 if isinstance(error, KeyReused) else 422)
    if isinstance(error, NotVisible):
        return problem(404, "There is nothing here.")
    if isinstance(error, Full):
        return _http(TooManyRequests(str(error), retry_after=error.wait_seconds))
    if isinstance(error, Forbidden):
        return problem(403, str(error))
    if isinstance(error, AlreadyDecided):
        return problem(409, str(error))
    if isinstance(error, AlreadyFinished | NotEnded):
        return problem(409, str(error) or "This run has already ended.")
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
    response = problem(error.code, _sentence(error))
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
    response = problem(status, sentence)
    if status == 503:
        response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response


def in_words(error: Exception) -> str:
    """Say why something was refused, in a sentence."""
    errors = getattr(error, "errors", None)
    if isinstance(errors, Mapping):
        return " ".join(f"{name}: {' '.join(sentences)}" for name, sentences in errors.items())
    return " ".join(errors) if errors else str(error)


def _refused(errors: Mapping[str, Sequence[str]] | Sequence[str], status: int) -> Response:
    if not isinstance(errors, Mapping):
        return problem(status, " ".join(errors))
    names = list(errors)
    which = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    return problem(status, f"This does not fit: {which}.", {name: list(errors[name]) for name in names})


def problem(status: int, detail: str, errors: Mapping[str, Sequence[str]] | None = None) -> Response:
    """Say what is wrong. errors: by the name of what was given."""
    said: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    response = jsonify(said if errors is None else {**said, "errors": errors})
    response.status_code, response.mimetype = status, PROBLEM
    return never_keep(response)
