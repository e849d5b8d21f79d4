"""Logs of the web server as JSON: each request has an id, and all that is logged meanwhile names it."""

import logging
import re
import time
import uuid

from flask import Flask, Response, g, request

from webapp.auth import counts_as_use, current_user
from worker import json_log

#: What a proxy may call a request; any other word is not ours to write down.
_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")

logger = logging.getLogger("errand.requests")


def init_app(app: Flask) -> None:
    if not app.extensions["errand"].settings.log_json:
        return
    app.before_request(_begin)
    app.after_request(_tell)


def _begin() -> None:
    given = request.headers.get("X-Request-ID", "")
    g.request_id = given if _ID.fullmatch(given) else uuid.uuid4().hex
    g.asked_at = time.perf_counter()
    json_log.be_about(request_id=g.request_id)


def _tell(response: Response) -> Response:
    response.headers["X-Request-ID"] = g.get("request_id", "")
    # Not what pages ask for by themselves: that would be most of all lines.
    if counts_as_use() and request.endpoint != "static":
        user = current_user()
        with json_log.about(user=user.username if user else ""):
            # The rule and not the path: that may have a token in it.
            rule = request.url_rule.rule if request.url_rule else "(none)"
            took = (time.perf_counter() - g.get("asked_at", time.perf_counter())) * 1000
            logger.info("%s %s: %s in %.0f ms", request.method, rule, response.status_code, took)
    return response
