"""A Slack of the tests' own on this machine: its Web API, its events and its socket mode, as far as the product uses them.

    with slack_stand_in() as slack:
        settings = replace(settings, slack=slack.settings())
        slack.deliver(slack.mention("test say hello"))     # by socket mode, when the product listens
        client.post("/slack/events", **slack.signed(slack.mention("help")))     # or over HTTP
        until(lambda: slack.texts("C1"), "an answer")

What it is to answer instead: `slack.fail("chat.postMessage", "channel_not_found")`, `slack.rate_limit(...)`,
`slack.answer(...)`, `slack.hang_up(...)`; each for so many calls, then it answers as ever.
"""

import hashlib
import hmac
import itertools
import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from store.slack_settings import SlackSettings
from tests.waiting import until
from tests.web_sockets import WebSocket, accepted

BOT_TOKEN, APP_TOKEN, SIGNING_SECRET = "xoxb-1-stand-in", "xapp-1-stand-in", "signing-secret"
TEAM, BOT_USER, BOT_ID, APP_ID = "T1", "UBOT", "BBOT", "A1"


@dataclass(frozen=True)
class Call:
    """One call of the Web API."""

    method: str
    data: dict[str, Any]
    token: str


@dataclass
class Answer:
    """What one call gets instead of the usual; status 0: the connection ends without an answer."""

    body: dict[str, Any] = field(default_factory=dict)
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Upload:
    id: str
    name: str
    content: bytes = b""
    title: str = ""
    channel: str = ""
    thread_ts: str | None = None
    comment: str | None = None


def person(user: str, name: str, **facts: Any) -> dict[str, Any]:
    """Return somebody as users.info tells of them. facts: is_bot, is_restricted, is_ultra_restricted, is_stranger, deleted."""
    profile = {"real_name": name.title(), "display_name": name, "email": f"{name}@example.org"}
    flags = {"deleted": False, "is_bot": False, "is_restricted": False, "is_ultra_restricted": False}
    return {
        "id": user,
        "team_id": TEAM,
        "name": name,
        "real_name": name.title(),
        "profile": profile,
        **flags,
        **facts,
    }


