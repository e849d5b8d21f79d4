"""Pieces of what Slack shows, within its limits."""

from typing import Any

from worker.messages import cut

#: Our own name for what is typed or chosen.
INPUT = "errand.input"

# What Slack takes.
MOST_BLOCKS, LONGEST_METADATA = 100, 3_000
LONGEST_TITLE, LONGEST_SECTION, LONGEST_LABEL = 24, 3_000, 2_000


def modal(
    title: str, blocks: list[dict[str, Any]], *, callback: str = "", metadata: str = "", submit: str = ""
) -> dict[str, Any]:
    """Return any modal; submit: the words of its button, if it has one."""
    view = {"type": "modal", "title": plain(title or "Errand", LONGEST_TITLE), "blocks": blocks}
    view["close"] = plain("Cancel" if submit else "Close", LONGEST_TITLE)
    if submit:
        view |= {
            "submit": plain(submit, LONGEST_TITLE),
            "callback_id": callback,
            "private_metadata": metadata,
        }
    return view


def section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": cut(text, LONGEST_SECTION)}}


def plain(text: str, most: int) -> dict[str, Any]:
    return {
        "type": "plain_text",
        "text": text if len(text) <= most else text[: most - 1] + "…",
        "emoji": False,
    }
