"""Tells the log of what was refused: who tries doors is to be seen, whether they are somebody or nobody."""

import logging
from http import HTTPStatus

from flask import Flask, Response, request

from webapp.api.tokens import HERE
from webapp.auth import counts_as_use, current_user

REFUSED = {
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.TOO_MANY_REQUESTS,
}

logger = logging.getLogger("errand.refusals")


def init_app(app: Flask) -> None:
    app.after_request(_tell)


def _tell(response: Response) -> Response:
    # Not what pages ask for by themselves: where a session has ended they all are refused. Nor what a command asks for here.
    if request.url_rule is not None and counts_as_use() and HERE not in request.environ:
        user, status = current_user(), response.status_code
        # What one may not see is not found; strangers find nothing at all, which is nothing to tell of.
        if status in REFUSED or (status == HTTPStatus.NOT_FOUND and user is not None):
            who = user.username if user is not None else "nobody"
            # The rule and not the path: that may have a token in it.
            asked = (request.method, request.url_rule.rule)
            logger.warning("%s %s: %s to %s from %s", *asked, status, who, request.remote_addr or "-")
    return response