class SlackStandIn:
    def __init__(self) -> None:
        self.port = 0
        self.calls: list[Call] = []
        self.people = {
            "U1": person("U1", "alice"),
            "U2": person("U2", "bob"),
            "U3": person("U3", "carol", is_restricted=True),
            BOT_USER: person(BOT_USER, "errand", is_bot=True),
        }
        #: Channels by id; who asks for one by its name finds it too.
        self.channels = {"C1": "general", "C2": "logs", "C3": "support"}
        #: What was posted, as it is now: {"channel", "ts", "text", "thread_ts", "blocks", ...}, `user` for whom alone it is.
        self.messages: list[dict[str, Any]] = []
        self.reactions: list[tuple[str, str, str]] = []  # (channel, ts, name)
        #: Files that were completed.
        self.files: list[Upload] = []
        #: Modals, as they are now, by id.
        self.views: dict[str, dict[str, Any]] = {}
        self.acknowledged: dict[str, dict[str, Any]] = {}
        self.sockets: list[WebSocket] = []
        self._instead: dict[str, list[Answer]] = {}
        self._uploads: dict[str, Upload] = {}
        self._numbers = itertools.count(1)
        self._lock = threading.RLock()

    # What a test asks of it.

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def api_url(self) -> str:
        return f"{self.url}/api/"

    def settings(self, **others: Any) -> SlackSettings:
        usual: dict[str, Any] = {
            "bot_token": BOT_TOKEN,
            "app_token": APP_TOKEN,
            "signing_secret": SIGNING_SECRET,
            "logs_channel": "C2",
            "support_channel": "C3",
            "api_url": self.api_url,
        }
        return SlackSettings(**{**usual, **others})

    def environment(self) -> dict[str, str]:
        """Return the same for a process of its own."""
        return {
            "SLACK_BOT_TOKEN": BOT_TOKEN,
            "SLACK_APP_TOKEN": APP_TOKEN,
            "SLACK_SIGNING_SECRET": SIGNING_SECRET,
            "SLACK_LOGS_CHANNEL": "C2",
            "SLACK_TECH_SUPPORT_CHANNEL": "C3",
            "ERRAND_SLACK_API": self.api_url,
        }

    def called(self, method: str) -> list[dict[str, Any]]:
        """Return what that method was called with, in order."""
        return [call.data for call in list(self.calls) if call.method == method]

    def texts(self, channel: str | None = None, thread_ts: str | None = None) -> list[str]:
        """Return the texts posted (as they are now) there; None: anywhere."""
        return [
            message["text"]
            for message in list(self.messages)
            if channel in (None, message["channel"]) and thread_ts in (None, message.get("thread_ts"))
        ]

    def ts(self) -> str:
        """Return the time stamp of a message nobody has posted yet."""
        return f"1764410000.{next(self._numbers):06d}"

    # How it answers instead.

    def answer(self, method: str, *answers: Answer) -> None:
        with self._lock:
            self._instead.setdefault(method, []).extend(answers)

    def fail(self, method: str, error: str = "channel_not_found", times: int = 1) -> None:
        self.answer(method, *[Answer({"ok": False, "error": error})] * times)

    def rate_limit(self, method: str, seconds: int = 1, times: int = 1) -> None:
        limited = Answer({"ok": False, "error": "ratelimited"}, 429, {"Retry-After": str(seconds)})
        self.answer(method, *[limited] * times)

    def hang_up(self, method: str, times: int = 1) -> None:
        self.answer(method, *[Answer(status=0)] * times)

    # What happens in Slack.

    def mention(self, text: str, *, before: str = "", **facts: Any) -> dict[str, Any]:
        """Return the event of a message in a channel that mentions the bot, and says something before that or not."""
        said = f"{before}<@{BOT_USER}> {text}"
        return self._message({"type": "app_mention", "text": said, "channel": "C1", **facts})

    def direct(self, text: str, **facts: Any) -> dict[str, Any]:
        """Return the event of a direct message to the bot."""
        return self._message(
            {"type": "message", "channel_type": "im", "text": text, "channel": "D1", **facts}
        )

    def _message(self, event: dict[str, Any]) -> dict[str, Any]:
        return self.event({"user": "U1", "ts": self.ts(), "team": TEAM, **event})

    def event(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Return an event as Slack sends it, in its envelope."""
        number = next(self._numbers)
        return {
            "token": "verification",
            "team_id": TEAM,
            "api_app_id": APP_ID,
            "type": "event_callback",
            "event_id": f"Ev{number}",
            "event_time": 1764410000 + number,
            "authorizations": [{"team_id": TEAM, "user_id": BOT_USER, "is_bot": True}],
            "event": {"event_ts": event.get("ts", self.ts()), **event},
        }

    def interaction(self, kind: str, user: str = "U1", **facts: Any) -> dict[str, Any]:
        """Return what Slack sends of a click or a form: block_actions, view_submission, view_closed, block_suggestion."""
        return {
            "type": kind,
            "team": {"id": TEAM, "domain": "stand-in"},
            "user": {"id": user, "username": self.people.get(user, {}).get("name", user), "team_id": TEAM},
            "api_app_id": APP_ID,
            "token": "verification",
            "trigger_id": f"trigger.{next(self._numbers)}",
            **facts,
        }

    def click(
        self, message: Mapping[str, Any], action_id: str, value: str = "", user: str = "U1"
    ) -> dict[str, Any]:
        """Return the click on a button of a message that is in `messages`."""
        action = {"type": "button", "action_id": action_id, "block_id": "b", "value": value, "action_ts": "1"}
        container = {"type": "message", "message_ts": message["ts"], "channel_id": message["channel"]}
        return self.interaction(
            "block_actions",
            user,
            container=container,
            channel={"id": message["channel"], "name": self.channels.get(message["channel"], "")},
            message=dict(message),
            response_url=f"{self.url}/response/{message['channel']}/{message['ts']}",
            actions=[action],
        )

    def submission(
        self, view: Mapping[str, Any], values: Mapping[str, Any], user: str = "U1"
    ) -> dict[str, Any]:
        """Return a modal that is in `views`, sent off. values: {block id: {action id: state}}."""
        return self.interaction(
            "view_submission", user, view={**view, "state": {"values": dict(values)}}, response_urls=[]
        )

    def deliver(self, payload: Mapping[str, Any], *, retry: int = 0) -> dict[str, Any]:
        """Send it by socket mode; return what was acknowledged (with the answer in "payload", where there is one)."""
        number = f"envelope-{next(self._numbers)}"
        kind = "events_api" if payload.get("type") == "event_callback" else "interactive"
        envelope = {
            "type": kind,
            "envelope_id": number,
            "payload": payload,
            "accepts_response_payload": kind != "events_api",
            "retry_attempt": retry,
            "retry_reason": "timeout" if retry else "",
        }
        socket = until(lambda: self.sockets, "somebody listens")[-1]
        socket.send(json.dumps(envelope))
        return until(lambda: self.acknowledged.get(number), "an acknowledgement")

    def hang_up_sockets(self, *, politely: bool = False) -> None:
        """End socket mode as Slack does now and then: with a word before, or without."""
        for socket in list(self.sockets):
            with suppress(OSError):
                socket.send(
                    json.dumps({"type": "disconnect", "reason": "warning"})
                ) if politely else socket.close()

    def signed(
        self,
        payload: Mapping[str, Any],
        *,
        secret: str = SIGNING_SECRET,
        at: float | None = None,
        retry: int = 0,
    ) -> dict[str, Any]:
        """Return the `data` and `headers` of the POST by which Slack sends it over HTTP."""
        as_json = payload.get("type") in ("event_callback", "url_verification")
        body = json.dumps(payload) if as_json else urlencode({"payload": json.dumps(payload)})
        moment = str(int(time.time() if at is None else at))
        digest = hmac.new(secret.encode(), f"v0:{moment}:{body}".encode(), hashlib.sha256).hexdigest()
        headers = {
            "Content-Type": "application/json" if as_json else "application/x-www-form-urlencoded",
            "X-Slack-Request-Timestamp": moment,
            "X-Slack-Signature": f"v0={digest}",
        }
        if retry:
            headers |= {"X-Slack-Retry-Num": str(retry), "X-Slack-Retry-Reason": "http_timeout"}
        return {"data": body, "headers": headers}

    # The Web API.

    def take(self, method: str, data: dict[str, Any], token: str) -> Answer:
        with self._lock:
            self.calls.append(Call(method, data, token))
            if waiting := self._instead.get(method):
                return waiting.pop(0)
            if token != (APP_TOKEN if method == "apps.connections.open" else BOT_TOKEN):
                return Answer({"ok": False, "error": "invalid_auth"})
            act = getattr(self, "_" + method.replace(".", "_"), None)
            if act is None:
                return Answer({"ok": False, "error": "unknown_method"})
            return Answer(self._refusal(data) or {"ok": True, **act(data)})

    def _refusal(self, data: Mapping[str, Any]) -> dict[str, Any] | None:
        """Say what Slack takes of nobody: a channel it does not know, more blocks or characters than it shows."""
        channel = data.get("channel") or data.get("channel_id")
        if channel is not None and self._channel(str(channel)) is None:
            return {"ok": False, "error": "channel_not_found"}
        if len(data.get("blocks") or []) > 50:
            return {"ok": False, "error": "invalid_blocks"}
        if len(str(data.get("text") or "")) > 40_000:
            return {"ok": False, "error": "msg_too_long"}
        return None

    def _channel(self, given: str) -> str | None:
        """Return the id of a channel that is named by its id or its name, or of a direct message."""
        if given in self.channels or given in self.people or given.startswith("D"):
            return given
        return next((id for id, name in self.channels.items() if name == given.lstrip("#")), None)

    def _auth_test(self, data: dict[str, Any]) -> dict[str, Any]:
        return {
            "url": self.url,
            "team": "Stand-in",
            "team_id": TEAM,
            "user": "errand",
            "user_id": BOT_USER,
            "bot_id": BOT_ID,
        }

    def _apps_connections_open(self, data: dict[str, Any]) -> dict[str, Any]:
        return {"url": f"ws://127.0.0.1:{self.port}/link/?ticket=1"}

    def _users_info(self, data: dict[str, Any]) -> dict[str, Any]:
        found = self.people.get(data["user"])
        return {"user": found} if found else {"ok": False, "error": "user_not_found"}

    def _conversations_info(self, data: dict[str, Any]) -> dict[str, Any]:
        channel = self._channel(data["channel"])
        return {"channel": {"id": channel, "name": self.channels.get(str(channel), "")}}

    def _conversations_open(self, data: dict[str, Any]) -> dict[str, Any]:
        return {"channel": {"id": f"D{data['users']}"}}

    def _chat_postMessage(self, data: dict[str, Any]) -> dict[str, Any]:
        message = {**data, "channel": self._channel(data["channel"]), "ts": self.ts()}
        message.setdefault("text", "")
        self.messages.append(message)
        return {"channel": message["channel"], "ts": message["ts"], "message": message}

    def _chat_postEphemeral(self, data: dict[str, Any]) -> dict[str, Any]:
        return {"message_ts": self._chat_postMessage(data)["ts"]}

    def _chat_update(self, data: dict[str, Any]) -> dict[str, Any]:
        for message in self.messages:
            if (message["channel"], message["ts"]) == (data["channel"], data["ts"]):
                message.update(data)
                return {"channel": data["channel"], "ts": data["ts"], "text": message["text"]}
        return {"ok": False, "error": "message_not_found"}

    def _chat_getPermalink(self, data: dict[str, Any]) -> dict[str, Any]:
        return {"permalink": f"{self.url}/archives/{data['channel']}/p{data['message_ts'].replace('.', '')}"}

    def _reactions_add(self, data: dict[str, Any]) -> dict[str, Any]:
        reaction = (data["channel"], data["timestamp"], data["name"])
        if reaction in self.reactions:
            return {"ok": False, "error": "already_reacted"}
        self.reactions.append(reaction)
        return {}

    def _views_open(self, data: dict[str, Any]) -> dict[str, Any]:
        view = {**data["view"], "id": f"V{next(self._numbers)}", "hash": "1", "team_id": TEAM}
        self.views[view["id"]] = view
        return {"view": view}

    def _views_update(self, data: dict[str, Any]) -> dict[str, Any]:
        view = {**self.views[data["view_id"]], **data["view"]}
        self.views[data["view_id"]] = view
        return {"view": view}

    def _files_getUploadURLExternal(self, data: dict[str, Any]) -> dict[str, Any]:
        upload = Upload(f"F{next(self._numbers)}", data["filename"])
        self._uploads[upload.id] = upload
        return {"upload_url": f"{self.url}/upload/{upload.id}", "file_id": upload.id}

    def uploaded(self, id: str, content: bytes) -> Answer:
        if waiting := self._instead.get("upload"):
            return waiting.pop(0)
        self._uploads[id].content = content
        return Answer()

    def _files_completeUploadExternal(self, data: dict[str, Any]) -> dict[str, Any]:
        done = []
        for named in data["files"]:
            upload = self._uploads[named["id"]]
            upload.title = named.get("title") or ""
            upload.channel = data.get("channel_id") or ""
            upload.thread_ts, upload.comment = data.get("thread_ts"), data.get("initial_comment")
            self.files.append(upload)
            done.append(
                {"id": upload.id, "title": upload.title, "permalink": f"{self.url}/files/{upload.id}"}
            )
        return {"files": done}


def _given(body: bytes, content_type: str) -> dict[str, Any]:
    """Return the arguments of a call, which come as JSON or as a form with JSON in some of its fields."""
    if content_type.startswith("application/json"):
        return dict(json.loads(body))
    fields: dict[str, Any] = dict(parse_qsl(body.decode(), keep_blank_values=True))
    for name in ("blocks", "files", "view", "attachments"):
        if isinstance(fields.get(name), str):
            fields[name] = json.loads(fields[name])
    return fields


def _handler(slack: SlackStandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            _, room, *rest = urlsplit(self.path).path.split("/")
            if room == "upload":
                self._say(slack.uploaded(rest[0], body))
            elif room == "response":
                slack.calls.append(Call("response_url", json.loads(body), ""))
                self._say(Answer({"ok": True}))
            else:
                data = _given(body, self.headers.get("Content-Type", ""))
                said = self.headers.get("Authorization", "").removeprefix("Bearer ")
                self._say(slack.take(rest[0], data, str(data.pop("token", "") or said)))

        def do_GET(self) -> None:
            """Listen: the only thing that is asked for so."""
            self.send_response(101)
            for name, value in (("Upgrade", "websocket"), ("Connection", "Upgrade")):
                self.send_header(name, value)
            self.send_header("Sec-WebSocket-Accept", accepted(self.headers["Sec-WebSocket-Key"]))
            self.end_headers()
            self.close_connection = True
            socket = WebSocket(self.rfile, self.connection)
            socket.send(json.dumps({"type": "hello", "num_connections": 1}))
            slack.sockets.append(socket)
            with suppress(OSError):
                while (said := socket.receive()) is not None:
                    answer = json.loads(said)
                    slack.acknowledged[answer["envelope_id"]] = answer
            slack.sockets.remove(socket)

        def _say(self, answer: Answer) -> None:
            if not answer.status:
                self.close_connection = True
                return
            body = json.dumps(answer.body).encode()
            self.send_response(answer.status)
            length = {"Content-Type": "application/json", "Content-Length": str(len(body))}
            for name, value in {**length, **answer.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


class _Server(ThreadingHTTPServer):
    #: A client that is killed while it listens does not keep the test.
    daemon_threads = True


@contextmanager
def slack_stand_in() -> Iterator[SlackStandIn]:
    slack = SlackStandIn()
    with _Server(("127.0.0.1", 0), _handler(slack)) as server:
        slack.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield slack
        finally:
            slack.hang_up_sockets()
            server.shutdown()
            thread.join()
