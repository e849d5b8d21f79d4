"""What tests of single sign-on share: the way there and back, and a provider that says whatever a test has it say."""

import hmac
import json
import threading
import time
from base64 import urlsafe_b64encode
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from flask import Flask
from joserfc import jwt
from joserfc.jwk import RSAKey
from sqlalchemy import select
from werkzeug.test import TestResponse

from store.models import AuditRecord, Group, User, group_members
from tests import servers

from .conftest import Browser, text

#: What who comes under the name of somebody else is told.
TAKEN = "An account of this name is here already. If it is yours, ask an administrator"


def local(address: str) -> str:
    parts = urlsplit(address)
    assert (parts.scheme, parts.netloc) == ("http", "localhost"), address
    return f"{parts.path}?{parts.query}"


def begin(browser: Browser, path: str = "/login/oidc") -> str:
    answer = browser.get(path)
    assert answer.status_code == 303, text(answer)
    return answer.location


def come(browser: Browser, provider: servers.OidcProvider, subject: str, **claims: Any) -> TestResponse:
    """Go the whole way, as somebody of whom the provider says `claims`."""
    provider.set_user(subject, **claims)
    return browser.get(local(provider.authorize(begin(browser), sub=subject)))


def arrive(app: Flask, provider: servers.OidcProvider, subject: str, **claims: Any) -> TestResponse:
    return come(Browser(app.test_client()), provider, subject, **claims)


def assert_refused(answer: TestResponse, status: int, sentence: str) -> None:
    page = text(answer)
    assert answer.status_code == status, page
    assert sentence in page
    # The way back.
    assert 'name="password"' in page
    assert 'href="/login/oidc' in page


def rows(db, query):
    # As it is now, and read to the end: what is loaded later would hold SQLite's only write turn.
    with db.begin():
        return list(db.scalars(query, execution_options={"populate_existing": True}))


def records(db) -> list[tuple[str, str, str]]:
    query = select(AuditRecord).order_by(AuditRecord.id)
    return [(row.actor, row.action, row.subject) for row in rows(db, query)]


def groups_of(db, username: str) -> set[str]:
    query = (
        select(Group.name)
        .join(group_members, group_members.c.group_id == Group.id)
        .join(User, User.id == group_members.c.user_id)
        .where(User.username == username)
    )
    return set(rows(db, query))


def is_superuser(db, username: str) -> bool:
    return rows(db, select(User.superuser).where(User.username == username)) == [True]


def make_groups(db, *names: str, members: tuple[User, ...] = ()) -> None:
    with db.begin():
        db.add_all(Group(name=name, members=list(members)) for name in names)


class Forged:
    """A provider that says whatever a test has it say."""

    def __init__(self) -> None:
        self.key = RSAKey.generate_key(2048, {"kid": "1"})
        #: With what it signs, where not with the key that it publishes.
        self.signing_key: Any = self.key
        self.header: dict[str, Any] = {"alg": "RS256", "kid": "1"}
        #: In place of a signature with that key: (algorithm, secret), made by hand as no library would.
        self.by_hand: tuple[str, bytes] | None = None
        #: (status, what differs from an honest answer)
        self.discovery: tuple[int, dict[str, Any]] = (200, {})
        self.claims: dict[str, Any] = {}
        self.userinfo: dict[str, Any] = {}
        #: In place of the whole answer.
        self.token: Any = None
        self.nonce = self.challenge = ""
        self.request: dict[str, list[str]] = {}
        #: Of the last request for a token: its Authorization and its body.
        self.exchanged = ("", "")
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.asked: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.issuer = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    def __enter__(self) -> "Forged":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def arrive(self, app: Flask) -> TestResponse:
        return self.come(Browser(app.test_client()))

    def come(self, browser: Browser, path: str = "/login/oidc") -> TestResponse:
        """Go the whole way; `request` is what the provider was asked then."""
        asked = self.request = parse_qs(urlsplit(begin(browser, path)).query)
        self.nonce, self.challenge = asked["nonce"][0], asked["code_challenge"][0]
        return browser.get(f"/login/oidc/callback?code=c&state={asked['state'][0]}")

    def answer(self, path: str) -> tuple[int, Any]:
        self.asked.append(path)
        assert self.may_answer.wait(30)
        if path == "/.well-known/openid-configuration":
            status, differs = self.discovery
            names = {"authorization_endpoint": "a", "token_endpoint": "t", "jwks_uri": "k"}
            honest = {name: f"{self.issuer}/{short}" for name, short in names.items()}
            return status, {"issuer": self.issuer, **honest, **differs}
        if path == "/k":
            return 200, {"keys": [self.key.as_dict(private=False)]}
        if path == "/u":
            return 200, self.userinfo
        return 200, self.token if self.token is not None else self._token()

    def _token(self) -> dict[str, Any]:
        moment = int(time.time())
        honest = {
            "iss": self.issuer,
            "sub": "f-1",
            "aud": "errand",
            "iat": moment,
            "exp": moment + 60,
            "nonce": self.nonce,
            "preferred_username": "dora",
            "groups": ["net"],
        }
        claims = {name: value for name, value in {**honest, **self.claims}.items() if value is not None}
        signed = jwt.encode(self.header, claims, self.signing_key)
        if self.by_hand is not None:
            signed = sign_by_hand(*self.by_hand, claims)
        return {"access_token": "t", "token_type": "Bearer", "id_token": signed}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        forged = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if sent:
                    forged.exchanged = (self.headers.get("Authorization", ""), sent.decode())
                status, said = forged.answer(self.path)
                body = json.dumps(said).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET

            def log_message(self, *_: object) -> None:
                pass

        return Handler


def sign_by_hand(algorithm: str, secret: bytes, claims: dict[str, Any]) -> str:
    parts = [
        urlsafe_b64encode(json.dumps(each).encode()) for each in ({"alg": algorithm, "kid": "1"}, claims)
    ]
    head_and_body = b".".join(part.rstrip(b"=") for part in parts)
    signature = hmac.digest(secret, head_and_body, "sha256") if secret else b""
    return b".".join([head_and_body, urlsafe_b64encode(signature).rstrip(b"=")]).decode()
