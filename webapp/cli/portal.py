"""The portal that a command speaks to, by its JSON API: one elsewhere, over HTTP, or the instance here, in this process.

The instance here is asked by the very same calls: so a command reads one kind of answer, and prints it in one way.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import click

if TYPE_CHECKING:
    from requests import PreparedRequest
    from requests import Session as HttpSession

    from store.models import User
    from store.settings import Settings

BASE = "/api/v1"

#: For a connection, and for an answer, which may be held back for a while.
SECONDS = (10, 60)

CANNOT = "This portal cannot do that over its API."

#: (name, (file name, stream, media type)), as requests takes parts.
Part = tuple[str, tuple[str | None, IO[bytes] | str, str]]


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes = field(repr=False)
    location: str = ""


class Refusal(click.ClickException):
    """Why a portal did not do something, mostly in its own words."""

    def __init__(self, sentence: str, status: int = 0) -> None:
        super().__init__(sentence)
        self.status = status


class Portal:
    """What both kinds have in common."""

    #: Whether it is somewhere else.
    remote = False

    def get(self, path: str, **query: Any) -> Any:
        """Return the answer to a question. query: lists are given several times, None is left out."""
        return self._asked("GET", path, query)

    def text(self, path: str, **query: Any) -> str:
        """Return an answer that is no JSON. Raises Refusal."""
        address = f"{BASE}{path}?{urlencode([(name, _text(value)) for name, value in query.items()])}"
        answer = self._send("GET", address)
        if answer.status >= 300:
            return str(self._read("GET", path, answer))
        return answer.body.decode()

    def post(self, path: str, body: Mapping[str, Any] | None = None, **more: Any) -> Any:
        return self._asked("POST", path, {}, body=body or {}, **more)

    def patch(self, path: str, body: Mapping[str, Any]) -> Any:
        return self._asked("PATCH", path, {}, body=body)

    def put(self, path: str, **more: Any) -> Any:
        return self._asked("PUT", path, {}, **more)

    def delete(self, path: str) -> Any:
        return self._asked("DELETE", path, {})

    def every(self, path: str, *, limit: int | None = None, **query: Any) -> Iterator[Any]:
        """Yield the rows of a list, of as many parts as it takes; at most `limit`."""
        left = limit
        while True:
            page = self.get(path, **query, limit=min(left, 200) if left is not None else None)
            yield from page["results"] if left is None else page["results"][:left]
            left = left - len(page["results"]) if left is not None else None
            if page["next"] is None or (left is not None and left <= 0):
                return
            query["after"] = dict(parse_qsl(urlsplit(page["next"]).query))["after"]

    def _asked(self, method: str, path: str, query: Mapping[str, Any], **more: Any) -> Any:
        pairs = [
            (name, _text(each))
            for name, value in query.items()
            if value is not None
            for each in (value if isinstance(value, list | tuple) else [value])
        ]
        address = f"{BASE}{quote(path)}" + (f"?{urlencode(pairs)}" if pairs else "")
        return self._read(method, path, self._send(method, address, **more))

    def _send(self, method: str, address: str, **more: Any) -> Answer:
        """more: body, a JSON object; or parts, of a form; headers."""
        raise NotImplementedError

    def _read(self, method: str, path: str, answer: Answer) -> Any:
        if answer.status == 204:
            return None
        try:
            said = json.loads(answer.body)
        except ValueError:
            said = None
        if answer.status < 300 and said is not None:
            return said
        raise self._refusal(method, path, answer, said)

    def _refusal(self, method: str, path: str, answer: Answer, said: Any) -> Refusal:
        if not isinstance(said, dict) or "detail" not in said:
            return Refusal(self._strange(answer), answer.status)
        if answer.status in (404, 405) and not self._has_call(method, path):
            return Refusal(CANNOT, answer.status)
        if errors := said.get("errors"):
            from jobs.errors import InvalidData
            from webapp.cli.asking import sentences

            return Refusal(sentences(InvalidData(errors)), answer.status)
        return Refusal(_plain(str(said["detail"])), answer.status)

    def _strange(self, answer: Answer) -> str:
        return f"The portal answered with status {answer.status}, and not as its API does."

    def _has_call(self, method: str, path: str) -> bool:
        """Tell whether the API has such a call at all, whatever it was asked about."""
        try:
            document = json.loads(self._send("GET", f"{BASE}/openapi.json").body)
        except ValueError:
            return False
        for template, calls in document.get("paths", {}).items():
            pattern = re.sub(r"\\\{[^{}]*\\\}", ".+", re.escape(template.removeprefix(BASE)))
            # The most general template, /jobs/{reference}, would fit everything below it; calls decide.
            if method.lower() in calls and re.fullmatch(pattern, path):
                return True
        return False


class Elsewhere(Portal):
    """A portal somewhere else, as the user of a token."""

    remote = True

    def __init__(self, url: str, token: str, *, seconds: tuple[int, int] = SECONDS) -> None:
        self.url = _address(url)
        self._token = _token(token)
        self._seconds = seconds
        self._session: HttpSession | None = None

    def _send(self, method: str, address: str, **more: Any) -> Answer:
        import requests
        from requests import exceptions

        if self._session is None:
            self._session = requests.Session()
        body, parts = more.get("body"), more.get("parts")
        try:
            response = self._session.request(
                method,
                f"{self.url}{address}",
                json=body if parts is None and method != "GET" else None,
                files=parts,
                headers=more.get("headers"),
                # Said like this, no .netrc of whoever calls puts something else in its place.
                auth=self._authorize,
                timeout=self._seconds,
                # The token is for the portal that was named, and for no other.
                allow_redirects=False,
            )
        except exceptions.SSLError as error:
            wrong = "cannot be reached over TLS"
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                wrong = "has a certificate that is not trusted here"
            raise Refusal(f"{self.url} {wrong}: {_reason(error)}.") from error
        except exceptions.Timeout as error:
            raise Refusal(f"{self.url} did not answer in time.") from error
        except exceptions.RequestException as error:
            raise Refusal(f"{self.url} cannot be reached: {_reason(error)}.") from error
        return Answer(
            response.status_code,
            response.content,
            response.headers.get("Location", ""),
        )

    def _authorize(self, request: "PreparedRequest") -> "PreparedRequest":
        request.headers["Authorization"] = f"Token {self._token}"
        return request

    def _refusal(self, method: str, path: str, answer: Answer, said: Any) -> Refusal:
        refusal = super()._refusal(method, path, answer, said)
        if answer.status == 401 and said is not None:
            return Refusal(f"{self.url} refuses the token: {refusal.message}", 401)
        return refusal

    def _strange(self, answer: Answer) -> str:
        if 300 <= answer.status < 400:
            elsewhere = f" to {_plain(answer.location)}" if answer.location else ""
            return f"{self.url} sends on{elsewhere}. Give the address of the portal itself."
        if answer.status >= 500:
            return f"{self.url} does not answer now (status {answer.status})."
        return f"There is no Errand at {self.url} (status {answer.status})."


class Here(Portal):
    """The instance on this machine, as whoever sits at it: no token is asked for, as of all commands."""

    def __init__(self, settings: "Settings", username: str | None = None) -> None:
        from webapp.app import create_app

        self.settings = settings
        self._username = username
        self._app = create_app(settings)
        self._client = self._app.test_client(use_cookies=False)

    def close(self) -> None:
        with self._app.app_context():
            self._app.extensions["sqlalchemy"].engine.dispose()
        self._app.extensions["errand"].data.dispose()

    def _send(self, method: str, address: str, **more: Any) -> Answer:
        from webapp.api.tokens import HERE

        caller = self._caller(to_look=method == "GET")
        parts = more.get("parts")
        response = self._client.open(
            address,
            method=method,
            json=more.get("body") if method != "GET" and parts is None else None,
            data=None if parts is None else {name: _part(*part) for name, part in parts},
            headers=more.get("headers"),
            environ_overrides={HERE: caller},
        )
        return Answer(response.status_code, response.get_data())

    def _caller(self, *, to_look: bool) -> "User":
        """Whoever sits here sees everything; what is done is done in somebody's name."""
        from store.models import User

        if to_look and not self._username:
            return User(username="", superuser=True, active=True)
        from webapp.cli.run import who
        from webapp.database import reading

        with self._app.app_context(), reading() as db:
            return who(db, self._username)


