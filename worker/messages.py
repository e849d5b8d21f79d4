"""What a message says, in the shape of its way: plain text and HTML for mail, blocks for Slack, JSON for programs.

All are made of the content of a delivery (see worker.notice_facts), where everything a job wrote is data.
"""

import html
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from store.models import Delivery

#: What Slack takes: characters of a section, of a header, and of one text.
MOST_SECTION, MOST_HEADER = 3_000, 150

_FOOT = "Errand sends this because you asked to be told. What you are told about is yours to choose"


class Told(NamedTuple):
    """A report on its way, as text and as HTML that is safe. With a subject, it is all that a mail says."""

    text: str = ""
    html: str = ""
    subject: str = ""


NO_REPORT = Told()


def url_of(content: Mapping[str, Any], portal: str) -> str:
    """Return the address of what a message is about; "" where nobody said where the portal is."""
    path = str(content.get("path", ""))
    return f"{portal}{path}" if portal and path else ""


def plain(delivery: Delivery, portal: str, secret: Mapping[str, str], report: Told) -> str:
    content = delivery.content
    parts = [report.text] if report.subject else _all_parts(delivery, report)
    if address := secret.get("link") or url_of(content, portal):
        parts.append(address)
    parts.append(f"-- \n{_foot(delivery, portal)}")
    return "\n\n".join(part for part in parts if part) + "\n"


def _all_parts(delivery: Delivery, report: Told) -> list[str]:
    content = delivery.content
    parts = [delivery.title, *_text_of(content)]
    parts += ["\n".join(f"{label}: {text}" for label, text in content.get("facts", ()))]
    if failures := content.get("failures"):
        parts.append("What failed:\n" + "\n".join(f"- {_indented(each)}" for each in failures))
    return [*parts, f"Report:\n{report.text}"] if report.text else parts


def as_html(delivery: Delivery, portal: str, secret: Mapping[str, str], report: Told) -> str:
    content, shown = delivery.content, html.escape
    facts = "" if report.subject else _facts_html(delivery)
    address = secret.get("link") or url_of(content, portal)
    link = (
        f'<p><a href="{shown(address)}">{shown(str(content.get("act", "Open it")))}</a></p>'
        if address
        else ""
    )
    return (
        '<!doctype html><html><body style="font:14px/1.5 sans-serif;color:#1a1c20">'
        f"{facts}{report.html}{link}"
        f'<p style="color:#65686f;font-size:12px">{shown(_foot(delivery, portal))}</p></body></html>'
    )


def _facts_html(delivery: Delivery) -> str:
    content, shown = delivery.content, html.escape
    rows = "".join(
        f'<tr><td style="padding:2px 16px 2px 0;color:#65686f;vertical-align:top">{shown(label)}</td>'
        f"<td>{shown(text)}</td></tr>"
        for label, text in content.get("facts", ())
    )
    failures = "".join(
        f'<pre style="margin:4px 0;padding:6px 10px;background:#fdeceb;white-space:pre-wrap">{shown(each)}</pre>'
        for each in content.get("failures", ())
    )
    texts = "".join(f"<p>{shown(each)}</p>" for each in _text_of(content))
    return f'<h1 style="font-size:18px">{shown(delivery.title)}</h1>{texts}<table>{rows}</table>{failures}'


def slack_blocks(delivery: Delivery, portal: str) -> dict[str, Any]:
    """Return what chat.postMessage and incoming webhooks take beside the channel."""
    content = delivery.content
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": cut(delivery.title, MOST_HEADER)}}
    ]
    lines = [*map(mrkdwn, _text_of(content))]
    lines += [f"*{mrkdwn(label)}:* {mrkdwn(text)}" for label, text in content.get("facts", ())]
    if lines:
        blocks.append(_section("\n".join(lines)))
    if failures := content.get("failures"):
        blocks.append(_section("\n".join(f">{mrkdwn(each)}".replace("\n", "\n>") for each in failures)))
    if address := url_of(content, portal):
        blocks.append(_section(f"<{address}|{mrkdwn(str(content.get('act', 'Open it')))}>"))
    # `text` is what notifications show, and what is read aloud.
    return {"text": cut(mrkdwn(delivery.title), MOST_SECTION), "blocks": blocks, "unfurl_links": False}


def as_json(delivery: Delivery, portal: str, moment: datetime) -> dict[str, Any]:
    """Return the body of a webhook."""
    content = delivery.content
    body: dict[str, Any] = {
        "event": delivery.event,
        "delivery": str(delivery.mark),
        "sent_at": moment.isoformat(),
        "title": delivery.title,
        "url": url_of(content, portal) or None,
    }
    for name in ("result", "approval", "schedule"):
        if name in content:
            body[name] = dict(content[name])
    if "result" in body:
        body["result"]["url"] = f"{portal}/results/{body['result']['id']}" if portal else None
        body["failures"] = content.get("failures", [])
    return body


def _text_of(content: Mapping[str, Any]) -> list[str]:
    return [str(each) for each in content.get("texts", ()) if each]


def _foot(delivery: Delivery, portal: str) -> str:
    if delivery.event == "invitation":
        return "An administrator of Errand sent this."
    if delivery.target.startswith("channel:"):
        return f"Errand sends this by the channel {delivery.receiver}."
    return f"{_FOOT}{f': {portal}/account/notifications/' if portal else '.'}"


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": cut(text, MOST_SECTION)}}


def mrkdwn(text: str) -> str:
    """Have Slack show a text as it is: none of it may become a mention or a link."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def cut(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    # Not within one of our own escapes.
    short = text[: most - 1]
    head, amp, tail = short.rpartition("&")
    return (head if amp and ";" not in tail and len(tail) < 5 else short) + "…"


def _indented(text: str) -> str:
    return text.replace("\n", "\n  ")
