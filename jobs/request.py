"""The web request that a run was asked for by, as a job sees it in `self.request`: after Django's, in what jobs use."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl


class RequestUser:
    """The person who asked."""

    is_authenticated = True
    is_anonymous = False

    def __init__(self, username: str) -> None:
        self.username = username

    def get_username(self) -> str:
        return self.username

    def __str__(self) -> str:
        return self.username


class JobRequest:
    """`user`, `META`, `GET`, `path`, `method` and `id`; `POST` is empty, as the inputs are the job's variables."""

    def __init__(self, facts: Mapping[str, Any], *, username: str, id: str) -> None:
        #: Of the run.
        self.id = id
        self.user = RequestUser(username)
        #: Headers and facts as WSGI names them: HTTP_X_FORWARDED_FOR, REMOTE_ADDR, ...
        self.META: dict[str, str] = dict(facts.get("META") or {})
        self.path = str(facts.get("path") or "")
        self.method = self.META.get("REQUEST_METHOD", "")
        self.GET: dict[str, str] = dict(parse_qsl(self.META.get("QUERY_STRING", ""), keep_blank_values=True))
        self.POST: dict[str, str] = {}
