"""Errors as clients of ndscheduler know them: {"error": sentence}."""

from http import HTTPStatus

from flask import Response, jsonify
from sqlalchemy.exc import OperationalError
from werkzeug.exceptions import HTTPException, TooManyRequests

from jobs.errors import InvalidData
from store.data_files import BadDataFile
from store.permissions import Forbidden, NotVisible
from webapp.api import errors as api_errors
from webapp.api.errors import InvalidRequest, in_words, never_keep
from worker.room import Full


class Refused(Exception):
    """A request that is answered with this status, and this sentence."""

    def __init__(self, sentence: str, status: int = 400) -> None:
        super().__init__(sentence)
        self.status = status


#: What is answered here (see webapp.api.errors.ANSWERED).
ANSWERED: tuple[type[Exception] | int, ...] = (*api_errors.ANSWERED, 501, Refused, BadDataFile)


def answer(error: Exception) -> Response:
    match error:
        case Refused():
            return _given(error.status, str(error))
        case InvalidData() | InvalidRequest():
            return _given(400, in_words(error))
        case BadDataFile():
            return _given(400, str(error))
        case NotVisible():
            return _given(404, "There is nothing here.")
        case Full():
            return _http(TooManyRequests(str(error), retry_after=error.wait_seconds))
        case Forbidden():
            return _given(403, str(error) or "You may not do this.")
        case HTTPException() | OperationalError():
            return _http(error)
    return _given(500, "Something went wrong here. It has been noted.")


def _http(error: HTTPException | OperationalError) -> Response:
    known = api_errors.answer(error)
    if not isinstance(known, Response):
        return known.get_response()  # type: ignore[return-value]  # a redirect
    sentence = (known.get_json(silent=True) or {}).get("detail") or HTTPStatus(known.status_code).phrase
    response = _given(known.status_code, sentence)
    for name in ("WWW-Authenticate", "Allow", "Retry-After"):
        if name in known.headers:
            response.headers[name] = known.headers[name]
    return response


def _given(status: int, sentence: str) -> Response:
    response = jsonify({"error": sentence})
    response.status_code = status
    return never_keep(response)
