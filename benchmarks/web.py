"""A real web server, and somebody who has signed in to it."""

import asyncio
import http.client
import re
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import select

from benchmarks.figures import WentWrong
from benchmarks.processes import Program
from benchmarks.waiting import until
from store.models import SignInLink, User, now
from store.people import make_token
from store.platform import Platform
from store.secrets import new_token

if TYPE_CHECKING:
    from benchmarks.site import Site

HOST = "127.0.0.1"

#: Addresses that are for programs.
BY_TOKEN = ("/api/", "/ndscheduler/")

#: Each process of the server has made each page once or twice.
WARM_REQUESTS = 4


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes
    #: From before the request to the last byte.
    ms: float


class Web:
    """One browser's connection to the server, which is kept as browsers keep theirs."""

    def __init__(self, program: Program, port: int, platform: Platform) -> None:
        self.program = program
        self.port = port
        self._platform = platform
        self._connection = http.client.HTTPConnection(HOST, port, timeout=60)
        self.cookie = ""
        #: What programs show in place of the cookie, where a measure asks for what they ask.
        self.token = ""
        until(self._answers, "the web server answers")
        self.become()

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def get(self, path: str, *, fragment: bool = False) -> Answer:
        """Ask for a page, or for a part of one as HTMX does. Raises WentWrong for anything but an answer."""
        headers = {"Cookie": self.cookie, **({"HX-Request": "true"} if fragment else {})}
        if self.token:
            headers = {"Authorization": f"Token {self.token}"} if path.startswith(BY_TOKEN) else headers
        began = time.monotonic()
        response, body = self._request(path, headers)
        ms = 1000 * (time.monotonic() - began)
        if response.status not in (200, 204):
            raise WentWrong(f"{path} answered with {response.status}.")
        return Answer(response.status, body, ms)

    def close(self) -> None:
        self._connection.close()

    def become(self, username: str | None = None) -> None:
        """Sign in as this user; None: the first there was."""
        response, _ = self._request(self.sign_in_path(username), {})
        self.cookie = (response.getheader("Set-Cookie") or "").partition(";")[0]

    def take_token(self, username: str) -> None:
        """Have a token of this user shown wherever programs would ask."""
        with self._platform.session() as db:
            user = db.scalars(select(User).where(User.username == username)).one()
            self.token = make_token(db, user)

    def ask_in_turns(self, paths: Sequence[str], requests: int) -> dict[str, list[Answer]]:
        """Ask for pages in turns, so that all see the same machine; the first times do not count."""
        answers: dict[str, list[Answer]] = {path: [] for path in paths}
        for number in range(WARM_REQUESTS + requests):
            for path in paths:
                answer = self.get(path)
                if number >= WARM_REQUESTS:
                    answers[path].append(answer)
        return answers

    def sign_in_path(self, username: str | None = None) -> str:
        """Make a fresh link that signs in, once."""
        token, token_hash = new_token("link")
        with self._platform.session() as db:
            named = [] if username is None else [User.username == username]
            user = db.scalars(select(User).where(*named).order_by(User.id).limit(1)).one()
            in_an_hour = now() + timedelta(hours=1)
            db.add(SignInLink(user_id=user.id, token_hash=token_hash, expires_at=in_an_hour))
            db.commit()
        return f"/login/{token}"

    def _answers(self) -> bool:
        if not self.program.running():
            raise WentWrong(f"The web server ended: {self.program.last_words()}")
        try:
            return self._request("/healthz", {})[0].status == 200
        except OSError:
            return False

    def _request(self, path: str, headers: dict[str, str]) -> tuple[http.client.HTTPResponse, bytes]:
        try:
            return self._ask(path, headers)
        except OSError:
            # The server closes a connection that nobody has used for a while.
            self._connection.close()
        try:
            return self._ask(path, headers)
        except OSError:
            self._connection.close()
            raise

    def _ask(self, path: str, headers: dict[str, str]) -> tuple[http.client.HTTPResponse, bytes]:
        self._connection.request("GET", path, headers=headers)
        response = self._connection.getresponse()
        return response, response.read()


class Line:
    """One of many clients: keeps its connection, and makes another when the server has closed it."""

    def __init__(self, port: int, headers: Mapping[str, str]) -> None:
        self._port = port
        self._headers = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, method: str, address: str, body: bytes | None = None) -> tuple[int, bytes]:
        """Return the status and the body of the answer."""
        if self._streams is not None:
            try:
                return await self._ask(*self._streams, method, address, body)
            except (asyncio.IncompleteReadError, ConnectionError):
                self.close()
        self._streams = await asyncio.open_connection(HOST, self._port)
        return await self._ask(*self._streams, method, address, body)

    async def _ask(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        method: str,
        address: str,
        body: bytes | None,
    ) -> tuple[int, bytes]:
        more = "" if body is None else f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        head = f"{method} {address} HTTP/1.1\r\nHost: {HOST}\r\n{self._headers}{more}\r\n"
        writer.write(head.encode() + (body or b""))
        answer = await reader.readuntil(b"\r\n\r\n")
        status = int(answer.split(None, 2)[1])
        if status in (204, 304):
            return status, b""
        length = re.search(rb"(?i)\r\ncontent-length: (\d+)", answer)
        if length is None:
            raise WentWrong(f"An answer without a length: {answer.splitlines()[0]!r}.")
        return status, await reader.readexactly(int(length[1]))

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


def start_web(site: "Site", *command: str) -> Web:
    """Have `command` serve the pages, and sign in. The last arguments it gets are a port of its own."""
    port = free_port()
    return Web(site.start(*command, "--port", str(port)), port, site.platform)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
