"""What a job may know of the web request that asked for its run."""

from typing import Any

from flask import request

from store.text import clean_text

#: Of a request's many headers those that jobs look at; never what signs anybody in.
_KEPT = (
    "CONTENT_LENGTH",
    "CONTENT_TYPE",
    "HTTP_ACCEPT",
    "HTTP_ACCEPT_ENCODING",
    "HTTP_ACCEPT_LANGUAGE",
    "HTTP_HOST",
    "HTTP_REFERER",
    "HTTP_USER_AGENT",
    "HTTP_X_FORWARDED_FOR",
    "HTTP_X_FORWARDED_PROTO",
    "HTTP_X_REAL_IP",
    "QUERY_STRING",
    "REMOTE_ADDR",
    "REMOTE_HOST",
    "REQUEST_METHOD",
    "SERVER_NAME",
    "SERVER_PORT",
)
LONGEST_FACT = 500


def request_facts() -> dict[str, Any]:
    """Return the facts of this request as `jobs.request.JobRequest` takes them."""
    environ = request.environ
    meta = {
        name: clean_text(str(environ[name]))[:LONGEST_FACT] for name in _KEPT if environ.get(name) is not None
    }
    return {"META": meta, "path": clean_text(request.path)[:LONGEST_FACT]}
