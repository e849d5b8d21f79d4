"""Places outside that are told: Slack, webhooks of other programs, and people by a mail server of their own."""

import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from store.given import SettingsError
from store.models import Channel, Delivery, now
from store.notice_settings import NoticeSettings, smtp_settings
from worker import mail, messages
from worker.messages import Told
from worker.outside import Answer, BadAddress, NoAnswer, post, resolve
from worker.sending import Trouble, Undeliverable
from worker.slack.approval_message import decision_block

#: As much of an answer as is kept.
SHOWN_CHARACTERS = 300

#: Of Slack's refusals those that pass; all others are about the channel or the token.
_PASSING = frozenset(
    {"ratelimited", "internal_error", "fatal_error", "service_unavailable", "request_timeout"}
)


def send_webhook(
    settings: NoticeSettings, delivery: Delivery, box: Mapping[str, Any], moment: int | None = None
) -> str:
    """Post a message as JSON, signed; return what was answered. Raises Trouble, Undeliverable."""
    body = json.dumps(messages.as_json(delivery, settings.url, now()), ensure_ascii=False).encode()
    moment = int(time.time()) if moment is None else moment
    headers = {
        "Content-Type": "application/json",
        "X-Errand-Event": delivery.event,
        "X-Errand-Delivery": str(delivery.mark),
        "X-Errand-Signature": signature(str(box["secret"]), body, moment),
    }
    answer = _posted(str(box["url"]), body, headers, settings)
    if answer.status == 410:
        raise Undeliverable(f"It wants no more: {_shown(answer)}")
    if not 200 <= answer.status < 300:
        raise _trouble(answer)
    return _shown(answer)


def signature(secret: str, body: bytes, moment: int) -> str:
    """Return what tells a receiver that a body is ours, and of now: an HMAC over "<unix time>.<body>"."""
    digest = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={moment},v1={digest}"


def send_slack(settings: NoticeSettings, delivery: Delivery, box: Mapping[str, Any]) -> str:
    """Post a message by an incoming webhook, or as the bot of the token. Raises Trouble, Undeliverable."""
    said = messages.slack_blocks(delivery, settings.url)
    headers = {"Content-Type": "application/json; charset=utf-8", "X-Errand-Delivery": str(delivery.mark)}
    if box.get("url"):
        answer = _posted(str(box["url"]), json.dumps(said).encode(), headers, settings)
        if answer.status in (403, 404, 410):
            raise Undeliverable(f"Slack does not know this address any more: {_shown(answer)}")
        if answer.status != 200:
            raise _trouble(answer)
        return _shown(answer)
    if not settings.slack_token:
        # Another process may know it.
        raise Trouble("There is no SLACK_BOT_TOKEN, nor ERRAND_SLACK_TOKEN, to write to channels with.")
    if settings.slack_buttons and (request := delivery.content.get("decide")):
        said["blocks"].append(decision_block(str(request)))
    headers["Authorization"] = f"Bearer {settings.slack_token}"
    body = json.dumps({**said, "channel": box.get("channel", "")}).encode()
    return _judged(_posted(f"{settings.slack_api}chat.postMessage", body, headers, settings))


def send_mail(
    settings: NoticeSettings, delivery: Delivery, channel: Channel, box: Mapping[str, Any], report: Told
) -> str:
    """Send a mail by the channel's own server. Raises Trouble, Undeliverable."""
    try:
        server = smtp_settings(str(box.get("url", "")), channel.sender, "The address")
        own = settings.mail
        if own is None or own.host != server.host:
            server = replace(server, address=str(resolve(server.host, server.port, settings)))
    except (SettingsError, BadAddress) as error:
        raise Undeliverable(str(error)) from error
    except NoAnswer as error:
        raise Trouble(str(error), whole=True) from error
    # The portal's own authority signs servers of its network, too.
    server = replace(server, ca=own.ca if own is not None else None)
    return mail.send(server, delivery, settings.url, {}, report, channel.receivers)


def greet_slack(settings: NoticeSettings) -> str:
    """Ask Slack whether it knows the token; return a sentence. Raises Trouble, Undeliverable."""
    headers = {"Authorization": f"Bearer {settings.slack_token}"}
    _judged(_posted(f"{settings.slack_api}auth.test", b"", headers, settings))
    return "Slack knows the token."


def _judged(answer: Answer) -> str:
    """Slack's API says 200 whatever it means."""
    if answer.status != 200:
        raise _trouble(answer)
    # Of a long answer only the beginning is read; what counts stands there.
    if answer.text.replace(" ", "").startswith('{"ok":true'):
        return "Slack took it."
    try:
        error = str(json.loads(answer.text).get("error", ""))
    except (ValueError, AttributeError):
        error = ""
    if not error or error in _PASSING:
        raise Trouble(f"Slack did not take it: {error or _shown(answer)}", retry_after=answer.retry_after)
    raise Undeliverable(f"Slack refused it: {error}")


def _posted(url: str, body: bytes, headers: Mapping[str, str], settings: NoticeSettings) -> Answer:
    try:
        return post(url, body, headers, settings)
    except BadAddress as error:
        raise Undeliverable(str(error)) from error
    except NoAnswer as error:
        raise Trouble(str(error), whole=True) from error


def _trouble(answer: Answer) -> Trouble:
    whole = answer.status == 429 or answer.status >= 500
    return Trouble(_shown(answer), whole=whole, retry_after=answer.retry_after)


def _shown(answer: Answer) -> str:
    text = " ".join(answer.text.split())[:SHOWN_CHARACTERS]
    return f"{answer.status} {text}".rstrip()