# --- What comes from outside ---


def _part(name: str | None, content: IO[bytes] | str, kind: str) -> Any:
    """Return a part as the test client takes it."""
    return content if name is None else (content, name, kind)


def _address(url: str) -> str:
    parts = urlsplit(url.strip())
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
        raise click.UsageError(
            f"{url!r} is not the address of a portal. Write it like https://errand.example.com."
        )
    return url.strip().rstrip("/").removesuffix(BASE)


def _token(token: str) -> str:
    if not re.fullmatch(r"[!-~]+", token.strip()):
        raise click.UsageError("The token holds characters that none has: copy it once more.")
    return token.strip()


def _text(value: Any) -> str:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)


def _plain(text: str) -> str:
    from store.text import entry_text

    return entry_text(text)


def _reason(error: Exception) -> str:
    """Return what is the matter, out of the many words that the libraries make of it."""
    inner: BaseException = error
    while True:
        deeper = next(
            (
                each
                for each in (*inner.args, getattr(inner, "reason", None))
                if isinstance(each, BaseException)
            ),
            inner.__cause__,
        )
        if deeper is None or deeper is inner:
            break
        inner = deeper
    said = getattr(inner, "verify_message", "") or getattr(inner, "strerror", "") or str(inner)
    return " ".join(_plain(str(said)).split()).rstrip(".")
